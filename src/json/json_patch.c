/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: the old tree and the wanted one are walked together. Where both have a container, its old
 * children are matched with the wanted ones; matched children are walked in turn, others are added or removed. All of
 * that ends as splices, each a stretch of the source and what takes its place. They do not overlap, and those at one
 * offset stay in the order in which they were made: a comma, what is added behind it, what is removed.
 */
#include "dockside/json/json_patch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "json_layout.h"
#include "json_match.h"

struct splice {
	size_t off, len;       /* of the source */
	size_t text, text_len; /* in the patch's text */
	size_t turn;
};

struct patch {
	const struct src *src;
	struct json_layout layout; /* its indent changes from value to value */
	struct buf text;
	struct splice *splices;
	size_t n, cap;
};

/* One child of a container that is to be: an old one, or one that is added. */
struct slot {
	const struct json_node *old; /* NULL: added */
	const struct json_node *wanted;
};

struct container {
	const struct json_node *old;
	struct place *places; /* of the old children */
	bool *kept;	      /* whether they are */
	struct slot *slots;
	size_t n_slots;
	bool comma_last; /* its last child has a comma */
};

static void patch_value(struct patch *p, const struct json_node *old,
			const struct json_node *wanted);

/* ---- splices ---- */

static void splice(struct patch *p, size_t off, size_t len, const char *text, size_t text_len)
{
	p->splices = array_grow(p->splices, &p->cap, p->n, sizeof(*p->splices));
	p->splices[p->n] = (struct splice){
		.off = off, .len = len, .text = p->text.len, .text_len = text_len, .turn = p->n
	};
	p->n++;
	buf_add(&p->text, text, text_len);
}

static void insert(struct patch *p, size_t off, const struct buf *text)
{
	splice(p, off, 0, buf_str(text), text->len);
}

static void cut(struct patch *p, size_t from, size_t to)
{
	splice(p, from, to - from, "", 0);
}

static int by_offset(const void *a, const void *b)
{
	const struct splice *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return (x->turn > y->turn) - (x->turn < y->turn);
}

static void put_spliced(struct buf *b, struct patch *p, size_t from, size_t to)
{
	if (p->n > 0)
		qsort(p->splices, p->n, sizeof(*p->splices), by_offset);
	for (size_t i = 0; i < p->n; i++) {
		const struct splice *s = &p->splices[i];

		buf_add(b, p->src->text + from, s->off - from);
		if (s->text_len > 0)
			buf_add(b, p->text.data + s->text, s->text_len);
		from = s->off + s->len;
	}
	buf_add(b, p->src->text + from, to - from);
}

/* ---- new text ---- */

static char *line_indent(const struct patch *p, size_t off)
{
	size_t start = layout_line_start(p->src, off);

	return xstrndup(p->src->text + start, layout_indent(p->src, start));
}

static void put_child(struct patch *p, struct buf *b, const struct json_node *child,
		      const char *indent)
{
	p->layout.indent = indent;
	if (child->key)
		json_write_key(b, child->key);
	json_write_block(b, child, &p->layout);
}

/* In a line that has others: on one line if that is not too long. */
static void put_inline(struct patch *p, struct buf *b, const struct json_node *child, size_t off)
{
	cleanup(cleanup_free) char *indent = line_indent(p, off);

	p->layout.indent = indent;
	if (child->key)
		json_write_key(b, child->key);
	if (!json_write_short(b, child, &p->layout))
		json_write_block(b, child, &p->layout);
}

/* Behind a child that was added: nothing where it is the last one and such have no comma. */
static bool needs_comma(const struct container *c, size_t slot)
{
	return slot + 1 < c->n_slots || c->comma_last;
}

/* Each on a line of its own, behind something that ends at off. */
static void add_lines(struct patch *p, const struct container *c, size_t from, size_t to,
		      size_t off, const char *indent)
{
	cleanup(buf_free) struct buf b = { 0 };

	for (size_t i = from; i < to; i++) {
		buf_puts(&b, p->layout.newline);
		buf_puts(&b, indent);
		put_child(p, &b, c->slots[i].wanted, indent);
		buf_puts(&b, needs_comma(c, i) ? "," : "");
	}
	insert(p, off, &b);
}

/* ---- what is added ---- */

static char *place_indent(const struct patch *p, const struct place *place)
{
	return xstrndup(p->src->text + place->line_start, layout_indent(p->src, place->line_start));
}

/* The line feed, or carriage return and line feed, that ends a line. */
static size_t line_feed(const struct patch *p, const struct place *place)
{
	size_t off = place->line_end - 1;

	return off > place->content_end && p->src->text[off - 1] == '\r' ? off - 1 : off;
}

