/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page has five parts: alarms, what else is wrong, networks, refused packets, names without address. Alarms may take
 * half of it, networks and refused packets have a few lines in any case, and of the rest every part gets the same, unless
 * it needs less. A part that is cut says how much more there is.
 */
#include "watch_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "page.h"

#define TEXT_LINES_MAX 3	     /* of an alarm or a note */
#define OLD_MS (20 * 3600 * 1000ull) /* an event's date matters more than its time */

enum part { PART_ALARMS, PART_NOTES, PART_NETWORKS, PART_DENIED, PART_NAMES, PARTS };

struct page {
	const struct watch_view *view;
	struct term term;
	struct buf *b;
	struct watch_strings lines[PART_NOTES + 1]; /* of alarms and notes, wrapped */
	size_t want[PARTS], got[PARTS];		    /* lines */
};

/* ------------------------------------------------------------------ numbers */

/* Three digits or so, as nobody reads more at a glance. The caller frees it. */
static char *amount(double value, const char *unit)
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T" };
	size_t i = 0;

	while (value >= 999.5 && i + 1 < ARRAY_SIZE(prefixes)) {
		value /= 1000;
		i++;
	}
	return xasprintf("%.*f%s%s%s", value > 0 && value < 9.95 ? 1 : 0, value, unit[0] ? " " : "",
			 prefixes[i], unit);
}

static char *rate_text(const struct watch_network *network, enum watch_count count)
{
	bool bytes = count == WATCH_PASSED_BYTES || count == WATCH_REFUSED_BYTES;

	return network->rated ? amount(network->rates[count], bytes ? "B" : "") : xstrdup("-");
}

/* ------------------------------------------------------------------ lines */

static struct page_line new_line(const struct page *page)
{
	return (struct page_line){ .b = page->b, .term = page->term };
}

static void put_line(const struct page *page, enum term_style style, const char *text)
{
	struct page_line line = new_line(page);

	page_put(&line, style, text);
	buf_putc(page->b, '\n');
}

static void put_more(const struct page *page, size_t n, const char *what)
{
	cleanup(cleanup_free) char *text = xasprintf("… and %zu more %s", n, what);

	put_line(page, TERM_PLAIN, text);
}

struct wrapping {
	struct watch_strings *lines;
	bool more; /* it is not the first line of its text */
};

static void take_line(void *data, const char *text)
{
	struct wrapping *w = data;

	w->lines->items =
		array_grow(w->lines->items, &w->lines->cap, w->lines->n, sizeof(*w->lines->items));
	w->lines->items[w->lines->n++] = w->more ? xasprintf("  %s", text) : xstrdup(text);
	w->more = true;
}

static void wrap_all(const struct page *page, const struct watch_strings *strings,
		     struct watch_strings *ret)
{
	size_t width = page->term.width > 10 ? page->term.width - 2 : page->term.width;

	for (size_t i = 0; i < strings->n; i++) {
		struct wrapping w = { .lines = ret };

		page_wrap(strings->items[i], width, TEXT_LINES_MAX, take_line, &w);
	}
}

static void put_texts(const struct page *page, enum part part, enum term_style style,
		      const char *what)
{
	const struct watch_strings *lines = &page->lines[part];
	size_t room = page->got[part], n = room < lines->n && room > 1 ? room - 1 : room;

	for (size_t i = 0; i < n && i < lines->n; i++)
		put_line(page, style, lines->items[i]);
	if (n < room)
		put_more(page, lines->n - n, what);
}

/* ------------------------------------------------------------------ the first line */

static void put_totals(const struct watch_view *view, struct page_line *line)
{
	double sums[WATCH_COUNTS] = { 0 };
	bool rated = false;
	cleanup(cleanup_free) char *passed = NULL, *refused = NULL, *text = NULL;

	for (size_t i = 0; i < view->n_networks; i++)
		for (int k = 0; k < WATCH_COUNTS && view->networks[i].rated; k++) {
			sums[k] += view->networks[i].rates[k];
			rated = true;
		}
	passed = amount(sums[WATCH_PASSED], "");
	refused = amount(sums[WATCH_REFUSED], "");
	text = xasprintf("%zu network%s", view->n_networks, view->n_networks == 1 ? "" : "s");
	page_put(line, TERM_PLAIN, text);
	if (!rated)
		return;
	free(text);
	text = xasprintf(", %s/s passed, %s/s refused", passed, refused);
	page_put(line, TERM_PLAIN, text);
}

