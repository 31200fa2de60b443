/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames come to these chains that are not plainly their port's own, or not plainly for the container behind it. See
 * compile_bind.c.
 */
#include "compile_bind_network.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>

#include "compile_log.h"

#include "dockside/base/arena.h"
#include "dockside/base/util.h"

/* linux/icmpv6.h has it, which does not go together with netinet/icmp6.h. */
#define MLD2_REPORT 143

static const struct prefix unspecified4 = { { FAMILY_IPV4, { 0 } }, 32 };
static const struct prefix unspecified6 = { { FAMILY_IPV6, { 0 } }, 128 };
static const struct prefix link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };

/* ------------------------------------------------------------------ parts of rules */

void bind_match_protocol(struct plan_rule *rule, uint16_t protocol)
{
	rule_add_match(rule, MATCH_PROTOCOL)->u.protocol = protocol;
}

void bind_match_not_protocol(struct plan_rule *rule, uint16_t protocol)
{
	struct match *match = rule_add_match(rule, MATCH_PROTOCOL);

	match->u.protocol = protocol;
	match->negated = true;
}

/* With the protocol nft does not add a look at the EtherType, which is another one where there is a VLAN tag. */
void bind_match_icmp6(struct plan_rule *rule, uint8_t type)
{
	struct match *match;

	bind_match_protocol(rule, ETHERTYPE_IPV6);
	match = rule_add_match(rule, MATCH_ICMP);
	match->u.icmp.family = FAMILY_IPV6;
	match->u.icmp.type = type;
}

static struct match *match_udp(struct plan_rule *rule, uint16_t source, uint16_t destination)
{
	struct match *match = rule_add_match(rule, MATCH_UDP_PORTS);

	match->u.udp_ports.source = source;
	match->u.udp_ports.destination = destination;
	return match;
}

void bind_match_udp(struct plan_rule *rule, uint16_t source, uint16_t destination)
{
	match_udp(rule, source, destination);
}

/* Nor other protocols' with these ports, nor packets whose ports cannot be read: that is cheaper to ask. */
void bind_match_not_udp(struct plan_rule *rule, uint16_t source, uint16_t destination)
{
	match_udp(rule, source, destination)->negated = true;
}

void bind_match_fragmented_advert(struct plan_rule *rule)
{
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	rule_add_match(rule, MATCH_FRAGMENT);
}

static struct match *match_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
			       const struct plan_set *set)
{
	struct match *match = rule_add_match(rule, MATCH_FIELD_SET);

	match->u.field_set.port = port;
	match->u.field_set.field = field;
	match->u.field_set.set = set;
	return match;
}

void bind_match_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
		    const struct plan_set *set)
{
	match_set(rule, port, field, set);
}

void bind_match_not_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
			const struct plan_set *set)
{
	match_set(rule, port, field, set)->negated = true;
}

void bind_match_prefix(struct plan_rule *rule, enum frame_field field, const struct prefix *prefix)
{
	struct match *match = rule_add_match(rule, MATCH_FIELD_PREFIX);

	match->u.field_prefix.field = field;
	match->u.field_prefix.prefix = *prefix;
}

static void match_not_prefix(struct plan_rule *rule, enum frame_field field,
			     const struct prefix *prefix)
{
	bind_match_prefix(rule, field, prefix);
	rule->matches[rule->n_matches - 1].negated = true;
}

void bind_accept(struct plan_chain *chain, const char *comment)
{
	struct plan_rule *rule = &chain->rules[chain->n_rules - 1];

	rule->verdict = VERDICT_ACCEPT;
	rule->comment = comment;
}

/* Audit mode is about the policy of a network. Nobody's policy asks for these frames. */
void bind_refuse(struct plan *plan, struct plan_chain *chain, const char *comment)
{
	static const struct network enforced;
	struct plan_rule *rule = &chain->rules[chain->n_rules - 1];

	rule->counter = true;
	rule->verdict = VERDICT_DROP;
	rule->comment = comment;
	compile_log_refusals(plan, chain, chain->n_rules - 1, &enforced,
			     compile_log_built_in(plan, chain, comment));
}

