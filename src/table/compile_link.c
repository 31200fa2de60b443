/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compile_link.h"

#include <netinet/in.h>
#include <string.h>

#include "compile_log.h"

#include "dockside/base/icmp6.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

/*
 * Hosts need some messages from each other of which conntrack keeps no record: neighbour
 * solicitation and advertisement, and listeners' reports (RFC 2710, RFC 3810), which go to
 * multicast addresses. These pass. Router advertisements and redirects do not: a host that sends
 * them takes others' traffic. Nor does any other untracked packet (RFC 4286's router discovery, or
 * one that an administrator's notrack made so): it carries any payload.
 */
void compile_neighbours(struct plan_chain *chain)
{
	static const struct prefix multicast = { { FAMILY_IPV6, { 0xff } }, 8 };
	static const struct {
		uint8_t type;
		bool multicast;
		const char *comment;
	} types[] = {
		{ ND_NEIGHBOR_SOLICIT, false, "neighbour discovery" },
		{ ND_NEIGHBOR_ADVERT, false, "neighbour discovery" },
		{ MLD_LISTENER_REPORT, true, "multicast listener" },
		{ MLD_LISTENER_REDUCTION, true, "multicast listener" },
		{ MLD2_REPORT, true, "multicast listener" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct plan_rule *out = chain_add_rule(chain, chain->origin);
		struct match *match;

		rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_UNTRACKED;
		match = rule_add_match(out, MATCH_ICMP);
		match->u.icmp.family = FAMILY_IPV6;
		match->u.icmp.type = types[i].type;
		if (types[i].multicast)
			rule_add_match(out, MATCH_DADDR)->u.prefix = multicast;
		out->verdict = VERDICT_ACCEPT; /* not counted: it opens no connection */
		out->comment = types[i].comment;
	}
}

static void emit_dhcp_to(struct plan_chain *chain, const struct prefix *to, uint16_t port)
{
	struct plan_rule *out = chain_add_rule(chain, chain->origin);
	struct match *match;

	rule_add_match(out, MATCH_DADDR)->u.prefix = *to;
	match = rule_add_match(out, MATCH_DPORT);
	match->u.dport.l4proto = IPPROTO_UDP;
	match->u.dport.range = (struct portrange){ port, port };
	out->counter = true;
	out->verdict = VERDICT_ACCEPT;
	out->comment = "DHCP";
}

/* The bridge's own address and its broadcast ones, ff02::1:2 (RFC 8415) and fe80::/10: a server may listen on
 * other addresses of the host as well, which a lease has no need of. */
void compile_dhcp(struct plan_chain *chain, const struct network *network)
{
	static const struct prefix all = { { FAMILY_IPV4, { 255, 255, 255, 255 } }, 32 },
				   servers = { { FAMILY_IPV6,
						 { [0] = 0xff, [1] = 2, [13] = 1, [15] = 2 } },
					       128 },
				   link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };
	struct prefix gateway = prefix_of_address(&network->gateway);
	struct prefix gateway6 = prefix_of_address(&network->gateway6), broadcast;
	struct ipaddr first, last;

	if (network->has_subnet) {
		prefix_range(&network->subnet, &first, &last);
		broadcast = prefix_of_address(&last);
		emit_dhcp_to(chain, &gateway, 67);
		emit_dhcp_to(chain, &broadcast, 67);
	}
	emit_dhcp_to(chain, &all, 67);
	if (network->has_subnet6)
		emit_dhcp_to(chain, &gateway6, 547);
	emit_dhcp_to(chain, &servers, 547);
	emit_dhcp_to(chain, &link_local, 547);
}

/* An ICMP error about what the host has sent to the network, and so from the bridge's own address: errors about its
 * other connections come from elsewhere. */
void compile_host_errors(struct plan_chain *chain, const struct network *network)
{
	struct ipaddr gateways[N_FAMILIES];
	size_t n = 0;

	if (network->has_subnet)
		gateways[n++] = network->gateway;
	if (network->has_subnet6)
		gateways[n++] = network->gateway6;
	for (size_t i = 0; i < n; i++) {
		struct plan_rule *out = chain_add_rule(chain, chain->origin);

		rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_RELATED;
		rule_add_match(out, MATCH_DADDR)->u.prefix = prefix_of_address(&gateways[i]);
		out->counter = true;
		out->verdict = VERDICT_ACCEPT;
		out->comment = "about a connection of the host with the network";
	}
}

