/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json_match.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/sorted.h"
#include "dockside/base/util.h"
#include "dockside/json/json_patch.h"
#include "dockside/json/json_write.h"

/* ---- members ---- */

static int by_key(const void *a, const void *b)
{
	const struct json_node *x = *(const struct json_node *const *)a;
	const struct json_node *y = *(const struct json_node *const *)b;

	return strcmp(x->key, y->key);
}

/* The members of an object, sorted; the caller frees them. */
static const struct json_node **sort_members(const struct json_node *object)
{
	size_t n = object->u.children.n;
	const struct json_node **members = xreallocarray(NULL, n + 1, sizeof(*members));

	for (size_t i = 0; i < n; i++)
		members[i] = &object->u.children.items[i];
	if (n > 0)
		qsort(members, n, sizeof(*members), by_key);
	return members;
}

static void match_members(const struct json_node *old, const struct json_node *wanted,
			  size_t *ret_match)
{
	const struct json_node **members = sort_members(old);

	for (size_t i = 0; i < wanted->u.children.n; i++) {
		const struct json_node *member = &wanted->u.children.items[i];
		const struct json_node **found =
			bsearch(&member, members, old->u.children.n, sizeof(*members), by_key);

		ret_match[i] = found ? (size_t)(*found - old->u.children.items) : NO_MATCH;
	}
	free(members);
}

/* ---- equality ---- */

static bool same_order(const struct json_node *a, const struct json_node *b)
{
	for (size_t i = 0; i < a->u.children.n; i++)
		if (strcmp(a->u.children.items[i].key, b->u.children.items[i].key) != 0)
			return false;
	return true;
}

static bool members_equal(const struct json_node *a, const struct json_node *b)
{
	const struct json_node **x = sort_members(a), **y = sort_members(b);
	bool equal = true;

	for (size_t i = 0; equal && i < a->u.children.n; i++)
		equal = strcmp(x[i]->key, y[i]->key) == 0 && json_equal(x[i], y[i]);
	free(x);
	free(y);
	return equal;
}

static bool children_equal(const struct json_node *a, const struct json_node *b)
{
	if (a->u.children.n != b->u.children.n)
		return false;
	if (a->kind == JSON_OBJECT && !same_order(a, b))
		return members_equal(a, b);
	for (size_t i = 0; i < a->u.children.n; i++)
		if (!json_equal(&a->u.children.items[i], &b->u.children.items[i]))
			return false;
	return true;
}

bool json_equal(const struct json_node *a, const struct json_node *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->u.boolean == b->u.boolean;
	case JSON_INT:
		return a->u.integer == b->u.integer;
	case JSON_STRING:
		return strcmp(a->u.string.s, b->u.string.s) == 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return children_equal(a, b);
	}
	abort();
}

/* ---- items ---- */

/* An item of the old list that is still free. */
struct item {
	char *text; /* its name if it is an object that has one, or what it says */
	size_t index;
	size_t next; /* of the items with this text the first that is free, from here */
};

static char *item_text(const struct json_node *node)
{
	const char *name = json_text(node, "name", NULL);
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	if (name)
		return xasprintf("name %s", name);
	json_write_node(&out, NULL, node);
	return buf_steal(&b);
}

static int by_text(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int cmp = strcmp(x->text, y->text);

	return cmp ? cmp : (x->index > y->index) - (x->index < y->index);
}

static int text_cmp(const void *key, const void *item)
{
	return strcmp(key, ((const struct item *)item)->text);
}

/* The items that are copies of old ones, whose places they still have. */
static void match_copies(const struct json_node *old, const struct json_node *wanted, bool *taken,
			 size_t *ret_match)
{
	size_t n = old->u.children.n, k = 0;

	for (size_t i = 0; i < wanted->u.children.n; i++) {
		const struct json_node *item = &wanted->u.children.items[i];

		ret_match[i] = NO_MATCH;
		if (n == 0 || item->loc.src != old->loc.src)
			continue;
		/* They mostly follow each other. */
		for (size_t tries = 0; tries < n; tries++, k = (k + 1) % n)
			if (old->u.children.items[k].loc.off == item->loc.off)
				break;
		if (old->u.children.items[k].loc.off != item->loc.off || taken[k])
			continue;
		taken[k] = true;
		ret_match[i] = k;
	}
}

