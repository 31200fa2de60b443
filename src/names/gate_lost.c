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

static void add_names(struct gate_past_ipset *past, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		past->names[past->n++] = hash64(HASH_SEED, names[i], strlen(names[i]));
}

static struct gate_past_ipset note(const struct ipset *ipset)
{
	struct gate_past_ipset past = {
		.name = xstrdup(ipset->name),
		.names = xcalloc(ipset->n_hostnames + ipset->n_patterns + 1, sizeof(*past.names)),
	};

	add_names(&past, ipset->hostnames, ipset->n_hostnames);
	add_names(&past, ipset->patterns, ipset->n_patterns);
	if (past.n > 0)
		qsort(past.names, past.n, sizeof(*past.names), cmp_hash);
	return past;
}

/* The lists come sorted by prefix and name, and all ipsets have one prefix. */
void gate_past_note(struct gate_past *past, const struct policy *policy)
{
	struct gate_lists lists = { 0 };

	gate_past_free(past);
	gate_lists_collect(policy, &lists);
	past->items = xcalloc(lists.n + 1, sizeof(*past->items));
	for (size_t i = 0; i < lists.n; i++)
		if (lists.items[i].ipset)
			past->items[past->n++] = note(lists.items[i].ipset);
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
	for (size_t i = 0; i < past->n && now->n > 0; i++) {
		const struct gate_past_ipset *was = &past->items[i];
		const struct gate_past_ipset *is =
			bsearch(was->name, now->items, now->n, sizeof(*now->items), cmp_name);

		if (is && has_lost(was, is))
			on_lost(data, was->name);
	}
}
