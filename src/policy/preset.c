/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/policy/preset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/policy/fields.h"
#include "policy/preset_files.h"

/* ---- one file: what is wrong with it is a mistake of ours, which tests/unit/test_preset.c finds ---- */

static const char *text_of(struct arena *arena, const struct json_node *object, const char *key)
{
	const char *text = json_text(object, key, NULL);

	assert(text);
	return arena_strdup(arena, text);
}

/* A string is a list of one; what is not there is an empty list. */
static struct texts texts_of(struct arena *arena, const struct json_node *object, const char *key)
{
	const struct json_node *list = json_member(object, key, JSON_ARRAY);
	struct texts texts = { .n = list ? list->u.children.n : 0 };

	if (json_member(object, key, JSON_STRING))
		texts.n = 1;
	texts.items = arena_alloc(arena, (texts.n + 1) * sizeof(*texts.items));
	if (!list && texts.n > 0)
		texts.items[0] = text_of(arena, object, key);
	for (size_t i = 0; list && i < texts.n; i++) {
		const struct json_node *item = &list->u.children.items[i];

		assert(item->kind == JSON_STRING);
		texts.items[i] = arena_strdup(arena, item->u.string.s);
	}
	return texts;
}

static struct preset preset_of(struct arena *arena, const struct json_node *object)
{
	return (struct preset){
		.name = text_of(arena, object, "preset"),
		.about = text_of(arena, object, "about"),
		.http = json_is_true(object, "http"),
		.date = text_of(arena, object, "date"),
		.sources = texts_of(arena, object, "source"),
		.names = texts_of(arena, object, "names"),
		.wildcards = texts_of(arena, object, "wildcards"),
	};
}

static struct preset read_file_of(struct arena *arena, size_t file)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct buf text = { 0 };
	struct preset preset;
	struct src src;
	bool ok;

	for (size_t i = preset_begins[file];
	     preset_lines[i] && (file + 1 == n_presets || i < preset_begins[file + 1]); i++)
		buf_puts(&text, preset_lines[i]);
	src = (struct src){ .name = xstrdup("preset"), .len = text.len };
	src.text = buf_steal(&text);
	ok = json_parse(&src, &tree, &diags);
	assert(ok);
	(void)ok;
	preset = preset_of(arena, tree.root);
	diags_free(&diags);
	src_free(&src);
	return preset;
}

/* ---- all ---- */

static int preset_cmp(const void *a, const void *b)
{
	const struct preset *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void presets_read(struct arena *arena, struct presets *ret_presets)
{
	struct preset *items = arena_alloc(arena, n_presets * sizeof(*items));

	for (size_t i = 0; i < n_presets; i++)
		items[i] = read_file_of(arena, i);
	qsort(items, n_presets, sizeof(*items), preset_cmp);
	*ret_presets = (struct presets){ items, n_presets };
}

const struct preset *presets_find(const struct presets *presets, const char *name)
{
	const struct preset key = { .name = name };

	return bsearch(&key, presets->items, presets->n, sizeof(key), preset_cmp);
}

char *presets_suggest(const struct presets *presets, const char *name)
{
	const char **names = xcalloc(presets->n + 1, sizeof(*names));
	char *hint;

	for (size_t i = 0; i < presets->n; i++)
		names[i] = presets->items[i].name;
	hint = did_you_mean(name, names, presets->n);
	free(names);
	return hint;
}

const char *preset_entry_name(const char *entry)
{
	size_t len = strlen(PRESET_PREFIX);

	return strncmp(entry, PRESET_PREFIX, len) == 0 ? entry + len : NULL;
}

bool preset_entry_has(const char *entry, const char *hostname)
{
	const char *name = preset_entry_name(entry);
	struct arena arena = { 0 };
	struct presets presets;
	const struct preset *preset;
	bool has = false;

	if (!name)
		return false;
	presets_read(&arena, &presets);
	preset = presets_find(&presets, name);
	for (size_t i = 0; preset && !has && i < preset->names.n; i++)
		has = strcmp(preset->names.items[i], hostname) == 0;
	arena_free(&arena);
	return has;
}
