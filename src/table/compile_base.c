/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compile_base.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"

struct base {
	struct plan *plan;
	const struct origin *built_in;
	struct base_chains chains;
};

static struct plan_chain *base_chain(struct base *c, const char *name, enum base_hook hook)
{
	struct plan_chain *chain = plan_add_chain(c->plan, name, c->built_in);

	chain->hook = hook;
	return chain;
}

static struct plan_rule *emit_dispatch(struct base *c, struct plan_chain *chain,
				       struct plan_set *map)
{
	struct plan_rule *out = chain_add_rule(chain, c->built_in);

	out->verdict = VERDICT_VMAP;
	out->set = map;
	return out;
}

static struct plan_set *dispatch_map(struct base *c, const char *name)
{
	return plan_add_set(c->plan, MAP_DISPATCH, name, c->built_in);
}

static void emit_lookups(struct base *c, struct plan_chain *chain)
{
	struct plan_rule *out;

	if (c->plan->options.log_group == 0)
		return;
	c->chains.lookups = plan_add_set(c->plan, SET_BRIDGES, LOOKUPS_SET, c->built_in);
	c->chains.lookups->limit = true;
	c->chains.lookups->comment = "bridges whose DNS replies the daemon hears";
	out = chain_add_rule(chain, c->built_in);
	rule_add_match(out, MATCH_DNS_REPLY);
	rule_add_match(out, MATCH_OIFNAME_SET)->u.set = c->chains.lookups;
	out->verdict = VERDICT_COPY;
	out->log = LOOKUPS_PREFIX;
	out->log_group = c->plan->options.log_group;
}

/*
 * Before known connections pass: one that is older than the gate goes on to the server that it was opened to. Of other
 * packets we ask for no more than one number. Chain DNS looks whether it is TCP's or UDP's.
 */
static void emit_forward_dns(struct base *c, struct plan_chain *chain)
{
	static const uint16_t ports[] = { PORT_DNS, PORT_DNS_TLS };

	c->chains.dispatch_dns = dispatch_map(c, "dispatch-dns");
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct plan_rule *out = emit_dispatch(c, chain, c->chains.dispatch_dns);

		rule_add_match(out, MATCH_TRANSPORT_PORT)->u.port = ports[i];
		out->mark = c->plan->options.mark_bit;
	}
}

static void emit_forward(struct base *c, struct base_needs needs)
{
	struct plan_chain *chain = base_chain(c, "forward", BASE_FORWARD);
	struct plan_rule *out;

	if (needs.lookups)
		emit_lookups(c, chain);
	if (needs.gate)
		emit_forward_dns(c, chain);
	out = chain_add_rule(chain, c->built_in);
	rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_ESTABLISHED;
	out->mark = c->plan->options.mark_bit;
	out->counter = true;
	out->verdict = VERDICT_ACCEPT;
	c->chains.dispatch = dispatch_map(c, "dispatch");
	emit_dispatch(c, chain, c->chains.dispatch)->mark = c->plan->options.mark_bit;
	out = chain_add_rule(chain, c->built_in);
	out->unmark = c->plan->options.mark_bit;
	out->verdict = VERDICT_CONTINUE;
	out->comment = "from no managed network";
}

/* Labels the connection as one that no container has opened. */
static struct plan_rule *emit_from_elsewhere(struct base *c, struct plan_chain *chain)
{
	struct plan_rule *out = chain_add_rule(chain, c->built_in);

	rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_NEW;
	out->judged = true;
	out->verdict = VERDICT_CONTINUE;
	return out;
}

/*
 * The proof of judgement is for the shim alone, whose chain is between forward and this one: a mark leaves as it
 * came, and what others save of it with the connection does not hold our bit.
 *
 * Marked packets are of known connections, or judged. The rest comes from no container. If one of them goes to a
 * container, and Docker lets it pass, its connection gets the label: after a time without our table, connections
 * without a label were opened meanwhile. A container whose bridge somebody takes out of the dispatch must not
 * get labels: that is why the bridges are in a set as well.
 */
static void emit_forward_end(struct base *c)
{
	struct plan_chain *chain = base_chain(c, "forward-end", BASE_FORWARD_END);
	struct plan_rule *out = chain_add_rule(chain, c->built_in);
	struct match *match;

	rule_add_match(out, MATCH_MARK)->u.mark = c->plan->options.mark_bit;
	out->unmark = c->plan->options.mark_bit;
	out->verdict = VERDICT_ACCEPT;
	out = emit_from_elsewhere(c, chain);
	rule_add_match(out, MATCH_OIFNAME_SET)->u.set = c->chains.managed;
	match = rule_add_match(out, MATCH_IIFNAME_SET);
	match->u.set = c->chains.managed;
	match->negated = true;
	out->comment = "from elsewhere to a container";
}

/*
 * Replies from outside come by no bridge, as a rule: they are spared the lookup. Frames to a reserved address
 * enter by a port of the bridge, past all rules that ask for the bridge; no IP packet has business there.
 */
static void emit_raw(struct base *c)
{
	struct plan_chain *chain = base_chain(c, "raw", BASE_PREROUTING_RAW);
	struct plan_rule *out;

	c->chains.dispatch_source = dispatch_map(c, "dispatch-source");
	rule_add_match(emit_dispatch(c, chain, c->chains.dispatch_source), MATCH_IIF_BRIDGE);
	out = chain_add_rule(chain, c->built_in);
	rule_add_match(out, MATCH_RESERVED_MAC);
	out->counter = true;
	out->verdict = VERDICT_DROP;
	out->comment = "past the bridge, by its port";
}

