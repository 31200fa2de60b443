/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit_doc.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_patch.h"

struct json_node *doc_find(struct json_node *object, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(object->u.children.items[i].key, key) == 0)
			return &object->u.children.items[i];
	}
	return NULL;
}

struct json_node *doc_get(struct json_node *object, const char *key, enum json_kind kind)
{
	struct json_node *node = doc_find(object, object->u.children.n, key);

	return node && node->kind == kind ? node : NULL;
}

void doc_reserve(struct doc *doc, struct json_node *container, size_t n)
{
	size_t have = container->u.children.n;
	struct json_node *items = arena_alloc(&doc->tree.arena, (have + n) * sizeof(*items));

	if (container->u.children.items)
		memcpy(items, container->u.children.items, have * sizeof(*items));
	container->u.children.items = items;
}

struct json_node *doc_append_reserved(struct json_node *container, const char *key,
				      const struct json_node *value)
{
	struct json_node *node = &container->u.children.items[container->u.children.n++];

	*node = *value;
	node->key = key;
	return node;
}

void doc_replace_value(struct json_node *node, const struct json_node *value)
{
	const char *key = node->key;

	*node = *value;
	node->key = key;
}

void doc_set(struct doc *doc, struct json_node *object, const char *key,
	     const struct json_node *value)
{
	struct json_node *old = doc_find(object, object->u.children.n, key);

	if (old && json_equal(old, value))
		return;
	doc->changed = true;
	if (old) {
		doc_replace_value(old, value);
		return;
	}
	doc_reserve(doc, object, 1);
	doc_append_reserved(object, key, value);
}

void doc_append(struct doc *doc, struct json_node *list, const struct json_node *value)
{
	doc_insert(doc, list, list->u.children.n, value);
}

void doc_insert(struct doc *doc, struct json_node *list, size_t index,
		const struct json_node *value)
{
	struct json_node *at;

	doc_reserve(doc, list, 1);
	at = &list->u.children.items[index];
	memmove(at + 1, at, (list->u.children.n++ - index) * sizeof(*at));
	*at = *value;
	at->key = NULL;
	doc->changed = true;
}

struct json_node doc_string(struct doc *doc, const char *s)
{
	return (struct json_node){
		.kind = JSON_STRING,
		.u.string = { arena_strdup(&doc->tree.arena, s), strlen(s) },
	};
}

void doc_remove(struct doc *doc, struct json_node *container, struct json_node *child)
{
	size_t i = (size_t)(child - container->u.children.items);
	size_t n = --container->u.children.n;

	memmove(child, child + 1, (n - i) * sizeof(*child));
	doc->changed = true;
}

struct json_node *doc_get_or_add(struct doc *doc, struct json_node *object, const char *key,
				 enum json_kind kind)
{
	static const struct json_node empty;
	struct json_node *node = doc_find(object, object->u.children.n, key);
	struct json_node value = empty;

	value.kind = kind;
	if (node && node->kind == JSON_NULL)
		doc_replace_value(node, &value);
	if (node)
		return node->kind == kind ? node : NULL;
	doc_reserve(doc, object, 1);
	return doc_append_reserved(object, key, &value);
}

/* 'did you mean "NAME"?' over a list of networks or an object of ipsets; owned, or NULL. */
static char *suggest(struct json_node *container, const char *name)
{
	const char **names = xreallocarray(NULL, container->u.children.n, sizeof(*names));
	size_t n = 0;
	char *hint;

	for (size_t i = 0; i < container->u.children.n; i++) {
		struct json_node *child = &container->u.children.items[i];
		const char *its_name =
			container->kind == JSON_ARRAY ? json_text(child, "name", NULL) : child->key;

		if (its_name)
			names[n++] = its_name;
	}
	hint = n ? did_you_mean(name, names, n) : NULL;
	free(names);
	return hint;
}

const struct json_node *edit_name(const struct editor *e)
{
	return request_field(e->request, "name");
}

bool edit_no_such(struct editor *e, const char *what, struct json_node *container, const char *more)
{
	const struct json_node *name = edit_name(e);
	struct buf found = { 0 };

	quote_found(&found, name->u.string.s, name->u.string.len);

	struct diag *diag =
		node_error(&e->r, name, "there is no %s %s%s", what, buf_str(&found), more);

	buf_free(&found);
	diag->hint = suggest(container, name->u.string.s);
	return false;
}

bool edit_bad_document(struct editor *e, const char *what)
{
	node_error(&e->r, e->request->tree.root, "the running %s cannot be edited", what);
	return false;
}
