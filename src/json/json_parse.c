/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: one recursive walk, at most JSON_DEPTH_MAX deep, over the tokens of
 * json_lex.c. Nodes of containers that are still open wait on one stack. When a container ends its
 * children move from there to the arena, side by side; their own children, which moved before, only
 * then learn where their parent is. So each node moves once, whatever the nesting.
 */
#include "dockside/json/json_parse.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_lex.h"

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"

#define FEW_MEMBERS 16

struct parser {
	struct lexer lex;
	struct json_node *stack; /* children of the open containers */
	size_t n_stack;
	size_t stack_cap;
	size_t n_values;
	size_t n_duplicates;
};

static bool parse_value(struct parser *p, struct json_node *node);

static bool is_container(enum json_kind kind)
{
	return kind == JSON_ARRAY || kind == JSON_OBJECT;
}

/* node has reached the address where it stays. */
static void adopt_children(struct json_node *node)
{
	if (!is_container(node->kind))
		return;
	for (size_t i = 0; i < node->u.children.n; i++)
		node->u.children.items[i].parent = node;
}

/* Moves the children from the stack, where they begin at base, to the arena. */
static void take_children(struct parser *p, struct json_node *node, size_t base)
{
	size_t n = p->n_stack - base;

	node->u.children.n = n;
	node->u.children.items = NULL;
	if (n == 0)
		return;
	node->u.children.items = arena_memdup(p->lex.arena, p->stack + base, n * sizeof(*node));
	p->n_stack = base;
	for (size_t i = 0; i < n; i++)
		adopt_children(&node->u.children.items[i]);
}

static int by_key(const void *a, const void *b)
{
	const struct json_node *x = *(const struct json_node *const *)a;
	const struct json_node *y = *(const struct json_node *const *)b;
	int cmp = strcmp(x->key, y->key);

	return cmp ? cmp : (x->index > y->index) - (x->index < y->index);
}

static void duplicate_key(struct parser *p, const struct json_node *node,
			  const struct json_node *first)
{
	cleanup(buf_free) struct buf found = { 0 };
	struct lex_level *level = &p->lex.levels[p->lex.depth - 1];
	struct diag *diag;

	quote_found(&found, node->key, strlen(node->key));
	level->in_child = true;
	level->key = node->key;
	diag = lex_fault(&p->lex, node->key_loc, "duplicate key %s", buf_str(&found));
	diag->other = first->key_loc;
	diag->other_message = xstrdup("first defined here");
	level->in_child = false;
	p->n_duplicates++;
}

/* As find_duplicates(): nearly all objects are small ones. */
static void find_few_duplicates(struct parser *p, const struct json_node *members, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const char *key = members[i].key;
		size_t k = 0;

		while (k < i && (members[k].key[0] != key[0] || strcmp(members[k].key, key) != 0))
			k++;
		if (k < i)
			duplicate_key(p, &members[i], &members[k]);
	}
}

/* Reports each member whose key an earlier member has. */
static void find_duplicates(struct parser *p, const struct json_node *members, size_t n)
{
	if (n <= FEW_MEMBERS) {
		find_few_duplicates(p, members, n);
		return;
	}

	cleanup(cleanup_free) const struct json_node **sorted = xcalloc(n, sizeof(*sorted));
	cleanup(cleanup_free) const struct json_node **first = xcalloc(n, sizeof(*first));

	for (size_t i = 0; i < n; i++)
		sorted[i] = &members[i];
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 1, head = 0; i < n; i++) {
		if (strcmp(sorted[head]->key, sorted[i]->key) == 0)
			first[sorted[i]->index] = sorted[head];
		else
			head = i;
	}
	/* In source order, as only the first few are kept. */
	for (size_t i = 0; i < n; i++) {
		if (first[i])
			duplicate_key(p, &members[i], first[i]);
	}
}

static bool parse_key(struct parser *p, struct json_node *child)
{
	size_t len;

	if (lex_peek(&p->lex) != '"')
		return lex_expected(&p->lex, "a key in double quotes");
	if (!lex_string(&p->lex, &child->key, &len, &child->key_loc) || !lex_skip_blank(&p->lex))
		return false;
	if (lex_peek(&p->lex) != ':')
		return lex_expected(&p->lex, "\":\" after the key");
	p->lex.pos++;
	return lex_skip_blank(&p->lex);
}

