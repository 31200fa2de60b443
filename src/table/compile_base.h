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
	struct plan_set *dispatch_gate;	  /* prerouting-dns: GATE */
	struct plan_set *dispatch_dns;	  /* forward, packets to ports of DNS: DNS */
	struct plan_set *gate;		  /* the bridges of networks with a gate */
	struct plan_set *managed,	  /* the bridges that the policy is about */
		*lookups; /* the bridges whose DNS replies the daemon hears; NULL: of none */
};

/* Whether some network has host rules, rules of NAT, a DNS gate; or none, so that the daemon hears its DNS replies. */
struct base_needs {
	bool host, nat, gate, lookups;
};

/* Adds the chains, with empty maps. */
struct base_chains compile_base(struct plan *plan, const struct origin *built_in,
				struct base_needs needs);

#endif
