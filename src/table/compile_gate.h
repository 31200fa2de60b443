/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the DNS gate: containers' questions go to it, nothing else to the ports of DNS, and the addresses that it
 * tells come into sets. compile_gate.c has the theory.
 */
#ifndef DOCKSIDE_TABLE_COMPILE_GATE_H
#define DOCKSIDE_TABLE_COMPILE_GATE_H

#include "compile_base.h"

#include "dockside/names/gate_lists.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The sets of the addresses that one list was told. */
struct told_sets {
	const struct plan_set *sets[N_FAMILIES]; /* NULL until a rule uses them */
};

struct compile_gate {
	struct plan *plan;
	const struct policy *policy;
	const struct origin *built_in;
	struct gate_lists lists;
	struct told_sets *told; /* by list */
	struct plan_set *tells; /* TELL_MAP; NULL: no network has a gate */
	struct plan_set *tags;	/* TAGS_SET */
	struct plan_set
		*private; /* bridges of networks with "private", and their chains; NULL: there is none */
};

void compile_gate_init(struct compile_gate *c, struct plan *plan, const struct policy *policy,
		       const struct origin *built_in);
void compile_gate_free(struct compile_gate *c);

/* The sets that a rule looks into, made at the first use; NULL: its names are not told, or it has none. */
const struct told_sets *compile_gate_told(struct compile_gate *c, const struct network *network,
					  const struct rule *rule);

/* Fills a gated network's chain GATE, by which its questions go to the gate. */
void compile_gate_redirect(struct plan_chain *chain, const struct network *network);
/* Fills its chain DNS, for packets that have the number of a port of DNS where TCP and UDP have their destination. `out`
 * is the chain that judges what is none. */
void compile_gate_refuse(struct compile_gate *c, struct plan_chain *chain,
			 const struct network *network, const char *out);
/* Fills its chain PRIVATE, for tells of addresses that only its "private" opens. */
void compile_gate_private(struct compile_gate *c, struct plan_chain *chain,
			  const struct network *network);
/* Adds the chains that take what the gate tells, once all rules are there. */
void compile_gate_tells(struct compile_gate *c);

#endif
