/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Nearly every frame of a known port is its own: port, MAC and IP address are one key of a set, and one lookup in it
 * accepts the frame, another one where it leaves by a known port. A base chain and this lookup cost about 0.2 us where
 * forwarding costs 5 to 10 us. The loads of the key are most of that, so the rules ask for little else: the first
 * 32 bits of the transport header tell DHCP servers' answers, whatever the protocol. Packets with such ports, fragments
 * but the first one, and ICMPv6, which needs a look at its type, go the longer way.
 *
 * On the longer way one set has the port and the MAC address, another one the port and the IP address. `own` and `own-to`
 * accept the frames that are found in both. They would accept what `bindings4` and `bindings6` accept, too.
 *
 * `sort` gets everything else. The ports of other bridges leave there at once. A known port's frame goes to its
 * network's BIND chain, which accepts what a host may send before it has an address, and says of the rest why it is
 * refused. From any other port, whether its container is not known yet or the port itself has appeared a moment ago
 * and is in no set, nothing may be sent that is somebody's, says `strange`: a known port's, the gateway's, the dockside
 * container's. Then the network's UNBOUND chain decides about the former. The latter, ports in no set, pass: they may
 * be those of a bridge that we have nothing to do with. Where no daemon follows the ports they pass `sort` already, as
 * such a port may belong to a container that has started again, with its own addresses. Known ports of networks with a list of `extra` sources take
 * the way of unknown ones to their BIND chain, as that list does not give them what is somebody's.
 *
 * Towards a known port go frames for its MAC and IP addresses, and multicast. A bridge that does not know where a MAC
 * address is sends the frame to every port: that is no attack, so such a frame is dropped at the wrong ports
 * without a report. Towards a port whose container is not known go frames for the network's addresses, but not for
 * those that are somebody's. conntrack does not look at MAC addresses; that the IP address fits the port is what keeps a known
 * connection's packets from a third container.
 *
 * `meta protocol` is what follows one VLAN tag, of which hosts take off that with the number 0, and the headers are
 * found behind it. nft reads the EtherType itself before a match on ARP, ICMPv6 or IPv6, and finds the tag, unless
 * the rule has asked for `meta protocol` before; therefore all of ours do.
 *
 * Reports about a network's ports have its limit and are its own. Of a port in no set nobody knows whose it is:
 * these have one limit together.
 */
#include "dockside/table/compile_bind.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "compile_bind_network.h"
#include "compile_bind_strange.h"

#include "dockside/base/util.h"

#define OWN "own"
#define OWN4 "own4"
#define OWN6 "own6"
#define OWN_ICMP6 "own-icmp6"
#define OWN_ARP "own-arp"
#define SORT "sort"

/* The port, and the field, are in the set of what is its own. */
static void match_own(struct binder *b, struct plan_rule *rule, enum bound_field kind,
		      enum frame_field field)
{
	bind_match_set(rule, PORT_IN, field, b->sets->own[kind]);
}

static void match_not_icmp6(struct plan_rule *rule)
{
	struct match *match = rule_add_match(rule, MATCH_L4PROTO);

	match->u.l4proto = IPPROTO_ICMPV6;
	match->negated = true;
}

/* ------------------------------------------------------------------ sources */

/* Accepts what is surely a known port's own, or, at the other port, for it. */
static void accept_bound(struct binder *b, enum frame_port port)
{
	bool in = port == PORT_IN;
	struct plan_rule *rule = bind_add(b);

	bind_match_protocol(rule, ETHERTYPE_IP);
	if (in)
		bind_match_not_udp(rule, DHCP_SERVER, DHCP_CLIENT);
	bind_match_set(rule, port, in ? FIELD_SADDR : FIELD_DADDR, b->sets->bindings4);
	bind_accept(b, NULL);
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_IPV6);
	if (in) {
		match_not_icmp6(rule);
		bind_match_not_udp(rule, DHCP6_SERVER, DHCP6_CLIENT);
	}
	bind_match_set(rule, port, in ? FIELD_SADDR6 : FIELD_DADDR6, b->sets->bindings6);
	bind_accept(b, NULL);
}

