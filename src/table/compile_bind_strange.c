/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames come to these chains that are not plainly their port's own, or not plainly for the container behind it. See
 * compile_bind.c. All networks share them, as they are most of the rules; a network has chains of its own for what
 * only it allows (compile_bind_network.c), and these end in the ones that refuse here.
 */
#include "compile_bind_strange.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>

#include "dockside/base/util.h"

/* From any address. The protocol of a frame with two tags is the second tag. */
static void refuse_kinds(struct binder *b)
{
	struct plan_rule *rule = bind_add(b);

	bind_match_not_protocol(rule, ETHERTYPE_IP);
	bind_match_not_protocol(rule, ETHERTYPE_IPV6);
	bind_match_not_protocol(rule, ETHERTYPE_ARP);
	bind_refuse(b, "neither IP nor ARP, or with more than one VLAN tag");
	bind_match_icmp6(bind_add(b), ND_ROUTER_ADVERT);
	bind_refuse(b, "router advertisement");
	bind_match_icmp6(bind_add(b), ND_REDIRECT);
	bind_refuse(b, "redirect");
	bind_match_icmp6(bind_add(b), MLD_LISTENER_QUERY);
	bind_refuse(b, "query of a multicast router");
	bind_match_icmp6(bind_add(b), MRD_ADVERT);
	bind_refuse(b, "advertisement of a multicast router");
	bind_match_fragmented_advert(bind_add(b));
	bind_refuse(b, "neighbour advertisement in fragments");
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_udp(rule, DHCP_SERVER, DHCP_CLIENT);
	bind_refuse(b, "DHCP server");
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_IPV6);
	bind_match_udp(rule, DHCP6_SERVER, DHCP6_CLIENT);
	bind_refuse(b, "DHCPv6 server");
}

/* ------------------------------------------------------------------ from a known port */

static void match_not_own(struct binder *b, struct plan_rule *rule, enum bound_field kind,
			  enum frame_field field)
{
	bind_match_not_set(rule, PORT_IN, field, b->sets->own[kind]);
}

static void emit_known(struct binder *b)
{
	struct plan_rule *rule;

	bind_begin(b, CHAIN_KNOWN, BASE_NONE, "BIND");
	refuse_kinds(b);
	if (b->sets->dispatch_extra)
		bind_look_up(b, b->sets->dispatch_extra, PORT_IN);
	bind_add(b);
	bind_go_to(b, CHAIN_NOT_OWN);

	bind_begin(b, CHAIN_NOT_OWN, BASE_NONE, "BIND");
	match_not_own(b, bind_add(b), BOUND_MAC, FIELD_ETHER_SADDR);
	bind_refuse(b, "not the container's MAC address");
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_ARP);
	match_not_own(b, rule, BOUND_MAC, FIELD_ARP_SENDER_MAC);
	bind_refuse(b, "not the container's MAC address in ARP");
	rule = bind_add(b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	match_not_own(b, rule, BOUND_TARGET, FIELD_ND_TARGET);
	bind_refuse(b, "neighbour advertisement of an address that is not the container's");
	bind_accept_asked(b, &(struct asked){ .negated = false });
	bind_accept_unspecified(b);
	bind_match_protocol(bind_add(b), ETHERTYPE_ARP);
	bind_refuse(b, "not the container's address in ARP");
	bind_add(b);
	bind_refuse(b, "not the container's address");
}

/* ------------------------------------------------------------------ from a port that is not known */

static void emit_unknown(struct binder *b)
{
	bind_begin(b, CHAIN_UNKNOWN, BASE_NONE, "UNBOUND");
	refuse_kinds(b);
	bind_accept_asked(b, &(struct asked){ .negated = true });
	bind_accept_unspecified(b);
	bind_look_up(b, b->sets->dispatch_unbound, PORT_IN);
	bind_add(b);
	bind_go_to(b, CHAIN_NOT_NET);

	bind_begin(b, CHAIN_NOT_NET, BASE_NONE, "UNBOUND");
	bind_match_icmp6(bind_add(b), ND_NEIGHBOR_ADVERT);
	bind_refuse(b, "neighbour advertisement of an address that is not the network's");
	bind_add(b);
	bind_refuse(b, "not an address of the network");

	bind_begin(b, CHAIN_STRICT, BASE_NONE, "UNBOUND");
	bind_accept_link_local(b);
	bind_add(b);
	bind_refuse(b, "the container of this port is not known");
}

/* ------------------------------------------------------------------ to a port */

static void accept_own(struct binder *b)
{
	bind_match_set(bind_add(b), PORT_OUT, FIELD_DADDR, b->sets->own[BOUND_IPV4]);
	bind_accept(b, NULL);
	bind_match_set(bind_add(b), PORT_OUT, FIELD_DADDR6, b->sets->own[BOUND_IPV6]);
	bind_accept(b, NULL);
	bind_match_protocol(bind_add(b), ETHERTYPE_ARP);
	bind_accept(b, NULL);
}

