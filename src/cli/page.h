/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that fits a screen: lines and tables of a width that nothing exceeds, whatever characters a text has. A character
 * that would move the cursor, or whose width terminals do not agree on, is shown as an escape. Pure.
 */
#ifndef DOCKSIDE_CLI_PAGE_H
#define DOCKSIDE_CLI_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/buf.h"
#include "term.h"

/* The columns that a text takes on a terminal. */
size_t page_columns(const char *text);

/* A line that is being written, appended to a buffer. */
struct page_line {
	struct buf *b;
	struct term term; /* width 0: no limit */
	size_t used;	  /* columns */
	bool full;	  /* something is cut off, and nothing more fits */
};

/* Adds a text; if it is too long, all that fits and "…". */
void page_put(struct page_line *line, enum term_style style, const char *text);
/* Blanks up to that column. */
void page_pad(struct page_line *line, size_t column);

/* Splits a text at blanks into lines of that width, at most max, of which the last may be cut. Calls put for each. */
void page_wrap(const char *text, size_t width, size_t max,
	       void (*put)(void *data, const char *line), void *data);

/* ---- tables ---- */

#define PAGE_COLUMNS_MAX 8

struct page_column {
	const char *title;
	bool right;
	/* Without room for all, columns go from 1 on: first to the brief texts of their cells, then as a whole; 0: never. */
	unsigned brief, drop;
	size_t shrink; /* between the two it is cut to that width, but not more than needed; 0: it is not */
};

struct page_cell {
	char *full;
	char *brief; /* NULL: the same */
	enum term_style style;
};

struct page_table {
	const struct page_column *columns;
	size_t n_columns;
	struct page_cell *cells; /* row by row */
	size_t n, cap;		 /* of cells */
};

/* Takes over the texts. */
void page_add(struct page_table *table, enum term_style style, char *full, char *brief);
/* Appends titles and rows as lines, two blanks between columns. */
void page_table_put(const struct page_table *table, const struct term *term, struct buf *b);
void page_table_free(struct page_table *table);

#endif