/* One child of the innermost open container, onto the stack. */
static bool parse_child(struct parser *p, enum json_kind container, size_t index)
{
	struct lex_level *level = &p->lex.levels[p->lex.depth - 1];
	struct json_node child = { .index = index };

	if (container == JSON_OBJECT && !parse_key(p, &child))
		return false;
	level->in_child = true;
	level->key = child.key;
	level->index = index;
	if (!parse_value(p, &child))
		return false;
	level->in_child = false;
	p->stack = array_grow(p->stack, &p->stack_cap, p->n_stack, sizeof(child));
	p->stack[p->n_stack++] = child;
	return true;
}

/* After a child: moves to the next one or to the closing bracket, before which a comma may stand. */
static bool parse_comma(struct parser *p, enum json_kind container)
{
	int close = container == JSON_OBJECT ? '}' : ']';

	if (!lex_skip_blank(&p->lex))
		return false;
	if (lex_peek(&p->lex) == close)
		return true;
	if (lex_peek(&p->lex) != ',')
		return lex_expected(&p->lex,
				    container == JSON_OBJECT ? "\",\" or \"}\"" : "\",\" or \"]\"");
	p->lex.pos++;
	return lex_skip_blank(&p->lex);
}

static bool parse_container(struct parser *p, struct json_node *node)
{
	int close = node->kind == JSON_OBJECT ? '}' : ']';
	size_t start = p->lex.pos, base = p->n_stack;

	if (p->lex.depth == JSON_DEPTH_MAX) {
		lex_fault(&p->lex, lex_place(&p->lex, start, start + 1),
			  "expected at most %d levels of nesting", JSON_DEPTH_MAX);
		return false;
	}
	p->lex.levels[p->lex.depth++] = (struct lex_level){ .open = start };
	p->lex.pos++;
	if (!lex_skip_blank(&p->lex))
		return false;
	while (lex_peek(&p->lex) != close) {
		if (!parse_child(p, node->kind, p->n_stack - base) || !parse_comma(p, node->kind))
			return false;
	}
	p->lex.pos++;
	node->loc = lex_place(&p->lex, start, p->lex.pos);
	if (node->kind == JSON_OBJECT && p->n_stack - base > 1)
		find_duplicates(p, p->stack + base, p->n_stack - base);
	take_children(p, node, base);
	p->lex.depth--;
	return true;
}

/* Fills in all of node but what its parent knows. Returns false where the rest makes no sense. */
static bool parse_value(struct parser *p, struct json_node *node)
{
	if (p->n_values++ == JSON_VALUES_MAX) {
		lex_fault(&p->lex, lex_place(&p->lex, p->lex.pos, p->lex.pos + 1),
			  "expected at most %u values in one file", JSON_VALUES_MAX);
		return false;
	}
	switch (lex_peek(&p->lex)) {
	case '{':
		node->kind = JSON_OBJECT;
		return parse_container(p, node);
	case '[':
		node->kind = JSON_ARRAY;
		return parse_container(p, node);
	case '"':
		node->kind = JSON_STRING;
		return lex_string(&p->lex, &node->u.string.s, &node->u.string.len, &node->loc);
	default:
		return lex_word(&p->lex, node);
	}
}

/* In UTF-16 every second byte of ASCII is NUL; the first characters of a configuration are ASCII. */
static bool is_utf16(const struct src *src)
{
	const char *s = src->text;
	size_t len = src->len;

	if (len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0)) {
		s += 2;
		len -= 2;
	}
	return len >= 4 && !s[0] == !s[2] && !s[1] == !s[3] && !s[0] != !s[1];
}