static void emit_bind(struct binder *b)
{
	bind_begin(b, "bind", BASE_BIND, NULL);
	accept_bound(b, PORT_IN);
	match_own(b, bind_add(b), BOUND_MAC, FIELD_ETHER_SADDR);
	bind_go_to(b, OWN);
	bind_add(b);
	bind_go_to(b, SORT);
}

static void emit_own(struct binder *b)
{
	bind_begin(b, OWN, BASE_NONE, NULL);
	bind_match_protocol(bind_add(b), ETHERTYPE_IP);
	bind_go_to(b, OWN4);
	bind_match_protocol(bind_add(b), ETHERTYPE_IPV6);
	bind_go_to(b, OWN6);
	bind_match_protocol(bind_add(b), ETHERTYPE_ARP);
	bind_go_to(b, OWN_ARP);
	bind_add(b);
	bind_go_to(b, SORT);
}

/* The rule accepts; what it does not find is strange. */
static void accept_or_strange(struct binder *b)
{
	bind_accept(b, NULL);
	bind_add(b);
	bind_go_to(b, SORT);
}

static void emit_own_ip(struct binder *b)
{
	bind_begin(b, OWN4, BASE_NONE, NULL);
	bind_match_udp(bind_add(b), DHCP_SERVER, DHCP_CLIENT);
	bind_go_to(b, SORT);
	match_own(b, bind_add(b), BOUND_IPV4, FIELD_SADDR);
	accept_or_strange(b);

	bind_begin(b, OWN6, BASE_NONE, NULL);
	rule_add_match(bind_add(b), MATCH_L4PROTO)->u.l4proto = IPPROTO_ICMPV6;
	bind_go_to(b, OWN_ICMP6);
	bind_match_udp(bind_add(b), DHCP6_SERVER, DHCP6_CLIENT);
	bind_go_to(b, SORT);
	match_own(b, bind_add(b), BOUND_IPV6, FIELD_SADDR6);
	accept_or_strange(b);
}

static void emit_own_icmp6(struct binder *b)
{
	struct plan_rule *rule;

	bind_begin(b, OWN_ICMP6, BASE_NONE, NULL);
	bind_match_icmp6(bind_add(b), ND_ROUTER_ADVERT);
	bind_go_to(b, SORT);
	bind_match_icmp6(bind_add(b), ND_REDIRECT);
	bind_go_to(b, SORT);
	bind_match_icmp6(bind_add(b), MLD_LISTENER_QUERY);
	bind_go_to(b, SORT);
	bind_match_icmp6(bind_add(b), MRD_ADVERT);
	bind_go_to(b, SORT);
	/* The target may be in a later fragment, where no rule finds it. */
	bind_match_fragmented_advert(bind_add(b));
	bind_go_to(b, SORT);
	rule = bind_add(b);
	bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
	match_own(b, rule, BOUND_TARGET, FIELD_ND_TARGET);
	match_own(b, rule, BOUND_IPV6, FIELD_SADDR6);
	bind_accept(b, NULL);
	bind_match_icmp6(bind_add(b), ND_NEIGHBOR_ADVERT);
	bind_go_to(b, SORT);
	match_own(b, bind_add(b), BOUND_IPV6, FIELD_SADDR6);
	accept_or_strange(b);
}

static void emit_own_arp(struct binder *b)
{
	struct plan_rule *rule;

	bind_begin(b, OWN_ARP, BASE_NONE, NULL);
	rule = bind_add(b);
	bind_match_protocol(rule, ETHERTYPE_ARP);
	match_own(b, rule, BOUND_MAC, FIELD_ARP_SENDER_MAC);
	match_own(b, rule, BOUND_IPV4, FIELD_ARP_SENDER);
	accept_or_strange(b);
}

