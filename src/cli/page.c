/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define GAP 2
#define NARROW 6      /* a column is not made narrower than that before the line is cut */
#define ESCAPE_MAX 17 /* four bytes as \xNN, and NUL */

/* ------------------------------------------------------------------ characters */

struct range {
	uint32_t from, to;
};

static bool is_in(uint32_t code, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return true;
	return false;
}

/* Characters that take two columns (Unicode's East Asian Width). */
static bool is_wide(uint32_t code)
{
	static const struct range wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf }, { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1faff }, { 0x20000, 0x3fffd },
	};

	return is_in(code, wide, ARRAY_SIZE(wide));
}

/* Characters that take none, or that are written from right to left and so change the order of others. */
static bool is_odd(uint32_t code)
{
	static const struct range odd[] = {
		{ 0x300, 0x36f },      { 0x590, 0x8ff },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
		{ 0x200b, 0x200f },    { 0x2060, 0x206f }, { 0x20d0, 0x20ff }, { 0xfb1d, 0xfdff },
		{ 0xfe00, 0xfe0f },    { 0xfe20, 0xfe2f }, { 0xfe70, 0xfeff }, { 0x10800, 0x10fff },
		{ 0xe0000, 0x10ffff },
	};

	return is_in(code, odd, ARRAY_SIZE(odd));
}

/* The next character as it is shown, and the columns that it takes. Returns its bytes in the text. */
static size_t next(const char *text, size_t len, char shown[ESCAPE_MAX], size_t *ret_columns)
{
	uint32_t code = 0;
	size_t n = utf8_char(text, len, &code), bytes = n ? n : 1;

	if (n > 0 && utf8_is_plain(code) && !is_odd(code)) {
		memcpy(shown, text, n);
		shown[n] = '\0';
		*ret_columns = is_wide(code) ? 2 : 1;
		return n;
	}
	for (size_t i = 0; i < bytes; i++)
		snprintf(shown + 4 * i, 5, "\\x%02x", (unsigned)(unsigned char)text[i]);
	*ret_columns = 4 * bytes;
	return bytes;
}

/* Appends what fits into so many columns, unless b is NULL; returns the columns that it takes. */
static size_t put_part(struct buf *b, const char *text, size_t columns)
{
	size_t len = strlen(text), used = 0;

	for (size_t i = 0, width; i < len; used += width) {
		char shown[ESCAPE_MAX];
		size_t n = next(text + i, len - i, shown, &width);

		if (width > columns - used)
			break;
		if (b)
			buf_puts(b, shown);
		i += n;
	}
	return used;
}

size_t page_columns(const char *text)
{
	return put_part(NULL, text, SIZE_MAX);
}

/* ------------------------------------------------------------------ lines */

static void put_styled(struct page_line *line, enum term_style style, const char *text,
		       size_t columns)
{
	bool coloured = line->term.colour && style != TERM_PLAIN;

	if (coloured)
		buf_printf(line->b, "\033[%sm", term_code(style));
	line->used += put_part(line->b, text, columns);
	if (line->full) {
		buf_puts(line->b, "…");
		line->used++;
	}
	if (coloured)
		buf_puts(line->b, "\033[0m");
}

void page_put(struct page_line *line, enum term_style style, const char *text)
{
	size_t room = line->term.width == 0 ? SIZE_MAX : line->term.width - line->used;

	if (line->full || text[0] == '\0')
		return;
	if (page_columns(text) <= room) {
		put_styled(line, style, text, room);
	} else if (room > 0) {
		line->full = true;
		put_styled(line, style, text, room - 1);
	}
	line->full |= room == 0;
}

void page_pad(struct page_line *line, size_t column)
{
	if (line->term.width > 0 && column > line->term.width)
		column = line->term.width;
	for (; line->used < column; line->used++)
		buf_putc(line->b, ' ');
}

/* The bytes of the first line; *ret_rest: where the next one begins. */
static size_t break_at(const char *text, size_t width, size_t *ret_rest)
{
	size_t len = strlen(text), used = 0, blank = 0, i = 0;

	for (size_t columns; i < len; used += columns) {
		char shown[ESCAPE_MAX];
		size_t n = next(text + i, len - i, shown, &columns);

		if (text[i] == ' ')
			blank = i;
		if (columns > width - used)
			break;
		i += n;
	}
	if (i < len && blank > 0) {
		*ret_rest = blank + 1;
		return blank;
	}
	/* A word that is longer than a line is cut where that ends; a character wider than it is taken all the same. */
	if (i == 0 && len > 0)
		i = len;
	*ret_rest = i;
	return i;
}

void page_wrap(const char *text, size_t width, size_t max,
	       void (*put)(void *data, const char *line), void *data)
{
	for (size_t i = 0; i < max && text[0]; i++) {
		size_t rest, n = width == 0 || i + 1 == max ? (rest = strlen(text))
							    : break_at(text, width, &rest);
		cleanup(cleanup_free) char *line = xstrndup(text, n);

		put(data, line);
		text += rest;
	}
}

/* ------------------------------------------------------------------ tables */

struct shape {
	size_t width[PAGE_COLUMNS_MAX];
	bool brief[PAGE_COLUMNS_MAX], dropped[PAGE_COLUMNS_MAX];
};

