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
};

/* Adds the names of a policy, which is not needed afterwards. */
void gate_past_add(struct gate_past *past, const struct policy *policy);
void gate_past_free(struct gate_past *past);

static inline bool gate_past_is_empty(const struct gate_past *past)
{
	return past->n == 0 && past->n_privates == 0;
}

/* The same for the same names and ranges. */
uint64_t gate_past_hash(const struct gate_past *past);
/* As much of it as comes with what a gate tells the kernel; never 0, which stands for a policy that nobody knows. */
uint32_t gate_past_tag(const struct gate_past *past);
uint32_t gate_policy_tag(const struct policy *policy);
/* As it comes to the kernel: another one after each start of the machine, since somebody may load then what he has kept of
 * the rules, whose addresses are old. */
static inline uint32_t gate_tag_of_boot(uint32_t tag, uint32_t boot)
{
	return tag == 0 ? 0 : tag == boot ? 1 : tag ^ boot;
}

/* Calls on_lost with the name, borrowed, of each ipset that both have, and that had a name which it has no longer; or once
 * with NULL, for all that a gate tells, where a range has left `private`. */
typedef void (*gate_lost_fn)(void *data, const char *ipset);
void gate_past_lost(const struct gate_past *past, const struct gate_past *now, gate_lost_fn on_lost,
		    void *data);

#endif
