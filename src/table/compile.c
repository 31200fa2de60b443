/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Packets of known connections leave by a rule at the beginning of `forward`. Of the rest one lookup of the
 * incoming bridge in `dispatch` finds the network's OUT chain, which hands traffic that stays on the bridge
 * to its ING chain. So only NEW, RELATED, INVALID and UNTRACKED packets reach a network's chains. RELATED ones,
 * ICMP errors, are judged like NEW ones by OUT and ING, while HOST takes them about the host's own connections.
 * conntrack keeps no record of UNTRACKED packets: ING lets neighbour discovery and multicast
 * listeners' reports pass and drops the rest; OUT judges them as it does NEW ones, since a host
 * routes them like all others, with any payload.
 *
 * Before all of them, in `raw`, a packet from a managed bridge meets the network's SRC chain, which drops forged
 * sources (compile_link.c). The chains at the kernel's hooks are in compile_base.c.
 *
 * They set the mark bit on the packets that they judge; the shim in Docker's table knows such
 * packets by it (shim.h). A rule sets it together with the lookup, and takes it back if that finds
 * nothing: when somebody deletes the table, a packet may still meet the rules while the map's
 * elements are gone.
 *
 * They put a label on the connections that they accept. After a time without our table the daemon
 * knows by it which connections nobody has judged.
 *
 * Port lists become named sets shared by content: an anonymous set for each would make the commit
 * several times slower. Rules on names and ipsets become one rule per family and kind of set.
 *
 * A rule that refuses has one before it that tells the daemon of it: compile_log.c. The first rule
 * of `forward` gives the daemon the DNS replies to containers, as replies belong to known connections. Of any
 * other packet it asks for no more than the protocol, of UDP the port.
 */
#include "dockside/table/compile.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "compile_base.h"
#include "compile_errors.h"
#include "compile_gate.h"
#include "compile_link.h"
#include "compile_log.h"
#include "compile_sets.h"

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"

struct compiler {
	struct plan *plan;
	struct compile_sets sets;
	struct base_chains base;
	struct compile_gate gate;
	struct dockside_sets docksides;
	bool refuses; /* some rule goes to the refuse chain */
	const struct origin *built_in;
	struct buf text; /* scratch */
};

/* ------------------------------------------------------------------ rules */

static void match_prefix(struct plan_rule *out, enum match_kind kind, const struct prefix *prefix)
{
	if (prefix->len == 0)
		rule_add_match(out, MATCH_NFPROTO)->u.family = prefix->addr.family;
	else
		rule_add_match(out, kind)->u.prefix = *prefix;
}

static void match_ports(struct compiler *c, struct plan_rule *out, uint8_t l4proto,
			const struct portrange *ports, size_t n)
{
	struct match *match;

	if (n == 0) {
		rule_add_match(out, MATCH_L4PROTO)->u.l4proto = l4proto;
	} else if (n == 1) {
		match = rule_add_match(out, MATCH_DPORT);
		match->u.dport.l4proto = l4proto;
		match->u.dport.range = ports[0];
	} else {
		match = rule_add_match(out, MATCH_DPORT_SET);
		match->u.dport_set.l4proto = l4proto;
		match->u.dport_set.set = compile_port_set(&c->sets, ports, n);
	}
}

static void match_icmp(struct plan_rule *out, enum family family, const struct icmp_type *type)
{
	struct match *match;

	if (type->any) {
		rule_add_match(out, MATCH_L4PROTO)->u.l4proto =
			family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		return;
	}
	match = rule_add_match(out, MATCH_ICMP);
	match->u.icmp.family = family;
	match->u.icmp.type = type->type;
	match->u.icmp.has_code = type->has_code;
	match->u.icmp.code = type->code;
}

static void set_verdict(struct plan_rule *out, const struct rule *rule)
{
	out->counter = true;
	if (rule->action == ACTION_ALLOW) {
		out->verdict = VERDICT_ACCEPT;
	} else if (rule->proto == PROTO_TCP) {
		out->verdict = VERDICT_RESET;
	} else if (rule->proto == PROTO_ANY) {
		out->verdict = VERDICT_GOTO;
		out->target = PLAN_REFUSE;
	} else {
		out->verdict = VERDICT_DROP;
	}
}

