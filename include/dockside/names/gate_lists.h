/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists of names whose addresses the gate tells the kernel: one for each ipset, hostname and wildcard that a rule
 * of a gated network allows. The rules and the gate's document number them alike. Pure.
 */
#ifndef DOCKSIDE_NAMES_GATE_LISTS_H
#define DOCKSIDE_NAMES_GATE_LISTS_H

#include "dockside/names/gate.h"
#include "dockside/policy/model.h"

struct gate_list {
	const char *prefix; /* "ipset-", "host-", "wild-": with the name what its sets are called */
	const char *name;   /* of the ipset; the hostname; of a wildcard what follows "*." */
	const char *entry;  /* "*.example.com" or the hostname; NULL: an ipset */
	const struct ipset *ipset;	 /* or NULL */
	uint16_t slot;			 /* 1 to GATE_SLOTS */
	const struct network **networks; /* whose rules have it, in the order of the policy */
	size_t n_networks;
};

/* Sorted by prefix and name. Borrows the policy. Zero-initialise; gate_lists_free(). */
struct gate_lists {
	struct gate_list *items;
	size_t n;
	bool too_many;			 /* more than GATE_SLOTS, and the rest has no slot */
	const struct network **networks; /* of all lists */
};

/*
 * A list keeps its slot from policy to policy, as it is a hash of its name; but of lists with the same hash one has the next
 * slot, and another policy may turn them round. gate_past_moved() finds that: a gate that has not yet got the new document
 * tells one list's addresses for the other.
 */
void gate_lists_collect(const struct policy *policy, struct gate_lists *ret_lists);
/* The same for the same list in any policy. */
uint64_t gate_list_hash(const struct gate_list *list);
/* The list of the rule's names; NULL: they are not told, or there are none. */
const struct gate_list *gate_lists_find(const struct gate_lists *lists, const struct policy *policy,
					const struct network *network, const struct rule *rule);
void gate_lists_free(struct gate_lists *lists);

/* Whether any network has a gate. */
bool gate_wanted(const struct policy *policy);
/* Seconds that an address stays open in a network after its last answer or use. */
unsigned gate_life_s(const struct network *network);

#endif
