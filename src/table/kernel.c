/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/kernel.h"

#include <stdlib.h>
#include <string.h>

static int cmp_chain_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct kernel_chain *)item)->name);
}

static int cmp_set_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct kernel_set *)item)->set.name);
}

static int cmp_chains(const void *a, const void *b)
{
	return cmp_chain_name(((const struct kernel_chain *)a)->name, b);
}

static int cmp_sets(const void *a, const void *b)
{
	return cmp_set_name(((const struct kernel_set *)a)->set.name, b);
}

struct kernel_chain *kernel_find_chain(const struct kernel *kernel, const char *name)
{
	if (kernel->n_chains == 0)
		return NULL;
	return bsearch(name, kernel->chains, kernel->n_chains, sizeof(*kernel->chains),
		       cmp_chain_name);
}

struct kernel_set *kernel_find_set(const struct kernel *kernel, const char *name)
{
	if (kernel->n_sets == 0)
		return NULL;
	return bsearch(name, kernel->sets, kernel->n_sets, sizeof(*kernel->sets), cmp_set_name);
}

static int cmp_objects(const void *a, const void *b)
{
	const struct kernel_object *x = a, *y = b;

	return object_cmp(x->kind, x->name, y->kind, y->name);
}

struct kernel_object *kernel_find_object(const struct kernel *kernel, enum object_kind kind,
					 const char *name)
{
	const struct kernel_object key = { .kind = kind, .name = name };

	if (kernel->n_objects == 0)
		return NULL;
	return bsearch(&key, kernel->objects, kernel->n_objects, sizeof(key), cmp_objects);
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

bool kernel_names_safe(const struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_chains; i++)
		if (!name_safe(kernel->chains[i].name))
			return false;
	for (size_t i = 0; i < kernel->n_sets; i++)
		if (!kernel->sets[i].anonymous && !name_safe(kernel->sets[i].set.name))
			return false;
	for (size_t i = 0; i < kernel->n_objects; i++)
		if (!name_safe(kernel->objects[i].name))
			return false;
	for (size_t i = 0; i < kernel->n_others; i++)
		if (!name_safe(kernel->others[i].name))
			return false;
	return true;
}

void kernel_finish(struct kernel *kernel)
{
	if (kernel->n_chains > 0)
		qsort(kernel->chains, kernel->n_chains, sizeof(*kernel->chains), cmp_chains);
	if (kernel->n_sets > 0)
		qsort(kernel->sets, kernel->n_sets, sizeof(*kernel->sets), cmp_sets);
	if (kernel->n_objects > 0)
		qsort(kernel->objects, kernel->n_objects, sizeof(*kernel->objects), cmp_objects);
	for (size_t i = 0; i < kernel->n_sets; i++) {
		struct plan_set *set = &kernel->sets[i].set;

		if (set->n_elems > 0)
			qsort(set->elems, set->n_elems, sizeof(*set->elems), elem_cmp);
	}
}

void kernel_free(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_chains; i++)
		free(kernel->chains[i].rules);
	for (size_t i = 0; i < kernel->n_sets; i++)
		free(kernel->sets[i].set.elems);
	free(kernel->chains);
	free(kernel->sets);
	free(kernel->objects);
	free(kernel->others);
	arena_free(&kernel->arena);
	*kernel = (struct kernel){ 0 };
}