/* ------------------------------------------------------------------ chains */

struct binder {
	struct plan *plan;
	const struct bind_sets *sets;
	const struct network *network;
	const struct origin *origin;
	struct extra_sets extra;
	struct plan_chain *chain; /* being made */
};

static struct plan_rule *add_rule(struct binder *b)
{
	return chain_add_rule(b->chain, b->origin);
}

static void accept_last(struct binder *b, const char *comment)
{
	bind_accept(b->chain, comment);
}

static void refuse(struct binder *b, const char *comment)
{
	bind_refuse(b->plan, b->chain, comment);
}

static void begin_chain(struct binder *b, const char *kind)
{
	b->chain = plan_add_chain(
		b->plan, plan_chain_name(&b->plan->arena, b->network->bridge, kind), b->origin);
	b->chain->bridge = b->network->bridge;
	b->chain->kind = kind;
}

/* From any address. The protocol of a frame with two tags is the second tag. */
static void refuse_kinds(struct binder *b)
{
	struct plan_rule *rule = add_rule(b);

	bind_match_not_protocol(rule, ETHERTYPE_IP);
	bind_match_not_protocol(rule, ETHERTYPE_IPV6);
	bind_match_not_protocol(rule, ETHERTYPE_ARP);
	refuse(b, "neither IP nor ARP, or with more than one VLAN tag");
	bind_match_icmp6(add_rule(b), ND_ROUTER_ADVERT);
	refuse(b, "router advertisement");
	bind_match_icmp6(add_rule(b), ND_REDIRECT);
	refuse(b, "redirect");
	bind_match_icmp6(add_rule(b), MLD_LISTENER_QUERY);
	refuse(b, "query of a multicast router");
	bind_match_icmp6(add_rule(b), MRD_ADVERT);
	refuse(b, "advertisement of a multicast router");
	bind_match_fragmented_advert(add_rule(b));
	refuse(b, "neighbour advertisement in fragments");
	rule = add_rule(b);
	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_udp(rule, DHCP_SERVER, DHCP_CLIENT);
	refuse(b, "DHCP server");
	rule = add_rule(b);
	bind_match_protocol(rule, ETHERTYPE_IPV6);
	bind_match_udp(rule, DHCP6_SERVER, DHCP6_CLIENT);
	refuse(b, "DHCPv6 server");
}

/*
 * A host asks whether it may have an address before it has one. Asking for somebody else's keeps that one from
 * getting it: a known port asks for its own or one of `extra`, an unknown one for nobody's.
 */
static void match_asked(struct binder *b, struct plan_rule *rule, bool known, enum bound_field kind,
			enum frame_field field)
{
	if (known)
		bind_match_set(rule, PORT_IN, field, b->sets->own[kind]);
	else
		bind_match_not_set(rule, PORT_NONE, field, b->sets->somebody[kind]);
}

static void match_arp_probe(struct plan_rule *rule)
{
	bind_match_protocol(rule, ETHERTYPE_ARP);
	bind_match_prefix(rule, FIELD_ARP_SENDER, &unspecified4);
}

static void accept_unspecified(struct binder *b, bool known)
{
	struct plan_rule *rule = add_rule(b);

	match_arp_probe(rule);
	match_asked(b, rule, known, BOUND_IPV4, FIELD_ARP_TARGET);
	accept_last(b, "ARP probe");
	if (known && b->extra.sets[BOUND_IPV4]) {
		rule = add_rule(b);
		match_arp_probe(rule);
		bind_match_set(rule, PORT_NONE, FIELD_ARP_TARGET, b->extra.sets[BOUND_IPV4]);
		accept_last(b, "ARP probe");
	}
	rule = add_rule(b);
	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_prefix(rule, FIELD_SADDR, &unspecified4);
	bind_match_udp(rule, DHCP_CLIENT, DHCP_SERVER);
	accept_last(b, "DHCP");
}

