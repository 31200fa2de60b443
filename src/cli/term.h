/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for people at a terminal: colours, tables that fit its width, and a line that says what the
 * command waits for. Output to anything else is for programs: we colour and shorten nothing, and
 * show no progress.
 */
#ifndef DOCKSIDE_CLI_TERM_H
#define DOCKSIDE_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct term {
	size_t width; /* columns; 0: no limit */
	bool colour;
};

/* Finds out whether a stream leads to a terminal, and how that may be used. No colour with NO_COLOR
 * (https://no-color.org) or TERM=dumb. */
struct term term_of(FILE *stream);

enum term_style {
	TERM_PLAIN,
	TERM_TITLE,
	TERM_GOOD,
	TERM_WARNING,
	TERM_BAD,
};

/* The text between ESC [ and m. */
const char *term_code(enum term_style style);
/* Writes text in a style; plainly where there is no colour. */
void term_put(const struct term *term, enum term_style style, const char *text, FILE *out);

/* Number of characters of UTF-8 text; a byte that is none counts as one. */
size_t term_length(const char *text);

#define TERM_COLUMNS_MAX 10

/* Zero-initialise but columns and right. */
struct term_table {
	size_t columns;		 /* at most TERM_COLUMNS_MAX */
	unsigned right;		 /* bit N: column N is flush right */
	struct term_cell *cells; /* row by row, the titles first */
	size_t n, cap;
};

/* Adds a cell; the text is copied. */
void term_table_add(struct term_table *table, enum term_style style, const char *text);
/*
 * Writes the table, two blanks between columns, and frees it; nothing if it has titles alone. If
 * the table is too wide for the terminal, its widest columns are shortened first, and cut texts end
 * in "…".
 */
void term_table_finish(struct term_table *table, const struct term *term, FILE *out);

/*
 * Makes columns narrower as term_table_finish() does, until they fit with two blanks between them. This is for rows that
 * come one at a time, so that their widths are chosen beforehand.
 */
void term_narrow(const struct term *term, size_t *widths, size_t n);
/* The text, shortened to that many characters if it is for a terminal. The caller frees it. */
char *term_cut(const struct term *term, const char *text, size_t width);

/*
 * From here on, if standard error is a terminal: when this has taken a second, says what is being
 * waited for, until term_progress_end() takes it away. It uses SIGALRM, so that calls may be interrupted
 * (EINTR); not for the daemon.
 */
void term_progress(const char *what);
void term_progress_end(void);

#endif