/* ------------------------------------------------------------------ the dockside container */

/* One rule: the dockside container by every identity that is configured for the family. */
static void emit_identity(struct plan_chain *chain, const struct network *network,
			  const struct ipaddr *addr, const enum family *family, bool tcp_only)
{
	struct plan_rule *out = chain_add_rule(chain, chain->origin);

	if (addr)
		rule_add_match(out, MATCH_SADDR)->u.prefix = prefix_of_address(addr);
	else if (family)
		rule_add_match(out, MATCH_NFPROTO)->u.family = *family;
	if (network->has_dockside_mac)
		memcpy(rule_add_match(out, MATCH_ETHER_SADDR)->u.mac, network->dockside_mac, 6);
	if (tcp_only)
		rule_add_match(out, MATCH_L4PROTO)->u.l4proto = IPPROTO_TCP;
	out->counter = true;
	out->verdict = VERDICT_ACCEPT;
	out->comment = "dockside container";
}

void compile_dockside(struct plan_chain *chain, const struct network *network, bool tcp_only)
{
	static const enum family v4 = FAMILY_IPV4, v6 = FAMILY_IPV6;
	bool mac = network->has_dockside_mac;

	if (mac && !network->has_dockside_ip && !network->has_dockside_ip6) {
		emit_identity(chain, network, NULL, NULL, tcp_only);
		return;
	}
	if (network->has_dockside_ip)
		emit_identity(chain, network, &network->dockside_ip, NULL, tcp_only);
	else if (mac)
		emit_identity(chain, network, NULL, &v4, tcp_only);
	if (network->has_dockside_ip6)
		emit_identity(chain, network, &network->dockside_ip6, NULL, tcp_only);
	else if (mac)
		emit_identity(chain, network, NULL, &v6, tcp_only);
}

/* ------------------------------------------------------------------ sources */

static const struct ipaddr *dockside_address(const struct network *network, enum family family)
{
	if (family == FAMILY_IPV4)
		return network->has_dockside_ip ? &network->dockside_ip : NULL;
	return network->has_dockside_ip6 ? &network->dockside_ip6 : NULL;
}

/* A draining network may have the address of one that came into the files after it. */
static bool has_address(const struct plan_set *set, const struct ipaddr *addr)
{
	for (size_t i = 0; i < set->n_elems; i++)
		if (memcmp(set->elems[i].key, addr->b, family_bytes(addr->family)) == 0)
			return true;
	return false;
}

struct dockside_sets compile_dockside_sets(struct plan *plan, const struct policy *policy,
					   const struct origin *origin)
{
	struct dockside_sets ret = { 0 };

	for (int f = 0; f < N_FAMILIES; f++) {
		enum family family = (enum family)f;
		bool v4 = family == FAMILY_IPV4;
		struct plan_set *set;
		size_t n = 0;

		for (size_t i = 0; i < policy->n_networks; i++)
			n += dockside_address(&policy->networks[i], family) != NULL;
		if (n < 2)
			continue;
		set = plan_add_set(plan, v4 ? SET_IPV4 : SET_IPV6,
				   v4 ? "dockside-v4" : "dockside-v6", origin);
		set->comment = "the dockside container's addresses on all networks";
		for (size_t i = 0; i < policy->n_networks; i++) {
			const struct ipaddr *addr = dockside_address(&policy->networks[i], family);
			struct elem *elem;

			if (!addr || (policy->networks[i].draining && has_address(set, addr)))
				continue;
			elem = set_add_elem(set, origin);
			memcpy(elem->key, addr->b, family_bytes(family));
			memcpy(elem->last, elem->key, sizeof(elem->key));
		}
		ret.sets[family] = set;
	}
	return ret;
}

static struct plan_rule *accept_source(struct plan_chain *chain, const char *comment)
{
	struct plan_rule *out = chain_add_rule(chain, chain->origin);

	out->verdict = VERDICT_ACCEPT; /* not counted: every packet of the network comes here */
	out->comment = comment;
	return out;
}

