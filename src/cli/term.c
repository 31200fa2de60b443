/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "term.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define GAP 2
#define NARROW 8 /* a column is not made narrower than that */

struct term_cell {
	char *text;
	enum term_style style;
};

struct term term_of(FILE *stream)
{
	const char *name = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	struct term term = { 0 };
	struct winsize size;
	int fd = fileno(stream);

	if (fd < 0 || !isatty(fd))
		return term;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		term.width = size.ws_col;
	term.colour = !(no_colour && no_colour[0]) && name && name[0] && strcmp(name, "dumb") != 0;
	return term;
}

const char *term_code(enum term_style style)
{
	static const char *const codes[] = { "0", "1", "32", "33", "1;31" };

	static_assert(ARRAY_SIZE(codes) == TERM_BAD + 1, "a code for each style");
	return codes[style];
}

void term_put(const struct term *term, enum term_style style, const char *text, FILE *out)
{
	if (term->colour && style != TERM_PLAIN)
		fprintf(out, "\033[%sm%s\033[0m", term_code(style), text);
	else
		fputs(text, out);
}

/* The bytes of the first n characters, or of all if there are fewer; their number in *ret_n. */
static size_t take(const char *text, size_t n, size_t *ret_n)
{
	size_t len = strlen(text), at = 0, taken = 0;
	uint32_t code;

	while (at < len && taken < n) {
		size_t bytes = utf8_char(text + at, len - at, &code);

		at += bytes ? bytes : 1;
		taken++;
	}
	*ret_n = taken;
	return at;
}

size_t term_length(const char *text)
{
	size_t n;

	take(text, SIZE_MAX, &n);
	return n;
}

/* ------------------------------------------------------------------ tables */

void term_table_add(struct term_table *table, enum term_style style, const char *text)
{
	assert(table->columns > 0 && table->columns <= TERM_COLUMNS_MAX);
	table->cells = array_grow(table->cells, &table->cap, table->n, sizeof(*table->cells));
	table->cells[table->n++] = (struct term_cell){ xstrdup(text), style };
}

static void measure(const struct term_table *table, size_t width[TERM_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->n; i++) {
		size_t len = term_length(table->cells[i].text);

		if (len > width[i % table->columns])
			width[i % table->columns] = len;
	}
}

/* Takes from the widest column, until the rows fit or nothing is left to take. */
void term_narrow(const struct term *term, size_t *widths, size_t n)
{
	size_t sum = (n - 1) * GAP;

	for (size_t i = 0; i < n; i++)
		sum += widths[i];
	for (; term->width > 0 && sum > term->width; sum--) {
		size_t widest = 0;

		for (size_t i = 1; i < n; i++)
			if (widths[i] > widths[widest])
				widest = i;
		if (widths[widest] <= NARROW)
			return;
		widths[widest]--;
	}
}

char *term_cut(const struct term *term, const char *text, size_t width)
{
	size_t n, bytes;

	if (term->width == 0 || term_length(text) <= width)
		return xstrdup(text);
	bytes = take(text, width > 0 ? width - 1 : 0, &n);
	return xasprintf("%.*s…", (int)bytes, text);
}

static void print_cell(const struct term *term, const struct term_cell *cell, size_t width,
		       bool right, bool last, FILE *out)
{
	cleanup(cleanup_free) char *text = term_cut(term, cell->text, width);
	size_t n = term_length(text), pad = n < width ? width - n : 0;

	if (right)
		fprintf(out, "%*s", (int)pad, "");
	term_put(term, cell->style, text, out);
	if (!last)
		fprintf(out, "%*s", (int)(GAP + (right ? 0 : pad)), "");
}

void term_table_finish(struct term_table *table, const struct term *term, FILE *out)
{
	size_t width[TERM_COLUMNS_MAX] = { 0 };

	measure(table, width);
	term_narrow(term, width, table->columns);
	for (size_t i = 0; table->n > table->columns && i < table->n; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;

		print_cell(term, &table->cells[i], width[column], table->right >> column & 1, last,
			   out);
		if (last)
			fputc('\n', out);
	}
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->n = table->cap = 0;
}

/* ------------------------------------------------------------------ progress */

/* For the signal handler, which may only write. */
static char progress[80];
static volatile sig_atomic_t progress_shown;

static void write_stderr(const char *text, size_t len)
{
	ssize_t n = write(STDERR_FILENO, text, len);

	(void)n; /* nobody to tell */
}

static void on_alarm(int signo)
{
	int saved = errno;

	(void)signo;
	write_stderr(progress, strlen(progress));
	progress_shown = 1;
	errno = saved;
}

void term_progress(const char *what)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	if (!isatty(STDERR_FILENO))
		return;
	snprintf(progress, sizeof(progress), "%s …", what);
	progress_shown = 0;
	if (sigaction(SIGALRM, &action, NULL) == 0)
		alarm(1);
}

void term_progress_end(void)
{
	if (!progress[0])
		return;
	alarm(0);
	signal(SIGALRM, SIG_DFL);
	if (progress_shown)
		write_stderr("\r\033[K", 4);
	progress[0] = '\0';
}