static void accept_groups(struct binder *b)
{
	static const struct prefix multicast4 = { { FAMILY_IPV4, { 224 } }, 4 },
				   broadcast = { { FAMILY_IPV4, { 255, 255, 255, 255 } }, 32 },
				   multicast6 = { { FAMILY_IPV6, { 0xff } }, 8 };
	struct plan_rule *rule;

	bind_accept_prefix(b, ETHERTYPE_IP, FIELD_DADDR, &multicast4, "multicast");
	bind_accept_prefix(b, ETHERTYPE_IP, FIELD_DADDR, &broadcast, "broadcast");
	bind_accept_prefix(b, ETHERTYPE_IPV6, FIELD_DADDR6, &multicast6, "multicast");
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_IP);
	bind_match_set(rule, PORT_NONE, FIELD_DADDR, b->sets->broadcasts);
	bind_accept(b, "broadcast");
}

static const char flooded[] = "for another port: the bridge sends it to all";

static void emit_to_known(struct binder *b)
{
	struct plan_rule *rule;

	/* A port that is not known may be the dockside container's, for want of an answer. */
	bind_begin(b, CHAIN_OWN_TO, BASE_NONE, NULL);
	accept_own(b);
	rule_add_match(bind_add(b), MATCH_OIFNAME_SET)->u.set = b->sets->ports;
	bind_go_to(b, CHAIN_TO_KNOWN);
	bind_look_up(b, b->sets->dispatch_to, PORT_OUT);

	bind_begin(b, CHAIN_TO_KNOWN, BASE_NONE, "BINDTO");
	rule = bind_add(b);
	rule_add_match(rule, MATCH_UNICAST);
	bind_match_not_set(rule, PORT_OUT, FIELD_ETHER_DADDR, b->sets->own[BOUND_MAC]);
	if (b->sets->extra_macs)
		bind_match_not_set(rule, PORT_NONE, FIELD_ETHER_DADDR, b->sets->extra_macs);
	bind_drop(b, flooded);
	accept_own(b);
	accept_groups(b);
	bind_look_up(b, b->sets->dispatch_to, PORT_OUT);
	bind_add(b);
	bind_go_to(b, CHAIN_NOT_TO);

	bind_begin(b, CHAIN_NOT_TO, BASE_NONE, "BINDTO");
	bind_add(b);
	bind_refuse(b, "not for the container of this port");
}

/* Frames for somebody who is not (as of several ports with the dockside container's MAC address) at this port. */
static void refuse_to_somebody(struct binder *b)
{
	static const struct {
		uint16_t protocol;
		enum bound_field kind;
		enum frame_field field;
		const char *comment;
	} destinations[] = {
		{ ETHERTYPE_IP, BOUND_IPV4, FIELD_DADDR, "for somebody else" },
		{ ETHERTYPE_IPV6, BOUND_IPV6, FIELD_DADDR6, "for somebody else, IPv6" },
	};
	struct plan_rule *rule = bind_add(b);

	bind_match_not_set(rule, PORT_OUT, FIELD_ETHER_DADDR, b->sets->own[BOUND_MAC]);
	bind_match_set(rule, PORT_NONE, FIELD_ETHER_DADDR, b->sets->somebody[BOUND_MAC]);
	bind_drop(b, flooded);
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		enum bound_field kind = destinations[i].kind;

		rule = bind_add(b);
		bind_match_protocol(rule, destinations[i].protocol);
		bind_match_not_set(rule, PORT_OUT, destinations[i].field, b->sets->own[kind]);
		bind_match_set(rule, PORT_NONE, destinations[i].field, b->sets->somebody[kind]);
		bind_refuse(b, destinations[i].comment);
	}
}

static void emit_to_unknown(struct binder *b)
{
	bind_begin(b, CHAIN_TO_UNKNOWN, BASE_NONE, "UNBOUNDTO");
	refuse_to_somebody(b);
	bind_match_protocol(bind_add(b), ETHERTYPE_ARP);
	bind_accept(b, NULL);
	accept_groups(b);
	bind_accept_prefix(b, ETHERTYPE_IPV6, FIELD_DADDR6, &bind_link_local, "link-local");
	bind_look_up(b, b->sets->dispatch_unbound_to, PORT_OUT);
	bind_add(b);
	bind_go_to(b, CHAIN_NOT_TO_NET);

	bind_begin(b, CHAIN_NOT_TO_NET, BASE_NONE, "UNBOUNDTO");
	bind_add(b);
	bind_refuse(b, "not for an address of the network");
}

void compile_bind_strange(struct binder *b)
{
	emit_known(b);
	emit_unknown(b);
	emit_to_known(b);
	emit_to_unknown(b);
}
