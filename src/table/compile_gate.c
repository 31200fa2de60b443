/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A question of a gated network's container is redirected to the gate before Docker's NAT (`prerouting-dns`, chain
 * GATE); what would reach another server all the same, because its connection is older or by DNS over TLS, is refused
 * in `forward` before known connections pass (chain DNS). Only redirected packets reach the gate's port (`input`).
 *
 * Before the gate answers with an address it sends a packet, and the kernel puts the address into a set on its way out
 * and drops it (`dns-told`). So there is no transaction, nothing to wait for, and no privilege but a user ID. An IPv4
 * packet has the address as its destination. An IPv6 packet has it as its source, and goes to a multicast address:
 * towards a unicast address neighbours would have to be found first. Its interface is the network's bridge; its
 * destination port is the slot of the list that the name is in, and 32768 more to take the address out again.
 *
 * An address goes out of a set without further questions. The chain `dns-tell` keeps addresses that lead to the host, to its cloud's metadata, to other containers or to private
 * networks out of the sets, even if the gate lies. The kernel's routes know the host's addresses; never.c the others.
 *
 * A message that opens an address carries a tag of the policy that it is of, which it leaves in `dns-tags`. So the kernel
 * itself knows the policies whose names' addresses the sets may have, whoever has told them and whenever: enforce/told.c
 * reads them. A message without a tag counts as of an unknown policy. The tag is put in twice: before the address, so that
 * none comes in where there is no room for its tag; and after it, for a transaction that empties `dns-tags` first and then
 * the sets: an address that comes in behind it brings its tag, too.
 *
 * A rule that matches a told address renews it, each with its own network's life: networks share a list, but its
 * elements begin with the bridge, so that each has opened only what it was told itself.
 */
#include "compile_gate.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "compile_link.h"
#include "compile_log.h"

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/names/gate.h"

#define CHAIN_TELL "dns-tell"
#define CHAIN_REFUSE "dns-refuse"
#define TAGS_MAX 4096 /* policies that the gate had since somebody looked: it is one, or two */

void compile_gate_init(struct compile_gate *c, struct plan *plan, const struct policy *policy,
		       const struct origin *built_in)
{
	*c = (struct compile_gate){ .plan = plan, .policy = policy, .built_in = built_in };
	gate_lists_collect(policy, &c->lists);
	c->told = xcalloc(c->lists.n + 1, sizeof(*c->told));
}

void compile_gate_free(struct compile_gate *c)
{
	gate_lists_free(&c->lists);
	free(c->told);
}

/* ------------------------------------------------------------------ sets */

static const struct origin *list_origin(struct compile_gate *c, const struct gate_list *list)
{
	struct arena *arena = &c->plan->arena;

	if (list->ipset)
		return plan_origin(c->plan, NULL, arena_printf(arena, "ipset %s", list->name),
				   list->ipset->loc);
	return plan_origin(c->plan, NULL, arena_printf(arena, "host %s", list->entry),
			   (struct loc){ 0 });
}

static void make_told(struct compile_gate *c, const struct gate_list *list, struct told_sets *told)
{
	static const char *const suffixes[N_FAMILIES] = { "-told4", "-told6" };
	const struct origin *origin = list_origin(c, list);

	for (int family = 0; family < N_FAMILIES; family++) {
		struct plan_set *set = plan_add_set(
			c->plan, family == FAMILY_IPV4 ? SET_PORT_IPV4 : SET_PORT_IPV6,
			plan_set_name(&c->plan->arena, list->prefix, list->name, suffixes[family]),
			origin);

		set->timeout = set->dynamic = true;
		set->told_ipset = list->ipset;
		set->told_entry = list->entry;
		set->size = GATE_SET_SIZE;
		set->comment = arena_printf(&c->plan->arena, "%.*s", COMMENT_MAX, origin->entry);
		told->sets[family] = set;
	}
}

const struct told_sets *compile_gate_told(struct compile_gate *c, const struct network *network,
					  const struct rule *rule)
{
	const struct gate_list *list = gate_lists_find(&c->lists, c->policy, network, rule);
	struct told_sets *told;

	if (!list)
		return NULL;
	told = &c->told[list - c->lists.items];
	if (!told->sets[FAMILY_IPV4])
		make_told(c, list, told);
	return told;
}

struct range_sets {
	struct plan_set *sets[N_FAMILIES];
	const struct origin *origin;
};

static void add_range(void *data, const struct prefix *prefix)
{
	const struct range_sets *sets = data;
	struct elem *elem = set_add_elem(sets->sets[prefix->addr.family], sets->origin);
	struct ipaddr first, last;

	prefix_range(prefix, &first, &last);
	memcpy(elem->key, first.b, sizeof(first.b));
	memcpy(elem->last, last.b, sizeof(last.b));
}