/* Nobody's policy asks for these, so that audit mode refuses them as well. */
static void drop_forged(struct plan *plan, struct plan_chain *chain, const struct network *network,
			const struct match *match, const char *comment)
{
	struct plan_rule *out = chain_add_rule(chain, chain->origin);
	struct network enforced = *network;

	enforced.audit = false;
	if (match)
		*rule_add_match(out, match->kind) = *match;
	out->counter = true;
	out->verdict = VERDICT_DROP;
	out->comment = comment;
	compile_log_refusals(plan, chain, chain->n_rules - 1, &enforced,
			     compile_log_built_in(plan, chain, comment));
}

static const struct prefix loopback = { { FAMILY_IPV4, { 127 } }, 8 };

static void step(struct ipaddr *addr, int by)
{
	size_t i = family_bytes(addr->family);

	/* A byte that wraps carries to the one before it. */
	while (i-- > 0) {
		addr->b[i] = (uint8_t)(addr->b[i] + by);
		if (addr->b[i] != (by > 0 ? 0 : UINT8_MAX))
			return;
	}
}

/* The network's subnets, and in each the address that the bridge has. */
static size_t subnets_of(const struct network *network, struct prefix ret_subnets[N_FAMILIES],
			 struct ipaddr ret_gateways[N_FAMILIES])
{
	size_t n = 0;

	if (network->has_subnet) {
		ret_subnets[n] = network->subnet;
		ret_gateways[n++] = network->gateway;
	}
	if (network->has_subnet6) {
		ret_subnets[n] = network->subnet6;
		ret_gateways[n++] = network->gateway6;
	}
	return n;
}

/* Walks over the host's own addresses in a network's subnets, but for the gateways'. */
struct own_walk {
	const struct never *never;
	struct prefix subnets[N_FAMILIES];
	struct ipaddr gateways[N_FAMILIES];
	size_t n_subnets, subnet, addr;
};

static struct own_walk walk_own(const struct never *never, const struct network *network)
{
	struct own_walk walk = { .never = never };

	walk.n_subnets = subnets_of(network, walk.subnets, walk.gateways);
	return walk;
}

/* The next address, borrowed; NULL: no more. The addresses are sorted, and one may stand there twice. */
static const struct ipaddr *next_own(struct own_walk *walk)
{
	for (; walk->subnet < walk->n_subnets; walk->subnet++, walk->addr = 0) {
		const struct ipaddr *own;
		size_t n = never_own_in(walk->never, &walk->subnets[walk->subnet], &own);

		while (walk->addr < n) {
			size_t at = walk->addr++;

			if (ipaddr_cmp(&own[at], &walk->gateways[walk->subnet]) != 0 &&
			    (at == 0 || ipaddr_cmp(&own[at], &own[at - 1]) != 0))
				return &own[at];
		}
	}
	return NULL;
}

/* Only a host that has more addresses in the subnets than the gateways' pays for these. */
static void drop_own(struct plan *plan, struct plan_chain *chain, const struct network *network,
		     const struct never *never)
{
	struct own_walk walk = walk_own(never, network);
	const struct ipaddr *own;

	while ((own = next_own(&walk)) != NULL) {
		struct match match = { .kind = MATCH_SADDR };

		match.u.prefix = prefix_of_address(own);
		drop_forged(plan, chain, network, &match, "an address of the host");
	}
}

uint64_t compile_source_hash(uint64_t hash, const struct network *network,
			     const struct never *never)
{
	struct own_walk walk = walk_own(never, network);
	const struct ipaddr *own;

	while ((own = next_own(&walk)) != NULL)
		hash = hash64(hash, own->b, family_bytes(own->family));
	return hash;
}

/* Nearly every packet leaves here. These are the addresses of the subnet but three: its own, its
 * broadcast address, and the bridge's. A host answers a packet that has one of these as its source
 * to all neighbours, or to itself. Docker makes networks that have no others, such as a /31; there the route decides. */
