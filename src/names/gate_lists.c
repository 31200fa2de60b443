/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/gate_lists.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

/* A rule that has a list, before the lists are put together. */
struct use {
	struct gate_list list; /* without slot and networks */
	const struct network *network;
};

struct uses {
	struct use *items;
	size_t n, cap;
};

bool gate_wanted(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated)
			return true;
	return false;
}

unsigned gate_life_s(const struct network *network)
{
	return GATE_LIFE_S + (network->dns.has_stale ? network->dns.stale_s : GATE_STALE_S);
}

/* The list of a rule's names, without slot and networks. False: there is none. */
static bool list_of(const struct policy *policy, const struct network *network,
		    const struct rule *rule, struct gate_list *ret_list)
{
	struct gate_list list = { .entry = rule->hostname };

	if (!rule_told(network, rule))
		return false;
	switch (rule->to) {
	case DEST_HOSTNAME:
		list.prefix = "host-";
		list.name = rule->hostname;
		break;
	case DEST_PATTERN:
		list.prefix = "wild-";
		list.name = rule->hostname + strlen("*.");
		break;
	case DEST_IPSET:
		list.prefix = "ipset-";
		list.ipset = &policy->ipsets[rule->ipset];
		list.name = list.ipset->name;
		if (list.ipset->n_hostnames + list.ipset->n_patterns == 0)
			return false;
		break;
	case DEST_ALL:
	case DEST_CIDR:
	case DEST_IP:
		return false;
	}
	*ret_list = list;
	return true;
}

static int cmp_lists(const void *a, const void *b)
{
	const struct gate_list *x = a, *y = b;
	int r = strcmp(x->prefix, y->prefix);

	return r ? r : strcmp(x->name, y->name);
}

/* Networks are elements of one array. */
static int cmp_uses(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int r = cmp_lists(&x->list, &y->list);

	return r ? r : (x->network > y->network) - (x->network < y->network);
}

static void collect_uses(const struct policy *policy, struct uses *uses)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++) {
			struct use use = { .network = network };

			if (!list_of(policy, network, &network->egress[k], &use.list))
				continue;
			uses->items =
				array_grow(uses->items, &uses->cap, uses->n, sizeof(*uses->items));
			uses->items[uses->n++] = use;
		}
	}
	if (uses->n > 0)
		qsort(uses->items, uses->n, sizeof(*uses->items), cmp_uses);
}

uint64_t gate_list_hash(const struct gate_list *list)
{
	uint64_t hash = hash64(HASH_SEED, list->prefix, strlen(list->prefix));

	return hash64(hash, list->name, strlen(list->name));
}

/* By its hash, or the next one that is free. */
static void give_slots(struct gate_lists *lists)
{
	bool *taken = xcalloc(GATE_SLOTS, sizeof(*taken));

	lists->too_many = lists->n > GATE_SLOTS;
	for (size_t i = 0; i < lists->n && i < GATE_SLOTS; i++) {
		size_t at = gate_list_hash(&lists->items[i]) % GATE_SLOTS;

		while (taken[at])
			at = (at + 1) % GATE_SLOTS;
		taken[at] = true;
		lists->items[i].slot = (uint16_t)(at + 1);
	}
	free(taken);
}

void gate_lists_collect(const struct policy *policy, struct gate_lists *ret_lists)
{
	struct gate_lists lists = { 0 };
	struct uses uses = { 0 };
	size_t n = 0;

	collect_uses(policy, &uses);
	lists.items = xcalloc(uses.n + 1, sizeof(*lists.items));
	lists.networks = xcalloc(uses.n + 1, sizeof(*lists.networks));
	for (size_t i = 0; i < uses.n; i++) {
		const struct use *use = &uses.items[i];
		struct gate_list *list = lists.n > 0 ? &lists.items[lists.n - 1] : NULL;

		if (!list || cmp_lists(list, &use->list) != 0) {
			list = &lists.items[lists.n++];
			*list = use->list;
			list->networks = &lists.networks[n];
		}
		if (list->n_networks > 0 && lists.networks[n - 1] == use->network)
			continue; /* by another of its rules */
		lists.networks[n++] = use->network;
		list->n_networks++;
	}
	free(uses.items);
	give_slots(&lists);
	*ret_lists = lists;
}

const struct gate_list *gate_lists_find(const struct gate_lists *lists, const struct policy *policy,
					const struct network *network, const struct rule *rule)
{
	struct gate_list key;

	if (lists->n == 0 || !list_of(policy, network, rule, &key))
		return NULL;
	return bsearch(&key, lists->items, lists->n, sizeof(key), cmp_lists);
}

void gate_lists_free(struct gate_lists *lists)
{
	free(lists->items);
	free(lists->networks);
	*lists = (struct gate_lists){ 0 };
}