static bool closes_behind(const struct patch *p, const struct container *c,
			  const struct place *place)
{
	size_t close = c->old->loc.off + c->old->loc.len - 1;

	return place->content_end + layout_blanks_behind(p->src, place->content_end) == close;
}

static void add_behind(struct patch *p, const struct container *c, size_t from, size_t to,
		       size_t index)
{
	const struct place *place = &c->places[index], *line = place;
	size_t off = place->comma == NO_COMMA ? place->end : place->comma + 1;
	cleanup(cleanup_free) char *indent = NULL;
	cleanup(buf_free) struct buf b = { 0 };

	/* Behind the bracket may stand the first one of many that have lines of their own. */
	if (index == 0 && !place->begins_line && c->old->u.children.n > 1)
		line = &c->places[1];
	indent = place_indent(p, line);
	if (line->begins_line && place->ends_line) {
		add_lines(p, c, from, to, line_feed(p, place), indent);
		return;
	}
	if (line->begins_line && closes_behind(p, c, place)) {
		add_lines(p, c, from, to, place->content_end, indent);
		return;
	}
	for (size_t i = from; i < to; i++) {
		buf_putc(&b, ' ');
		put_inline(p, &b, c->slots[i].wanted, place->start);
		buf_puts(&b, needs_comma(c, i) ? "," : "");
	}
	insert(p, off, &b);
}

static void add_first(struct patch *p, const struct container *c, size_t to)
{
	const struct place *place = &c->places[0];
	cleanup(cleanup_free) char *indent = place_indent(p, place);
	bool lines = place->begins_line && place->ends_line;
	cleanup(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < to; i++) {
		if (lines) {
			buf_puts(&b, indent);
			put_child(p, &b, c->slots[i].wanted, indent);
			buf_puts(&b, needs_comma(c, i) ? "," : "");
			buf_puts(&b, p->layout.newline);
		} else {
			put_inline(p, &b, c->slots[i].wanted, place->start);
			buf_puts(&b, needs_comma(c, i) ? "," : "");
			buf_puts(&b, i + 1 < c->n_slots ? " " : "");
		}
	}
	insert(p, lines ? layout_comments_above(p->src, c->old->loc.off + 1, place) : place->start,
	       &b);
}

/* To a container that has comments and line feeds in it at most. */
static void add_to_empty(struct patch *p, const struct container *c)
{
	size_t open = c->old->loc.off, close = open + c->old->loc.len - 1;
	cleanup(cleanup_free) char *outer = line_indent(p, open), *indent = NULL;
	bool lines;
	size_t off = layout_last_comment(p->src, open + 1, close, &lines);
	size_t start = layout_line_start(p->src, off);
	cleanup(buf_free) struct buf b = { 0 };

	if (!lines) {
		for (size_t i = 0; i < c->n_slots; i++) {
			buf_putc(&b, ' ');
			put_inline(p, &b, c->slots[i].wanted, open);
			buf_puts(&b, needs_comma(c, i) ? "," : "");
		}
		insert(p, off, &b);
		return;
	}
	/* In the indentation of the comments, if they have lines of their own. */
	if (start > open)
		indent = xstrndup(p->src->text + start, layout_indent(p->src, start));
	else
		indent = xasprintf("%s%s", outer, p->layout.unit);
	add_lines(p, c, 0, c->n_slots, off, indent);
}

/* All that are added, in runs. */
static void add_all(struct patch *p, const struct container *c)
{
	size_t i = 0;

	if (c->old->u.children.n == 0) {
		add_to_empty(p, c);
		return;
	}
	while (i < c->n_slots) {
		size_t from = i;

		while (i < c->n_slots && !c->slots[i].old)
			i++;
		if (i > from && from == 0)
			add_first(p, c, i);
		else if (i > from)
			add_behind(p, c, from, i,
				   (size_t)(c->slots[from - 1].old - c->old->u.children.items));
		i++;
	}
}

/* ---- what is removed ---- */

/* first: none that is kept stands before it. floor: what is in front of that has been cut already. Returns the end of
 * what is cut. */
static size_t remove_child(struct patch *p, const struct container *c, size_t index, bool first,
			   size_t floor)
{
	const struct place *place = &c->places[index];
	size_t from = place->start, to = place->end;
	bool blanks_behind = first || place->begins_line;

	if (place->begins_line && place->ends_line) {
		cut(p, place->line_start, place->line_end);
		return place->line_end;
	}
	if (!blanks_behind)
		from -= layout_blanks_before(p->src, from);
	from = from < floor ? floor : from;
	if (place->comma == place->end)
		to = place->comma + 1;
	/* Before the closing bracket they stay, unless they are all that does. */
	if (blanks_behind && (index + 1 < c->old->u.children.n || c->n_slots == 0))
		to += layout_blanks_behind(p->src, to);
	cut(p, from, to);
	if (place->comma == NO_COMMA || place->comma == place->end)
		return to;
	cut(p, place->comma, place->comma + 1);
	return place->comma + 1;
}

