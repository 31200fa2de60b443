/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets that a plan's rules look into. */
#ifndef DOCKSIDE_TABLE_COMPILE_SETS_H
#define DOCKSIDE_TABLE_COMPILE_SETS_H

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The kinds of set that one ipset or hostname can need. */
enum dest_set {
	DEST_SET_V4,
	DEST_SET_V6,
	DEST_SET_NET4,
	DEST_SET_NET6,
	N_DEST_SETS,
};

struct dest_sets {
	struct plan_set *sets[N_DEST_SETS]; /* NULL where not needed */
};

struct compile_sets {
	const struct policy *policy;
	const struct resolved *resolved;
	struct plan *plan;
	struct dest_sets *ipsets;   /* by index in the policy; empty until used */
	struct dest_sets *literals; /* of those whose names are in the others; likewise */
	struct dest_sets *names;    /* by index in hosts */
	void *port_sets;	    /* tree of struct port_set, in the plan's arena */
};

void compile_sets_init(struct compile_sets *c, const struct policy *policy,
		       const struct resolved *resolved, struct plan *plan);
void compile_sets_free(struct compile_sets *c);

/* Each of these makes its sets at the first use. */
const struct plan_set *compile_port_set(struct compile_sets *c, const struct portrange *ports,
					size_t n);
const struct dest_sets *compile_ipset(struct compile_sets *c, size_t index);
/* For a rule that is told the addresses of names: the ipset's own. */
const struct dest_sets *compile_ipset_literals(struct compile_sets *c, size_t index);
const struct dest_sets *compile_name(struct compile_sets *c, const char *name);

#endif