static void accept_subnet(struct plan_chain *chain, const struct prefix *subnet,
			  const struct ipaddr *gateway)
{
	struct ipaddr first, last;
	struct plan_rule *out;
	struct match *match;

	prefix_range(subnet, &first, &last);
	step(&first, 1);
	if (subnet->addr.family == FAMILY_IPV4)
		step(&last, -1);
	if (ipaddr_cmp(&first, gateway) == 0)
		step(&first, 1);
	else if (ipaddr_cmp(&last, gateway) == 0)
		step(&last, -1);
	if (ipaddr_cmp(&first, &last) > 0)
		return;
	out = accept_source(chain, NULL);
	match = rule_add_match(out, MATCH_SADDR_RANGE);
	match->u.range.first = first;
	match->u.range.last = last;
	if (ipaddr_cmp(&first, gateway) < 0 && ipaddr_cmp(gateway, &last) < 0) {
		match = rule_add_match(out, MATCH_SADDR);
		match->u.prefix = prefix_of_address(gateway);
		match->negated = true;
	}
	if (subnet->addr.family == FAMILY_IPV4) {
		match = rule_add_match(out, MATCH_DADDR);
		match->u.prefix = loopback;
		match->negated = true;
	}
}

static void accept_subnets(struct plan_chain *chain, const struct network *network)
{
	struct prefix subnets[N_FAMILIES];
	struct ipaddr gateways[N_FAMILIES];
	size_t n = subnets_of(network, subnets, gateways);

	for (size_t i = 0; i < n; i++)
		accept_subnet(chain, &subnets[i], &gateways[i]);
}

/* Such messages have to come from a link-local address, so no packet from a subnet's address meets
 * these rules. A host that follows a container's advice may send it the traffic of others. */
static void drop_routers(struct plan *plan, struct plan_chain *chain, const struct network *network)
{
	static const uint8_t types[] = { ND_ROUTER_ADVERT, ND_REDIRECT };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		drop_forged(plan, chain, network,
			    &(struct match){
				    .kind = MATCH_ICMP,
				    .u.icmp = { .family = FAMILY_IPV6, .type = types[i] },
			    },
			    "a container is no router");
}

/* A host that has no address yet asks for one from the unspecified address (RFC 2131, RFC 4862). */
static void accept_unspecified(struct plan_chain *chain)
{
	static const struct prefix none4 = { { .family = FAMILY_IPV4 }, 32 },
				   none6 = { { .family = FAMILY_IPV6 }, 128 };
	struct plan_rule *out = accept_source(chain, "DHCP");
	struct match *match;

	rule_add_match(out, MATCH_SADDR)->u.prefix = none4;
	match = rule_add_match(out, MATCH_DPORT);
	match->u.dport.l4proto = IPPROTO_UDP;
	match->u.dport.range = (struct portrange){ 67, 67 };
	out = accept_source(chain, "duplicate address detection");
	rule_add_match(out, MATCH_SADDR)->u.prefix = none6;
	rule_add_match(out, MATCH_L4PROTO)->u.l4proto = IPPROTO_ICMPV6;
}

/* The dockside container answers by whichever of its networks its route leads over. */
static void accept_dockside(struct plan_chain *chain, const struct network *network,
			    const struct dockside_sets *docksides)
{
	if (!network->has_dockside_ip && !network->has_dockside_ip6 && !network->has_dockside_mac)
		return;
	for (int family = 0; family < N_FAMILIES; family++) {
		struct plan_rule *out;

		if (!docksides->sets[family])
			continue;
		out = accept_source(chain, "dockside container, by another of its networks");
		rule_add_match(out, MATCH_SADDR_SET)->u.set = docksides->sets[family];
		if (network->has_dockside_mac)
			memcpy(rule_add_match(out, MATCH_ETHER_SADDR)->u.mac, network->dockside_mac,
			       6);
	}
}

void compile_source(struct plan *plan, struct plan_chain *chain, const struct network *network,
		    const struct dockside_sets *docksides, const struct never *never)
{
	if (never)
		drop_own(plan, chain, network, never);
	accept_subnets(chain, network);
	drop_forged(plan, chain, network,
		    &(struct match){ .kind = MATCH_DADDR, .u.prefix = loopback },
		    "the host's loopback");
	drop_routers(plan, chain, network);
	accept_unspecified(chain);
	accept_dockside(chain, network, docksides);
	rule_add_match(accept_source(chain, "it routes back over the bridge"), MATCH_SOURCE_ROUTE);
	drop_forged(plan, chain, network, NULL, "its source is not of this bridge");
}
