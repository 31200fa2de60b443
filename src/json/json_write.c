/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/json/json_write.h"

#include <inttypes.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define COLUMNS 100

static void put_string(struct buf *b, const char *s, size_t len)
{
	size_t from = 0;

	buf_putc(b, '"');
	for (size_t i = 0, n; i < len; i += n) {
		const char *instead = NULL;
		uint32_t code = 0;

		n = utf8_char(s + i, len - i, &code);
		if (n == 0) {
			instead = REPLACEMENT;
			n = 1;
		} else if (code == '"') {
			instead = "\\\"";
		} else if (code == '\\') {
			instead = "\\\\";
		} else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			instead = " ";
		}
		if (!instead)
			continue;
		buf_add(b, s + from, i - from);
		buf_puts(b, instead);
		from = i + n;
	}
	buf_add(b, s + from, len - from);
	buf_putc(b, '"');
}

/* ---- one value at a time ---- */

static void put_key(struct json_writer *out, const char *key)
{
	if (out->more)
		buf_putc(out->b, ',');
	out->more = true;
	if (!key)
		return;
	put_string(out->b, key, strlen(key));
	buf_putc(out->b, ':');
}

void json_write_open(struct json_writer *out, const char *key, char bracket)
{
	put_key(out, key);
	buf_putc(out->b, bracket);
	out->more = false;
}

void json_write_close(struct json_writer *out, char bracket)
{
	buf_putc(out->b, bracket);
	out->more = true;
}

void json_write_string(struct json_writer *out, const char *key, const char *s)
{
	put_key(out, key);
	if (s)
		put_string(out->b, s, strlen(s));
	else
		buf_puts(out->b, "null");
}

void json_write_int(struct json_writer *out, const char *key, int64_t value)
{
	put_key(out, key);
	buf_printf(out->b, "%" PRId64, value);
}

void json_write_bool(struct json_writer *out, const char *key, bool value)
{
	put_key(out, key);
	buf_puts(out->b, value ? "true" : "false");
}

void json_write_text(struct json_writer *out, const char *key, const char *json)
{
	put_key(out, key);
	buf_puts(out->b, json);
}

/* ---- nodes ---- */

/* The blanks between the tokens of a container that stands on one line. */
struct blanks {
	const char *inside; /* an object's braces */
	const char *comma;
	const char *colon;
};

static const struct blanks no_blanks = { "", ",", ":" };

static void put_scalar(struct buf *b, const struct json_node *node)
{
	switch (node->kind) {
	case JSON_BOOL:
		buf_puts(b, node->u.boolean ? "true" : "false");
		break;
	case JSON_INT:
		buf_printf(b, "%" PRId64, node->u.integer);
		break;
	case JSON_STRING:
		put_string(b, node->u.string.s, node->u.string.len);
		break;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		buf_puts(b, "null");
		break;
	}
}

/* Stops, with something left out, where b has become longer than max. */
static void put_line(struct buf *b, const struct json_node *node, const struct blanks *blanks,
		     size_t max)
{
	bool object = node->kind == JSON_OBJECT;
	size_t n;

	if (!json_is_container(node)) {
		put_scalar(b, node);
		return;
	}
	n = node->u.children.n;
	buf_putc(b, object ? '{' : '[');
	buf_puts(b, object && n ? blanks->inside : "");
	for (size_t i = 0; i < n && b->len <= max; i++) {
		const struct json_node *child = &node->u.children.items[i];

		buf_puts(b, i ? blanks->comma : "");
		if (object) {
			put_string(b, child->key, strlen(child->key));
			buf_puts(b, blanks->colon);
		}
		put_line(b, child, blanks, max);
	}
	buf_puts(b, object && n ? blanks->inside : "");
	buf_putc(b, object ? '}' : ']');
}

void json_write_node(struct json_writer *out, const char *key, const struct json_node *node)
{
	put_key(out, key);
	put_line(out->b, node, &no_blanks, SIZE_MAX);
}

static bool has_object(const struct json_node *node)
{
	if (!json_is_container(node))
		return false;
	for (size_t i = 0; i < node->u.children.n; i++) {
		const struct json_node *child = &node->u.children.items[i];

		if (child->kind == JSON_OBJECT || has_object(child))
			return true;
	}
	return false;
}

/* A value that takes several lines. */
struct block {
	const struct json_layout *layout;
	struct blanks blanks;
	unsigned depth;
};

static void new_line(struct buf *b, const struct block *block)
{
	buf_puts(b, block->layout->newline);
	buf_puts(b, block->layout->indent);
	for (unsigned i = 0; i < block->depth; i++)
		buf_puts(b, block->layout->unit);
}

/* A container on one line, if it fits there with a comma behind it. */
static bool put_flat(struct buf *b, const struct json_node *node, const struct blanks *blanks)
{
	const char *line = b->len ? memrchr(b->data, '\n', b->len) : NULL;
	size_t start = line ? (size_t)(line - b->data) + 1 : 0, mark = b->len;
	size_t max = start + COLUMNS - 1;

	if (has_object(node))
		return false;
	put_line(b, node, blanks, max);
	if (b->len <= max)
		return true;
	b->len = mark;
	return false;
}

static void put_block(struct buf *b, const struct json_node *node, struct block *block)
{
	bool object = node->kind == JSON_OBJECT;
	size_t n = json_is_container(node) ? node->u.children.n : 0;

	if (n == 0)
		put_line(b, node, &block->blanks, SIZE_MAX);
	if (n == 0 || put_flat(b, node, &block->blanks))
		return;
	buf_putc(b, object ? '{' : '[');
	block->depth++;
	for (size_t i = 0; i < n; i++) {
		const struct json_node *child = &node->u.children.items[i];

		new_line(b, block);
		if (object)
			json_write_key(b, child->key);
		put_block(b, child, block);
		buf_puts(b, i + 1 < n ? "," : "");
	}
	block->depth--;
	new_line(b, block);
	buf_putc(b, object ? '}' : ']');
}

static struct blanks layout_blanks(const struct json_layout *layout)
{
	return (struct blanks){ layout->padded ? " " : "", ", ", ": " };
}

void json_write_key(struct buf *b, const char *key)
{
	put_string(b, key, strlen(key));
	buf_puts(b, ": ");
}

void json_write_block(struct buf *b, const struct json_node *node, const struct json_layout *layout)
{
	struct block block = { .layout = layout, .blanks = layout_blanks(layout) };

	put_block(b, node, &block);
}

bool json_write_short(struct buf *b, const struct json_node *node, const struct json_layout *layout)
{
	struct blanks blanks = layout_blanks(layout);
	size_t mark = b->len;

	put_line(b, node, &blanks, mark + COLUMNS);
	if (b->len <= mark + COLUMNS)
		return true;
	b->len = mark;
	return false;
}
