/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains at the kernel's hooks, which lead packets to the networks' own. */
#ifndef DOCKSIDE_TABLE_COMPILE_BASE_H
#define DOCKSIDE_TABLE_COMPILE_BASE_H

#include "dockside/table/plan.h"

/* The maps by which a hook's chain finds that of the bridge; NULL where the hook has no chain. */
struct base_chains {
	struct plan_set *dispatch;	  /* forward: OUT */
	struct plan_set *dispatch_host;	  /* input: HOST */
	struct plan_set *dispatch_nat;	  /* prerouting: NAT */
	struct plan_set *dispatch_source; /* raw: SRC */
	struct plan_set *managed,	  /* the bridges that the policy is about */
		*lookups; /* the bridges whose DNS replies the daemon hears; NULL: of none */
};

/* Adds the chains, with empty maps. any_host, any_nat: some network has host rules, or rules of NAT. */
struct base_chains compile_base(struct plan *plan, const struct origin *built_in, bool any_host,
				bool any_nat);

#endif