static struct range_sets range_sets(struct compile_gate *c, const char *name4, const char *name6,
				    const char *comment)
{
	struct range_sets sets = { .origin = c->built_in };

	sets.sets[FAMILY_IPV4] = plan_add_set(c->plan, SET_IPV4, name4, c->built_in);
	sets.sets[FAMILY_IPV6] = plan_add_set(c->plan, SET_IPV6, name6, c->built_in);
	for (int family = 0; family < N_FAMILIES; family++) {
		sets.sets[family]->interval = true;
		sets.sets[family]->comment = comment;
	}
	return sets;
}

/* ------------------------------------------------------------------ networks */

static void match_dports(struct plan_rule *rule, uint8_t l4proto, struct portrange range)
{
	struct match *match = rule_add_match(rule, MATCH_DPORT);

	match->u.dport.l4proto = l4proto;
	match->u.dport.range = range;
}

static void match_dport(struct plan_rule *rule, uint8_t l4proto, uint16_t port)
{
	match_dports(rule, l4proto, (struct portrange){ port, port });
}

static const uint8_t dns_protos[] = { IPPROTO_UDP, IPPROTO_TCP };

void compile_gate_redirect(struct plan_chain *chain, const struct network *network)
{
	if (!network->dockside_policed)
		compile_dockside(chain, network, false);
	for (size_t i = 0; i < ARRAY_SIZE(dns_protos); i++) {
		struct plan_rule *out = chain_add_rule(chain, chain->origin);

		match_dport(out, dns_protos[i], PORT_DNS);
		out->counter = true;
		out->verdict = VERDICT_REDIRECT;
		out->redirect_port = GATE_PORT;
		out->comment = "to the DNS gate";
	}
}

void compile_gate_refuse(struct compile_gate *c, struct plan_chain *chain,
			 const struct network *network, const char *out)
{
	struct plan_rule *rule;
	size_t first;

	if (!network->dockside_policed)
		compile_dockside(chain, network, false);
	for (size_t i = 0; i < chain->n_rules; i++) {
		chain->rules[i].verdict = VERDICT_GOTO;
		chain->rules[i].target = out;
		chain->rules[i].counter = false;
	}
	first = chain->n_rules;
	for (size_t i = 0; i < ARRAY_SIZE(dns_protos); i++) {
		rule = chain_add_rule(chain, chain->origin);
		rule_add_match(rule, MATCH_L4PROTO)->u.l4proto = dns_protos[i];
		rule->counter = true;
		rule->verdict = dns_protos[i] == IPPROTO_TCP ? VERDICT_RESET : VERDICT_DROP;
		rule->comment = "DNS that is not by the gate";
	}
	compile_log_refusals(c->plan, chain, first, network,
			     compile_log_prefix(c->plan, chain, c->policy, network, NULL, 0));
	rule = chain_add_rule(chain, chain->origin);
	rule_add_match(rule, MATCH_CT_STATE)->u.ct_states = CT_ESTABLISHED;
	rule->counter = true;
	rule->verdict = VERDICT_ACCEPT;
	rule = chain_add_rule(chain, chain->origin);
	rule->verdict = VERDICT_GOTO;
	rule->target = out;
}

/* Leads on to the list that the message is for. */
static void find_list(struct compile_gate *c, struct plan_rule *rule)
{
	rule->verdict = VERDICT_VMAP;
	rule->set = c->tells;
}

/* A message that is to open an address leaves its tag first. */
static void take_tell(struct compile_gate *c, struct plan_rule *rule)
{
	rule->tags = c->tags;
	find_list(c, rule);
}

static void refuse_tell(struct compile_gate *c, struct plan_chain *chain)
{
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	rule->verdict = VERDICT_GOTO;
	rule->target = CHAIN_REFUSE;
}

static void make_tell_sets(struct compile_gate *c)
{
	if (c->tells)
		return;
	c->tells = plan_add_set(c->plan, MAP_TELL, TELL_MAP, c->built_in);
	c->tells->comment = "slots of lists; 32768 more takes an address out again";
	c->tags = plan_add_set(c->plan, SET_MARKS, TAGS_SET, c->built_in);
	c->tags->dynamic = true;
	c->tags->size = TAGS_MAX;
	c->tags->comment = "policies whose names' addresses were told";
}

