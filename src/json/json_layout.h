/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds lines, commas and comments in a text that json_parse() has accepted. */
#ifndef DOCKSIDE_JSON_JSON_LAYOUT_H
#define DOCKSIDE_JSON_JSON_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/json/json_parse.h"

#define NO_COMMA SIZE_MAX

/* A child of a container as it stands in the text: its key, if it has one, and its value. */
struct place {
	size_t start, end;
	size_t comma;	    /* behind it, or NO_COMMA */
	bool begins_line;   /* only blanks stand before it in its line */
	bool ends_line;	    /* behind it only its comma and comments do ... */
	size_t line_start;  /* of the line in which it begins */
	size_t content_end; /* ... of which this is the end, without blanks at the end */
	size_t line_end;    /* ends_line: behind the line feed */
};

struct place layout_place(const struct src *src, const struct json_node *child);
/* The beginning of the line that has this offset; the length of its blanks before anything else. */
size_t layout_line_start(const struct src *src, size_t off);
size_t layout_indent(const struct src *src, size_t line_start);
/* The blanks and tabs that end there, or begin there. */
size_t layout_blanks_before(const struct src *src, size_t off);
size_t layout_blanks_behind(const struct src *src, size_t off);

/* The beginning of the line of the first comment of those that stand right above a child that begins its line, each on
 * lines of its own, without an empty line between; of its own line without such. from: behind its container's
 * opening bracket. */
size_t layout_comments_above(const struct src *src, size_t from, const struct place *place);
/* The end of the last comment in a stretch of blanks and comments, or from; *ret_lines: whether there is a line feed
 * in it. */
size_t layout_last_comment(const struct src *src, size_t from, size_t to, bool *ret_lines);

/* "\r\n" where the first line ends so. */
const char *layout_newline(const struct src *src);
/* The blanks that a level adds to the indentation, as the first child that begins a line shows; the caller frees it. */
char *layout_unit(const struct src *src, const struct json_node *root);
/* Whether objects have blanks inside their braces, as the first one that has its first member in the same line
 * shows. */
bool layout_padded(const struct src *src, const struct json_node *root);

#endif
