/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/gate_lost.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/names/gate_lists.h"

#define SLOT_SHIFT 48

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

/* Sorts hashes, and leaves each once. Returns how many they are. */
static size_t sort_hashes(uint64_t *hashes, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(hashes, n, sizeof(*hashes), cmp_hash);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || hashes[i] != hashes[kept - 1])
			hashes[kept++] = hashes[i];
	return kept;
}

static void add_ipset(struct gate_past_ipset *past, const struct ipset *ipset)
{
	add_names(past, ipset->hostnames, ipset->n_hostnames);
	add_names(past, ipset->patterns, ipset->n_patterns);
	past->n = sort_hashes(past->names, past->n);
}

/* Elements are of a bridge, which may be another network's by now. Nobody knows here where an external one is. */
static uint64_t hash_network(const struct network *network)
{
	uint64_t hash = hash64(HASH_SEED, network->name, strlen(network->name));

	return network->external && !network->bridge_given
		       ? hash
		       : hash64(hash, network->bridge, strlen(network->bridge));
}

static void add_privates(struct gate_past *past, const struct network *network)
{
	size_t n = network->dns.gated ? network->dns.n_private : 0;

	past->privates =
		xreallocarray(past->privates, past->n_privates + n + 1, sizeof(*past->privates));
	for (size_t i = 0; i < n; i++) {
		char range[ADDR_STRLEN];

		prefix_format(&network->dns.private[i], range);
		past->privates[past->n_privates++] =
			hash64(hash_network(network), range, strlen(range));
	}
	past->n_privates = sort_hashes(past->privates, past->n_privates);
}

static void add_slots(struct gate_past *past, const struct gate_lists *lists)
{
	past->slots =
		xreallocarray(past->slots, past->n_slots + lists->n + 1, sizeof(*past->slots));
	for (size_t i = 0; i < lists->n; i++) {
		const struct gate_list *list = &lists->items[i];

		past->slots[past->n_slots++] = (uint64_t)list->slot << SLOT_SHIFT |
					       gate_list_hash(list) >> (64 - SLOT_SHIFT);
	}
	past->n_slots = sort_hashes(past->slots, past->n_slots);
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
		item = find(&(struct gate_past){ .items = past->items, .n = n }, ipset->name);
		if (!item) {
			item = &past->items[past->n++];
			*item = (struct gate_past_ipset){ .name = xstrdup(ipset->name) };
		}
		add_ipset(item, ipset);
	}
	if (past->n > n)
		qsort(past->items, past->n, sizeof(*past->items), cmp_ipset);
	add_slots(past, &lists);
	gate_lists_free(&lists);
	for (size_t i = 0; i < policy->n_networks; i++)
		add_privates(past, &policy->networks[i]);
}

uint64_t gate_past_hash(const struct gate_past *past)
{
	uint64_t hash = HASH_SEED;

	for (size_t i = 0; i < past->n; i++) {
		const struct gate_past_ipset *item = &past->items[i];

		hash = hash64(hash, item->name, strlen(item->name) + 1);
		hash = hash64(hash, item->names, item->n * sizeof(*item->names));
	}
	hash = hash64(hash, past->privates, past->n_privates * sizeof(*past->privates));
	return hash64(hash, past->slots, past->n_slots * sizeof(*past->slots));
}

void gate_past_free(struct gate_past *past)
{
	for (size_t i = 0; i < past->n; i++) {
		free(past->items[i].name);
		free(past->items[i].names);
	}
	free(past->items);
	free(past->privates);
	free(past->slots);
	*past = (struct gate_past){ 0 };
}

/* Whether there are some in a that b does not have. */
static bool has_more(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
	for (size_t i = 0; i < n_a; i++)
		if (n_b == 0 || !bsearch(&a[i], b, n_b, sizeof(*b), cmp_hash))
			return true;
	return false;
}

bool gate_past_moved(const struct gate_past *past, const struct gate_past *now)
{
	size_t k = 0;

	for (size_t i = 0; i < past->n_slots; i++) {
		uint64_t slot = past->slots[i] >> SLOT_SHIFT;

		while (k < now->n_slots && now->slots[k] >> SLOT_SHIFT < slot)
			k++;
		for (size_t j = k; j < now->n_slots && now->slots[j] >> SLOT_SHIFT == slot; j++)
			if (now->slots[j] != past->slots[i])
				return true;
	}
	return false;
}

void gate_past_lost(const struct gate_past *past, const struct gate_past *now, gate_lost_fn on_lost,
		    void *data)
{
	if (has_more(past->privates, past->n_privates, now->privates, now->n_privates) ||
	    gate_past_moved(past, now)) {
		on_lost(data, NULL);
		return;
	}
	for (size_t i = 0; i < past->n; i++) {
		const struct gate_past_ipset *was = &past->items[i], *is = find(now, was->name);

		if (is && has_more(was->names, was->n, is->names, is->n))
			on_lost(data, was->name);
	}
}