static void accept_icmp6_from(struct binder *b, const struct prefix *source, uint8_t type,
			      const char *comment)
{
	struct plan_rule *rule = add_rule(b);

	bind_match_icmp6(rule, type);
	bind_match_prefix(rule, FIELD_SADDR6, source);
	accept_last(b, comment);
}

static void match_dad(struct plan_rule *rule)
{
	bind_match_icmp6(rule, ND_NEIGHBOR_SOLICIT);
	bind_match_prefix(rule, FIELD_SADDR6, &unspecified6);
}

/* A host without an address asks whether it may have one, for a router, and for groups (RFC 4862, RFC 4861, RFC 3590). */
static void accept_unspecified6(struct binder *b, bool known)
{
	struct plan_rule *rule = add_rule(b);

	match_dad(rule);
	match_asked(b, rule, known, BOUND_TARGET, FIELD_ND_TARGET);
	accept_last(b, "duplicate address detection");
	if (known && b->extra.sets[BOUND_TARGET]) {
		rule = add_rule(b);
		match_dad(rule);
		bind_match_set(rule, PORT_NONE, FIELD_ND_TARGET, b->extra.sets[BOUND_TARGET]);
		accept_last(b, "duplicate address detection");
	}
	accept_icmp6_from(b, &unspecified6, ND_ROUTER_SOLICIT, "router solicitation");
	accept_icmp6_from(b, &unspecified6, MLD2_REPORT, "multicast listener");
	accept_icmp6_from(b, &unspecified6, MLD_LISTENER_REPORT, "multicast listener");
}

/* ------------------------------------------------------------------ known ports */

/* The field is neither the port's own nor one of `extra`. */
static void match_foreign(struct binder *b, struct plan_rule *rule, enum bound_field kind,
			  enum frame_field field)
{
	bind_match_not_set(rule, PORT_IN, field, b->sets->own[kind]);
	if (b->extra.sets[kind])
		bind_match_not_set(rule, PORT_NONE, field, b->extra.sets[kind]);
}

static const struct {
	uint16_t protocol;
	enum bound_field kind;
	enum frame_field field;
} sources[] = {
	{ ETHERTYPE_ARP, BOUND_IPV4, FIELD_ARP_SENDER },
	{ ETHERTYPE_IP, BOUND_IPV4, FIELD_SADDR },
	{ ETHERTYPE_IPV6, BOUND_IPV6, FIELD_SADDR6 },
};

static void accept_extra(struct binder *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const struct plan_set *set = b->extra.sets[sources[i].kind];
		struct plan_rule *rule;

		if (!set)
			continue;
		rule = add_rule(b);
		bind_match_protocol(rule, sources[i].protocol);
		bind_match_set(rule, PORT_NONE, sources[i].field, set);
		accept_last(b, "extra");
	}
}

/* An additional MAC address may go with the port's own addresses. */
static void accept_own(struct binder *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		struct plan_rule *rule = add_rule(b);

		bind_match_protocol(rule, sources[i].protocol);
		bind_match_set(rule, PORT_IN, sources[i].field, b->sets->own[sources[i].kind]);
		accept_last(b, "the container's own");
	}
}