/* One nft rule: a destination (or none) and, for ICMP, one family. */
static void emit_one(struct compiler *c, struct plan_chain *chain, const struct rule *rule,
		     const struct match *dest, enum family icmp_family, const struct origin *origin)
{
	struct plan_rule *out = chain_add_rule(chain, origin);

	if (dest && dest->kind == MATCH_DADDR)
		match_prefix(out, MATCH_DADDR, &dest->u.prefix);
	else if (dest)
		*rule_add_match(out, dest->kind) = *dest;
	switch (rule->proto) {
	case PROTO_ANY:
		break;
	case PROTO_TCP:
		match_ports(c, out, IPPROTO_TCP, rule->ports, rule->n_ports);
		break;
	case PROTO_UDP:
		match_ports(c, out, IPPROTO_UDP, rule->ports, rule->n_ports);
		break;
	case PROTO_ICMP:
		match_icmp(out, icmp_family,
			   icmp_family == FAMILY_IPV4 ? &rule->icmp4 : &rule->icmp6);
		break;
	}
	set_verdict(out, rule);
	out->comment = rule->comment ? rule->comment : origin->entry;
}

/* The rule for one destination, which is of one family unless dest is NULL. */
static void emit_dest(struct compiler *c, struct plan_chain *chain, const struct rule *rule,
		      const struct match *dest, const enum family *family,
		      const struct origin *origin)
{
	if (rule->proto != PROTO_ICMP) {
		emit_one(c, chain, rule, dest, FAMILY_IPV4, origin);
		return;
	}
	if (rule->icmp4.set && (!family || *family == FAMILY_IPV4))
		emit_one(c, chain, rule, dest, FAMILY_IPV4, origin);
	if (rule->icmp6.set && (!family || *family == FAMILY_IPV6))
		emit_one(c, chain, rule, dest, FAMILY_IPV6, origin);
}

static void emit_sets(struct compiler *c, struct plan_chain *chain, const struct rule *rule,
		      const struct dest_sets *sets, const struct origin *origin)
{
	for (int kind = 0; kind < N_DEST_SETS; kind++) {
		const struct plan_set *set = sets->sets[kind];
		struct match dest = { .kind = MATCH_DADDR_SET, .u.set = set };
		enum family family;

		if (!set)
			continue;
		family = set_type_family(set->type);
		emit_dest(c, chain, rule, &dest, &family, origin);
	}
}

/* The addresses of an ipset that is told, or of a name: one set a family, of those that the gate has told. */
static void emit_told(struct compiler *c, struct plan_chain *chain, const struct network *network,
		      const struct rule *rule, const struct told_sets *told,
		      const struct origin *origin)
{
	static const enum frame_field fields[N_FAMILIES] = { FIELD_DADDR, FIELD_DADDR6 };

	for (int f = 0; f < N_FAMILIES; f++) {
		const struct set_update renewal = { UPDATE_PUT, told->sets[f], PORT_IN, fields[f],
						    gate_life_s(network) };
		struct match dest = { .kind = MATCH_FIELD_SET };
		enum family family = (enum family)f;
		size_t first = chain->n_rules;

		dest.u.field_set.port = PORT_IN;
		dest.u.field_set.field = fields[f];
		dest.u.field_set.set = told->sets[f];
		emit_dest(c, chain, rule, &dest, &family, origin);
		for (size_t i = first; i < chain->n_rules; i++)
			chain->rules[i].update = renewal;
	}
}

static void emit_names(struct compiler *c, struct plan_chain *chain, const struct network *network,
		       const struct rule *rule, const struct origin *origin)
{
	const struct told_sets *told = compile_gate_told(&c->gate, network, rule);

	if (told)
		emit_told(c, chain, network, rule, told, origin);
	if (rule->to == DEST_IPSET && told)
		emit_sets(c, chain, rule, compile_ipset_literals(&c->sets, rule->ipset), origin);
	else if (rule->to == DEST_IPSET)
		emit_sets(c, chain, rule, compile_ipset(&c->sets, rule->ipset), origin);
	else if (!told)
		emit_sets(c, chain, rule, compile_name(&c->sets, rule->hostname), origin);
}

static void emit_rule(struct compiler *c, struct plan_chain *chain, const struct network *network,
		      const struct rule *rule, const struct origin *origin)
{
	struct match dest = { .kind = MATCH_DADDR, .u.prefix = rule->cidr };

	switch (rule->to) {
	case DEST_ALL:
		emit_dest(c, chain, rule, NULL, NULL, origin);
		break;
	case DEST_CIDR:
	case DEST_IP:
		emit_dest(c, chain, rule, &dest, &rule->cidr.addr.family, origin);
		break;
	case DEST_HOSTNAME:
	case DEST_IPSET:
	case DEST_PATTERN:
		emit_names(c, chain, network, rule, origin);
		break;
	}
}

