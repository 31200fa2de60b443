/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show_denied.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/report/denied.h"
#include "dockside/system/clock.h"

#define GAP 2
#define FOLD_MS 60000	/* a packet that comes again within that is a repeat */
#define FOLD_ROWS 50	/* of one of so many rows */
#define REPEAT_MS 10000 /* between two lines about a row */

/* ------------------------------------------------------------------ cells */

static void set_cell(struct denied_cell *cell, char *full, char *brief)
{
	*cell = (struct denied_cell){ full, brief ? brief : xstrdup(full) };
}

static char *with_detail(const char *text, const char *detail)
{
	return detail ? xasprintf("%s (%s)", text, detail) : xstrdup(text);
}

/* The container is the sender; of a frame it is the one on the port, with the address that is not its own. */
static void set_from(struct denied_cell *cell, const struct json_node *event)
{
	const char *source = json_text(event, "source", json_text(event, "source_mac", "?"));
	const char *who = json_text(event, "container", json_text(event, "interface", NULL));

	if (!denied_is_to(json_text(event, "kind", "")))
		source = json_text(event, "pretended", source);
	if (who)
		set_cell(cell, with_detail(who, source), xstrdup(who));
	else
		set_cell(cell, xstrdup(source), NULL);
}

const char *denied_destination(const struct json_node *event)
{
	return json_text(event, "destination", json_text(event, "destination_mac", "?"));
}

/* That a name is hearsay is never left out. */
static void set_to(struct denied_cell *cell, const struct json_node *event)
{
	const char *address = denied_destination(event);
	const char *name = json_text(event, "name", NULL);

	if (name && strcmp(json_text(event, "name_from", ""), "question") == 0)
		set_cell(cell, xstrdup(name), NULL);
	else if (!name)
		set_cell(cell, xstrdup(address), NULL);
	else if (strcmp(json_text(event, "name_from", ""), "lookup") == 0)
		set_cell(cell, xasprintf("%s (looked up, %s)", name, address),
			 xasprintf("%s (looked up)", name));
	else
		set_cell(cell, xasprintf("%s (%s)", name, address), xstrdup(name));
}

static void set_protocol(struct denied_cell *cell, const struct json_node *event)
{
	const char *protocol = json_text(event, "protocol", "?");

	if (json_text(event, "query_type", NULL))
		set_cell(cell, xasprintf("%s %s", protocol, json_text(event, "query_type", "?")),
			 NULL);
	else if (json_member(event, "port", JSON_INT))
		set_cell(cell, xasprintf("%s/%" PRId64, protocol, json_integer(event, "port")),
			 NULL);
	else if (json_member(event, "icmp_type", JSON_INT))
		set_cell(cell, xasprintf("%s %" PRId64, protocol, json_integer(event, "icmp_type")),
			 NULL);
	else
		set_cell(cell, xstrdup(protocol), NULL);
}

static const char *built_in_rule(const struct json_node *event)
{
	const char *kind = json_text(event, "kind", "");

	if (strcmp(kind, "ING") == 0)
		return "between containers";
	if (strcmp(kind, "DNS") == 0)
		return "DNS that is not by the gate";
	return strcmp(kind, "SRC") == 0 ? "forged source, or the host's loopback" : "-";
}

/* The bridge table has no rules of the files: each of its rules says why it refuses a frame. */
static void set_reason(struct denied_cell *cell, const struct json_node *event, const char *reason)
{
	const char *to = json_text(event, "to_container", json_text(event, "to_interface", NULL));

	set_cell(cell, with_detail(reason, to), xstrdup(reason));
}

static void set_rule(struct denied_cell *cell, const struct json_node *event)
{
	const char *rule = json_text(event, "rule", NULL), *file = json_text(event, "file", NULL);
	const char *reason = json_text(event, "reason", NULL);
	bool audit = strcmp(json_text(event, "verdict", ""), "audit") == 0;
	int64_t line = json_integer(event, "line");
	struct buf full = { 0 }, brief = { 0 };

	if (reason) {
		set_reason(cell, event, reason);
		return;
	}
	buf_puts(&full, audit ? "(audit: passed)  " : "");
	buf_puts(&brief, audit ? "audit: " : "");
	if (rule && file) {
		buf_printf(&full, "%s (%s:%" PRId64 ")", rule, file, line);
		buf_printf(&brief, "%s:%" PRId64, rule, line);
	} else {
		cleanup(cleanup_free) char *text =
			!rule			 ? xstrdup("older rules")
			: strcmp(rule, "-") == 0 ? xstrdup(built_in_rule(event))
						 : xasprintf("%s (no longer configured)", rule);

		buf_puts(&full, text);
		buf_puts(&brief, text);
	}
	set_cell(cell, buf_steal(&full), buf_steal(&brief));
}

