/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * denied, learn: ask the daemon for what was refused; the shapes of request, answer and events are in
 * ctl.h and denied.h. An answer has a limited size, and a connection one answer: so both ask again
 * from where the last answer ended, and `--follow` goes on doing so each second.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/command.h"
#include "dockside/ctl.h"
#include "dockside/learn.h"
#include "dockside/log.h"
#include "dockside/model.h"

#define TIMEOUT_MS 10000
#define FOLLOW_S 1
#define UNRECORDED_MS 10000 /* of an ever-growing number, while following */
#define AFTER_NONE UINT64_MAX

/* ------------------------------------------------------------------ times */

/* "10m": so long before now. */
static bool read_ago(const char *text, uint64_t now, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	size_t len = strlen(text);
	uint64_t number;

	if (len < 2 || !parse_uint(text, len - 1, 0, 1000000, &number))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t ago = number * units[i].ms;

		if (units[i].unit != text[len - 1])
			continue;
		*ret_ms = ago < now ? now - ago : 0;
		return true;
	}
	return false;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool read_since(const char *command, const char *text, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *end;
	time_t seconds;

	if (!text || read_ago(text, now_ms(), ret_ms))
		return true;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	seconds = end && !*end ? timegm(&tm) : -1;
	if (seconds < 0) {
		log_error("%s: --since is \"%s\": wanted 30s, 10m, 2h or 1d, or a time as "
			  "2026-01-02T03:04:05Z",
			  command, text);
		return false;
	}
	*ret_ms = (uint64_t)seconds * 1000;
	return true;
}

/* ------------------------------------------------------------------ asking */

struct question {
	const char *command, *socket, *network;
	uint64_t since_ms;
	uint64_t after; /* or AFTER_NONE */
};

/* The daemon's answer, parsed. Locations point into src. */
struct answer_text {
	struct src src;
	struct json_tree tree;
	struct diags diags;
};

static void answer_free(struct answer_text *answer)
{
	json_tree_free(&answer->tree);
	diags_free(&answer->diags);
	src_free(&answer->src);
}

static char *request_text(const struct question *q)
{
	struct buf b = { 0 };
	struct json_out out = { .b = &b };

	json_out_open(&out, NULL, '{');
	json_out_string(&out, "action", request_action_name(REQUEST_DENIED));
	if (q->network)
		json_out_string(&out, "network", q->network);
	if (q->since_ms > 0)
		json_out_int(&out, "since_ms", (int64_t)q->since_ms);
	if (q->after != AFTER_NONE)
		json_out_int(&out, "after", (int64_t)q->after);
	json_out_close(&out, '}');
	return buf_steal(&b);
}

static const struct json_node *member(const struct json_node *object, const char *key,
				      enum json_kind kind)
{
	const struct json_node *node = json_get(object, key);

	return node && node->kind == kind ? node : NULL;
}

static const char *text_of(const struct json_node *object, const char *key, const char *otherwise)
{
	const struct json_node *node = member(object, key, JSON_STRING);

	return node ? node->u.string.s : otherwise;
}

static int64_t number_of(const struct json_node *object, const char *key)
{
	const struct json_node *node = member(object, key, JSON_INT);

	return node ? node->u.integer : 0;
}

static bool is_true(const struct json_node *object, const char *key)
{
	const struct json_node *node = member(object, key, JSON_BOOL);

	return node && node->u.boolean;
}

/* Returns 0, or -errno after saying why. */
static int ask(const struct question *q, struct answer_text *ret)
{
	cleanup(cleanup_free) char *request = request_text(q);
	struct err err = { 0 };
	char *text = NULL;
	const char *status = NULL;
	int r = ctl_call(q->socket, request, TIMEOUT_MS, &text, &err);

	if (r < 0) {
		log_error("%s: %s", q->command, err.text);
		err_free(&err);
		return r;
	}
	ret->src = (struct src){ .text = text, .len = strlen(text) };
	if (json_parse(&ret->src, &ret->tree, &ret->diags) && ret->tree.root &&
	    ret->tree.root->kind == JSON_OBJECT)
		status = text_of(ret->tree.root, "status", NULL);
	if (status && strcmp(status, "ok") == 0)
		return 0;
	log_error("%s: %s", q->command,
		  status ? text_of(ret->tree.root, "message", "the daemon does not say why")
			 : "what answers at the socket is no dsfw-nft daemon");
	return -EPROTO;
}

/* ------------------------------------------------------------------ printing */

/* 2026-01-02T03:04:05.678Z to local time. */
static void put_local_time(struct buf *b, const struct json_node *event)
{
	time_t seconds = (time_t)(number_of(event, "time_ms") / 1000);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_printf(b, "%-19s", text);
}

static void put_column(struct buf *b, int width, const char *first, const char *second)
{
	cleanup(cleanup_free) char *text =
		second ? xasprintf("%s (%s)", first, second) : xstrdup(first);

	buf_printf(b, "  %-*s", width, text);
}