static void emit_strange(struct binder *b, bool followed)
{
	static const struct {
		uint16_t protocol; /* 0: any */
		enum bound_field kind;
		enum frame_field field;
		const char *comment;
	} fields[] = {
		{ 0, BOUND_MAC, FIELD_ETHER_SADDR, "MAC address of somebody else" },
		{ ETHERTYPE_ARP, BOUND_MAC, FIELD_ARP_SENDER_MAC,
		  "MAC address of somebody else in ARP" },
		{ ETHERTYPE_ARP, BOUND_IPV4, FIELD_ARP_SENDER, "address of somebody else in ARP" },
		{ ETHERTYPE_IP, BOUND_IPV4, FIELD_SADDR, "address of somebody else" },
		{ ETHERTYPE_IPV6, BOUND_IPV6, FIELD_SADDR6, "IPv6 address of somebody else" },
		{ ETHERTYPE_IPV6, BOUND_TARGET, FIELD_ND_TARGET,
		  "neighbour advertisement of somebody else's address" },
	};

	bind_begin(b, SORT, BASE_NONE, NULL);
	bind_look_up(b, b->sets->dispatch, PORT_IN);
	if (followed) {
		bind_add(b);
		bind_go_to(b, CHAIN_STRANGE);
	}

	bind_begin(b, CHAIN_STRANGE, BASE_NONE, "strange");
	bind_match_fragmented_advert(bind_add(b));
	bind_refuse(b, "neighbour advertisement in fragments");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct plan_rule *rule = bind_add(b);

		if (fields[i].field == FIELD_ND_TARGET)
			bind_match_icmp6(rule, ND_NEIGHBOR_ADVERT);
		else if (fields[i].protocol)
			bind_match_protocol(rule, fields[i].protocol);
		bind_match_not_set(rule, PORT_IN, fields[i].field, b->sets->own[fields[i].kind]);
		bind_match_set(rule, PORT_NONE, fields[i].field, b->sets->somebody[fields[i].kind]);
		bind_refuse(b, fields[i].comment);
	}
	bind_look_up(b, b->sets->dispatch_strange, PORT_IN);
}

static void emit_elsewhere(struct binder *b)
{
	bind_begin(b, CHAIN_ELSEWHERE, BASE_NONE, NULL);
	bind_add(b);
	bind_accept(b, "not bound");
}

/* ------------------------------------------------------------------ destinations */

/* The host sends to where its neighbour table and the bridge's addresses lead it, and containers can change both. */
static void emit_to(struct binder *b, const char *name, enum base_hook hook)
{
	bind_begin(b, name, hook, NULL);
	accept_bound(b, PORT_OUT);
	bind_match_set(bind_add(b), PORT_OUT, FIELD_ETHER_DADDR, b->sets->own[BOUND_MAC]);
	bind_go_to(b, CHAIN_OWN_TO);
	rule_add_match(bind_add(b), MATCH_OIFNAME_SET)->u.set = b->sets->ports;
	bind_go_to(b, CHAIN_TO_KNOWN);
	bind_look_up(b, b->sets->dispatch_to, PORT_OUT);
}

/* ------------------------------------------------------------------ the whole */

static bool any_bound(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_bound(&policy->networks[i]))
			return true;
	return false;
}

void compile_bind(const struct policy *policy, const struct ports *ports,
		  const struct plan_options *options, struct plan *ret_plan)
{
	struct binder b = { .plan = ret_plan };
	struct bind_sets sets;

	*ret_plan = (struct plan){ .family = TABLE_BRIDGE, .options = *options };
	if (!any_bound(policy)) {
		plan_finish(ret_plan);
		return;
	}
	b.origin = plan_origin(ret_plan, NULL, "built in", (struct loc){ 0 });
	sets = bind_sets_make(ret_plan, policy, ports, b.origin);
	b.sets = &sets;
	emit_bind(&b);
	emit_own(&b);
	emit_own_ip(&b);
	emit_own_icmp6(&b);
	emit_own_arp(&b);
	emit_strange(&b, ports->followed);
	emit_elsewhere(&b);
	emit_to(&b, "bind-to", BASE_BIND_TO);
	emit_to(&b, "bind-output", BASE_BIND_OUTPUT);
	compile_bind_strange(&b);
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_bound(&policy->networks[i]))
			compile_bind_network(&b, &policy->networks[i]);
	plan_add_set(ret_plan, SET_BRIDGES, FINGERPRINT_SET, b.origin)->comment =
		"what dsfw-nft loaded; not for editing";
	plan_finish(ret_plan);
}