/* Pairs the others that say the same or have the same name, in their order. */
static void match_equal(const struct json_node *old, const struct json_node *wanted,
			const bool *taken, size_t *ret_match)
{
	size_t n_old = old->u.children.n, n = 0;
	struct item *items = xcalloc(n_old + 1, sizeof(*items));

	for (size_t i = 0; i < n_old; i++)
		if (!taken[i])
			items[n++] = (struct item){ item_text(&old->u.children.items[i]), i, 0 };
	if (n > 0)
		qsort(items, n, sizeof(*items), by_text);
	for (size_t i = 0; n > 0 && i < wanted->u.children.n; i++) {
		cleanup(cleanup_free) char *text = NULL;
		struct item *found;
		size_t k;

		if (ret_match[i] != NO_MATCH)
			continue;
		text = item_text(&wanted->u.children.items[i]);
		k = sorted_before(&SORTED_ARRAY(items, n), text, text_cmp);
		found = &items[k];
		if (k == n || k + found->next == n || strcmp(found[found->next].text, text) != 0)
			continue;
		ret_match[i] = found[found->next++].index;
	}
	for (size_t i = 0; i < n; i++)
		free(items[i].text);
	free(items);
}

/* Leaves as many as can be in ascending order: patience sorting. */
static void leave_ascending(size_t *match, size_t n)
{
	size_t *tails = xreallocarray(NULL, n + 1, sizeof(*tails)); /* of the best rows by length */
	size_t *before = xreallocarray(NULL, n + 1, sizeof(*before));
	bool *stays = xcalloc(n + 1, sizeof(*stays));
	size_t longest = 0;

	for (size_t i = 0; i < n; i++) {
		size_t low = 0, high = longest;

		if (match[i] == NO_MATCH)
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;

			if (match[tails[middle]] < match[i])
				low = middle + 1;
			else
				high = middle;
		}
		before[i] = low > 0 ? tails[low - 1] : NO_MATCH;
		tails[low] = i;
		longest = low == longest ? longest + 1 : longest;
	}
	for (size_t i = longest > 0 ? tails[longest - 1] : NO_MATCH; i != NO_MATCH; i = before[i])
		stays[i] = true;
	for (size_t i = 0; i < n; i++)
		if (!stays[i])
			match[i] = NO_MATCH;
	free(tails);
	free(before);
	free(stays);
}

static bool same_containers(const struct json_node *a, const struct json_node *b)
{
	return a->kind == b->kind && (a->kind == JSON_OBJECT || a->kind == JSON_ARRAY) &&
	       !json_text(a, "name", NULL) && !json_text(b, "name", NULL);
}

/* Between two matches, as many lists and objects as there were: they have been changed where they stand. */
static void match_changed(const struct json_node *old, const struct json_node *wanted,
			  size_t *match)
{
	size_t n = wanted->u.children.n, n_old = old->u.children.n, from_old = 0;

	for (size_t i = 0; i < n;) {
		size_t from = i, to_old, to;

		while (i < n && match[i] == NO_MATCH)
			i++;
		to = i;
		to_old = i < n ? match[i] : n_old;
		for (size_t k = from; to - from == to_old - from_old && k < to; k++)
			if (same_containers(&old->u.children.items[from_old + k - from],
					    &wanted->u.children.items[k]))
				match[k] = from_old + k - from;
		from_old = to_old + 1;
		i++;
	}
}

void json_match(const struct json_node *old, const struct json_node *wanted, size_t *ret_match)
{
	/* The list itself is a copy: what is no copy in it is new. */
	bool edited = wanted->loc.src == old->loc.src && wanted->loc.off == old->loc.off;
	bool *taken;

	if (old->kind == JSON_OBJECT) {
		match_members(old, wanted, ret_match);
		return;
	}
	taken = xcalloc(old->u.children.n + 1, sizeof(*taken));
	match_copies(old, wanted, taken, ret_match);
	if (!edited)
		match_equal(old, wanted, taken, ret_match);
	leave_ascending(ret_match, wanted->u.children.n);
	if (!edited)
		match_changed(old, wanted, ret_match);
	free(taken);
}