static void put_clock(const struct watch_view *view, struct page_line *line)
{
	cleanup(cleanup_free) char *clock = denied_time(view->now_ms, true);
	size_t width = page_columns(clock);

	if (line->term.width == 0)
		page_put(line, TERM_PLAIN, "  ");
	else if (line->full || line->used + 2 + width > line->term.width)
		return;
	else
		page_pad(line, line->term.width - width);
	page_put(line, TERM_PLAIN, clock);
}

static void put_head(const struct page *page)
{
	const struct watch_view *view = page->view;
	struct page_line line = new_line(page);

	page_put(&line, TERM_TITLE, "dsfw-nft");
	if (view->error) {
		page_put(&line, TERM_PLAIN, "  ");
		page_put(&line, TERM_BAD, "NO ANSWER");
	} else {
		page_put(&line, TERM_PLAIN, " ");
		page_put(&line, TERM_PLAIN, view->version);
		page_put(&line, TERM_PLAIN, "  ");
		page_put(&line, view->ready ? TERM_GOOD : TERM_BAD,
			 view->ready ? "ready" : "NOT READY");
		page_put(&line, TERM_PLAIN, "  ");
		put_totals(view, &line);
	}
	put_clock(view, &line);
	buf_putc(page->b, '\n');
}

/* ------------------------------------------------------------------ networks */

static int by_weight(const void *a, const void *b, void *data)
{
	const struct watch_network *x = *(const struct watch_network *const *)a;
	const struct watch_network *y = *(const struct watch_network *const *)b;

	(void)data;
	if (x->bad != y->bad)
		return x->bad ? -1 : 1;
	for (int i = WATCH_REFUSED; i >= WATCH_PASSED; i -= WATCH_REFUSED - WATCH_PASSED) {
		double p = x->rated ? x->rates[i] : 0, q = y->rated ? y->rates[i] : 0;

		if (p > q || p < q)
			return p > q ? -1 : 1;
	}
	return x < y ? -1 : x > y;
}

static enum term_style style_of(const struct watch_network *network)
{
	return network->bad				  ? TERM_BAD
	       : strcmp(network->state, "enforced") == 0  ? TERM_GOOD
	       : strcmp(network->state, "unmanaged") == 0 ? TERM_PLAIN
							  : TERM_WARNING;
}

static void add_network(const struct watch_network *network, bool stale, struct page_table *table)
{
	page_add(table, TERM_PLAIN, xstrdup(network->name), NULL);
	page_add(table, stale ? TERM_PLAIN : style_of(network), xstrdup(network->state), NULL);
	page_add(table, TERM_PLAIN, xstrdup(network->containers), NULL);
	page_add(table, network->known_ports ? TERM_PLAIN : TERM_WARNING, xstrdup(network->ports),
		 NULL);
	for (int i = 0; i < WATCH_COUNTS; i++)
		page_add(table, TERM_PLAIN,
			 stale ? xstrdup("-") : rate_text(network, (enum watch_count)i), NULL);
}

/* In the order of the file; where there is no room for all, those first that matter most. */
static void put_networks(const struct page *page)
{
	static const struct page_column columns[] = {
		{ .title = "NETWORK" },
		{ .title = "STATE" },
		{ .title = "CONTAINERS", .right = true, .drop = 1 },
		{ .title = "PORTS", .right = true, .drop = 3 },
		{ .title = "PASSED/s", .right = true },
		{ .title = "BYTES/s", .right = true, .drop = 2 },
		{ .title = "REFUSED/s", .right = true },
		{ .title = "BYTES/s", .right = true, .drop = 4 },
	};
	const struct watch_view *view = page->view;
	struct page_table table = { .columns = columns, .n_columns = ARRAY_SIZE(columns) };
	size_t room = page->got[PART_NETWORKS], n = view->n_networks;
	const struct watch_network **order;

	if (room == 0)
		return;
	if (room < page->want[PART_NETWORKS])
		n = room - 3;
	order = xcalloc(view->n_networks + 1, sizeof(*order));
	for (size_t i = 0; i < view->n_networks; i++)
		order[i] = &view->networks[i];
	if (n < view->n_networks)
		qsort_r(order, view->n_networks, sizeof(*order), by_weight, NULL);
	for (size_t i = 0; i < n; i++)
		add_network(order[i], view->error != NULL, &table);
	buf_putc(page->b, '\n');
	page_table_put(&table, &page->term, page->b);
	if (n < view->n_networks)
		put_more(page, view->n_networks - n, "networks");
	page_table_free(&table);
	free(order);
}

