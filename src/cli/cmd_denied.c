/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * denied, learn: ask the daemon for what was refused; the shapes of request, answer and events are in
 * ctl_server.h and denied.h. An answer has a limited size, and a connection one answer: so both ask again
 * from where the last answer ended, and `--follow` goes on doing so twice a second.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd_since.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/cli/term.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/policy/model.h"
#include "dockside/report/learn.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define TIMEOUT_MS 10000
#define FOLLOW_MS \
	500 /* with the tenth of a second that the kernel collects for, all is told within one */
#define UNRECORDED_MS 10000 /* of an ever-growing number, while following */
#define AFTER_NONE UINT64_MAX

/* ------------------------------------------------------------------ asking */

struct question {
	const char *command, *socket, *network;
	uint64_t since_ms;
	uint64_t after; /* or AFTER_NONE */
	bool follow;	/* a daemon that goes away may come back */
	bool waiting;	/* for that, and it was said */
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
	struct json_writer out = { .b = &b };

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(REQUEST_DENIED));
	if (q->network)
		json_write_string(&out, "network", q->network);
	if (q->since_ms > 0)
		json_write_int(&out, "since_ms", (int64_t)q->since_ms);
	if (q->after != AFTER_NONE)
		json_write_int(&out, "after", (int64_t)q->after);
	json_write_close(&out, '}');
	return buf_steal(&b);
}

static int64_t number_of(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	return node ? node->u.integer : 0;
}

/* Returns 0, or -errno after saying why; -EAGAIN: it may be there again later. */
static int ask(struct question *q, struct answer_text *ret)
{
	cleanup(cleanup_free) char *request = request_text(q);
	struct err err = { 0 };
	char *text = NULL;
	const char *status = NULL;
	int r;

	term_progress("waiting for the daemon");
	r = ctl_call(q->socket, request, TIMEOUT_MS, &text, &err);
	term_progress_end();
	if (r < 0) {
		if (!q->waiting)
			log_error("%s: %s%s", q->command, err.text,
				  q->follow ? "; waiting for it" : "");
		q->waiting = q->follow;
		err_free(&err);
		return q->follow ? -EAGAIN : r;
	}
	q->waiting = false;
	ret->src = (struct src){ .text = text, .len = strlen(text) };
	if (json_parse(&ret->src, &ret->tree, &ret->diags) && ret->tree.root &&
	    ret->tree.root->kind == JSON_OBJECT)
		status = json_text(ret->tree.root, "status", NULL);
	if (status && strcmp(status, "ok") == 0)
		return 0;
	log_error("%s: %s", q->command,
		  status ? json_text(ret->tree.root, "message", "the daemon does not say why")
			 : "what answers at the socket is no dsfw-nft daemon");
	return -EPROTO;
}

/* ------------------------------------------------------------------ printing */

enum { TIME, NETWORK, FROM, TO, PROTOCOL, RULE, N_COLUMNS };

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

/* How events are shown. */
struct view {
	bool json;
	bool titled; /* the titles are written */
	struct unrecorded_list unrecorded;
	struct term term;
	size_t width[N_COLUMNS];
};

#define TIME_WIDTH 19 /* 2026-01-02 03:04:05 */
#define CLOCK_WIDTH 8 /* where that takes the room of what matters more */
#define RULE_WIDTH 40
#define WIDE 140 /* characters in a line */

static void begin_view(struct view *view, bool json)
{
	static const size_t width[N_COLUMNS] = { TIME_WIDTH, 15, 28, 36, 10, RULE_WIDTH };

	*view = (struct view){ .json = json, .term = term_of(stdout) };
	memcpy(view->width, width, sizeof(width));
	if (view->term.width > 0 && view->term.width < WIDE)
		view->width[TIME] = CLOCK_WIDTH;
	term_narrow(&view->term, view->width, N_COLUMNS);
}

/* The line is what one needs of the rule's place; the file is known. */
static bool rule_is_short(const struct view *view)
{
	return view->width[RULE] < RULE_WIDTH;
}

static void put_column(struct buf *b, const struct view *view, int column, const char *text)
{
	cleanup(cleanup_free) char *cut = term_cut(&view->term, text, view->width[column]);
	size_t n = term_length(cut), width = column == RULE ? 0 : view->width[column];

	buf_puts(b, column > 0 ? "  " : "");
	buf_puts(b, cut);
	for (; n < width; n++)
		buf_putc(b, ' ');
}

static void put_local_time(struct buf *b, const struct view *view, const struct json_node *event)
{
	time_t seconds = (time_t)(number_of(event, "time_ms") / 1000);
	bool clock = view->width[TIME] < TIME_WIDTH;
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), clock ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	put_column(b, view, TIME, text);
}

static void put_pair(struct buf *b, const struct view *view, int column, const char *first,
		     const char *second)
{
	cleanup(cleanup_free) char *text =
		second ? xasprintf("%s (%s)", first, second) : xstrdup(first);

	put_column(b, view, column, text);
}