void compile_gate_private(struct compile_gate *c, struct plan_chain *chain,
			  const struct network *network)
{
	struct elem *elem;

	make_tell_sets(c);
	for (size_t i = 0; i < network->dns.n_private; i++) {
		const struct prefix *prefix = &network->dns.private[i];
		bool v4 = prefix->addr.family == FAMILY_IPV4;
		struct plan_rule *rule = chain_add_rule(chain, chain->origin);

		rule_add_match(rule, v4 ? MATCH_DADDR : MATCH_SADDR)->u.prefix = *prefix;
		take_tell(c, rule);
	}
	refuse_tell(c, chain);
	if (!c->private)
		c->private = plan_add_set(c->plan, MAP_DISPATCH, "dispatch-private", c->built_in);
	elem = set_add_bridge(c->private, chain->bridge, chain->origin);
	elem->target = chain->name;
}

/* ------------------------------------------------------------------ lists */

static const enum frame_field told_fields[N_FAMILIES] = { FIELD_DADDR, FIELD_SADDR6 };

static void emit_update(struct compile_gate *c, struct plan_chain *chain, enum update_kind kind,
			const struct plan_set *set, enum family family, unsigned life_s,
			const struct plan_set *bridges)
{
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	if (bridges)
		rule_add_match(rule, MATCH_OIFNAME_SET)->u.set = bridges;
	rule->update = (struct set_update){ kind, set, PORT_OUT, told_fields[family], life_s };
	if (kind == UPDATE_PUT)
		rule->tags = c->tags;
	rule->counter = true;
	rule->verdict = VERDICT_DROP;
}

/* The bridges of the networks with that life. */
static const struct plan_set *life_set(struct compile_gate *c, unsigned life_s)
{
	const char *name = arena_printf(&c->plan->arena, "dns-life-%u", life_s);
	struct plan_set *set;

	for (size_t i = c->plan->n_sets; i-- > 0;)
		if (strcmp(c->plan->sets[i]->name, name) == 0)
			return c->plan->sets[i];
	set = plan_add_set(c->plan, SET_BRIDGES, name, c->built_in);
	set->comment = arena_printf(&c->plan->arena,
				    "bridges whose networks keep addresses for %u s", life_s);
	for (size_t i = 0; i < c->policy->n_networks; i++) {
		const struct network *network = &c->policy->networks[i];

		if (network->dns.gated && gate_life_s(network) == life_s)
			set_add_bridge(set, network->bridge, c->built_in);
	}
	return set;
}

static int cmp_lives(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The different lives of a list's networks, which the caller frees. */
static unsigned *list_lives(const struct gate_list *list, size_t *ret_n)
{
	unsigned *lives = xcalloc(list->n_networks + 1, sizeof(*lives));
	size_t n = 0;

	for (size_t i = 0; i < list->n_networks; i++)
		lives[i] = gate_life_s(list->networks[i]);
	qsort(lives, list->n_networks, sizeof(*lives), cmp_lives);
	for (size_t i = 0; i < list->n_networks; i++)
		if (n == 0 || lives[n - 1] != lives[i])
			lives[n++] = lives[i];
	*ret_n = n;
	return lives;
}

static struct plan_chain *list_chain(struct compile_gate *c, const struct gate_list *list,
				     const char *suffix, char letter, unsigned port)
{
	struct arena *arena = &c->plan->arena;
	const struct origin *origin = list_origin(c, list);
	struct plan_chain *chain = plan_add_chain(
		c->plan, plan_set_name(arena, list->prefix, list->name, suffix), origin);
	struct elem *elem = set_add_elem(c->tells, origin);

	/* For its fingerprint's key, which has no room for the name. */
	chain->kind = arena_printf(arena, "%c%u", letter, list->slot);
	store_port(elem->key, (uint16_t)port);
	memcpy(elem->last, elem->key, sizeof(elem->key));
	elem->target = chain->name;
	return chain;
}

static void emit_list(struct compile_gate *c, const struct gate_list *list,
		      const struct told_sets *told)
{
	struct plan_chain *tell = list_chain(c, list, "-tell", 't', list->slot);
	struct plan_chain *untell = list_chain(c, list, "-untell", 'u', list->slot + GATE_UNTELL);
	size_t n;
	cleanup(cleanup_free) unsigned *lives = list_lives(list, &n);

	for (int family = 0; family < N_FAMILIES; family++) {
		for (size_t i = 0; i < n; i++)
			emit_update(c, tell, UPDATE_PUT, told->sets[family], (enum family)family,
				    lives[i], n > 1 ? life_set(c, lives[i]) : NULL);
		emit_update(c, untell, UPDATE_REMOVE, told->sets[family], (enum family)family, 0,
			    NULL);
	}
	refuse_tell(c, tell);
	refuse_tell(c, untell);
}

/* ------------------------------------------------------------------ tells */

static void emit_told(struct compile_gate *c)
{
	struct plan_chain *chain = plan_add_chain(c->plan, "dns-told", c->built_in);
	struct plan_rule *rule;

	chain->hook = BASE_OUTPUT_TOLD;
	if (!c->plan->options.has_gate_uid)
		return; /* then nobody tells anything */
	rule = chain_add_rule(chain, c->built_in);
	rule_add_match(rule, MATCH_UDP_SPORT)->u.port = GATE_TELL_PORT;
	rule_add_match(rule, MATCH_SKUID)->u.uid = c->plan->options.gate_uid;
	rule->verdict = VERDICT_GOTO;
	rule->target = CHAIN_TELL;
}

static struct plan_rule *emit_never(struct compile_gate *c, struct plan_chain *chain,
				    const char *comment)
{
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	rule->counter = true;
	rule->verdict = VERDICT_GOTO;
	rule->target = CHAIN_REFUSE;
	rule->comment = comment;
	return rule;
}

/* The kernel knows which addresses are the host's own. */
static void emit_fib(struct compile_gate *c, struct plan_chain *chain)
{
	static const enum fib_type types[] = { FIB_LOCAL, FIB_ANYCAST };
	struct plan_rule *rule = emit_never(c, chain, "the host's own, or nobody's");
	struct match *match;

	rule_add_match(rule, MATCH_NFPROTO)->u.family = FAMILY_IPV4;
	match = rule_add_match(rule, MATCH_FIB);
	match->u.fib.type = FIB_UNICAST;
	match->negated = true;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		rule = emit_never(c, chain, "the host's own");
		rule_add_match(rule, MATCH_NFPROTO)->u.family = FAMILY_IPV6;
		match = rule_add_match(rule, MATCH_FIB);
		match->u.fib.source = true;
		match->u.fib.type = types[i];
	}
}

