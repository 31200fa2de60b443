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
#include "dockside/report/denied.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "since.h"
#include "term.h"

#define FOLLOW_MS \
	500 /* with the tenth of a second that the kernel collects for, all are shown within one */
#define PACKETS_MS 10000 /* between two numbers of packets, while following */

/* ------------------------------------------------------------------ printing */

enum { TIME, NETWORK, FROM, TO, PROTOCOL, RULE, N_COLUMNS };

/* The packets of a network, events or not. */
struct packets {
	char *network;
	int64_t n;	/* of the last answer */
	int64_t said;	/* of those so many were said, */
	uint64_t at_ms; /* then, */
	int64_t events; /* and since then so many events shown */
};

/* packets_free() when done. */
struct packets_list {
	struct packets *items;
	size_t n, cap;
	bool begun;
};

/* The way in which events are shown. */
struct view {
	bool json;
	bool titled; /* the titles are written */
	struct packets_list packets;
	struct term term;
	size_t width[N_COLUMNS];
};

#define TIME_WIDTH 19 /* 2026-01-02 03:04:05 */
#define CLOCK_WIDTH 8 /* on a narrow terminal, where other columns matter more */
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

/* A short rule has the line alone, as users know the file. */
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

/* Says why a frame was refused, and by which port it was to leave. */
static void put_reason(struct buf *out, const struct view *view, const struct json_node *event)
{
	const char *to = json_text(event, "to_container", json_text(event, "to_interface", NULL));

	put_pair(out, view, RULE, json_text(event, "reason", ""), to);
}

/* The container is who sends; of a frame there is the port, and what the port's container must not say. */
static void put_from(struct buf *b, const struct view *view, const struct json_node *event)
{
	const char *source = json_text(event, "source", json_text(event, "source_mac", "?"));
	const char *who = json_text(event, "container", json_text(event, "interface", NULL));
	const char *kind = json_text(event, "kind", "");

	if (!denied_is_to(kind))
		source = json_text(event, "pretended", source);
	put_pair(b, view, FROM, who ? who : source, who ? source : NULL);
}

static void put_rule(struct buf *out, const struct view *view, const struct json_node *event)
{
	cleanup(buf_free) struct buf text = { 0 };
	struct buf *b = &text;
	const char *rule = json_text(event, "rule", NULL), *file = json_text(event, "file", NULL);
	const char *kind = json_text(event, "kind", "");

	if (json_text(event, "reason", NULL)) {
		put_reason(out, view, event);
		return;
	}
	if (strcmp(json_text(event, "verdict", ""), "audit") == 0)
		buf_puts(b, rule_is_short(view) ? "audit: " : "(audit: passed)  ");
	if (!rule)
		buf_puts(b, "older rules");
	else if (file && rule_is_short(view))
		buf_printf(b, "%s:%" PRId64, rule, ask_denied_number(event, "line"));
	else if (file)
		buf_printf(b, "%s (%s:%" PRId64 ")", rule, file, ask_denied_number(event, "line"));
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
	const char *destination =
		json_text(event, "destination", json_text(event, "destination_mac", "?"));
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
		put_from(&b, view, event);
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

/* ------------------------------------------------------------------ how many there were in all */

static void packets_free(struct packets_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].network);
	free(list->items);
}

static struct packets *find_packets(struct packets_list *list, const char *network)
{
	struct packets *item;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].network, network) == 0)
			return &list->items[i];
	list->items = array_grow(list->items, &list->cap, list->n, sizeof(*list->items));
	item = &list->items[list->n++];
	*item = (struct packets){ .network = xstrdup(network) };
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

static void say_packets(struct packets *item)
{
	struct buf b = { 0 };

	put_grouped(&b, item->n);
	printf("…%-18s  %-15s  %s packet%s in all\n", "",
	       strcmp(item->network, "_") == 0 ? "on ports" : item->network, buf_str(&b),
	       item->n == 1 ? "" : "s");
	buf_free(&b);
	item->said = item->n;
	item->at_ms = unix_ms();
	item->events = 0;
}

/* In the end; while following now and then, where the events shown do not say it. Packets that the
 * answer before has counted have become events by now, if they ever do. */
static void note_packets(struct packets_list *list, const struct json_node *answer)
{
	const struct json_node *packets = json_member(answer, "packets", JSON_OBJECT);

	for (size_t i = 0; packets && i < packets->u.children.n; i++) {
		const char *network = packets->u.children.items[i].key;
		struct packets *item = find_packets(list, network);
		int64_t before = item->n;

		item->n = ask_denied_number(packets, network);
		if (item->n < before) /* the counters have begun anew */
			item->said = before = 0;
		if (!list->begun ||
		    (before - item->said > item->events && unix_ms() - item->at_ms >= PACKETS_MS))
			say_packets(item);
	}
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
	struct view *view = data;

	print_event(view, event);
	find_packets(&view->packets, json_text(event, "network", "?"))->events++;
}

static void on_end(void *data, const struct json_node *answer)
{
	struct view *view = data;

	if (!view->json)
		note_packets(&view->packets, answer);
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
	packets_free(&view.packets);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_denied = {
	.name = "denied",
	.summary = "show what was refused of late: whose, to where, by which rule",
	.takes = { { denied_options, 0 },
		   { since_option, offsetof(struct denied_options, since_ms) },
		   { socket_option, offsetof(struct denied_options, socket) } },
	.size = sizeof(struct denied_options),
	.run = denied,
};
