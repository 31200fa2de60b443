/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/diff.h"

#define NAT_CHAIN "prerouting"
#define NAT_MAP "dispatch-nat"

bool diff_keep_nat(struct plan *plan, const struct actual *actual)
{
	const struct actual_chain *have = actual_find_chain(actual, NAT_CHAIN);
	const struct plan_set *dispatch = plan_find_set(plan, "dispatch");
	struct plan_chain *chain;
	struct plan_rule *rule;

	if (!have || have->hook != BASE_PREROUTING_NAT || !have->as_ours || !dispatch ||
	    plan_find_chain(plan, NAT_CHAIN))
		return false;
	chain = plan_add_chain(plan, NAT_CHAIN, dispatch->origin);
	chain->hook = BASE_PREROUTING_NAT;
	rule = chain_add_rule(chain, dispatch->origin);
	rule->verdict = VERDICT_VMAP;
	rule->set = plan_add_set(plan, MAP_DISPATCH, NAT_MAP, dispatch->origin);
	plan_finish(plan);
	return true;
}