static void match_told(struct plan_rule *rule, enum family family, const struct plan_set *set)
{
	struct match *match = rule_add_match(rule, MATCH_FIELD_SET);

	match->u.field_set.field = told_fields[family];
	match->u.field_set.set = set;
}

static void emit_ranges(struct compile_gate *c, struct plan_chain *chain)
{
	struct range_sets never =
		range_sets(c, "dns-never4", "dns-never6", "no answer opens these");
	struct range_sets private = range_sets(c, "dns-private4", "dns-private6",
					       "answers open these where private has them");

	never_ranges(c->policy, add_range, &never);
	never_private_ranges(add_range, &private);
	for (int family = 0; family < N_FAMILIES; family++)
		match_told(emit_never(c, chain, "no answer opens it"), (enum family)family,
			   never.sets[family]);
	for (int family = 0; c->private && family < N_FAMILIES; family++) {
		struct plan_rule *rule = chain_add_rule(chain, c->built_in);

		match_told(rule, (enum family)family, private.sets[family]);
		rule->verdict = VERDICT_VMAP;
		rule->set = c->private;
		rule->outgoing = true;
	}
	for (int family = 0; family < N_FAMILIES; family++)
		match_told(emit_never(c, chain, "private"), (enum family)family,
			   private.sets[family]);
}

/* Nothing keeps an address in a set: it may have become the host's own, or have left private. */
static void emit_untells(struct compile_gate *c, struct plan_chain *chain)
{
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	match_dports(rule, IPPROTO_UDP, (struct portrange){ GATE_UNTELL, UINT16_MAX });
	find_list(c, rule);
}

static void emit_tag(struct compile_gate *c, struct plan_chain *chain)
{
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	rule->mark_tag = true;
	rule->verdict = VERDICT_CONTINUE;
	rule->comment = "the tag of the gate's policy; 0: nobody knows";
}

static void emit_refuse(struct compile_gate *c)
{
	struct plan_chain *chain = plan_add_chain(c->plan, CHAIN_REFUSE, c->built_in);
	struct plan_rule *rule = chain_add_rule(chain, c->built_in);

	rule_add_match(rule, MATCH_NFPROTO)->u.family = FAMILY_IPV4;
	rule->counter = true;
	rule->verdict = VERDICT_PROHIBIT;
	rule->comment = "the gate reads that as a refusal";
	rule = chain_add_rule(chain, c->built_in);
	rule->counter = true;
	rule->verdict = VERDICT_DROP;
}

void compile_gate_tells(struct compile_gate *c)
{
	struct plan_chain *chain;

	make_tell_sets(c);
	emit_told(c);
	chain = plan_add_chain(c->plan, CHAIN_TELL, c->built_in);
	emit_untells(c, chain);
	emit_tag(c, chain);
	emit_fib(c, chain);
	emit_ranges(c, chain);
	take_tell(c, chain_add_rule(chain, c->built_in));
	refuse_tell(c, chain);
	for (size_t i = 0; i < c->lists.n; i++)
		if (c->told[i].sets[FAMILY_IPV4])
			emit_list(c, &c->lists.items[i], &c->told[i]);
	emit_refuse(c);
}
