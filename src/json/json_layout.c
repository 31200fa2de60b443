/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json_layout.h"

#include <string.h>

#include "dockside/base/util.h"

#define UNIT_DEFAULT "  "

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the comment at off, without the line feed behind it; off: there is none. */
static size_t comment_end(const struct src *src, size_t off)
{
	const char *s = src->text + off, *end;
	size_t rest = src->len - off;

	if (rest < 2 || s[0] != '/' || (s[1] != '/' && s[1] != '*'))
		return off;
	if (s[1] == '*') {
		end = memmem(s + 2, rest - 2, "*/", 2);
		return end ? off + (size_t)(end - s) + 2 : src->len;
	}
	end = memchr(s, '\n', rest);
	rest = end ? (size_t)(end - s) : rest;
	return off + (rest > 2 && s[rest - 1] == '\r' ? rest - 1 : rest);
}

size_t layout_line_start(const struct src *src, size_t off)
{
	const char *line = off ? memrchr(src->text, '\n', off) : NULL;

	return line ? (size_t)(line - src->text) + 1 : 0;
}

size_t layout_indent(const struct src *src, size_t line_start)
{
	return layout_blanks_behind(src, line_start);
}

size_t layout_blanks_before(const struct src *src, size_t off)
{
	size_t n = 0;

	while (n < off && (src->text[off - n - 1] == ' ' || src->text[off - n - 1] == '\t'))
		n++;
	return n;
}

size_t layout_blanks_behind(const struct src *src, size_t off)
{
	return strspn(src->text + off, " \t");
}

/* The comma that follows a child's end, behind blanks, line feeds and comments. */
static size_t find_comma(const struct src *src, size_t off)
{
	for (;;) {
		size_t end = comment_end(src, off);

		if (end > off)
			off = end;
		else if (off < src->len && (is_blank(src->text[off]) || src->text[off] == '\n'))
			off++;
		else
			break;
	}
	return off < src->len && src->text[off] == ',' ? off : NO_COMMA;
}

/* Looks at the rest of a child's line. A comma further down does not belong to the line. */
static void look_behind(const struct src *src, struct place *place)
{
	size_t off = place->end;
	bool comma = place->comma == NO_COMMA;

	place->content_end = off;
	for (;;) {
		size_t end = comment_end(src, off);

		if (end == off && off < src->len && off == place->comma) {
			comma = true;
			end++;
		}
		if (end > off)
			place->content_end = end;
		else if (off < src->len && is_blank(src->text[off]))
			end = off + 1;
		else
			break;
		off = end;
	}
	place->ends_line = comma && off < src->len && src->text[off] == '\n';
	if (place->ends_line)
		place->line_end = off + 1;
	if (!comma)
		place->content_end = place->comma + 1;
}

struct place layout_place(const struct src *src, const struct json_node *child)
{
	struct place place = {
		.start = child->key ? child->key_loc.off : child->loc.off,
		.end = child->loc.off + child->loc.len,
	};

	place.comma = find_comma(src, place.end);
	place.line_start = layout_line_start(src, place.start);
	place.begins_line = place.line_start + layout_indent(src, place.line_start) == place.start;
	look_behind(src, &place);
	return place;
}

size_t layout_comments_above(const struct src *src, size_t from, const struct place *place)
{
	size_t above = place->line_start;
	bool found = false, fresh = false; /* nothing but blanks in this line so far */

	for (size_t off = from, end; off < place->line_start; off = end) {
		end = comment_end(src, off);
		if (end > off) {
			if (fresh && !found)
				above = layout_line_start(src, off);
			found = found || fresh;
			fresh = false;
			continue;
		}
		end = off + 1;
		if (src->text[off] != '\n')
			continue;
		found = found && !fresh;
		fresh = true;
	}
	return found ? above : place->line_start;
}

size_t layout_last_comment(const struct src *src, size_t from, size_t to, bool *ret_lines)
{
	size_t last = from;

	*ret_lines = false;
	for (size_t off = from; off < to;) {
		size_t end = comment_end(src, off);

		*ret_lines = *ret_lines || src->text[off] == '\n';
		if (end > off)
			last = end;
		off = end > off ? end : off + 1;
	}
	return last;
}

const char *layout_newline(const struct src *src)
{
	const char *line = memchr(src->text, '\n', src->len);

	return line && line > src->text && line[-1] == '\r' ? "\r\n" : "\n";
}

/* The blanks that a child's line has more than its parent's; NULL: it does not tell. */
static char *unit_of(const struct src *src, const struct json_node *parent,
		     const struct json_node *child)
{
	struct place place = layout_place(src, child);
	size_t start = layout_line_start(src, parent->key ? parent->key_loc.off : parent->loc.off);
	size_t outer = layout_indent(src, start);
	size_t inner = place.start - place.line_start;

	if (!place.begins_line || inner <= outer ||
	    memcmp(src->text + start, src->text + place.line_start, outer) != 0)
		return NULL;
	return xstrndup(src->text + place.line_start + outer, inner - outer);
}

static char *find_unit(const struct src *src, const struct json_node *node)
{
	char *unit = NULL;

	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
		return NULL;
	if (node->u.children.n > 0)
		unit = unit_of(src, node, &node->u.children.items[0]);
	for (size_t i = 0; !unit && i < node->u.children.n; i++)
		unit = find_unit(src, &node->u.children.items[i]);
	return unit;
}

char *layout_unit(const struct src *src, const struct json_node *root)
{
	char *unit = find_unit(src, root);

	return unit ? unit : xstrdup(UNIT_DEFAULT);
}

/* 1: padded, 0: not, -1: nothing shows it. */
static int find_padding(const struct src *src, const struct json_node *node)
{
	int padded = -1;

	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
		return -1;
	if (node->kind == JSON_OBJECT && node->u.children.n > 0) {
		char c = src->text[node->loc.off + 1];

		if (c == '"' || c == ' ')
			return c == ' ';
	}
	for (size_t i = 0; padded < 0 && i < node->u.children.n; i++)
		padded = find_padding(src, &node->u.children.items[i]);
	return padded;
}

bool layout_padded(const struct src *src, const struct json_node *root)
{
	return find_padding(src, root) != 0;
}
