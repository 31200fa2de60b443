/* SPDX-License-Identifier: GPL-2.0-or-later */
/* denied: what was refused, as a table, summed up, or as JSON; with --follow it goes on. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/json/json_write.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "show_denied.h"
#include "since.h"
#include "sum_denied.h"

#define POLL_MS 500	  /* between two questions to an older daemon, or to none */
#define PAUSE_MS 10	  /* to one that answers when there is something, */
#define LONG_PAUSE_MS 200 /* also after an answer with much in it */
#define MUCH 20		  /* events */
#define TAIL_FOLLOWING 10
#define PACKETS_MS 10000 /* between two numbers of packets, while following */

/* ------------------------------------------------------------------ how many there were in all */

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

		item->n = json_integer(packets, network);
		if (item->n < before) /* the counters have begun anew */
			item->said = before = 0;
		if (!list->begun ||
		    (before - item->said > item->events && unix_ms() - item->at_ms >= PACKETS_MS))
			say_packets(item);
	}
	list->begun = true;
}

/* ------------------------------------------------------------------ JSON */

/* The last lines, of which there are --tail at most; all of them without it. */
struct lines {
	char **items;
	size_t n, cap;
};

static void add_line(struct lines *lines, const struct json_node *event)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	json_write_node(&out, NULL, event);
	lines->items = array_grow(lines->items, &lines->cap, lines->n, sizeof(*lines->items));
	lines->items[lines->n++] = buf_steal(&b);
}

static void print_lines(struct lines *lines, size_t tail)
{
	for (size_t i = 0; i < lines->n; i++) {
		if (i + tail >= lines->n || tail > lines->n)
			printf("%s\n", lines->items[i]);
		free(lines->items[i]);
	}
	lines->n = 0;
}

/* ------------------------------------------------------------------ denied */

struct denied_options {
	const char *socket, *network, *container; /* NULL: all */
	uint64_t since_ms;			  /* 0: all that is remembered */
	uint64_t tail;				  /* TAIL_UNSET: not given */
	bool json, follow, summary;
};

#define TAIL_UNSET UINT64_MAX

/* The way in which events are shown. */
struct view {
	const struct denied_options *options;
	size_t tail;	 /* of what is there at the beginning */
	size_t n_events; /* of the last answers */
	struct packets_list packets;
	struct denied_rows rows;
	struct denied_sums sums;
	struct lines lines;
};

static void on_answer(void *data, const struct json_node *answer)
{
	(void)data;
	(void)answer;
}

/* A frame has the containers that are on its ports, whatever its addresses say. */
static bool is_about(const struct json_node *event, const char *container)
{
	return strcmp(json_text(event, "container", ""), container) == 0 ||
	       strcmp(json_text(event, "to_container", ""), container) == 0;
}

static void on_event(void *data, const struct json_node *event)
{
	struct view *view = data;
	const struct denied_options *options = view->options;

	view->n_events++;
	if (options->container && !is_about(event, options->container))
		return;
	if (options->summary)
		denied_sums_add(&view->sums, event);
	else if (options->json)
		add_line(&view->lines, event);
	else
		denied_rows_add(&view->rows, event);
	find_packets(&view->packets, json_text(event, "network", "?"))->events++;
}

/* All that there is for the moment has come. */
static void on_end(void *data, const struct json_node *answer)
{
	struct view *view = data;
	const struct denied_options *options = view->options;

	if (options->summary)
		denied_sums_print(&view->sums, options->json);
	else if (options->json)
		print_lines(&view->lines, view->tail);
	else
		denied_rows_print(&view->rows, view->tail);
	/* The kernel counts by network. */
	if (!options->json && !options->container)
		note_packets(&view->packets, answer);
	view->tail = SIZE_MAX;
}

static const struct denied_taker viewer = { on_answer, on_event, on_end };

static bool set_tail(void *field, const char *argument)
{
	return parse_uint(argument, strlen(argument), 0, UINT32_MAX, field);
}

static const struct option_row denied_options[] = {
	{ .name = "follow",
	  .help = "go on, until interrupted",
	  .set = option_set_flag,
	  .offset = offsetof(struct denied_options, follow) },
	{ .name = "tail",
	  .argument = "NUMBER",
	  .help = "the last so many lines only (default with --follow: 10)",
	  .wanted = "a number of lines",
	  .set = set_tail,
	  .offset = offsetof(struct denied_options, tail) },
	{ .name = "summary",
	  .help = "a line for each destination: how many packets, the first, the last, the rule",
	  .set = option_set_flag,
	  .offset = offsetof(struct denied_options, summary) },
	{ .name = "network",
	  .argument = "NAME",
	  .help = "of that network only",
	  .set = option_set_text,
	  .offset = offsetof(struct denied_options, network) },
	{ .name = "container",
	  .argument = "NAME",
	  .help = "of that container only",
	  .set = option_set_text,
	  .offset = offsetof(struct denied_options, container) },
	{ .name = "json",
	  .help = "print an object a line",
	  .set = option_set_flag,
	  .offset = offsetof(struct denied_options, json) },
	{ 0 },
};

/* For programs, all of them: who reads JSON counts them. */
static size_t first_tail(const struct denied_options *options)
{
	if (options->tail != TAIL_UNSET)
		return (size_t)options->tail;
	return options->follow && !options->json ? TAIL_FOLLOWING : SIZE_MAX;
}

/* A storm is taken in larger pieces. */
static void pause_for(const struct denied_question *q, int r, size_t n_events)
{
	long ms = r < 0 || q->polls ? POLL_MS : n_events > MUCH ? LONG_PAUSE_MS : PAUSE_MS;

	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

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
	struct view view = { .options = options, .tail = first_tail(options) };
	int r;

	if (options->summary && (options->follow || options->tail != TAIL_UNSET)) {
		log_error("denied: --summary sums up what there is, and does not go with --follow "
			  "or --tail; see dsfw-nft help denied");
		return EXIT_USAGE;
	}
	denied_rows_begin(&view.rows);
	r = ask_denied(&q, &viewer, &view);
	q.follow = r >= 0 && options->follow;
	while ((r >= 0 || r == -EAGAIN) && q.follow && fflush(stdout) == 0) {
		pause_for(&q, r, view.n_events);
		view.n_events = 0;
		r = ask_denied(&q, &viewer, &view);
	}
	packets_free(&view.packets);
	denied_rows_free(&view.rows);
	denied_sums_free(&view.sums);
	free(view.lines.items);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_denied = {
	.name = "denied",
	.summary = "show what was refused of late: whose, to where, by which rule",
	.takes = { { denied_options, 0 },
		   { since_option, offsetof(struct denied_options, since_ms) },
		   { socket_option, offsetof(struct denied_options, socket) } },
	.size = sizeof(struct denied_options),
	.initial = &(const struct denied_options){ .tail = TAIL_UNSET },
	.run = denied,
};
