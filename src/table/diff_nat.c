/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/diff.h"

#define NAT_CHAIN "prerouting"
#define DNS_CHAIN "prerouting-dns" /* it is a NAT chain as well */
#define NAT_MAP "dispatch-nat"

static bool is_nat(const struct actual *actual, const char *name, enum base_hook hook)
{
	const struct actual_chain *have = actual_find_chain(actual, name);

	return have && have->hook == hook && have->as_ours;
}

bool diff_keep_nat(struct plan *plan, const struct actual *actual)
{
	const struct plan_set *dispatch = plan_find_set(plan, "dispatch");
	struct plan_chain *chain;
	struct plan_rule *rule;

	if (!dispatch || plan_find_chain(plan, NAT_CHAIN) || plan_find_chain(plan, DNS_CHAIN) ||
	    (!is_nat(actual, NAT_CHAIN, BASE_PREROUTING_NAT) &&
	     !is_nat(actual, DNS_CHAIN, BASE_PREROUTING_DNS)))
		return false;
	chain = plan_add_chain(plan, NAT_CHAIN, dispatch->origin);
	chain->hook = BASE_PREROUTING_NAT;
	rule = chain_add_rule(chain, dispatch->origin);
	rule->verdict = VERDICT_VMAP;
	rule->set = plan_add_set(plan, MAP_DISPATCH, NAT_MAP, dispatch->origin);
	plan_finish(plan);
	return true;
}
