/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compile_bind_parts.h"

#include <net/ethernet.h>
#include <netinet/in.h>

#include "compile_log.h"

#include "dockside/base/icmp6.h"
#include "dockside/base/util.h"

const struct prefix bind_link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };
static const struct prefix unspecified4 = { { FAMILY_IPV4, { 0 } }, 32 };
static const struct prefix unspecified6 = { { FAMILY_IPV6, { 0 } }, 128 };

/* ------------------------------------------------------------------ matches */

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

/* The rule leaves out more than UDP: every packet with these ports, whatever its protocol, and every packet whose ports nobody
 * can read. This costs less than a question that is exact. */
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

void bind_match_not_prefix(struct plan_rule *rule, enum frame_field field,
			   const struct prefix *prefix)
{
	bind_match_prefix(rule, field, prefix);
	rule->matches[rule->n_matches - 1].negated = true;
}

/* ------------------------------------------------------------------ chains */

void bind_begin(struct binder *b, const char *name, enum base_hook hook, const char *log_kind)
{
	b->chain = plan_add_chain(b->plan, name, b->origin);
	b->chain->hook = hook;
	b->chain->log_kind = log_kind;
}

struct plan_rule *bind_add(struct binder *b)
{
	return chain_add_rule(b->chain, b->origin);
}

static struct plan_rule *last_rule(struct binder *b)
{
	return &b->chain->rules[b->chain->n_rules - 1];
}

void bind_go_to(struct binder *b, const char *chain)
{
	last_rule(b)->verdict = VERDICT_GOTO;
	last_rule(b)->target = chain;
}

void bind_look_up(struct binder *b, const struct plan_set *map, enum frame_port port)
{
	struct plan_rule *rule = bind_add(b);

	rule->verdict = VERDICT_VMAP;
	rule->set = map;
	rule->outgoing = port == PORT_OUT;
}

void bind_accept(struct binder *b, const char *comment)
{
	last_rule(b)->verdict = VERDICT_ACCEPT;
	last_rule(b)->comment = comment;
}

void bind_drop(struct binder *b, const char *comment)
{
	last_rule(b)->counter = true;
	last_rule(b)->verdict = VERDICT_DROP;
	last_rule(b)->comment = comment;
}

/* Audit mode is about the policy of a network. Nobody's policy asks for these frames. */
void bind_refuse(struct binder *b, const char *comment)
{
	static const struct network enforced;

	bind_drop(b, comment);
	compile_log_refusals(b->plan, b->chain, b->chain->n_rules - 1, &enforced,
			     compile_log_built_in(b->plan, b->chain, comment));
}

void bind_accept_prefix(struct binder *b, uint16_t protocol, enum frame_field field,
			const struct prefix *prefix, const char *comment)
{
	struct plan_rule *rule = bind_add(b);

	bind_match_protocol(rule, protocol);
	bind_match_prefix(rule, field, prefix);
	bind_accept(b, comment);
}

/* ------------------------------------------------------------------ before a host has an address */

static void match_asked(struct binder *b, struct plan_rule *rule, const struct asked *asked,
			enum bound_field kind, enum frame_field field)
{
	if (asked->negated)
		bind_match_not_set(rule, PORT_NONE, field, b->sets->somebody[kind]);
	else if (asked->extra)
		bind_match_set(rule, PORT_NONE, field, asked->extra->sets[kind]);
	else
		bind_match_set(rule, PORT_IN, field, b->sets->own[kind]);
}

void bind_accept_asked(struct binder *b, const struct asked *asked)
{
	struct plan_rule *rule;

	if (!asked->extra || asked->extra->sets[BOUND_IPV4]) {
		rule = bind_add(b);
		bind_match_protocol(rule, ETHERTYPE_ARP);
		bind_match_prefix(rule, FIELD_ARP_SENDER, &unspecified4);
		match_asked(b, rule, asked, BOUND_IPV4, FIELD_ARP_TARGET);
		bind_accept(b, "ARP probe");
	}
	if (!asked->extra || asked->extra->sets[BOUND_TARGET]) {
		rule = bind_add(b);
		bind_match_icmp6(rule, ND_NEIGHBOR_SOLICIT);
		bind_match_prefix(rule, FIELD_SADDR6, &unspecified6);
		match_asked(b, rule, asked, BOUND_TARGET, FIELD_ND_TARGET);
		bind_accept(b, "duplicate address detection");
	}
}

static void accept_icmp6_from(struct binder *b, const struct prefix *source, uint8_t type,
			      const char *comment)
{
	struct plan_rule *rule = bind_add(b);

	bind_match_icmp6(rule, type);
	bind_match_prefix(rule, FIELD_SADDR6, source);
	bind_accept(b, comment);
}

static void accept_listener(struct binder *b, const struct prefix *source)
{
	accept_icmp6_from(b, source, MLD2_REPORT, "multicast listener");
	accept_icmp6_from(b, source, MLD_LISTENER_REPORT, "multicast listener");
}

void bind_accept_unspecified(struct binder *b)
{
	struct plan_rule *rule = bind_add(b);

	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_prefix(rule, FIELD_SADDR, &unspecified4);
	bind_match_udp(rule, DHCP_CLIENT, DHCP_SERVER);
	bind_accept(b, "DHCP");
	accept_icmp6_from(b, &unspecified6, ND_ROUTER_SOLICIT, "router solicitation");
	accept_listener(b, &unspecified6);
}

void bind_accept_link_local(struct binder *b)
{
	accept_icmp6_from(b, &bind_link_local, ND_NEIGHBOR_SOLICIT, "neighbour discovery");
	accept_listener(b, &bind_link_local);
}