void page_add(struct page_table *table, enum term_style style, char *full, char *brief)
{
	assert(table->n_columns > 0 && table->n_columns <= PAGE_COLUMNS_MAX);
	table->cells = array_grow(table->cells, &table->cap, table->n, sizeof(*table->cells));
	table->cells[table->n++] = (struct page_cell){ full, brief, style };
}

static const char *brief_of(const struct page_cell *cell)
{
	return cell->brief ? cell->brief : cell->full;
}

static size_t measure(const struct page_table *table, size_t column, bool brief)
{
	size_t width = page_columns(table->columns[column].title);

	for (size_t i = column; i < table->n; i += table->n_columns) {
		const struct page_cell *cell = &table->cells[i];
		size_t n = page_columns(brief ? brief_of(cell) : cell->full);

		if (n > width)
			width = n;
	}
	return width;
}

static size_t sum_of(const struct page_table *table, const struct shape *shape)
{
	size_t sum = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		if (!shape->dropped[i])
			sum += shape->width[i] + (sum > 0 ? GAP : 0);
	return sum;
}

/* The widest column loses one, until all fit or are narrow. */
static void narrow(const struct page_table *table, struct shape *shape, size_t room)
{
	for (size_t sum = sum_of(table, shape); sum > room; sum--) {
		size_t widest = 0;

		for (size_t i = 1; i < table->n_columns; i++)
			if (!shape->dropped[i] &&
			    (shape->dropped[widest] || shape->width[i] > shape->width[widest]))
				widest = i;
		if (shape->width[widest] <= NARROW)
			return;
		shape->width[widest]--;
	}
}

/* The columns with brief texts get the room that is left over, for those rows whose full ones fit then. */
static void spread(const struct page_table *table, struct shape *shape, size_t room)
{
	for (size_t i = table->n_columns; i-- > 0;) {
		size_t sum = sum_of(table, shape), full = measure(table, i, false);

		if (shape->dropped[i] || !shape->brief[i] || sum >= room || full <= shape->width[i])
			continue;
		shape->width[i] +=
			full - shape->width[i] < room - sum ? full - shape->width[i] : room - sum;
	}
}

static void shrink(const struct page_table *table, struct shape *shape, size_t room)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		size_t sum = sum_of(table, shape), least = table->columns[i].shrink;
		size_t over = sum > room ? sum - room : 0;

		if (least > 0 && shape->width[i] > least)
			shape->width[i] -=
				over < shape->width[i] - least ? over : shape->width[i] - least;
	}
}

static void fit(const struct page_table *table, size_t room, struct shape *shape)
{
	for (unsigned order = 1; order <= PAGE_COLUMNS_MAX; order++)
		for (size_t i = 0; i < table->n_columns && sum_of(table, shape) > room; i++)
			if (table->columns[i].brief == order) {
				shape->brief[i] = true;
				shape->width[i] = measure(table, i, true);
			}
	shrink(table, shape, room);
	for (unsigned order = 1; order <= PAGE_COLUMNS_MAX; order++)
		for (size_t i = 0; i < table->n_columns && sum_of(table, shape) > room; i++)
			if (table->columns[i].drop == order)
				shape->dropped[i] = true;
	narrow(table, shape, room);
	spread(table, shape, room);
}

/* One cell, cut to the width, that begins at a column of the line. */
static void put_cell(struct page_line *line, enum term_style style, const char *text, size_t at,
		     size_t width, bool right)
{
	struct buf b = { 0 };
	struct page_line cell = { .b = &b, .term = { .width = width } };

	if (line->full || (line->term.width > 0 && at >= line->term.width))
		return;
	page_put(&cell, TERM_PLAIN, text);
	page_pad(line, at + (right ? width - cell.used : 0));
	page_put(line, style, buf_str(&b));
	buf_free(&b);
}

/* A row, or without cells the titles. */
static void put_row(const struct page_table *table, const struct shape *shape,
		    const struct page_cell *cells, const struct term *term, struct buf *b)
{
	struct page_line line = { .b = b, .term = *term };
	size_t at = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		const struct page_column *column = &table->columns[i];
		const char *text = cells ? cells[i].full : column->title;

		if (shape->dropped[i])
			continue;
		if (cells && shape->brief[i] && page_columns(text) > shape->width[i])
			text = brief_of(&cells[i]);
		put_cell(&line, cells ? cells[i].style : TERM_TITLE, text, at, shape->width[i],
			 column->right);
		at += shape->width[i] + GAP;
	}
	buf_putc(b, '\n');
}

void page_table_put(const struct page_table *table, const struct term *term, struct buf *b)
{
	struct shape shape = { 0 };

	for (size_t i = 0; i < table->n_columns; i++)
		shape.width[i] = measure(table, i, false);
	if (term->width > 0)
		fit(table, term->width, &shape);
	put_row(table, &shape, NULL, term, b);
	for (size_t i = 0; i < table->n; i += table->n_columns)
		put_row(table, &shape, &table->cells[i], term, b);
}

void page_table_free(struct page_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		free(table->cells[i].full);
		free(table->cells[i].brief);
	}
	free(table->cells);
	table->cells = NULL;
	table->n = table->cap = 0;
}