static void put_port(struct buf *b, const struct json_node *event)
{
	cleanup(cleanup_free) char *text = NULL;
	const char *protocol = text_of(event, "protocol", "?");

	if (member(event, "port", JSON_INT))
		text = xasprintf("%s/%" PRId64, protocol, number_of(event, "port"));
	else if (member(event, "icmp_type", JSON_INT))
		text = xasprintf("%s %" PRId64, protocol, number_of(event, "icmp_type"));
	buf_printf(b, "  %-10s", text ? text : protocol);
}

static void put_rule(struct buf *b, const struct json_node *event)
{
	const char *rule = text_of(event, "rule", NULL), *file = text_of(event, "file", NULL);
	const char *kind = text_of(event, "kind", "");

	if (strcmp(text_of(event, "verdict", ""), "audit") == 0)
		buf_puts(b, "  (audit: passed)");
	if (!rule)
		buf_puts(b, "  older rules");
	else if (file)
		buf_printf(b, "  %s (%s:%" PRId64 ")", rule, file, number_of(event, "line"));
	else
		buf_printf(b, "  %s", strcmp(kind, "ING") == 0 ? "between containers" : rule);
}

static void print_event(const struct json_node *event, bool json)
{
	const char *source = text_of(event, "source", "?");
	const char *container = text_of(event, "container", NULL);
	const char *destination = text_of(event, "destination", "?");
	const char *name = text_of(event, "name", NULL);
	bool lookup = strcmp(text_of(event, "name_from", ""), "lookup") == 0;
	cleanup(cleanup_free) char *looked_up = xasprintf("looked up, %s", destination);
	struct buf b = { 0 };

	if (json) {
		struct json_out out = { .b = &b };

		json_out_node(&out, NULL, event);
	} else {
		put_local_time(&b, event);
		put_column(&b, 15, text_of(event, "network", "?"), NULL);
		put_column(&b, 28, container ? container : source, container ? source : NULL);
		put_column(&b, 36, name ? name : destination,
			   !name    ? NULL
			   : lookup ? looked_up
				    : destination);
		put_port(&b, event);
		put_rule(&b, event);
	}
	printf("%s\n", buf_str(&b));
	buf_free(&b);
}

static void print_title(void)
{
	printf("%-19s  %-15s  %-28s  %-36s  %-10s  %s\n", "TIME", "NETWORK", "FROM", "TO",
	       "PROTOCOL", "RULE");
}

/* ------------------------------------------------------------------ what is not among the events */

/* Of one chain of a network. */
struct unrecorded {
	char *network, *kind;
	int64_t n, said; /* since the daemon's start; of which so many were told of */
	uint64_t said_ms;
};

/* unrecorded_free() when done. */
struct unrecorded_list {
	struct unrecorded *items;
	size_t n, cap;
	int64_t lost;
	bool begun;
};

static void unrecorded_free(struct unrecorded_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].network);
		free(list->items[i].kind);
	}
	free(list->items);
}

static struct unrecorded *find_unrecorded(struct unrecorded_list *list, const char *network,
					  const char *kind)
{
	struct unrecorded *item;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].network, network) == 0 &&
		    strcmp(list->items[i].kind, kind) == 0)
			return &list->items[i];
	list->items = array_grow(list->items, &list->cap, list->n, sizeof(*list->items));
	item = &list->items[list->n++];
	*item = (struct unrecorded){ .network = xstrdup(network), .kind = xstrdup(kind) };
	return item;
}

/* 749,600 */
static void put_grouped(struct buf *b, int64_t number)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%" PRId64, number);

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf_putc(b, ',');
		buf_putc(b, digits[i]);
	}
}

/* Where only events are wanted on standard output, beside it. */
static void say_more(const char *network, const struct buf *text, bool json)
{
	if (json)
		log_info("%s%s%s", network, network[0] ? ": " : "", text->data);
	else
		printf("…%-18s  %-15s  %s\n", "", network, text->data);
	fflush(stdout);
}

static void say_unrecorded(struct unrecorded *item, bool begun, bool json)
{
	const char *where = strcmp(item->kind, "ING") == 0    ? " between containers"
			    : strcmp(item->kind, "HOST") == 0 ? " to the host itself"
							      : "";
	struct buf b = { 0 };

	put_grouped(&b, item->n - item->said);
	buf_printf(&b, " more%s were not recorded (limit)%s", where,
		   begun ? "" : " since the daemon's start");
	say_more(item->network, &b, json);
	buf_free(&b);
	item->said = item->n;
	item->said_ms = now_ms();
}

static void say_lost(struct unrecorded_list *list, int64_t lost, bool json)
{
	struct buf b = { 0 };

	if (lost <= list->lost)
		return;
	put_grouped(&b, lost - list->lost);
	buf_puts(&b, " of these were lost on the way to the daemon");
	say_more("", &b, json);
	buf_free(&b);
	list->lost = lost;
}

