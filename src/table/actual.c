/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/actual.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"

static int cmp_chain_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct actual_chain *)item)->name);
}

static int cmp_set_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct actual_set *)item)->set.name);
}

static int cmp_chains(const void *a, const void *b)
{
	return cmp_chain_name(((const struct actual_chain *)a)->name, b);
}

static int cmp_sets(const void *a, const void *b)
{
	return cmp_set_name(((const struct actual_set *)a)->set.name, b);
}

struct actual_chain *actual_find_chain(const struct actual *actual, const char *name)
{
	if (actual->n_chains == 0)
		return NULL;
	return bsearch(name, actual->chains, actual->n_chains, sizeof(*actual->chains),
		       cmp_chain_name);
}

struct actual_set *actual_find_set(const struct actual *actual, const char *name)
{
	if (actual->n_sets == 0)
		return NULL;
	return bsearch(name, actual->sets, actual->n_sets, sizeof(*actual->sets), cmp_set_name);
}

static int cmp_objects(const void *a, const void *b)
{
	const struct actual_object *x = a, *y = b;

	return object_cmp(x->kind, x->name, y->kind, y->name);
}

struct actual_object *actual_find_object(const struct actual *actual, enum object_kind kind,
					 const char *name)
{
	const struct actual_object key = { .kind = kind, .name = name };

	if (actual->n_objects == 0)
		return NULL;
	return bsearch(&key, actual->objects, actual->n_objects, sizeof(key), cmp_objects);
}

/* [A-Za-z_.][A-Za-z0-9_./-]* */
static bool name_safe(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.";
	size_t len = strlen(name);

	return len > 0 && strchr(letters, name[0]) &&
	       strspn(name + 1,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-") ==
		       len - 1;
}

bool actual_names_safe(const struct actual *actual)
{
	for (size_t i = 0; i < actual->n_chains; i++)
		if (!name_safe(actual->chains[i].name))
			return false;
	for (size_t i = 0; i < actual->n_sets; i++)
		if (!actual->sets[i].anonymous && !name_safe(actual->sets[i].set.name))
			return false;
	for (size_t i = 0; i < actual->n_objects; i++)
		if (!name_safe(actual->objects[i].name))
			return false;
	for (size_t i = 0; i < actual->n_others; i++)
		if (!name_safe(actual->others[i].name))
			return false;
	return true;
}

void actual_finish(struct actual *actual)
{
	if (actual->n_chains > 0)
		qsort(actual->chains, actual->n_chains, sizeof(*actual->chains), cmp_chains);
	if (actual->n_sets > 0)
		qsort(actual->sets, actual->n_sets, sizeof(*actual->sets), cmp_sets);
	if (actual->n_objects > 0)
		qsort(actual->objects, actual->n_objects, sizeof(*actual->objects), cmp_objects);
	for (size_t i = 0; i < actual->n_sets; i++) {
		struct plan_set *set = &actual->sets[i].set;

		if (set->n_elems > 0)
			qsort(set->elems, set->n_elems, sizeof(*set->elems), elem_cmp);
	}
}

void actual_free(struct actual *actual)
{
	for (size_t i = 0; i < actual->n_chains; i++)
		free(actual->chains[i].rules);
	for (size_t i = 0; i < actual->n_sets; i++)
		free(actual->sets[i].set.elems);
	free(actual->chains);
	free(actual->sets);
	free(actual->objects);
	free(actual->others);
	arena_free(&actual->arena);
	*actual = (struct actual){ 0 };
}