void denied_cells(const struct json_node *event, struct denied_cell cells[N_DENIED_COLUMNS])
{
	cells[DENIED_TIME] = (struct denied_cell){ 0 };
	set_cell(&cells[DENIED_NETWORK], xstrdup(json_text(event, "network", "?")), NULL);
	set_from(&cells[DENIED_FROM], event);
	set_to(&cells[DENIED_TO], event);
	set_protocol(&cells[DENIED_PROTOCOL], event);
	set_rule(&cells[DENIED_RULE], event);
}

void denied_cells_free(struct denied_cell cells[N_DENIED_COLUMNS])
{
	for (int i = 0; i < N_DENIED_COLUMNS; i++) {
		free(cells[i].full);
		free(cells[i].brief);
	}
}

char *denied_time(uint64_t ms, bool clock)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), clock ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return xstrdup(text);
}

/* ------------------------------------------------------------------ repeats */

uint64_t denied_times(const struct json_node *event)
{
	int64_t times = json_member(event, "times", JSON_INT) ? json_integer(event, "times") : 1;

	return times > 0 ? (uint64_t)times : 1;
}

static bool same_cells(const struct denied_cell *a, const struct denied_cell *b)
{
	for (int i = 0; i < N_DENIED_COLUMNS; i++)
		if (i != DENIED_TIME && strcmp(a[i].full, b[i].full) != 0)
			return false;
	return true;
}

static struct denied_row *find_repeated(struct denied_rows *rows, const struct denied_cell *cells,
					uint64_t time_ms)
{
	for (size_t i = rows->n; i-- > 0 && i + FOLD_ROWS >= rows->n;)
		if (rows->items[i].last_ms + FOLD_MS > time_ms &&
		    same_cells(rows->items[i].cells, cells))
			return &rows->items[i];
	return NULL;
}

void denied_rows_add(struct denied_rows *rows, const struct json_node *event)
{
	uint64_t time_ms = (uint64_t)json_integer(event, "time_ms");
	struct denied_cell cells[N_DENIED_COLUMNS];
	struct denied_row *row;

	denied_cells(event, cells);
	row = find_repeated(rows, cells, time_ms);
	if (row) {
		denied_cells_free(cells);
	} else {
		rows->items = array_grow(rows->items, &rows->cap, rows->n, sizeof(*rows->items));
		row = &rows->items[rows->n++];
		*row = (struct denied_row){ .first_ms = time_ms };
		memcpy(row->cells, cells, sizeof(cells));
	}
	row->count += denied_times(event);
	row->last_ms = time_ms;
}

/* Those are no repeats any more. */
void denied_rows_forget(struct denied_rows *rows)
{
	size_t old = rows->n > 2 * FOLD_ROWS ? rows->n - FOLD_ROWS : 0;

	for (size_t i = 0; i < old; i++)
		denied_cells_free(rows->items[i].cells);
	rows->n -= old;
	if (old > 0)
		memmove(rows->items, rows->items + old, rows->n * sizeof(*rows->items));
}

/* ------------------------------------------------------------------ widths */

static const char *title(const struct denied_rows *rows, int column)
{
	static const char *const titles[] = { "TIME", "NETWORK", "FROM", "TO", "PROTOCOL", "RULE" };

	return column == DENIED_RULE && rows->brief_rule ? "RULE:LINE" : titles[column];
}

/* The caller frees it. */
static char *counted(const struct denied_row *row, int column, const char *text)
{
	uint64_t n = row->count - row->shown;

	return column == DENIED_PROTOCOL && n > 1 ? xasprintf("%s ×%" PRIu64, text, n)
						  : xstrdup(text);
}

static void widen(size_t *width, const char *text)
{
	size_t n = term_length(text);

	if (n > *width)
		*width = n;
}

static size_t sum_of(const size_t width[N_DENIED_COLUMNS])
{
	size_t sum = GAP * (N_DENIED_COLUMNS - 1);

	for (int i = 0; i < N_DENIED_COLUMNS; i++)
		sum += width[i];
	return sum;
}

/* By the rows that are to be printed: with all that is in the cells, or without what is not needed. */
static void measure(const struct denied_rows *rows, size_t from, size_t full[N_DENIED_COLUMNS],
		    size_t brief[N_DENIED_COLUMNS])
{
	full[DENIED_TIME] = strlen("2026-01-02 03:04:05");
	brief[DENIED_TIME] = strlen("03:04:05");
	for (int c = DENIED_NETWORK; c < N_DENIED_COLUMNS; c++) {
		full[c] = brief[c] = strlen(title(rows, c));
		if (c == DENIED_RULE)
			brief[c] = strlen("RULE:LINE");
		for (size_t i = from; i < rows->n; i++) {
			const struct denied_row *row = &rows->items[i];
			cleanup(cleanup_free) char *text = counted(row, c, row->cells[c].full);

			widen(&full[c], text);
			widen(&brief[c], c == DENIED_PROTOCOL ? text : row->cells[c].brief);
		}
	}
}