/* ------------------------------------------------------------------ refused packets */

static char *event_time(const struct watch_view *view, const struct denied_row *row)
{
	bool old = row->last_ms + OLD_MS < view->now_ms;
	char *text = denied_time(row->last_ms, !old);

	if (old && strlen(text) > strlen("2026-01-02"))
		text[strlen("2026-01-02")] = '\0';
	return text;
}

static void add_denied(const struct watch_view *view, const struct denied_row *row,
		       struct page_table *table)
{
	page_add(table, TERM_PLAIN, event_time(view, row), NULL);
	for (int i = DENIED_NETWORK; i < N_DENIED_COLUMNS; i++) {
		const struct denied_cell *cell = &row->cells[i];

		if (i == DENIED_PROTOCOL && row->count > 1)
			page_add(table, TERM_PLAIN,
				 xasprintf("%s ×%" PRIu64, cell->full, row->count), NULL);
		else
			page_add(table, TERM_PLAIN, xstrdup(cell->full), xstrdup(cell->brief));
	}
}

static int by_time(const void *a, const void *b)
{
	const struct denied_row *x = *(const struct denied_row *const *)a;
	const struct denied_row *y = *(const struct denied_row *const *)b;

	if (x->last_ms != y->last_ms)
		return x->last_ms > y->last_ms ? -1 : 1;
	return x > y ? -1 : x < y;
}

/* The last ones first. Of a rule at least "audit…" is left: then nothing was refused. */
static void put_denied(const struct page *page)
{
	static const struct page_column columns[] = {
		{ .title = "TIME", .drop = 1 },	 { .title = "NETWORK", .drop = 2 },
		{ .title = "FROM", .brief = 2 }, { .title = "REFUSED TO", .brief = 3 },
		{ .title = "PROTOCOL" },	 { .title = "RULE", .brief = 1, .shrink = 6 },
	};
	const struct watch_view *view = page->view;
	const struct denied_rows *rows = &view->denied;
	struct page_table table = { .columns = columns, .n_columns = ARRAY_SIZE(columns) };
	size_t room = page->got[PART_DENIED], n = rows->n;
	const struct denied_row **order;

	if (room == 0)
		return;
	buf_putc(page->b, '\n');
	if (view->no_denied || n == 0) {
		put_line(page, view->no_denied ? TERM_WARNING : TERM_PLAIN,
			 view->no_denied ? view->no_denied : "Nothing was refused yet.");
		return;
	}
	if (n > room - 2)
		n = room - 2;
	order = xcalloc(rows->n, sizeof(*order));
	for (size_t i = 0; i < rows->n; i++)
		order[i] = &rows->items[i];
	qsort(order, rows->n, sizeof(*order), by_time);
	for (size_t i = 0; i < n; i++)
		add_denied(view, order[i], &table);
	page_table_put(&table, &page->term, page->b);
	page_table_free(&table);
	free(order);
}

/* ------------------------------------------------------------------ names */

static void put_names(const struct page *page)
{
	static const struct page_column columns[] = {
		{ .title = "NAME WITHOUT ADDRESS" },
		{ .title = "WHY" },
	};
	const struct watch_view *view = page->view;
	struct page_table table = { .columns = columns, .n_columns = ARRAY_SIZE(columns) };
	size_t room = page->got[PART_NAMES], n = view->n_names;

	if (room == 0)
		return;
	if (room < page->want[PART_NAMES])
		n = room - 3;
	for (size_t i = 0; i < n; i++) {
		page_add(&table, TERM_WARNING, xstrdup(view->names[i].name), NULL);
		page_add(&table, TERM_PLAIN, xstrdup(view->names[i].why), NULL);
	}
	buf_putc(page->b, '\n');
	page_table_put(&table, &page->term, page->b);
	if (n < view->n_names)
		put_more(page, view->n_names - n, "names");
	page_table_free(&table);
}

