/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/policy/model.h"

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/suggest.h"
#include "dockside/base/util.h"

static const char *const proto_names[] = {
	[PROTO_ANY] = "any",
	[PROTO_TCP] = "tcp",
	[PROTO_UDP] = "udp",
	[PROTO_ICMP] = "icmp",
};
static_assert(ARRAY_SIZE(proto_names) == PROTO_ICMP + 1, "a name for every protocol");

static const char *const action_names[] = {
	[ACTION_ALLOW] = "allow",
	[ACTION_DROP] = "drop",
};
static_assert(ARRAY_SIZE(action_names) == ACTION_DROP + 1, "a name for every action");

static const char *const dest_names[] = {
	[DEST_ALL] = "all",	  [DEST_CIDR] = "cidr",	  [DEST_IP] = "ip",
	[DEST_HOSTNAME] = "host", [DEST_IPSET] = "ipset", [DEST_PATTERN] = "host",
};
static_assert(ARRAY_SIZE(dest_names) == DEST_PATTERN + 1, "a name for every destination");

const char *proto_name(enum proto proto)
{
	return proto_names[proto];
}

const char *action_name(enum action action)
{
	return action_names[action];
}

const char *dest_name(enum dest dest)
{
	return dest_names[dest];
}

const char *const bind_names[N_BINDS] = {
	[BIND_LEARN] = "learn",
	[BIND_STRICT] = "strict",
	[BIND_OFF] = "off",
};

bool network_has_policy(const struct network *network)
{
	return network->has_dockside_ip || network->has_dockside_ip6 || network->has_dockside_mac ||
	       network->n_egress > 0 || network->n_nat > 0 || network->n_host_rules > 0 ||
	       network->dns.gated;
}

bool network_managed(const struct network *network)
{
	return network->placed && network_has_policy(network);
}

bool network_bound(const struct network *network)
{
	return network_managed(network) && network->bind != BIND_OFF;
}

bool rule_matches_everything(const struct rule *rule)
{
	return rule->proto == PROTO_ANY && rule->n_ports == 0 && rule->to == DEST_ALL;
}

bool rule_drops_on_purpose(const struct rule *rule)
{
	return rule->action == ACTION_DROP && !rule_matches_everything(rule);
}

bool network_denies(const struct network *network)
{
	const struct rule *last;

	if (network->n_egress == 0)
		return false;
	last = &network->egress[network->n_egress - 1];
	return last->action == ACTION_DROP && rule_matches_everything(last);
}

bool rule_has_port(const struct rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (rule->ports[i].lo <= port && port <= rule->ports[i].hi)
			return true;
	return rule->n_ports == 0;
}

bool rule_allows_udp(const struct rule *rule, uint16_t port)
{
	return rule->action == ACTION_ALLOW &&
	       (rule->proto == PROTO_ANY || rule->proto == PROTO_UDP) && rule_has_port(rule, port);
}

bool rule_told(const struct network *network, const struct rule *rule)
{
	return network->dns.gated && rule->action == ACTION_ALLOW;
}

bool pattern_has(const char *pattern, const char *name)
{
	const char *suffix = pattern + 1;
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

bool ipset_has_pattern_of(const struct ipset *ipset, const char *name)
{
	for (size_t i = 0; i < ipset->n_patterns; i++)
		if (pattern_has(ipset->patterns[i], name))
			return true;
	return false;
}

static int cmp_hostname(const void *name, const void *hostname)
{
	return strcmp(name, *(const char *const *)hostname);
}

bool ipset_has_hostname(const struct ipset *ipset, const char *name)
{
	return ipset->n_hostnames > 0 && bsearch(name, ipset->hostnames, ipset->n_hostnames,
						 sizeof(*ipset->hostnames), cmp_hostname);
}

const struct network *policy_find_network(const struct policy *policy, const char *name,
					  struct err *err)
{
	const char **names, *near;

	for (size_t i = 0; i < policy->n_networks; i++)
		if (strcasecmp(policy->networks[i].name, name) == 0)
			return &policy->networks[i];
	names = xcalloc(policy->n_networks + 1, sizeof(*names));
	for (size_t i = 0; i < policy->n_networks; i++)
		names[i] = policy->networks[i].name;
	near = nearest_word(name, names, policy->n_networks);
	free(names);
	err_set(err, EINVAL, "no network \"%.40s\" is configured%s%s%s", name,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
}

const struct network *policy_find_bridge(const struct policy *policy, const char *bridge)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (strcmp(policy->networks[i].bridge, bridge) == 0)
			return &policy->networks[i];
	return NULL;
}

const struct network *policy_find_stem(const struct policy *policy, const char *stem)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (strcmp(policy->networks[i].stem, stem) == 0)
			return &policy->networks[i];
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	policy_free(policy->draining);
	free(policy->draining);
	arena_free(&policy->arena);
	src_free(&policy->network_src);
	src_free(&policy->firewall_src);
	memset(policy, 0, sizeof(*policy));
}

const char *l4proto_name(uint8_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6"; /* nft knows that word without /etc/protocols */
	default:
		return NULL;
	}
}
