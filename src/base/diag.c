/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/diag.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define FOUND_MAX 40	/* characters of input quoted in a message */
#define LINE_SHOWN 160	/* columns of a source line */
#define LINE_BEFORE 60	/* of them before the culprit, when the line is cut */
#define POINTER_MAX 200 /* characters of a JSON pointer */

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"

static const char *const severity_name[] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_NOTE] = "note",
};
static_assert(ARRAY_SIZE(severity_name) == SEVERITY_NOTE + 1, "a name for each severity");
static_assert(ARRAY_SIZE(severity_name) == ARRAY_SIZE(((struct diags *)0)->count),
	      "a count for each severity");

void src_free(struct src *src)
{
	if (!src)
		return;
	free(src->name);
	free(src->text);
	*src = (struct src){ 0 };
}

/* One column: a UTF-8 character, or a byte that is none. Returns its bytes; *ret_plain says whether
 * a terminal shows it as it is. */
static size_t next_column(const char *s, size_t len, bool *ret_plain)
{
	uint32_t c;
	size_t n = utf8_char(s, len, &c);

	*ret_plain = n > 0 && utf8_is_plain(c);
	return n > 0 ? n : 1;
}

/* Finds the line of src's text that off is in: its first byte, and the byte behind its last (no line feed). */
static void line_bounds(const struct src *src, size_t off, size_t *ret_start, size_t *ret_end)
{
	const char *before = off ? memrchr(src->text, '\n', off) : NULL;
	const char *after = memchr(src->text + off, '\n', src->len - off);

	*ret_start = before ? (size_t)(before - src->text) + 1 : 0;
	*ret_end = after ? (size_t)(after - src->text) : src->len;
}

static size_t columns_between(const char *text, size_t from, size_t to)
{
	size_t n = 0;
	bool plain;

	for (; from < to; n++) /* a line may have 16 MiB: ASCII first */
		from += text[from] > 0 ? 1 : next_column(text + from, to - from, &plain);
	return n;
}

/* Returns the offset at which the nth column of the text begins; len if there are fewer. */
static size_t column_offset(const char *text, size_t len, size_t n)
{
	size_t i = 0;
	bool plain;

	while (i < len && n--)
		i += text[i] > 0 ? 1 : next_column(text + i, len - i, &plain);
	return i;
}

static size_t loc_offset(struct loc loc)
{
	return loc.off < loc.src->len ? loc.off : loc.src->len;
}

void loc_line_column(struct loc loc, unsigned *ret_line, unsigned *ret_column)
{
	size_t off, start, end;
	unsigned line = 1;

	*ret_line = 0;
	*ret_column = 0;
	if (!loc.src || !loc.src->text)
		return;
	off = loc_offset(loc);
	line_bounds(loc.src, off, &start, &end);
	for (const char *p = loc.src->text, *to = p + start; p < to; line++)
		p = (const char *)memchr(p, '\n', (size_t)(to - p)) + 1;
	*ret_line = line;
	*ret_column = (unsigned)columns_between(loc.src->text, start, off) + 1;
}

static void diag_release(struct diag *diag)
{
	free(diag->pointer);
	free(diag->message);
	free(diag->hint);
	free(diag->other_message);
	*diag = (struct diag){ 0 };
}

struct diag *diag_add(struct diags *diags, enum severity severity, struct loc loc,
		      const char *pointer, const char *fmt, ...)
{
	struct buf message = { 0 };
	struct diag *diag;
	va_list ap;

	if (diags->count[severity]++ < DIAGS_MAX) {
		diags->items = array_grow(diags->items, &diags->cap, diags->n, sizeof(*diag));
		diag = &diags->items[diags->n++];
	} else {
		diag = &diags->scratch;
		diag_release(diag);
	}
	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	*diag = (struct diag){
		.severity = severity,
		.loc = loc,
		.pointer = xstrdup(pointer ? pointer : ""),
		.message = buf_steal(&message),
	};
	return diag;
}

void diags_drop(struct diags *diags, enum severity severity)
{
	size_t kept = 0;

	for (size_t i = 0; i < diags->n; i++) {
		if (diags->items[i].severity == severity)
			diag_release(&diags->items[i]);
		else
			diags->items[kept++] = diags->items[i];
	}
	diags->n = kept;
	diags->count[severity] = 0;
}

void diags_free(struct diags *diags)
{
	if (!diags)
		return;
	for (size_t i = 0; i < diags->n; i++)
		diag_release(&diags->items[i]);
	free(diags->items);
	diag_release(&diags->scratch);
	*diags = (struct diags){ 0 };
}

void quote_found(struct buf *b, const char *s, size_t len)
{
	size_t shown = 0;

	buf_putc(b, '"');
	for (size_t i = 0; i < len; shown++) {
		bool plain;
		size_t n = next_column(s + i, len - i, &plain);

		if (shown == FOUND_MAX) {
			buf_puts(b, ELLIPSIS);
			break;
		}
		if (plain)
			buf_add(b, s + i, n);
		for (size_t k = 0; k < n && !plain; k++)
			buf_printf(b, "\\x%02x", (unsigned)(unsigned char)s[i + k]);
		i += n;
	}
	buf_putc(b, '"');
}

