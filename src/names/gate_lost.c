/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/gate_lost.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/names/gate_lists.h"

struct gate_past_ipset {
	char *name;
	uint64_t *names; /* hashes, sorted */
	size_t n;
};

static int cmp_hash(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int cmp_name(const void *name, const void *ipset)
{
	return strcmp(name, ((const struct gate_past_ipset *)ipset)->name);
}

static struct gate_past_ipset *find(const struct gate_past *past, const char *name)
{
	return past->n > 0 ? bsearch(name, past->items, past->n, sizeof(*past->items), cmp_name)
			   : NULL;
}

static void add_names(struct gate_past_ipset *past, const char *const *names, size_t n)
{
	past->names = xreallocarray(past->names, past->n + n + 1, sizeof(*past->names));
	for (size_t i = 0; i < n; i++)
		past->names[past->n++] = hash64(HASH_SEED, names[i], strlen(names[i]));
}

static void add_ipset(struct gate_past_ipset *past, const struct ipset *ipset)
{
	size_t n = 0;

	add_names(past, ipset->hostnames, ipset->n_hostnames);
	add_names(past, ipset->patterns, ipset->n_patterns);
	qsort(past->names, past->n, sizeof(*past->names), cmp_hash);
	for (size_t i = 0; i < past->n; i++)
		if (n == 0 || past->names[i] != past->names[n - 1])
			past->names[n++] = past->names[i];
	past->n = n;
}

static int cmp_ipset(const void *a, const void *b)
{
	const struct gate_past_ipset *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void gate_past_add(struct gate_past *past, const struct policy *policy)
{
	struct gate_lists lists = { 0 };
	size_t n = past->n; /* those that are sorted */

	gate_lists_collect(policy, &lists);
	past->items = xreallocarray(past->items, past->n + lists.n + 1, sizeof(*past->items));
	for (size_t i = 0; i < lists.n; i++) {
		const struct ipset *ipset = lists.items[i].ipset;
		struct gate_past_ipset *item;

		if (!ipset)
			continue;
		item = find(&(struct gate_past){ past->items, n }, ipset->name);
		if (!item) {
			item = &past->items[past->n++];
			*item = (struct gate_past_ipset){ .name = xstrdup(ipset->name) };
		}
		add_ipset(item, ipset);
	}
	if (past->n > n)
		qsort(past->items, past->n, sizeof(*past->items), cmp_ipset);
	gate_lists_free(&lists);
}

void gate_past_free(struct gate_past *past)
{
	for (size_t i = 0; i < past->n; i++) {
		free(past->items[i].name);
		free(past->items[i].names);
	}
	free(past->items);
	*past = (struct gate_past){ 0 };
}

static bool has_lost(const struct gate_past_ipset *was, const struct gate_past_ipset *is)
{
	for (size_t i = 0; i < was->n; i++)
		if (is->n == 0 ||
		    !bsearch(&was->names[i], is->names, is->n, sizeof(*is->names), cmp_hash))
			return true;
	return false;
}

void gate_past_lost(const struct gate_past *past, const struct gate_past *now, gate_lost_fn on_lost,
		    void *data)
{
	for (size_t i = 0; i < past->n; i++) {
		const struct gate_past_ipset *is = find(now, past->items[i].name);

		if (is && has_lost(&past->items[i], is))
			on_lost(data, past->items[i].name);
	}
}

void gate_past_each(const struct gate_past *past, gate_lost_fn on_each, void *data)
{
	for (size_t i = 0; i < past->n; i++)
		on_each(data, past->items[i].name);
}