static bool parse_text(struct parser *p, struct json_node *root)
{
	struct lexer *lex = &p->lex;

	if (lex->src->len > JSON_SIZE_MAX) {
		lex_fault(lex, lex_place(lex, JSON_SIZE_MAX, JSON_SIZE_MAX + 1),
			  "expected at most %u bytes", JSON_SIZE_MAX);
		return false;
	}
	if (is_utf16(lex->src)) {
		lex_fault(lex, lex_place(lex, 0, 0), "expected UTF-8 but found UTF-16")->hint =
			xstrdup("save the file as UTF-8, for example with "
				"\"iconv -f UTF-16 -t UTF-8\"");
		return false;
	}
	if (lex->src->len >= 3 && memcmp(lex->src->text, "\xef\xbb\xbf", 3) == 0) {
		lex_fault(lex, lex_place(lex, 0, 3), "expected no byte order mark");
		lex->pos = 3;
	}
	if (!lex_skip_blank(lex))
		return false;
	if (lex_peek(lex) == LEX_END) {
		lex_fault(lex, lex_place(lex, lex->pos, lex->pos),
			  "expected a value but the file is empty");
		return false;
	}
	if (!parse_value(p, root) || !lex_skip_blank(lex))
		return false;
	return lex_peek(lex) == LEX_END || lex_expected(lex, "the end of the file");
}

bool json_parse(const struct src *src, struct json_tree *ret_tree, struct diags *diags)
{
	struct json_tree tree = { 0 };
	struct parser p = { .lex = { .src = src, .diags = diags, .arena = &tree.arena } };
	struct json_node root = { 0 };
	bool complete;

	if (!src->text)
		return false; /* src_read() has said so */
	complete = parse_text(&p, &root);
	free(p.stack);
	if (!complete || p.lex.n_faults > p.n_duplicates) {
		arena_free(&tree.arena);
		return false;
	}
	tree.root = arena_alloc(&tree.arena, sizeof(root));
	*tree.root = root;
	adopt_children(tree.root);
	*ret_tree = tree;
	return p.lex.n_faults == 0;
}

void json_tree_free(struct json_tree *tree)
{
	if (!tree)
		return;
	arena_free(&tree->arena);
	tree->root = NULL;
}

bool json_is_container(const struct json_node *node)
{
	return node->kind == JSON_ARRAY || node->kind == JSON_OBJECT;
}

const struct json_node *json_get(const struct json_node *object, const char *key)
{
	assert(object->kind == JSON_OBJECT);
	for (size_t i = 0; i < object->u.children.n; i++) {
		if (strcmp(object->u.children.items[i].key, key) == 0)
			return &object->u.children.items[i];
	}
	return NULL;
}

const struct json_node *json_member(const struct json_node *object, const char *key,
				    enum json_kind kind)
{
	const struct json_node *node =
		object && object->kind == JSON_OBJECT ? json_get(object, key) : NULL;

	return node && node->kind == kind ? node : NULL;
}

const char *json_text(const struct json_node *object, const char *key, const char *otherwise)
{
	const struct json_node *node = json_member(object, key, JSON_STRING);

	return node ? node->u.string.s : otherwise;
}

bool json_is_true(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_BOOL);

	return node && node->u.boolean;
}

int64_t json_integer(const struct json_node *object, const char *key)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	return node ? node->u.integer : 0;
}

char *json_pointer(const struct json_node *node)
{
	const struct json_node *path[JSON_DEPTH_MAX];
	struct buf b = { 0 };
	size_t n = 0;

	for (; node->parent; node = node->parent)
		path[n++] = node;
	while (n-- > 0)
		lex_pointer_step(&b, path[n]->key, path[n]->index);
	return buf_steal(&b);
}

static struct diag *cannot_read(struct src *src, int r, struct diags *diags)
{
	struct loc loc = { .src = src };

	if (r == -EINVAL)
		return diag_add(diags, SEVERITY_ERROR, loc, "", "cannot read: not a regular file");
	if (r == -EFBIG)
		return diag_add(diags, SEVERITY_ERROR, loc, "", "cannot read: larger than %u bytes",
				JSON_SIZE_MAX);
	return diag_add(diags, SEVERITY_ERROR, loc, "", "cannot read: %s", strerror(-r));
}

bool src_read(const char *path, const char *if_missing, struct src *ret_src, struct diags *diags)
{
	struct diag *diag;
	int r;

	*ret_src = (struct src){ .name = xstrdup(path) };
	r = read_file(path, JSON_SIZE_MAX, &ret_src->text, &ret_src->len, NULL);
	if (r == 0)
		return true;
	diag = cannot_read(ret_src, r, diags);
	if (r == -ENOENT && if_missing)
		diag->hint = xstrdup(if_missing);
	return false;
}