static void emit_known(struct binder *b)
{
	struct plan_rule *rule;

	begin_chain(b, BIND_KNOWN);
	refuse_kinds(b);
	match_foreign(b, add_rule(b), BOUND_MAC, FIELD_ETHER_SADDR);
	refuse(b, "not the container's MAC address");
	rule = add_rule(b);
	bind_match_protocol(rule, ETHERTYPE_ARP);
	match_foreign(b, rule, BOUND_MAC, FIELD_ARP_SENDER_MAC);
	refuse(b, "not the container's MAC address in ARP");
	rule = add_rule(b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	match_foreign(b, rule, BOUND_TARGET, FIELD_ND_TARGET);
	refuse(b, "neighbour advertisement of an address that is not the container's");
	accept_unspecified(b, true);
	accept_unspecified6(b, true);
	accept_extra(b);
	if (b->extra.sets[BOUND_MAC])
		accept_own(b);
	rule = add_rule(b);
	bind_match_protocol(rule, ETHERTYPE_ARP);
	refuse(b, "not the container's address in ARP");
	add_rule(b);
	refuse(b, "not the container's address");
}

/* ------------------------------------------------------------------ ports that are not known */

/* Nobody knows the subnet of a network whose policy is lost. */
static bool is_strict(const struct network *network)
{
	return network->bind == BIND_STRICT || network->closed;
}

static void accept_prefix(struct binder *b, uint16_t protocol, enum frame_field field,
			  const struct prefix *prefix, const char *comment)
{
	struct plan_rule *rule = add_rule(b);

	bind_match_protocol(rule, protocol);
	bind_match_prefix(rule, field, prefix);
	accept_last(b, comment);
}

/* A Docker network may have an IPv6 subnet that the configuration does not name. */
static bool is_any6(const struct network *network)
{
	return !is_strict(network) && !network->has_subnet6;
}

static void refuse_targets(struct binder *b)
{
	struct plan_rule *rule;

	if (is_any6(b->network))
		return;
	rule = add_rule(b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	if (!is_strict(b->network)) {
		match_not_prefix(rule, FIELD_ND_TARGET, &link_local);
		match_not_prefix(rule, FIELD_ND_TARGET, &b->network->subnet6);
	}
	if (b->extra.sets[BOUND_TARGET])
		bind_match_not_set(rule, PORT_NONE, FIELD_ND_TARGET, b->extra.sets[BOUND_TARGET]);
	refuse(b, is_strict(b->network)
			  ? "neighbour advertisement of a port whose container is not known"
			  : "neighbour advertisement of an address that is not the network's");
}

static void accept_subnet6(struct binder *b, enum frame_field field)
{
	if (is_any6(b->network)) {
		/* Table inet dockside asks the routes whether the source is on this bridge. */
		bind_match_protocol(add_rule(b), ETHERTYPE_IPV6);
		accept_last(b, "the configuration names no IPv6 subnet");
	} else {
		accept_prefix(b, ETHERTYPE_IPV6, field, &b->network->subnet6, "the subnet's");
	}
}

static void accept_subnets(struct binder *b)
{
	accept_prefix(b, ETHERTYPE_ARP, FIELD_ARP_SENDER, &b->network->subnet, "the subnet's");
	accept_prefix(b, ETHERTYPE_IP, FIELD_SADDR, &b->network->subnet, "the subnet's");
	accept_subnet6(b, FIELD_SADDR6);
	if (!is_any6(b->network))
		accept_prefix(b, ETHERTYPE_IPV6, FIELD_SADDR6, &link_local, "link-local");
}

static void emit_unknown(struct binder *b)
{
	begin_chain(b, BIND_UNKNOWN);
	refuse_kinds(b);
	refuse_targets(b);
	accept_unspecified(b, false);
	accept_unspecified6(b, false);
	accept_extra(b);
	if (is_strict(b->network)) {
		accept_icmp6_from(b, &link_local, ND_NEIGHBOR_SOLICIT, "neighbour discovery");
		accept_icmp6_from(b, &link_local, MLD2_REPORT, "multicast listener");
		accept_icmp6_from(b, &link_local, MLD_LISTENER_REPORT, "multicast listener");
		add_rule(b);
		refuse(b, "the container of this port is not known");
		return;
	}
	accept_subnets(b);
	add_rule(b);
	refuse(b, "not an address of the network");
}

/* ------------------------------------------------------------------ to a port */

void bind_accept_to_groups(struct plan_chain *chain, const struct bind_sets *sets,
			   const struct origin *origin)
{
	static const struct {
		enum frame_field field;
		struct prefix prefix;
		const char *comment;
	} groups[] = {
		{ FIELD_DADDR, { { FAMILY_IPV4, { 224 } }, 4 }, "multicast" },
		{ FIELD_DADDR, { { FAMILY_IPV4, { 255, 255, 255, 255 } }, 32 }, "broadcast" },
		{ FIELD_DADDR6, { { FAMILY_IPV6, { 0xff } }, 8 }, "multicast" },
	};
	struct plan_rule *rule;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		rule = chain_add_rule(chain, origin);
		bind_match_protocol(rule, groups[i].prefix.addr.family == FAMILY_IPV4
						  ? ETHERTYPE_IP
						  : ETHERTYPE_IPV6);
		bind_match_prefix(rule, groups[i].field, &groups[i].prefix);
		bind_accept(chain, groups[i].comment);
	}
	rule = chain_add_rule(chain, origin);
	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_set(rule, PORT_NONE, FIELD_DADDR, sets->broadcasts);
	bind_accept(chain, "broadcast");
}

static const struct {
	uint16_t protocol;
	enum bound_field kind;
	enum frame_field field;
} destinations[] = {
	{ ETHERTYPE_IP, BOUND_IPV4, FIELD_DADDR },
	{ ETHERTYPE_IPV6, BOUND_IPV6, FIELD_DADDR6 },
};

static void accept_to_extra(struct binder *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		const struct plan_set *set = b->extra.sets[destinations[i].kind];
		struct plan_rule *rule;

		if (!set)
			continue;
		rule = add_rule(b);
		bind_match_protocol(rule, destinations[i].protocol);
		bind_match_set(rule, PORT_NONE, destinations[i].field, set);
		accept_last(b, "extra");
	}
}