/* When it comes to an end, that is when there are no more than a moment ago; or now and then. */
static void note_unrecorded(struct unrecorded_list *list, const struct json_node *answer, bool json)
{
	const struct json_node *counts = member(answer, "counts", JSON_ARRAY);

	for (size_t i = 0; counts && i < counts->u.children.n; i++) {
		const struct json_node *count = &counts->u.children.items[i];
		struct unrecorded *item;
		int64_t n;

		if (count->kind != JSON_OBJECT)
			continue;
		item = find_unrecorded(list, text_of(count, "network", "?"),
				       text_of(count, "kind", ""));
		n = number_of(count, "suppressed");
		if (n > item->said &&
		    (!list->begun || n == item->n || now_ms() - item->said_ms >= UNRECORDED_MS)) {
			item->n = n;
			say_unrecorded(item, list->begun, json);
		}
		item->n = n;
	}
	say_lost(list, number_of(answer, "lost"), json);
	list->begun = true;
}

/* ------------------------------------------------------------------ going through the events */

typedef void (*event_fn)(void *data, const struct json_node *event);

struct listener {
	event_fn fn;
	void *data;
	bool json;
	struct unrecorded_list *unrecorded; /* NULL: nobody wants to know */
};

/* One answer; *ret_more: there are further events already. Returns 0, or -errno after saying why. */
static int take_answer(struct question *q, const struct listener *listener, bool *ret_more)
{
	cleanup(answer_free) struct answer_text answer = { 0 };
	const struct json_node *events, *root;
	bool first = q->after == AFTER_NONE;
	int r = ask(q, &answer);

	if (r < 0)
		return r;
	root = answer.tree.root;
	events = member(root, "events", JSON_ARRAY);
	if (first && !is_true(root, "listening"))
		log_warning("%s: the daemon is not told what is refused (--log-group)", q->command);
	if (!first && number_of(root, "missed") > 0)
		log_warning("%s: %" PRId64 " events came and went unseen", q->command,
			    number_of(root, "missed"));
	for (size_t i = 0; events && i < events->u.children.n; i++)
		if (events->u.children.items[i].kind == JSON_OBJECT)
			listener->fn(listener->data, &events->u.children.items[i]);
	q->after = (uint64_t)number_of(root, "next");
	*ret_more = is_true(root, "more");
	if (!*ret_more && listener->unrecorded)
		note_unrecorded(listener->unrecorded, root, listener->json);
	return 0;
}

static int take_all(struct question *q, const struct listener *listener)
{
	bool more = true;
	int r = 0;

	while (r >= 0 && more)
		r = take_answer(q, listener, &more);
	return r;
}

static void on_event(void *data, const struct json_node *event)
{
	print_event(event, *(const bool *)data);
}

static bool begin(const struct options *options, struct question *ret)
{
	*ret = (struct question){
		.command = options->command,
		.socket = options->socket ? options->socket : CTL_DEFAULT_PATH,
		.after = AFTER_NONE,
	};
	return read_since(options->command, options->since, &ret->since_ms);
}

int cmd_denied(const struct options *options)
{
	cleanup(unrecorded_free) struct unrecorded_list unrecorded = { 0 };
	bool json = options->json;
	const struct listener listener = { on_event, &json, json, &unrecorded };
	struct question q;
	int r;

	if (!begin(options, &q))
		return EXIT_USAGE;
	q.network = options->network;
	if (!json)
		print_title();
	r = take_all(&q, &listener);
	while (r >= 0 && options->follow && fflush(stdout) == 0) {
		nanosleep(&(struct timespec){ .tv_sec = FOLLOW_S }, NULL);
		r = take_all(&q, &listener);
	}
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static void on_learn(void *data, const struct json_node *event)
{
	learn_add(data, event);
}

/* It goes into JSON, and into the name of an ipset. */
static bool network_named(const char *name)
{
	static const char set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (name[0] && strlen(name) <= BRIDGE_NAME_MAX && strspn(name, set) == strlen(name))
		return true;
	log_error("learn: no network can have that name");
	return false;
}

int cmd_learn(const struct options *options)
{
	struct learn learn = { 0 };
	const struct listener listener = { on_learn, &learn, false, NULL };
	struct buf b = { 0 };
	struct question q;
	int r;

	if (options->n_operands != 1) {
		log_error("learn takes one NETWORK; see dsfw-nft help");
		return EXIT_USAGE;
	}
	if (!begin(options, &q) || !network_named(options->operands[0]))
		return EXIT_USAGE;
	q.network = options->operands[0];
	r = take_all(&q, &listener);
	if (r >= 0) {
		learn_print(&learn, q.network, &b);
		printf("%s", buf_str(&b));
	}
	if (r >= 0 && learn.between > 0)
		log_warning("learn: %" PRIu64 " connections between containers: no rule can allow "
			    "these",
			    learn.between);
	if (r >= 0 && learn.unsayable > 0)
		log_warning("learn: %" PRIu64
			    " packets of protocols that no rule can name: left out",
			    learn.unsayable);
	buf_free(&b);
	learn_free(&learn);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