/*
 * The kernel reads hop-by-hop options before the first hook (ip6_rcv_core() in net/ipv6/ip6_input.c), where bridged
 * frames with two VLAN tags or to a reserved address have met no rule, and answers a bad one by "parameter
 * problem", with the packet in it, to whatever source it has.
 *
 * We cannot know here where a connection of the host leads: Docker's OUTPUT chain turns a published
 * port of the host's own address into a container, and the hook's outgoing interface stays the one
 * before. So we label all connections of the host.
 */
static void emit_output(struct base *c)
{
	static const uint8_t codes[] = { ICMP6_PARAMPROB_HEADER, ICMP6_PARAMPROB_OPTION };
	struct plan_chain *chain = base_chain(c, "output", BASE_OUTPUT);

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct plan_rule *out = chain_add_rule(chain, c->built_in);
		struct match *match = rule_add_match(out, MATCH_ICMP);

		match->u.icmp.family = FAMILY_IPV6;
		match->u.icmp.type = ICMP6_PARAM_PROB;
		match->u.icmp.has_code = true;
		match->u.icmp.code = codes[i];
		out->counter = true;
		out->verdict = VERDICT_DROP;
		out->comment = "about hop-by-hop options";
	}
	emit_from_elsewhere(c, chain)->comment = "opened by the host";
}

/* Nobody but redirected containers asks the gate. */
static void emit_input_gate(struct base *c, struct plan_chain *chain)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP };

	c->chains.gate = plan_add_set(c->plan, SET_BRIDGES, GATE_SET, c->built_in);
	c->chains.gate->comment = "bridges of networks whose DNS goes to the gate";
	for (size_t i = 0; i < 2 * ARRAY_SIZE(protos); i++) {
		struct plan_rule *out = chain_add_rule(chain, c->built_in);
		struct match *match = rule_add_match(out, MATCH_DPORT);
		bool accepts = i % 2 == 0;

		match->u.dport.l4proto = protos[i / 2];
		match->u.dport.range = (struct portrange){ GATE_PORT, GATE_PORT };
		if (accepts) {
			rule_add_match(out, MATCH_IIFNAME_SET)->u.set = c->chains.gate;
			rule_add_match(out, MATCH_CT_DNAT);
		}
		out->judged = accepts;
		out->counter = true;
		out->verdict = accepts ? VERDICT_ACCEPT : VERDICT_DROP;
		out->comment = accepts ? "DNS, to the gate" : "the gate's port, not by DNS";
	}
}

/* A resolver of the host asks others: no connection to it that is older than the gate may go on, either. Chain DNS
 * decides about all that is TCP or UDP. */
static void emit_input_dns(struct base *c, struct plan_chain *chain)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP };

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		struct plan_rule *out = emit_dispatch(c, chain, c->chains.dispatch_dns);
		struct match *match = rule_add_match(out, MATCH_DPORT);

		match->u.dport.l4proto = protos[i];
		match->u.dport.range = (struct portrange){ 53, 53 };
	}
}

static void emit_input(struct base *c, struct base_needs needs)
{
	struct plan_chain *chain = base_chain(c, "input", BASE_INPUT);
	struct plan_rule *out;

	if (needs.gate)
		emit_input_dns(c, chain);
	out = chain_add_rule(chain, c->built_in);
	rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_ESTABLISHED;
	out->counter = true;
	out->verdict = VERDICT_ACCEPT;
	if (needs.gate)
		emit_input_gate(c, chain);
	if (!needs.host)
		return;
	c->chains.dispatch_host = dispatch_map(c, "dispatch-host");
	emit_dispatch(c, chain, c->chains.dispatch_host);
}

static void emit_prerouting(struct base *c)
{
	struct plan_chain *chain = base_chain(c, "prerouting", BASE_PREROUTING_NAT);

	c->chains.dispatch_nat = dispatch_map(c, "dispatch-nat");
	emit_dispatch(c, chain, c->chains.dispatch_nat);
}

/* Before Docker's, and before the network's own NAT rules. */
static void emit_prerouting_dns(struct base *c)
{
	struct plan_chain *chain = base_chain(c, "prerouting-dns", BASE_PREROUTING_DNS);

	c->chains.dispatch_gate = dispatch_map(c, DISPATCH_GATE);
	emit_dispatch(c, chain, c->chains.dispatch_gate);
}

struct base_chains compile_base(struct plan *plan, const struct origin *built_in,
				struct base_needs needs)
{
	struct base c = { .plan = plan, .built_in = built_in };

	c.chains.managed = plan_add_set(plan, SET_BRIDGES, MANAGED_SET, built_in);
	c.chains.managed->comment = "bridges of managed networks";
	emit_raw(&c);
	emit_forward(&c, needs);
	emit_forward_end(&c);
	emit_output(&c);
	if (needs.host || needs.gate)
		emit_input(&c, needs);
	if (needs.nat)
		emit_prerouting(&c);
	if (needs.gate)
		emit_prerouting_dns(&c);
	return c.chains;
}
