/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets of the ports, and a chain that looks into one of them. */
#include "dockside/table/compile_bind.h"

#include <string.h>

#include "dockside/base/util.h"

struct bind_sets {
	struct plan_set *ports, *macs, *addrs4, *addrs6;
};

static bool any_managed(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_managed(&policy->networks[i]))
			return true;
	return false;
}

static void add_key(struct plan_set *set, const char *port, const void *bytes, size_t len)
{
	struct elem *elem = set_add_bridge(set, port, NULL);

	memcpy(elem->key + IFNAME_KEY_LEN, bytes, len);
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

static void add_port(const struct bind_sets *sets, const struct port *port)
{
	set_add_bridge(sets->ports, port->name, NULL);
	add_key(sets->macs, port->name, port->mac, sizeof(port->mac));
	for (size_t i = 0; i < port->n_addrs; i++) {
		const struct ipaddr *addr = &port->addrs[i];

		add_key(addr->family == FAMILY_IPV4 ? sets->addrs4 : sets->addrs6, port->name,
			addr->b, family_bytes(addr->family));
	}
}

void compile_bind(const struct policy *policy, const struct ports *ports,
		  const struct plan_options *options, struct plan *ret_plan)
{
	struct plan *plan = ret_plan;
	struct plan_chain *chain;
	struct plan_rule *rule;
	struct bind_sets sets;

	*plan = (struct plan){ .family = TABLE_BRIDGE, .options = *options };
	if (any_managed(policy)) {
		const struct origin *origin =
			plan_origin(plan, NULL, "the binding of ports", (struct loc){ 0 });

		sets.ports = plan_add_set(plan, SET_BRIDGES, "ports", origin);
		sets.macs = plan_add_set(plan, SET_PORT_MAC, "macs", origin);
		sets.addrs4 = plan_add_set(plan, SET_PORT_IPV4, "addrs4", origin);
		sets.addrs6 = plan_add_set(plan, SET_PORT_IPV6, "addrs6", origin);
		plan_add_set(plan, SET_BRIDGES, FINGERPRINT_SET, origin)->comment =
			"what was loaded; made by dsfw-nft";
		chain = plan_add_chain(plan, "bind", origin);
		chain->hook = BASE_BIND;
		rule = chain_add_rule(chain, origin);
		rule_add_match(rule, MATCH_IIFNAME_SET)->u.set = sets.ports;
		rule->counter = true;
		rule->verdict = VERDICT_CONTINUE;
		for (size_t i = 0; i < ports->n; i++)
			if (ports->ports[i].known)
				add_port(&sets, &ports->ports[i]);
	}
	plan_finish(plan);
}
