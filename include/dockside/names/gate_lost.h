/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the ipsets that have lost a name whose addresses the DNS gate tells, and whether `private` has lost a range. A
 * gate that was started after the sets were filled does not know which addresses go with the name. Pure.
 */
#ifndef DOCKSIDE_NAMES_GATE_LOST_H
#define DOCKSIDE_NAMES_GATE_LOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/policy/model.h"

struct gate_past_ipset;

/* Zero-initialise; gate_past_free(). */
struct gate_past {
	struct gate_past_ipset *items; /* sorted by name */
	size_t n;
	uint64_t *privates; /* networks' ranges, as hashes, sorted */
	size_t n_privates;
	/* The lists that slots are of: the slot above, and 48 bits of a hash of the list below; sorted. */
	uint64_t *slots;
	size_t n_slots;
};

/* Adds the names of a policy, which is not needed afterwards. */
void gate_past_add(struct gate_past *past, const struct policy *policy);
void gate_past_free(struct gate_past *past);

/* The same for the same names, ranges and slots. */
uint64_t gate_past_hash(const struct gate_past *past);

/* Whether a slot is of one list in past, and of another one in now: a gate that goes by the policy before tells for that
 * one what is meant for the other. */
bool gate_past_moved(const struct gate_past *past, const struct gate_past *now);

/* Calls on_lost with the name, borrowed, of each ipset that both have, and that had a name which it has no longer; or once
 * with NULL, for all that a gate tells, where a range has left `private` or a slot has moved. */
typedef void (*gate_lost_fn)(void *data, const char *ipset);
void gate_past_lost(const struct gate_past *past, const struct gate_past *now, gate_lost_fn on_lost,
		    void *data);

#endif
