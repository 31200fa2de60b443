/* SPDX-License-Identifier: GPL-2.0-or-later */
/* denied: what was refused, as a table or as JSON; with --follow it asks again twice a second. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/json/json_write.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "since.h"
#include "term.h"

#define FOLLOW_MS \
	500 /* with the tenth of a second that the kernel collects for, all is told within one */
#define UNRECORDED_MS 10000 /* of an ever-growing number, while following */

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
	time_t seconds = (time_t)(ask_denied_number(event, "time_ms") / 1000);
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
		text = xasprintf("%s/%" PRId64, protocol, ask_denied_number(event, "port"));
	else if (json_member(event, "icmp_type", JSON_INT))
		text = xasprintf("%s %" PRId64, protocol, ask_denied_number(event, "icmp_type"));
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
		buf_printf(b, "%s:%" PRId64, rule, ask_denied_number(event, "line"));
	else if (file)
		buf_printf(b, "%s (%s:%" PRId64 ")", rule, file, ask_denied_number(event, "line"));
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
		n = ask_denied_number(count, "suppressed");
		if (n < item->n) /* another daemon's */
			item->said = 0;
		if (n > item->said &&
		    (!list->begun || n == item->n || unix_ms() - item->said_ms >= UNRECORDED_MS)) {
			item->n = n;
			say_unrecorded(item, list->begun, json);
		}
		item->n = n;
	}
	say_lost(list, ask_denied_number(answer, "lost"), json);
	list->begun = true;
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

static const struct denied_taker viewer = { on_answer, on_event, on_end };

struct denied_options {
	const char *socket, *network; /* network NULL: all */
	uint64_t since_ms;	      /* 0: all that is remembered */
	bool json, follow;
};

static const struct option_row denied_options[] = {
	{ .name = "follow",
	  .help = "go on, until interrupted",
	  .set = option_set_flag,
	  .offset = offsetof(struct denied_options, follow) },
	{ .name = "network",
	  .argument = "NAME",
	  .help = "of that network only",
	  .set = option_set_text,
	  .offset = offsetof(struct denied_options, network) },
	{ .name = "json",
	  .help = "print an object a line",
	  .set = option_set_flag,
	  .offset = offsetof(struct denied_options, json) },
	{ 0 },
};

static int denied(const struct call *call)
{
	const struct denied_options *options = call->options;
	struct denied_question q = {
		.command = "denied",
		.socket = options->socket,
		.network = options->network,
		.since_ms = options->since_ms,
		.after = AFTER_NONE,
	};
	struct view view;
	int r;

	begin_view(&view, options->json);
	r = ask_denied(&q, &viewer, &view);
	q.follow = r >= 0 && options->follow;
	while ((r >= 0 || r == -EAGAIN) && q.follow && fflush(stdout) == 0) {
		nanosleep(&(struct timespec){ .tv_nsec = FOLLOW_MS * 1000000l }, NULL);
		r = ask_denied(&q, &viewer, &view);
	}
	unrecorded_free(&view.unrecorded);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_denied = {
	.name = "denied",
	.summary = "what was refused of late: whose, to where, by which rule",
	.takes = { { denied_options, 0 },
		   { since_option, offsetof(struct denied_options, since_ms) },
		   { socket_option, offsetof(struct denied_options, socket) } },
	.size = sizeof(struct denied_options),
	.run = denied,
};