/* Prints at most max characters of s, none of which can upset a terminal. */
static void print_safely(FILE *out, const char *s, size_t max)
{
	size_t len = strlen(s);

	for (size_t i = 0, shown = 0; i < len; shown++) {
		bool plain;
		size_t n = next_column(s + i, len - i, &plain);

		if (shown == max) {
			fputs(ELLIPSIS, out);
			break;
		}
		if (plain)
			fwrite(s + i, 1, n, out);
		else
			fputs(REPLACEMENT, out);
		i += n;
	}
}

/* Prints a piece of a line, but nothing that can upset a terminal. */
static void print_source(FILE *out, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		bool plain;

		n = next_column(s + i, len - i, &plain);
		if (plain || s[i] == '\t')
			fwrite(s + i, 1, n, out);
		else
			fputs(REPLACEMENT, out);
	}
}

/* Prints n carets under what follows s[0..len). Tabs stay tabs, which keeps the carets in place
 * whatever a tab's width is. */
static void print_carets(FILE *out, const char *s, size_t len, size_t n)
{
	bool plain;

	for (size_t i = 0; i < len; i += next_column(s + i, len - i, &plain))
		fputc(s[i] == '\t' ? '\t' : ' ', out);
	while (n--)
		fputc('^', out);
}

static void print_snippet(FILE *out, struct loc loc)
{
	size_t off = loc_offset(loc), start, end, len, skip = 0, shown, mark, marked;
	const char *line;

	line_bounds(loc.src, off, &start, &end);
	if (end > start && loc.src->text[end - 1] == '\r')
		end--;
	if (end == start)
		return;
	line = loc.src->text + start;
	len = end - start;
	off = off < end ? off - start : len;
	mark = columns_between(line, 0, off);
	if (mark > LINE_BEFORE && column_offset(line, len, LINE_SHOWN) < len)
		skip = column_offset(line, len, mark - LINE_BEFORE);
	line += skip;
	len -= skip;
	off -= skip;
	shown = column_offset(line, len, LINE_SHOWN);
	marked = columns_between(line, off, loc.len < shown - off ? off + loc.len : shown);

	fputs(skip ? ELLIPSIS : "", out);
	print_source(out, line, shown);
	fputs(shown < len ? ELLIPSIS "\n" : "\n", out);
	fputs(skip ? " " : "", out);
	/* The end of a line or file still gets its caret. */
	print_carets(out, line, off, marked ? marked : 1);
	fputc('\n', out);
}

/* "FILE:LINE:COL: ", as much of it as there is. */
static void print_place(FILE *out, struct loc loc)
{
	unsigned line, column;

	if (!loc.src)
		return;
	print_safely(out, loc.src->name, SIZE_MAX);
	loc_line_column(loc, &line, &column);
	if (line)
		fprintf(out, ":%u:%u", line, column);
	fputs(": ", out);
}

static void print_message(FILE *out, struct loc loc, enum severity severity, const char *message)
{
	print_place(out, loc);
	fprintf(out, "%s: ", severity_name[severity]);
	print_safely(out, message, SIZE_MAX);
}

static void print_diag(FILE *out, const struct diag *diag)
{
	print_message(out, diag->loc, diag->severity, diag->message);
	if (diag->hint) {
		fputs("; ", out);
		print_safely(out, diag->hint, SIZE_MAX);
	}
	if (diag->pointer[0]) {
		fputs(" (at ", out);
		print_safely(out, diag->pointer, POINTER_MAX);
		fputc(')', out);
	}
	fputc('\n', out);
	if (diag->loc.src && diag->loc.src->text)
		print_snippet(out, diag->loc);
	if (!diag->other_message)
		return;
	print_message(out, diag->other, SEVERITY_NOTE, diag->other_message);
	fputc('\n', out);
	if (diag->other.src && diag->other.src->text)
		print_snippet(out, diag->other);
}

static int by_place(const void *a, const void *b)
{
	const struct diag *x = *(const struct diag *const *)a;
	const struct diag *y = *(const struct diag *const *)b;
	int cmp = strcmp(x->loc.src ? x->loc.src->name : "", y->loc.src ? y->loc.src->name : "");

	if (cmp == 0)
		cmp = (x->loc.off > y->loc.off) - (x->loc.off < y->loc.off);
	/* Both point into the same array: in the order in which they were added. */
	return cmp ? cmp : (x > y) - (x < y);
}

static void print_all(FILE *out, const struct diags *diags)
{
	cleanup(cleanup_free) const struct diag **order = xcalloc(diags->n, sizeof(*order));

	for (size_t i = 0; i < diags->n; i++)
		order[i] = &diags->items[i];
	qsort(order, diags->n, sizeof(*order), by_place);
	for (size_t i = 0; i < diags->n; i++)
		print_diag(out, order[i]);
	for (size_t i = 0; i < ARRAY_SIZE(severity_name); i++) {
		size_t more = diags->count[i] > DIAGS_MAX ? diags->count[i] - DIAGS_MAX : 0;

		if (more)
			fprintf(out, ELLIPSIS " and %zu more %s%s\n", more, severity_name[i],
				more == 1 ? "" : "s");
	}
}

/* In one piece: standard error is not buffered, and several of us may write to it. */
void diags_print(const struct diags *diags, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		abort(); /* out of memory */
	print_all(memory, diags);
	fclose(memory);
	fwrite(text, 1, len, out);
	free(text);
}