/* "egress[2]" */
static const char *entry_name(struct compiler *c, const char *what, size_t i)
{
	buf_reset(&c->text);
	buf_puts(&c->text, what);
	buf_putc(&c->text, '[');
	buf_uint(&c->text, i);
	buf_putc(&c->text, ']');
	return arena_strdup(&c->plan->arena, buf_str(&c->text));
}

/* The rules in order, then what happens to the rest, unless a rule has taken everything. */
static void emit_rules(struct compiler *c, struct plan_chain *chain, const struct network *network,
		       const struct rule *rules, size_t n, const char *what, const char *rest)
{
	struct plan_rule *out;

	for (size_t i = 0; i < n; i++) {
		size_t first = chain->n_rules;

		emit_rule(c, chain, network, &rules[i],
			  plan_origin(c->plan, network->name, entry_name(c, what, rules[i].index),
				      rules[i].loc));
		if (rules[i].action == ACTION_DROP)
			c->refuses |= compile_log_refusals(
				c->plan, chain, first, network,
				compile_log_prefix(c->plan, chain, c->sets.policy, network,
						   &rules[i], rules[i].index));
	}
	if (n > 0 && rule_matches_everything(&rules[n - 1]))
		return;
	out = chain_add_rule(chain, chain->origin);
	out->counter = true;
	out->verdict = VERDICT_ACCEPT;
	out->comment = rest;
}

/* ------------------------------------------------------------------ networks */

static struct plan_chain *network_chain(struct compiler *c, const struct network *network,
					const char *kind)
{
	struct plan_chain *chain;

	chain = plan_add_chain(
		c->plan, plan_chain_name(&c->plan->arena, network->stem, kind),
		plan_origin(c->plan, NULL,
			    arena_printf(&c->plan->arena, "network %s", network->name),
			    network->loc));
	chain->stem = network->stem;
	chain->bridge = network->bridge;
	chain->kind = kind;
	return chain;
}

static void emit_no_connection(struct plan_chain *chain, unsigned ct_states)
{
	struct plan_rule *out = chain_add_rule(chain, chain->origin);

	rule_add_match(out, MATCH_CT_STATE)->u.ct_states = ct_states;
	out->counter = true;
	out->verdict = VERDICT_DROP;
	out->comment = "part of no connection";
}

static void dispatch_to(struct plan_set *map, const struct plan_chain *chain,
			const struct network *network)
{
	struct elem *elem = set_add_bridge(map, chain->bridge, chain->origin);

	elem->target = chain->name;
	elem->comment = network->draining ? DRAINING_COMMENT : NULL;
}

static void emit_source(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain = network_chain(c, network, "SRC");

	compile_source(c->plan, chain, network, &c->docksides, c->sets.resolved->never);
	dispatch_to(c->base.dispatch_source, chain, network);
}

static void emit_ing(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain = network_chain(c, network, "ING");
	struct plan_rule *out;

	compile_neighbours(chain);
	emit_no_connection(chain, CT_INVALID | CT_UNTRACKED);
	compile_dockside(chain, network, true);
	out = chain_add_rule(chain, chain->origin);
	out->counter = true;
	out->verdict = VERDICT_DROP;
	out->comment = "no connections between containers";
	compile_log_refusals(c->plan, chain, chain->n_rules - 1, network,
			     compile_log_prefix(c->plan, chain, c->sets.policy, network, NULL, 0));
}

static void emit_out(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain = network_chain(c, network, "OUT");
	struct plan_rule *out = chain_add_rule(chain, chain->origin);
	size_t first;

	rule_add_match(out, MATCH_OIFNAME)->u.name = network->bridge;
	out->verdict = VERDICT_GOTO;
	out->target = plan_chain_name(&c->plan->arena, network->stem, "ING");
	if (!network->dockside_policed)
		compile_dockside(chain, network, false);
	emit_no_connection(chain, CT_INVALID);
	first = chain->n_rules;
	emit_rules(c, chain, network, network->egress, network->n_egress, "egress",
		   "no rule matched: Docker decides");
	compile_split_errors(chain, first);
	dispatch_to(c->base.dispatch, chain, network);
	set_add_bridge(c->base.managed, chain->bridge, chain->origin);
	if (c->base.lookups && !network->dns.gated)
		set_add_bridge(c->base.lookups, chain->bridge, chain->origin);
}