static void emit_to(struct binder *b)
{
	begin_chain(b, BIND_TO);
	accept_to_extra(b);
	add_rule(b);
	refuse(b, "not for the container of this port");
}

/* Frames for somebody who is not (as of several ports with the dockside container's MAC address) at this port. */
static void refuse_to_somebody(struct binder *b)
{
	struct plan_rule *rule = add_rule(b);

	bind_match_not_set(rule, PORT_OUT, FIELD_ETHER_DADDR, b->sets->own[BOUND_MAC]);
	bind_match_set(rule, PORT_NONE, FIELD_ETHER_DADDR, b->sets->somebody[BOUND_MAC]);
	rule->counter = true;
	rule->verdict = VERDICT_DROP;
	rule->comment = "for another port: the bridge sends it to all";
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		enum bound_field kind = destinations[i].kind;

		rule = add_rule(b);
		bind_match_protocol(rule, destinations[i].protocol);
		bind_match_not_set(rule, PORT_OUT, destinations[i].field, b->sets->own[kind]);
		bind_match_set(rule, PORT_NONE, destinations[i].field, b->sets->somebody[kind]);
		refuse(b, "for somebody else");
	}
}

static void emit_to_unknown(struct binder *b)
{
	begin_chain(b, BIND_TO_UNKNOWN);
	refuse_to_somebody(b);
	bind_match_protocol(add_rule(b), ETHERTYPE_ARP);
	accept_last(b, NULL);
	bind_accept_to_groups(b->chain, b->sets, b->origin);
	accept_prefix(b, ETHERTYPE_IPV6, FIELD_DADDR6, &link_local, "link-local");
	accept_to_extra(b);
	if (!is_strict(b->network)) {
		accept_prefix(b, ETHERTYPE_IP, FIELD_DADDR, &b->network->subnet, "the subnet's");
		accept_subnet6(b, FIELD_DADDR6);
	}
	add_rule(b);
	refuse(b, "not for an address of the network");
}

void compile_bind_network(struct plan *plan, const struct bind_sets *sets,
			  const struct network *network)
{
	const struct origin *origin = plan_origin(
		plan, NULL, arena_printf(&plan->arena, "network %s", network->name), network->loc);
	struct binder b = { .plan = plan,
			    .sets = sets,
			    .network = network,
			    .origin = origin,
			    .extra = bind_extra_sets(plan, network, origin) };

	emit_known(&b);
	emit_unknown(&b);
	emit_to(&b);
	emit_to_unknown(&b);
}
