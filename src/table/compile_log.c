/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A limit is a match: it would let through what exceeds it, were it in the rule that refuses. So the
 * rule that reports a packet stands by itself, right before the one that refuses, with the same
 * matches, and says nothing about the packet's fate. Most refusals are by rules without matches at the
 * end of a chain, where this costs only what is refused; of an explicit `drop` in the middle a new
 * connection that passes pays for the matches twice. A chain for each rule would spare it that, and
 * make more of them to load, read and compare than the rules themselves are.
 *
 * The limit is one for all rules of a network (in table bridge dockside: of all networks), so that nobody gets more of it
 * by more rules; it is a named object, as only that can be shared. So is the counter of packets that came to the limit. It goes on
 * counting when the rules are rewritten, which their own counters do not.
 */
#include "compile_log.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

/* A limit, and a counter for each of judging_kinds; or of bound_kinds. */
#define OBJECTS_TOGETHER (1 + (N_JUDGING_KINDS > N_BOUND_KINDS ? N_JUDGING_KINDS : N_BOUND_KINDS))

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return hash64(hash, text, strlen(text) + 1);
}

static uint64_t hash_icmp(uint64_t hash, const struct icmp_type *type)
{
	const uint8_t bytes[] = { type->set, type->any, type->has_code, type->type, type->code };

	return hash64(hash, bytes, sizeof(bytes));
}

/* Not of the members of an ipset, nor of the comment. */
static uint64_t hash_rule(uint64_t hash, const struct rule *rule, const struct policy *policy)
{
	const uint8_t words[] = { (uint8_t)rule->action, (uint8_t)rule->proto, (uint8_t)rule->to };
	char text[ADDR_STRLEN];

	hash = hash64(hash, words, sizeof(words));
	for (size_t i = 0; i < rule->n_ports; i++) {
		const uint16_t range[] = { rule->ports[i].lo, rule->ports[i].hi };

		hash = hash64(hash, range, sizeof(range));
	}
	if (rule->proto == PROTO_ICMP)
		hash = hash_icmp(hash_icmp(hash, &rule->icmp4), &rule->icmp6);
	if (rule->to == DEST_CIDR || rule->to == DEST_IP)
		hash = hash_text(hash, prefix_format(&rule->cidr, text));
	if (rule->to == DEST_HOSTNAME)
		hash = hash_text(hash, rule->hostname);
	if (rule->to == DEST_IPSET)
		hash = hash_text(hash, policy->ipsets[rule->ipset].name);
	return hash;
}

static const char *log_owner(const struct plan_chain *chain)
{
	return chain->bridge ? chain->bridge : LOG_NO_BRIDGE;
}

/* The names of its objects begin so. */
static const char *object_stem(const struct plan_chain *chain)
{
	return chain->bridge ? chain->stem : LOG_NO_BRIDGE;
}

static const char *log_kind(const struct plan_chain *chain)
{
	return chain->log_kind ? chain->log_kind : chain->kind;
}

const char *compile_log_prefix(struct plan *plan, const struct plan_chain *chain,
			       const struct policy *policy, const struct network *network,
			       const struct rule *rule, size_t index)
{
	uint64_t hash = hash_text(HASH_SEED, network->audit ? "audit" : "enforce");
	char number[32] = "-";

	if (rule) {
		hash = hash_rule(hash, rule, policy);
		snprintf(number, sizeof(number), "%zu", index);
	}
	return arena_printf(&plan->arena, "dsfw/%s/%s/%s/%08x", chain->bridge, chain->kind, number,
			    (unsigned)(hash & UINT32_MAX));
}

const char *compile_log_built_in(struct plan *plan, const struct plan_chain *chain,
				 const char *comment)
{
	return arena_printf(&plan->arena, "dsfw/%s/%s/-/%08x", log_owner(chain), log_kind(chain),
			    (unsigned)(hash_text(HASH_SEED, comment) & UINT32_MAX));
}

static const char *audit_comment(struct arena *arena, const char *comment)
{
	char *text = arena_printf(arena, "audit, would refuse: %s", comment ? comment : "");

	text[utf8_cut(text, COMMENT_MAX)] = '\0';
	return text;
}

/* Chains that share one are made one after the other. */
static const struct plan_object *find_object(struct plan *plan, enum object_kind kind,
					     const char *name, const struct origin *origin)
{
	for (size_t i = plan->n_objects; i-- > 0 && plan->n_objects - i <= OBJECTS_TOGETHER;)
		if (object_cmp(plan->objects[i]->kind, plan->objects[i]->name, kind, name) == 0)
			return plan->objects[i];
	return plan_add_object(plan, kind, name, origin);
}

static void add_objects(struct plan *plan, struct plan_chain *chain)
{
	if (chain->tally)
		return;
	chain->limit =
		find_object(plan, OBJECT_LIMIT, plan_limit_name(&plan->arena, object_stem(chain)),
			    chain->origin);
	chain->tally = find_object(
		plan, OBJECT_COUNTER,
		plan_tally_name(&plan->arena, object_stem(chain), log_kind(chain)), chain->origin);
}

bool compile_log_refusals(struct plan *plan, struct plan_chain *chain, size_t first,
			  const struct network *network, const char *prefix)
{
	size_t n = chain->n_rules - first;
	struct plan_rule *refusals = xcalloc(n + 1, sizeof(*refusals));
	bool refuses = false;

	memcpy(refusals, chain->rules + first, n * sizeof(*refusals));
	chain->n_rules = first;
	for (size_t i = 0; i < n; i++) {
		struct plan_rule rule = refusals[i], *log;

		if (plan->options.log_group != 0) {
			add_objects(plan, chain);
			log = chain_add_rule(chain, rule.origin);
			memcpy(log->matches, rule.matches, sizeof(rule.matches));
			log->n_matches = rule.n_matches;
			log->verdict = VERDICT_LOG;
			log->tally = chain->tally;
			log->limit = chain->limit;
			log->log = prefix;
			log->log_group = plan->options.log_group;
		}
		if (network->audit) {
			rule.verdict = VERDICT_ACCEPT;
			rule.target = NULL;
			rule.comment = audit_comment(&plan->arena, rule.comment);
		}
		refuses |= rule.verdict == VERDICT_GOTO;
		*chain_add_rule(chain, rule.origin) = rule;
	}
	free(refusals);
	return refuses;
}