static void remove_all(struct patch *p, const struct container *c)
{
	bool first = true;
	size_t floor = 0;

	for (size_t i = 0; i < c->old->u.children.n; i++) {
		if (c->kept[i])
			first = false;
		else
			floor = remove_child(p, c, i, first, floor);
	}
}

/* ---- containers ---- */

static void set_comma(struct patch *p, const struct place *place, bool wanted)
{
	if (wanted && place->comma == NO_COMMA)
		splice(p, place->end, 0, ",", 1);
	else if (!wanted && place->comma != NO_COMMA)
		cut(p, place->comma, place->comma + 1);
}

/* Items of a list in the order of the wanted one; members in the old order, and new ones behind them. */
static void fill_slots(struct container *c, const struct json_node *wanted)
{
	size_t n_old = c->old->u.children.n, n = wanted->u.children.n;
	size_t *match = xreallocarray(NULL, n + 1, sizeof(*match));
	const struct json_node **of_old = xcalloc(n_old + 1, sizeof(*of_old));

	json_match(c->old, wanted, match);
	for (size_t i = 0; i < n; i++) {
		if (match[i] == NO_MATCH)
			continue;
		of_old[match[i]] = &wanted->u.children.items[i];
		c->kept[match[i]] = true;
	}
	for (size_t i = 0; c->old->kind == JSON_OBJECT && i < n_old; i++)
		if (of_old[i])
			c->slots[c->n_slots++] =
				(struct slot){ &c->old->u.children.items[i], of_old[i] };
	for (size_t i = 0; i < n; i++) {
		struct slot slot = { .wanted = &wanted->u.children.items[i] };

		if (match[i] != NO_MATCH && c->old->kind == JSON_OBJECT)
			continue;
		if (match[i] != NO_MATCH)
			slot.old = &c->old->u.children.items[match[i]];
		c->slots[c->n_slots++] = slot;
	}
	free(of_old);
	free(match);
}

static void patch_children(struct patch *p, const struct json_node *old,
			   const struct json_node *wanted)
{
	size_t n_old = old->u.children.n;
	struct container c = {
		.old = old,
		.places = xcalloc(n_old + 1, sizeof(*c.places)),
		.kept = xcalloc(n_old + 1, sizeof(*c.kept)),
		.slots = xcalloc(wanted->u.children.n + 1, sizeof(*c.slots)),
	};

	for (size_t i = 0; i < n_old; i++)
		c.places[i] = layout_place(p->src, &old->u.children.items[i]);
	c.comma_last = n_old > 0 && c.places[n_old - 1].comma != NO_COMMA;
	fill_slots(&c, wanted);
	for (size_t i = 0; i < c.n_slots; i++) {
		const struct slot *slot = &c.slots[i];

		if (!slot->old)
			continue;
		patch_value(p, slot->old, slot->wanted);
		set_comma(p, &c.places[slot->old - old->u.children.items], needs_comma(&c, i));
	}
	add_all(p, &c);
	remove_all(p, &c);
	free(c.places);
	free(c.kept);
	free(c.slots);
}

/* Has neither children nor comments nor line feeds. */
static bool is_empty(const struct patch *p, const struct json_node *node)
{
	size_t from = node->loc.off + 1, to = node->loc.off + node->loc.len - 1;
	bool lines;

	return node->u.children.n == 0 && layout_last_comment(p->src, from, to, &lines) == from &&
	       !lines;
}

static void patch_value(struct patch *p, const struct json_node *old,
			const struct json_node *wanted)
{
	cleanup(cleanup_free) char *indent = NULL;
	cleanup(buf_free) struct buf b = { 0 };

	if (json_equal(old, wanted))
		return;
	if (old->kind == wanted->kind && json_is_container(old) && !is_empty(p, old)) {
		patch_children(p, old, wanted);
		return;
	}
	indent = line_indent(p, old->key ? old->key_loc.off : old->loc.off);
	p->layout.indent = indent;
	json_write_block(&b, wanted, &p->layout);
	splice(p, old->loc.off, old->loc.len, buf_str(&b), b.len);
}

void json_patch(struct buf *b, const struct src *src, const struct json_node *old,
		const struct json_node *wanted)
{
	cleanup(cleanup_free) char *unit = layout_unit(src, old);
	struct patch p = {
		.src = src,
		.layout = { .newline = layout_newline(src),
			    .indent = "",
			    .unit = unit,
			    .padded = layout_padded(src, old) },
	};

	patch_value(&p, old, wanted);
	put_spliced(b, &p, 0, src->len);
	free(p.splices);
	buf_free(&p.text);
}