/* ------------------------------------------------------------------ the whole */

/* One line after another, to each part that wants more. */
static void share(struct page *page, size_t room)
{
	size_t *got = page->got;

	for (bool more = true; more && room > 0;) {
		more = false;
		for (int i = 0; i < PARTS && room > 0; i++)
			if (got[i] < page->want[i]) {
				got[i]++;
				room--;
				more = true;
			}
	}
}

static void want(struct page *page)
{
	const struct watch_view *view = page->view;

	page->want[PART_ALARMS] = page->lines[PART_ALARMS].n;
	page->want[PART_NOTES] = page->lines[PART_NOTES].n;
	/* with an empty line and titles */
	page->want[PART_NETWORKS] = view->answered ? 2 + view->n_networks : 0;
	page->want[PART_DENIED] = !view->answered		       ? 0
				  : view->no_denied || !view->denied.n ? 2
								       : 2 + view->denied.n;
	page->want[PART_NAMES] = view->n_names > 0 ? 2 + view->n_names : 0;
}

/* Gives a part so many lines, or all that it wants. Returns the room that is left. */
static size_t give(struct page *page, enum part part, size_t n, size_t room)
{
	if (n > page->want[part])
		n = page->want[part];
	if (n > room)
		n = room;
	page->got[part] = n;
	return room - n;
}

/* Each part its lines, where height is limited. */
static void divide(struct page *page, size_t room)
{
	/* An empty line, titles, a row, and how many more there are; with less a table says nothing. */
	static const size_t least[PARTS] = {
		[PART_NETWORKS] = 4,
		[PART_DENIED] = 3,
		[PART_NAMES] = 4,
	};
	size_t left = give(page, PART_ALARMS, (room + 1) / 2, room);

	left = give(page, PART_NETWORKS, least[PART_NETWORKS], left);
	left = give(page, PART_DENIED, least[PART_DENIED], left);
	share(page, left);
	for (int i = 0; i < PARTS; i++)
		if (page->got[i] < page->want[i] && page->got[i] < least[i])
			page->want[i] = page->got[i] = 0;
	for (int i = 0; i < PARTS; i++)
		room -= page->got[i];
	share(page, room);
}

static void put_error(const struct page *page, struct watch_strings *notes)
{
	const struct watch_view *view = page->view;
	cleanup(cleanup_free) char *at = denied_time(view->answered_ms, true);
	cleanup(cleanup_free) char *text =
		xasprintf("%s; trying again%s%s", view->error,
			  view->answered ? "; what follows is of " : "", view->answered ? at : "");
	struct wrapping w = { .lines = notes };

	page_wrap(text, page->term.width > 10 ? page->term.width - 2 : page->term.width,
		  TEXT_LINES_MAX, take_line, &w);
}

void watch_page(const struct watch_view *view, const struct term *term, size_t height,
		struct buf *b)
{
	struct page page = { .view = view, .term = *term, .b = b };

	if (view->error)
		put_error(&page, &page.lines[PART_ALARMS]);
	wrap_all(&page, &view->alarms, &page.lines[PART_ALARMS]);
	wrap_all(&page, &view->notes, &page.lines[PART_NOTES]);
	want(&page);
	if (height == 0)
		memcpy(page.got, page.want, sizeof(page.got));
	else
		divide(&page, height - 1);
	put_head(&page);
	put_texts(&page, PART_ALARMS, TERM_BAD, "lines of alarms");
	put_texts(&page, PART_NOTES, TERM_WARNING, "lines");
	put_networks(&page);
	put_denied(&page);
	put_names(&page);
	for (int i = 0; i <= PART_NOTES; i++) {
		for (size_t k = 0; k < page.lines[i].n; k++)
			free(page.lines[i].items[k]);
		free(page.lines[i].items);
	}
}