static void put_port(struct buf *b, const struct view *view, const struct json_node *event)
{
	cleanup(cleanup_free) char *text = NULL;
	const char *protocol = json_text(event, "protocol", "?");

	if (json_member(event, "port", JSON_INT))
		text = xasprintf("%s/%" PRId64, protocol, number_of(event, "port"));
	else if (json_member(event, "icmp_type", JSON_INT))
		text = xasprintf("%s %" PRId64, protocol, number_of(event, "icmp_type"));
	put_column(b, view, PROTOCOL, text ? text : protocol);
}

static void put_rule(struct buf *out, const struct view *view, const struct json_node *event)
{
	cleanup(buf_free) struct buf text = { 0 };
	struct buf *b = &text;
	const char *rule = json_text(event, "rule", NULL), *file = json_text(event, "file", NULL);
	const char *kind = json_text(event, "kind", "");

	if (strcmp(json_text(event, "verdict", ""), "audit") == 0)
		buf_puts(b, rule_is_short(view) ? "audit: " : "(audit: passed)  ");
	if (!rule)
		buf_puts(b, "older rules");
	else if (file && rule_is_short(view))
		buf_printf(b, "%s:%" PRId64, rule, number_of(event, "line"));
	else if (file)
		buf_printf(b, "%s (%s:%" PRId64 ")", rule, file, number_of(event, "line"));
	else if (strcmp(rule, "-") != 0)
		buf_printf(b, "%s (no longer configured)", rule);
	else
		buf_puts(b, strcmp(kind, "ING") == 0   ? "between containers"
			    : strcmp(kind, "SRC") == 0 ? "forged source, or the host's loopback"
						       : rule);
	put_column(out, view, RULE, buf_str(b));
}

static void print_event(const struct view *view, const struct json_node *event)
{
	const char *source = json_text(event, "source", "?");
	const char *container = json_text(event, "container", NULL);
	const char *destination = json_text(event, "destination", "?");
	const char *name = json_text(event, "name", NULL);
	bool lookup = strcmp(json_text(event, "name_from", ""), "lookup") == 0;
	cleanup(cleanup_free) char *looked_up = xasprintf("looked up, %s", destination);
	struct buf b = { 0 };

	if (view->json) {
		struct json_writer out = { .b = &b };

		json_write_node(&out, NULL, event);
	} else {
		const char *also = lookup ? looked_up : destination;

		put_local_time(&b, view, event);
		put_column(&b, view, NETWORK, json_text(event, "network", "?"));
		put_pair(&b, view, FROM, container ? container : source, container ? source : NULL);
		put_pair(&b, view, TO, name ? name : destination, name ? also : NULL);
		put_port(&b, view, event);
		put_rule(&b, view, event);
	}
	printf("%s\n", buf_str(&b));
	buf_free(&b);
}

static void print_titles(struct view *view)
{
	static const char *const titles[] = { "TIME", "NETWORK", "FROM", "TO", "PROTOCOL", "RULE" };
	struct buf b = { 0 };

	for (int i = 0; i < N_COLUMNS; i++)
		put_column(&b, view, i, i == RULE && rule_is_short(view) ? "RULE:LINE" : titles[i]);
	term_put(&view->term, TERM_TITLE, buf_str(&b), stdout);
	putchar('\n');
	buf_free(&b);
	view->titled = true;
}

/* ------------------------------------------------------------------ what is not among the events */

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
			    : strcmp(item->kind, "SRC") == 0  ? " with a forged source"
							      : "";
	struct buf b = { 0 };

	put_grouped(&b, item->n - item->said);
	buf_printf(&b, " more%s were not recorded (limit)%s", where,
		   begun ? "" : " since the daemon's start");
	say_more(item->network, &b, json);
	buf_free(&b);
	item->said = item->n;
	item->said_ms = unix_ms();
}

static void say_lost(struct unrecorded_list *list, int64_t lost, bool json)
{
	struct buf b = { 0 };

	if (lost < list->lost) /* another daemon's */
		list->lost = 0;
	if (lost == list->lost)
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
	const struct json_node *counts = json_member(answer, "counts", JSON_ARRAY);

	for (size_t i = 0; counts && i < counts->u.children.n; i++) {
		const struct json_node *count = &counts->u.children.items[i];
		struct unrecorded *item;
		int64_t n;

		if (count->kind != JSON_OBJECT)
			continue;
		item = find_unrecorded(list, json_text(count, "network", "?"),
				       json_text(count, "kind", ""));
		n = number_of(count, "suppressed");
		if (n < item->n) /* another daemon's */
			item->said = 0;
		if (n > item->said &&
		    (!list->begun || n == item->n || unix_ms() - item->said_ms >= UNRECORDED_MS)) {
			item->n = n;
			say_unrecorded(item, list->begun, json);
		}
		item->n = n;
	}
	say_lost(list, number_of(answer, "lost"), json);
	list->begun = true;
}

/* ------------------------------------------------------------------ going through the events */

/* What is done with an answer: take() with the whole of it first, then event() with each event; end(),
 * unless NULL, after the last event that there is for the moment. */