static void emit_host(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain;
	struct plan_rule *out;

	if (network->n_host_rules == 0)
		return;
	chain = network_chain(c, network, "HOST");
	if (!network->dockside_policed)
		compile_dockside(chain, network, false);
	compile_neighbours(chain);
	/* Other ICMPv6 without a record, such as each container's router solicitations, is dropped without a log;
	 * the rules judge packets that an administrator's notrack made untracked. */
	out = chain_add_rule(chain, chain->origin);
	rule_add_match(out, MATCH_CT_STATE)->u.ct_states = CT_UNTRACKED;
	rule_add_match(out, MATCH_L4PROTO)->u.l4proto = IPPROTO_ICMPV6;
	out->counter = true;
	out->verdict = VERDICT_DROP;
	out->comment = "router discovery and the like";
	compile_host_errors(chain, network);
	emit_no_connection(chain, CT_INVALID | CT_RELATED);
	compile_dhcp(chain, network);
	emit_rules(c, chain, network, network->host_rules, network->n_host_rules, "host",
		   "no rule matched: the host decides");
	dispatch_to(c->base.dispatch_host, chain, network);
}

/* ------------------------------------------------------------------ DNS */

static void emit_gate(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain;

	if (!network->dns.gated)
		return;
	chain = network_chain(c, network, "GATE");
	compile_gate_redirect(chain, network);
	dispatch_to(c->base.dispatch_gate, chain, network);
	set_add_bridge(c->base.gate, chain->bridge, chain->origin);
	chain = network_chain(c, network, "DNS");
	compile_gate_refuse(&c->gate, chain, network,
			    plan_chain_name(&c->plan->arena, network->stem, "OUT"));
	dispatch_to(c->base.dispatch_dns, chain, network);
	if (network->dns.n_private > 0)
		compile_gate_private(&c->gate, network_chain(c, network, "PRIVATE"), network);
}

/* ------------------------------------------------------------------ NAT */

void compile_nat_target(struct elem *elem, enum set_type type)
{
	enum family family = set_type_family(type);
	const struct ipaddr *target = elem->name->targets[family];
	size_t len = family_bytes(family);

	elem->unresolved = !target;
	if (target)
		memcpy(elem->data, target->b, len);
	else
		memset(elem->data, 0, len);
}

/* "HOST: comment", so that a later run can tell whose address an element in the kernel is. */
static const char *nat_comment(struct arena *arena, const struct nat_rule *rule,
			       const struct origin *origin)
{
	const char *text = rule->comment ? rule->comment : origin->entry;
	char name[COMMENT_MAX + 1] = "", *comment;

	if (!rule->to_host)
		return text;
	comment_add_name(name, rule->to_host);
	comment = arena_printf(arena, "%s: %s", name, text);
	comment[utf8_cut(comment, COMMENT_MAX)] = '\0';
	return comment;
}

static void add_nat_elem(struct compiler *c, struct plan_set *map, const struct nat_rule *rule,
			 const struct origin *origin)
{
	enum family family = set_type_family(map->type);
	size_t addr_len = family_bytes(family);
	struct elem *elem;

	if (!rule->to_host && rule->to_ip.family != family)
		return;
	elem = set_add_elem(map, origin);
	elem->key[0] = rule->proto == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	store_port(elem->key + 4, rule->match_dport);
	memcpy(elem->last, elem->key, sizeof(elem->key));
	store_port(elem->data + addr_len, rule->to_port);
	elem->comment = nat_comment(&c->plan->arena, rule, origin);
	if (rule->to_host) {
		elem->name = resolved_find(c->sets.resolved, rule->to_host);
		compile_nat_target(elem, map->type);
	} else {
		memcpy(elem->data, rule->to_ip.b, addr_len);
	}
}

