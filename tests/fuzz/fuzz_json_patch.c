/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text that is made to say what another one says. A 0xFF byte, which no UTF-8 text has, divides the input in two;
 * without one the text is made to say what it says, with its first list or object cut in half.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_patch.h"

#include "must.h"

#define SEPARATOR 0xff

struct text {
	struct src src;
	struct json_tree tree;
	struct diags diags;
	bool good;
};

static void parse(struct text *t, const void *text, size_t len)
{
	*t = (struct text){ .src = {
				    .name = xstrdup("f"),
				    .text = memcpy(xcalloc(len + 1, 1), text, len),
				    .len = len,
			    } };
	t->good = json_parse(&t->src, &t->tree, &t->diags);
}

static void release(struct text *t)
{
	json_tree_free(&t->tree);
	diags_free(&t->diags);
	src_free(&t->src);
}

/* And back again. */
static void check_back(const struct text *from, const struct json_node *wanted)
{
	struct buf b = { 0 };
	struct text got;

	json_patch(&b, &from->src, from->tree.root, wanted);
	parse(&got, buf_str(&b), b.len);
	if (!got.good || !json_equal(got.tree.root, wanted))
		abort();
	release(&got);
	buf_free(&b);
}

/* The text must mean what is wanted, and be left alone once it does. */
static void check(const struct text *old, const struct json_node *wanted)
{
	struct buf once = { 0 }, twice = { 0 };
	struct text got;

	json_patch(&once, &old->src, old->tree.root, wanted);
	parse(&got, buf_str(&once), once.len);
	if (!got.good || !json_equal(got.tree.root, wanted))
		abort();
	json_patch(&twice, &got.src, got.tree.root, wanted);
	if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
		abort();
	check_back(&got, old->tree.root);
	if (json_equal(old->tree.root, wanted) &&
	    (once.len != old->src.len || memcmp(once.data, old->src.text, once.len) != 0))
		abort();
	release(&got);
	buf_free(&once);
	buf_free(&twice);
}

static void halve(struct json_node *node)
{
	while (node->kind == JSON_OBJECT || node->kind == JSON_ARRAY) {
		if (node->u.children.n != 1) {
			node->u.children.n /= 2;
			return;
		}
		node = node->u.children.items;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *separator = size ? memchr(data, SEPARATOR, size) : NULL;
	size_t head = separator ? (size_t)(separator - data) : size;
	struct text old, wanted;
	struct json_tree copy = { 0 };

	parse(&old, data, head);
	if (separator) {
		parse(&wanted, separator + 1, size - head - 1);
		if (old.good && wanted.good)
			check(&old, wanted.tree.root);
		release(&wanted);
	} else if (old.good && json_parse(&old.src, &copy, &old.diags)) {
		check(&old, copy.root);
		halve(copy.root);
		check(&old, copy.root);
	}
	json_tree_free(&copy);
	release(&old);
	return 0;
}
