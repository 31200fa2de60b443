/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/allowed.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Why a rule is about a destination. */
enum about {
	ABOUT_NOT,
	ABOUT_NAME,
	ABOUT_ADDRESS, /* or about all of them */
};

static bool fits_icmp(const struct icmp_type *type, const struct allowed_packet *packet)
{
	if (!type->set)
		return false;
	return type->any || (type->type == packet->icmp_type &&
			     (!type->has_code || type->code == packet->icmp_code));
}

static bool fits_proto(const struct rule *rule, const struct allowed_packet *packet)
{
	bool v4 = packet->dst.family == FAMILY_IPV4;

	switch (rule->proto) {
	case PROTO_ANY:
		return true;
	case PROTO_TCP:
		return packet->l4proto == IPPROTO_TCP && rule_has_port(rule, packet->port);
	case PROTO_UDP:
		return packet->l4proto == IPPROTO_UDP && rule_has_port(rule, packet->port);
	case PROTO_ICMP:
		return packet->l4proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
		       fits_icmp(v4 ? &rule->icmp4 : &rule->icmp6, packet);
	}
	abort();
}

static enum about about_ipset(const struct ipset *ipset, const struct allowed_packet *packet)
{
	for (size_t i = 0; i < ipset->n_prefixes; i++)
		if (prefix_contains(&ipset->prefixes[i], &packet->dst))
			return ABOUT_ADDRESS;
	if (!packet->name)
		return ipset->n_hostnames + ipset->n_patterns > 0 ? ABOUT_NAME : ABOUT_NOT;
	return ipset_has_hostname(ipset, packet->name) || ipset_has_pattern_of(ipset, packet->name)
		       ? ABOUT_NAME
		       : ABOUT_NOT;
}

static enum about about(const struct policy *policy, const struct rule *rule,
			const struct allowed_packet *packet)
{
	switch (rule->to) {
	case DEST_ALL:
		return ABOUT_ADDRESS;
	case DEST_CIDR:
	case DEST_IP:
		return prefix_contains(&rule->cidr, &packet->dst) ? ABOUT_ADDRESS : ABOUT_NOT;
	case DEST_HOSTNAME:
		return !packet->name || strcmp(rule->hostname, packet->name) == 0 ? ABOUT_NAME
										  : ABOUT_NOT;
	case DEST_PATTERN:
		return !packet->name || pattern_has(rule->hostname, packet->name) ? ABOUT_NAME
										  : ABOUT_NOT;
	case DEST_IPSET:
		return about_ipset(&policy->ipsets[rule->ipset], packet);
	}
	abort();
}

/* The rule that decides. Of a packet without a name, one that drops some names decides nothing. */
static const struct rule *decide(const struct policy *policy, const struct network *network,
				 const struct allowed_packet *packet, enum about *ret_about)
{
	for (size_t i = 0; i < network->n_egress; i++) {
		const struct rule *rule = &network->egress[i];

		if (!fits_proto(rule, packet))
			continue;
		*ret_about = about(policy, rule, packet);
		if (*ret_about == ABOUT_NOT ||
		    (*ret_about == ABOUT_NAME && !packet->name && rule->action == ACTION_DROP))
			continue;
		return rule;
	}
	return NULL;
}

bool dropped_now(const struct policy *policy, const struct rule *rules, size_t n,
		 const struct allowed_packet *packet, size_t *ret_index)
{
	for (size_t i = 0; i < n; i++) {
		enum about why = fits_proto(&rules[i], packet) ? about(policy, &rules[i], packet)
							       : ABOUT_NOT;

		if (why == ABOUT_NOT || (why == ABOUT_NAME && !packet->name))
			continue;
		if (!rule_drops_on_purpose(&rules[i]))
			return false;
		*ret_index = rules[i].index;
		return true;
	}
	return false;
}

bool allowed_by_name(const struct policy *policy, const struct network *network,
		     const struct allowed_packet *packet, size_t *ret_index)
{
	enum about why = ABOUT_NOT;
	const struct rule *rule = decide(policy, network, packet, &why);

	if (!rule || rule->action != ACTION_ALLOW || why != ABOUT_NAME)
		return false;
	*ret_index = rule->index;
	return true;
}

bool allowed_now(const struct policy *policy, const struct network *network,
		 const struct allowed_packet *packet, size_t *ret_index)
{
	enum about why = ABOUT_NOT;
	const struct rule *rule = decide(policy, network, packet, &why);

	if (!rule || rule->action != ACTION_ALLOW)
		return false;
	*ret_index = rule->index;
	return true;
}