static void emit_nat_family(struct compiler *c, struct plan_chain *chain,
			    const struct network *network, enum family family)
{
	bool v4 = family == FAMILY_IPV4, needed = false;
	struct plan_rule *out;
	struct plan_set *map;

	for (size_t i = 0; i < network->n_nat; i++)
		needed |= network->nat[i].to_host || network->nat[i].to_ip.family == family;
	if (!needed)
		return;
	map = plan_add_set(c->plan, v4 ? MAP_NAT4 : MAP_NAT6,
			   plan_chain_name(&c->plan->arena, network->stem, v4 ? "nat4" : "nat6"),
			   chain->origin);
	map->counter = true;
	map->comment = arena_printf(&c->plan->arena, "nat of network %s", network->name);
	for (size_t i = 0; i < network->n_nat; i++)
		add_nat_elem(c, map, &network->nat[i],
			     plan_origin(c->plan, network->name,
					 arena_printf(&c->plan->arena, "nat[%zu]",
						      network->nat[i].index),
					 network->nat[i].loc));
	out = chain_add_rule(chain, chain->origin);
	out->verdict = VERDICT_DNAT;
	out->set = map;
}

static void emit_nat(struct compiler *c, const struct network *network)
{
	struct plan_chain *chain;

	if (network->n_nat == 0)
		return;
	chain = network_chain(c, network, "NAT");
	emit_nat_family(c, chain, network, FAMILY_IPV4);
	emit_nat_family(c, chain, network, FAMILY_IPV6);
	dispatch_to(c->base.dispatch_nat, chain, network);
}

/* ------------------------------------------------------------------ the whole */

/*
 * Everything that a rule of OUT, ING or HOST accepts is labelled there, and not with the dispatch: a packet that
 * is refused afterwards must not vouch for the connection that it came by, which may be one that was opened
 * while the table was gone.
 */
static void label_judged(struct plan_chain *chain)
{
	if (!chain->bridge || strcmp(chain->kind, "SRC") == 0 || strcmp(chain->kind, "GATE") == 0)
		return;
	for (size_t i = 0; i < chain->n_rules; i++) {
		struct plan_rule *rule = &chain->rules[i];
		bool by_state = rule->n_matches > 0 && rule->matches[0].kind == MATCH_CT_STATE;

		rule->judged = rule->verdict == VERDICT_ACCEPT && !by_state;
	}
}

uint64_t compile_own_hash(const struct policy *policy, const struct never *never)
{
	uint64_t hash = HASH_SEED;

	for (size_t i = 0; never && i < policy->n_networks; i++)
		if (network_managed(&policy->networks[i]))
			hash = compile_source_hash(hash, &policy->networks[i], never);
	return hash;
}

void compile_policy(const struct policy *policy, const struct resolved *resolved,
		    const struct plan_options *options, struct plan *ret_plan)
{
	struct compiler c = { .plan = ret_plan };
	struct base_needs needs = { .gate = gate_wanted(policy) };

	*ret_plan = (struct plan){ .options = *options };
	compile_sets_init(&c.sets, policy, resolved, ret_plan);
	ret_plan->own_hash = compile_own_hash(policy, resolved->never);
	c.built_in = plan_origin(ret_plan, NULL, "built in", (struct loc){ 0 });
	/* The gate itself says what it has told a network. */
	needs.lookups = !needs.gate;
	for (size_t i = 0; i < policy->n_networks; i++) {
		needs.lookups |=
			!policy->networks[i].dns.gated && network_managed(&policy->networks[i]);
		needs.host |= policy->networks[i].n_host_rules > 0;
		needs.nat |= policy->networks[i].n_nat > 0;
	}
	c.base = compile_base(ret_plan, c.built_in, needs);
	compile_gate_init(&c.gate, ret_plan, policy, c.built_in);
	c.docksides = compile_dockside_sets(ret_plan, policy, c.built_in);
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network_managed(network))
			continue;
		emit_out(&c, network);
		emit_ing(&c, network);
		emit_host(&c, network);
		emit_source(&c, network);
		emit_gate(&c, network);
		emit_nat(&c, network);
	}
	if (needs.gate)
		compile_gate_tells(&c.gate);
	if (c.refuses)
		plan_add_refuse(ret_plan, c.built_in);
	for (size_t i = 0; i < ret_plan->n_chains; i++)
		label_judged(ret_plan->chains[i]);
	plan_add_set(ret_plan, SET_BRIDGES, FINGERPRINT_SET, c.built_in)->comment =
		"what dsfw-nft loaded; not for editing";
	plan_finish(ret_plan);
	compile_gate_free(&c.gate);
	compile_sets_free(&c.sets);
	buf_free(&c.text);
}