/* Leaves out dates, then files, then addresses, and then cuts. */
static void choose_widths(struct denied_rows *rows, size_t from)
{
	static const int order[] = { DENIED_TIME, DENIED_RULE, DENIED_FROM, DENIED_TO };
	size_t *width = rows->width, brief[N_DENIED_COLUMNS], room = rows->term.width;

	measure(rows, from, width, brief);
	for (size_t i = 0; i < ARRAY_SIZE(order) && room > 0 && sum_of(width) > room; i++) {
		size_t over = sum_of(width) - room, spare = width[order[i]] - brief[order[i]];

		if (width[order[i]] < brief[order[i]])
			continue;
		/* A time or a rule is of one kind in all lines; of names and addresses some lines may have both. */
		if (i >= 2 && over < spare)
			spare = over;
		width[order[i]] -= spare;
		rows->clock |= i == 0;
		rows->brief_rule |= i == 1;
	}
	term_narrow(&rows->term, width, N_DENIED_COLUMNS);
}

/* A line that comes later has more room where there is some. */
static void make_room(struct denied_rows *rows, int column, const char *text)
{
	size_t want = term_length(text), sum = sum_of(rows->width);

	while (rows->width[column] < want && (rows->term.width == 0 || sum < rows->term.width)) {
		rows->width[column]++;
		sum++;
	}
}

/* ------------------------------------------------------------------ lines */

static void put_text(struct buf *b, const struct denied_rows *rows, int column, const char *text)
{
	cleanup(cleanup_free) char *cut = term_cut(&rows->term, text, rows->width[column]);

	buf_puts(b, cut);
	if (column + 1 == N_DENIED_COLUMNS)
		return;
	for (size_t n = term_length(cut); n < rows->width[column] + GAP; n++)
		buf_putc(b, ' ');
}

static void print_titles(struct denied_rows *rows)
{
	struct buf b = { 0 };

	for (int i = 0; i < N_DENIED_COLUMNS; i++)
		put_text(&b, rows, i, title(rows, i));
	term_put(&rows->term, TERM_TITLE, buf_str(&b), stdout);
	putchar('\n');
	buf_free(&b);
	rows->titled = true;
}

static void print_row(struct denied_rows *rows, struct denied_row *row)
{
	cleanup(cleanup_free) char *time =
		denied_time(row->shown > 0 ? row->last_ms : row->first_ms, rows->clock);
	struct buf b = { 0 };

	put_text(&b, rows, DENIED_TIME, time);
	for (int i = DENIED_NETWORK; i < N_DENIED_COLUMNS; i++) {
		const struct denied_cell *cell = &row->cells[i];
		bool brief = i == DENIED_RULE && rows->brief_rule;
		cleanup(cleanup_free) char *text =
			counted(row, i, brief ? cell->brief : cell->full);

		make_room(rows, i, text);
		put_text(&b, rows, i,
			 rows->term.width > 0 && i != DENIED_PROTOCOL &&
					 term_length(text) > rows->width[i]
				 ? cell->brief
				 : text);
	}
	printf("%s\n", buf_str(&b));
	buf_free(&b);
	row->shown = row->count;
	row->printed_ms = unix_ms();
}

static bool is_due(const struct denied_row *row, uint64_t now_ms)
{
	return row->count > row->shown &&
	       (row->shown == 0 || now_ms >= row->printed_ms + REPEAT_MS);
}

void denied_rows_print(struct denied_rows *rows, size_t tail)
{
	size_t from = rows->titled || rows->n <= tail ? 0 : rows->n - tail;
	uint64_t now_ms = unix_ms();

	if (!rows->titled) {
		choose_widths(rows, from);
		print_titles(rows);
	}
	for (size_t i = 0; i < rows->n; i++) {
		if (i < from)
			rows->items[i].shown = rows->items[i].count;
		else if (is_due(&rows->items[i], now_ms))
			print_row(rows, &rows->items[i]);
	}
	denied_rows_forget(rows);
}

void denied_rows_begin(struct denied_rows *rows)
{
	*rows = (struct denied_rows){ .term = term_of(stdout) };
}

void denied_rows_free(struct denied_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		denied_cells_free(rows->items[i].cells);
	free(rows->items);
}
