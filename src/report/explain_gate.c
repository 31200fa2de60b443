/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/explain_gate.h"

#include <string.h>

#include "dockside/base/util.h"
#include "dockside/names/never.h"

static bool rule_has(const struct policy *policy, const struct rule *rule, const char *name)
{
	switch (rule->to) {
	case DEST_HOSTNAME:
		return strcmp(rule->hostname, name) == 0;
	case DEST_PATTERN:
		return pattern_has(rule->hostname, name);
	case DEST_IPSET:
		return ipset_has_hostname(&policy->ipsets[rule->ipset], name) ||
		       ipset_has_pattern_of(&policy->ipsets[rule->ipset], name);
	case DEST_ALL:
	case DEST_CIDR:
	case DEST_IP:
		break;
	}
	return false;
}

static bool names_have(const struct network_dns *dns, const char *name)
{
	for (size_t i = 0; i < dns->n_names; i++)
		if (dns->names[i][0] == '*' ? pattern_has(dns->names[i], name)
					    : strcmp(dns->names[i], name) == 0)
			return true;
	return false;
}

enum explain_gate_says explain_gate_says(const struct policy *policy, const struct network *network,
					 const char *name)
{
	for (size_t i = 0; i < network->n_egress && !network->audit; i++)
		if (rule_told(network, &network->egress[i]) &&
		    rule_has(policy, &network->egress[i], name))
			return GATE_SAYS_OPENS;
	return network->audit || names_have(&network->dns, name) ? GATE_SAYS_ONLY
								 : GATE_SAYS_NO_NAME;
}

static bool is_in_a_subnet(const struct policy *policy, const struct ipaddr *addr)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (prefix_contains(&network->subnet, addr) ||
		    (network->has_subnet6 && prefix_contains(&network->subnet6, addr)))
			return true;
	}
	return false;
}

struct ipaddr explain_gate_stand_in(const struct policy *policy, enum family family)
{
	/* For documentation, all of them (RFC 5737, RFC 3849, RFC 9637). */
	static const struct ipaddr addrs[] = {
		{ FAMILY_IPV4, { 203, 0, 113, 1 } },
		{ FAMILY_IPV4, { 198, 51, 100, 1 } },
		{ FAMILY_IPV4, { 192, 0, 2, 1 } },
		{ FAMILY_IPV6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
		{ FAMILY_IPV6, { 0x3f, 0xff, [15] = 1 } },
	};
	struct ipaddr last = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		if (addrs[i].family != family)
			continue;
		last = addrs[i];
		if (!is_in_a_subnet(policy, &addrs[i]))
			break;
	}
	return last;
}

char *explain_gate_never(const struct network *network, const struct ipaddr *addr)
{
	static const struct never nothing;
	const char *reason =
		never_told_reason(&nothing, addr, network->dns.private, network->dns.n_private);

	if (!reason)
		return NULL;
	return xasprintf(
		"no answer of the network's DNS gate opens this address, as it is %s; a rule "
		"that is to allow it has to give the address itself%s",
		reason,
		never_private_reason(addr) ? ", or \"private\" of the network's \"dns\" "
					     "has to have it"
					   : "");
}