struct taker {
	void (*take)(void *data, const struct json_node *answer);
	void (*event)(void *data, const struct json_node *event);
	void (*end)(void *data, const struct json_node *answer);
};

/* Where to go on after an answer. Its numbers are smaller where it is another daemon's. */
static void go_on(struct question *q, const struct json_node *answer, bool *ret_more)
{
	bool first = q->after == AFTER_NONE;
	int64_t number = number_of(answer, "next");
	uint64_t next = number > 0 ? (uint64_t)number : 0;
	bool restarted = !first && next < q->after;

	*ret_more = restarted || (json_is_true(answer, "more") && (first || next > q->after));
	q->after = restarted ? 0 : next;
}

/* One answer; *ret_more: there are further events already. Returns 0, or -errno after saying why. */
static int take_answer(struct question *q, const struct taker *taker, void *data, bool *ret_more)
{
	cleanup(answer_free) struct answer_text answer = { 0 };
	const struct json_node *events, *root;
	bool first = q->after == AFTER_NONE;
	int r = ask(q, &answer);

	if (r < 0)
		return r;
	root = answer.tree.root;
	events = json_member(root, "events", JSON_ARRAY);
	if (first && !json_is_true(root, "listening"))
		log_warning("%s: the daemon is not told what is refused (--log-group)", q->command);
	if (!first && number_of(root, "missed") > 0)
		log_warning("%s: %" PRId64 " events came and went unseen", q->command,
			    number_of(root, "missed"));
	taker->take(data, root);
	for (size_t i = 0; events && i < events->u.children.n; i++)
		if (events->u.children.items[i].kind == JSON_OBJECT)
			taker->event(data, &events->u.children.items[i]);
	go_on(q, root, ret_more);
	if (!*ret_more && taker->end)
		taker->end(data, root);
	return 0;
}

static int take_all(struct question *q, const struct taker *taker, void *data)
{
	bool more = true;
	int r = 0;

	while (r >= 0 && more)
		r = take_answer(q, taker, data, &more);
	return r;
}

/* ------------------------------------------------------------------ denied */

static void on_answer(void *data, const struct json_node *answer)
{
	struct view *view = data;

	(void)answer;
	if (!view->json && !view->titled)
		print_titles(view);
}

static void on_event(void *data, const struct json_node *event)
{
	print_event(data, event);
}

static void on_end(void *data, const struct json_node *answer)
{
	struct view *view = data;

	note_unrecorded(&view->unrecorded, answer, view->json);
}

static const struct taker viewer = { on_answer, on_event, on_end };

static bool begin(const struct options *options, struct question *ret)
{
	*ret = (struct question){
		.command = options->command,
		.socket = options->socket ? options->socket : CTL_DEFAULT_PATH,
		.after = AFTER_NONE,
	};
	if (options->since && !since_parse(options->since, unix_ms(), &ret->since_ms)) {
		log_error("%s: --since is \"%s\": wanted " SINCE_ALLOWED, options->command,
			  options->since);
		return false;
	}
	return true;
}

int cmd_denied(const struct options *options)
{
	struct question q;
	struct view view;
	int r;

	if (!begin(options, &q))
		return EXIT_USAGE;
	q.network = options->network;
	begin_view(&view, options->json);
	r = take_all(&q, &viewer, &view);
	q.follow = r >= 0 && options->follow;
	while ((r >= 0 || r == -EAGAIN) && q.follow && fflush(stdout) == 0) {
		nanosleep(&(struct timespec){ .tv_nsec = FOLLOW_MS * 1000000l }, NULL);
		r = take_all(&q, &viewer, &view);
	}
	unrecorded_free(&view.unrecorded);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ------------------------------------------------------------------ learn */

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

/* The network's name as the files have it: older daemons do not say. */
struct learner {
	struct learn learn;
	char *network;
};

static void on_learn_answer(void *data, const struct json_node *answer)
{
	const char *network = json_text(answer, "network", NULL);
	struct learner *learner = data;

	if (!network || !network_named(network))
		return;
	free(learner->network);
	learner->network = xstrdup(network);
}

static void on_learn(void *data, const struct json_node *event)
{
	learn_add(&((struct learner *)data)->learn, event);
}

static const struct taker pupil = { on_learn_answer, on_learn, NULL };

static void print_left_out(uint64_t n, const char *what)
{
	if (n > 0)
		log_warning("learn: %" PRIu64 " packet%s %s", n, n == 1 ? "" : "s", what);
}

int cmd_learn(const struct options *options)
{
	struct learner learner = { 0 };
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
	learner.network = xstrdup(q.network);
	r = take_all(&q, &pupil, &learner);
	if (r >= 0) {
		learn_print(&learner.learn, learner.network, &b);
		printf("%s", buf_str(&b));
		print_left_out(learner.learn.between,
			       "between containers: no rule can allow these");
		print_left_out(learner.learn.forged,
			       "with a forged source, or to the host's loopback: no rule can allow "
			       "these");
		print_left_out(learner.learn.unsayable,
			       "of protocols that no rule can name: left out");
	}
	buf_free(&b);
	free(learner.network);
	learn_free(&learner.learn);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
