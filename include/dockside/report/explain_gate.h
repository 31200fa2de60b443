/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions about networks whose DNS goes to the gate: which names it answers, and what an answer opens. The kernel's
 * sets of told addresses are in no plan, so that a name is explained as if it had just been looked up. Pure.
 */
#ifndef DOCKSIDE_REPORT_EXPLAIN_GATE_H
#define DOCKSIDE_REPORT_EXPLAIN_GATE_H

#include "dockside/base/addr.h"
#include "dockside/policy/model.h"

enum explain_gate_says {
	GATE_SAYS_NO_NAME, /* nobody has such a name */
	GATE_SAYS_ONLY,	   /* it answers, which opens nothing */
	GATE_SAYS_OPENS,   /* it answers, and opens the addresses to a rule */
};

/* The gate's answer to a container of the network that asks for a name, in lower case; or, for a wildcard, for any name
 * under it. */
enum explain_gate_says explain_gate_says(const struct policy *policy, const struct network *network,
					 const char *name);
/* An address of that family that is in no network of the policy, to stand for whatever a name has. */
struct ipaddr explain_gate_stand_in(const struct policy *policy, enum family family);
/* Why no answer of the gate opens an address in that network, but for the host's own and its networks'; the caller frees
 * it. NULL: an answer does. */
char *explain_gate_never(const struct network *network, const struct ipaddr *addr);

#endif
