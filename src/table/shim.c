/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/shim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"

#define DOCKER_CHAIN "DOCKER"

const char *shim_table_name(enum shim_table table)
{
	static const char *const names[] = { "ip filter", "ip6 filter", "ip nat" };

	static_assert(ARRAY_SIZE(names) == N_SHIM_TABLES, "a name for each table");
	return names[table];
}

const char *shim_state_name(enum shim_state state)
{
	static const char *const names[] = { "no DOCKER-USER", "not needed", "installed",
					     "differs" };

	static_assert(ARRAY_SIZE(names) == SHIM_DIFFERS + 1, "a name for each state");
	return names[state];
}

/* ------------------------------------------------------------------ what the kernel holds */

struct shim_chain *shim_find_chain(const struct shim_kernel *actual, enum shim_table table,
				   const char *name)
{
	for (size_t i = actual->n_chains; i-- > 0;)
		if (actual->chains[i].table == table && strcmp(actual->chains[i].name, name) == 0)
			return &actual->chains[i];
	return NULL;
}

struct shim_chain *shim_add_chain(struct shim_kernel *actual, enum shim_table table,
				  const char *name)
{
	struct shim_chain *chain;

	actual->chains = array_grow(actual->chains, &actual->cap_chains, actual->n_chains,
				    sizeof(*actual->chains));
	chain = &actual->chains[actual->n_chains++];
	*chain = (struct shim_chain){ .table = table, .name = arena_strdup(&actual->arena, name) };
	return chain;
}

struct shim_rule *shim_add_rule(struct shim_chain *chain)
{
	chain->rules =
		array_grow(chain->rules, &chain->cap_rules, chain->n_rules, sizeof(*chain->rules));
	chain->rules[chain->n_rules] = (struct shim_rule){ 0 };
	return &chain->rules[chain->n_rules++];
}

void shim_kernel_free(struct shim_kernel *actual)
{
	for (size_t i = 0; i < actual->n_chains; i++)
		free(actual->chains[i].rules);
	free(actual->chains);
	arena_free(&actual->arena);
	*actual = (struct shim_kernel){ 0 };
}

/* ------------------------------------------------------------------ what is wanted */

/* The bridges that have a policy. */
struct bridges {
	char (*names)[IFNAME_KEY_LEN];
	size_t n;
};

static int cmp_bridges(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void bridges_collect(const struct plan *plan, struct bridges *ret)
{
	const struct plan_set *dispatch = plan_find_set(plan, "dispatch");
	size_t n = dispatch ? dispatch->n_elems : 0;

	*ret = (struct bridges){ .names = xcalloc(n + 1, sizeof(*ret->names)) };
	for (size_t i = 0; dispatch && i < dispatch->n_elems; i++)
		memcpy(ret->names[ret->n++], dispatch->elems[i].key, IFNAME_KEY_LEN - 1);
	qsort(ret->names, ret->n, sizeof(*ret->names), cmp_bridges);
}

/* ------------------------------------------------------------------ comparing */

static struct shim_op *add_op(struct shim_changes *changes, enum shim_op_kind kind,
			      enum shim_table table, const char *chain)
{
	struct shim_op *op;

	changes->ops =
		array_grow(changes->ops, &changes->cap_ops, changes->n_ops, sizeof(*changes->ops));
	op = &changes->ops[changes->n_ops++];
	*op = (struct shim_op){
		.kind = kind, .table = table, .chain = chain, .seq = changes->n_ops
	};
	return op;
}

static bool is_jump_to(const struct shim_rule *rule, const char *chain)
{
	return rule->verdict == SHIM_JUMP && strcmp(rule->target, chain) == 0;
}

static bool is_bare(const struct shim_rule *rule)
{
	return !rule->other && !rule->is_goto && !rule->has_mark && !rule->iifname;
}

/* Our chain holds just the rules that it is to hold. */
static bool dispatches(const struct shim_chain *chain, uint32_t mark_bit,
		       const struct bridges *bridges)
{
	const struct shim_rule *judged = chain->rules;

	if (chain->n_rules != bridges->n + 1)
		return false;
	if (judged->other || judged->iifname || judged->verdict != SHIM_RETURN ||
	    !judged->has_mark || judged->mark_mask != mark_bit || judged->mark_value != mark_bit)
		return false;
	for (size_t i = 0; i < bridges->n; i++) {
		const struct shim_rule *rule = &chain->rules[i + 1];

		if (rule->other || rule->has_mark || rule->verdict != SHIM_DROP || !rule->iifname ||
		    strcmp(rule->iifname, bridges->names[i]) != 0)
			return false;
	}
	return true;
}

/* Whether nft's grammar takes it for a chain's name (doc/kernel.md, "Names that nft takes"). The iptables version also
 * took ':', which no interface's name has, so that no packet ever came to such a chain. */
static bool nameable(const char *name)
{
	return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_./-")] == '\0';
}

/* Removes the jumps to a chain: all, but for one bare one that is first in DOCKER-USER if it may stay, and
 * those in chains that no script can name. Returns whether the first is there; *ret_held: one of the
 * others, so that the chain cannot be deleted. */
static bool delete_jumps(struct shim_changes *changes, const struct shim_kernel *actual,
			 enum shim_table table, const char *target, bool first_stays,
			 bool *ret_held)
{
	bool stays = false;

	*ret_held = false;
	for (size_t i = 0; i < actual->n_chains; i++) {
		const struct shim_chain *chain = &actual->chains[i];
		bool user = strcmp(chain->name, SHIM_USER_CHAIN) == 0;

		/* Chains of that name are flushed. */
		if (chain->table != table ||
		    strncmp(chain->name, SHIM_PREFIX, strlen(SHIM_PREFIX)) == 0)
			continue;
		for (size_t k = 0; k < chain->n_rules; k++) {
			if (!is_jump_to(&chain->rules[k], target))
				continue;
			if (user && k == 0 && first_stays && is_bare(&chain->rules[k]))
				stays = true;
			else if (!nameable(chain->name))
				*ret_held = true;
			else
				add_op(changes, SHIM_DELETE_RULE, table, chain->name)->handle =
					chain->rules[k].handle;
		}
	}
	return stays;
}

static void install(struct shim_changes *changes, const struct shim_kernel *actual,
		    enum shim_table table, const struct bridges *bridges)
{
	const struct shim_chain *chain = shim_find_chain(actual, table, SHIM_CHAIN);
	bool held, jumps = delete_jumps(changes, actual, table, SHIM_CHAIN, true, &held);

	if (!chain || !dispatches(chain, changes->mark_bit, bridges)) {
		add_op(changes, chain ? SHIM_FLUSH_CHAIN : SHIM_ADD_CHAIN, table, SHIM_CHAIN);
		add_op(changes, SHIM_ADD_JUDGED, table, SHIM_CHAIN);
		for (size_t i = 0; i < bridges->n; i++)
			add_op(changes, SHIM_ADD_DROP, table, SHIM_CHAIN)->bridge =
				arena_strdup(&changes->arena, bridges->names[i]);
	}
	if (!jumps)
		add_op(changes, SHIM_INSERT_JUMP, table, SHIM_USER_CHAIN);
}

static void uninstall(struct shim_changes *changes, const struct shim_kernel *actual,
		      enum shim_table table)
{
	bool held;

	delete_jumps(changes, actual, table, SHIM_CHAIN, false, &held);
	if (!shim_find_chain(actual, table, SHIM_CHAIN))
		return;
	add_op(changes, SHIM_FLUSH_CHAIN, table, SHIM_CHAIN);
	if (!held)
		add_op(changes, SHIM_DELETE_CHAIN, table, SHIM_CHAIN);
}

/* The chains of the iptables version: the one that is our namesake becomes ours, the rest goes. */
static bool is_old(const struct shim_chain *chain)
{
	return strncmp(chain->name, SHIM_PREFIX, strlen(SHIM_PREFIX)) == 0 &&
	       !(chain->table != SHIM_NAT4 && strcmp(chain->name, SHIM_CHAIN) == 0);
}

static void take_over(struct shim_changes *changes, const struct shim_kernel *actual)
{
	for (size_t i = 0; i < actual->n_chains; i++) {
		const struct shim_chain *chain = &actual->chains[i];
		bool held;

		if (!is_old(chain) || !nameable(chain->name))
			continue;
		delete_jumps(changes, actual, chain->table, chain->name, false, &held);
		if (held && chain->n_rules == 0)
			continue; /* all that can be done for it is done */
		add_op(changes, SHIM_FLUSH_CHAIN, chain->table, chain->name);
		if (!held)
			add_op(changes, SHIM_DELETE_CHAIN, chain->table, chain->name);
		changes->takes_over = true;
	}
}

static int cmp_ops(const void *a, const void *b)
{
	const struct shim_op *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

/* By kind: chains that go jump to each other, so that all are emptied before the first goes. */
static void in_order(struct shim_changes *changes)
{
	if (changes->n_ops > 0)
		qsort(changes->ops, changes->n_ops, sizeof(*changes->ops), cmp_ops);
}

bool shim_has_forward_rule(const struct shim_chain *user)
{
	for (size_t i = 0; user && i < user->n_rules; i++)
		if (user->rules[i].comment &&
		    strcmp(user->rules[i].comment, SHIM_FORWARD_COMMENT) == 0)
			return true;
	return false;
}

/* Whether Docker has rules of its own in the table, so that its networks do not live by the policy. Up to
 * version 22 it has no DOCKER-USER in ip6 filter. */
static bool docker_filters(const struct shim_kernel *actual, enum shim_table table)
{
	return shim_find_chain(actual, table, SHIM_USER_CHAIN) ||
	       (table == SHIM_FILTER6 && shim_find_chain(actual, table, DOCKER_CHAIN));
}

static enum shim_forward forward_wanted(const struct plan *plan, const struct shim_kernel *actual,
					enum shim_table table, bool was_accept)
{
	const struct shim_chain *user = shim_find_chain(actual, table, SHIM_USER_CHAIN);
	const struct shim_chain *forward = shim_find_chain(actual, table, "FORWARD");

	if (!docker_filters(actual, table) || !forward || !forward->base)
		return FORWARD_LEAVE;
	if (forward->accepts)
		return plan->options.forward_policy == FORWARD_POLICY_DROP ? FORWARD_DROP
									   : FORWARD_LEAVE;
	return was_accept && user && !shim_has_forward_rule(user) ? FORWARD_ACCEPT : FORWARD_LEAVE;
}

/* Returns the FORWARD policies that were ACCEPT, as bits: a rule or a chain goes with each. */
static unsigned has_forward_rules(const struct shim_kernel *actual)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < N_SHIM_FILTERS; i++)
		if (shim_has_forward_rule(
			    shim_find_chain(actual, (enum shim_table)i, SHIM_USER_CHAIN)) ||
		    shim_find_chain(actual, (enum shim_table)i, SHIM_FORWARD_CHAIN))
			bits |= 1u << i;
	return bits;
}

void shim_diff(const struct plan *plan, const struct shim_kernel *actual, unsigned was_accept,
	       struct shim_changes *ret_changes)
{
	static const enum shim_table tables[N_SHIM_FILTERS] = { SHIM_FILTER4, SHIM_FILTER6 };
	struct bridges bridges;

	*ret_changes = (struct shim_changes){ .mark_bit = plan->options.mark_bit };
	ret_changes->was_accept = was_accept | has_forward_rules(actual);
	bridges_collect(plan, &bridges);
	take_over(ret_changes, actual);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (bridges.n > 0 && shim_find_chain(actual, tables[i], SHIM_USER_CHAIN))
			install(ret_changes, actual, tables[i], &bridges);
		else
			uninstall(ret_changes, actual, tables[i]);
		if (bridges.n > 0)
			ret_changes->forward[i] =
				forward_wanted(plan, actual, tables[i], was_accept & 1u << i);
	}
	in_order(ret_changes);
	free(bridges.names);
}

/* Not the iptables version's chain of that name, which jumps to its other ones. */
static bool is_ours(const struct shim_chain *chain)
{
	for (size_t i = 0; chain && i < chain->n_rules; i++)
		if (chain->rules[i].verdict == SHIM_JUMP)
			return false;
	return chain != NULL;
}

void shim_diff_teardown(const struct shim_kernel *actual, unsigned was_accept,
			struct shim_changes *ret_changes)
{
	static const enum shim_table tables[N_SHIM_FILTERS] = { SHIM_FILTER4, SHIM_FILTER6 };

	*ret_changes = (struct shim_changes){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (is_ours(shim_find_chain(actual, tables[i], SHIM_CHAIN)))
			uninstall(ret_changes, actual, tables[i]);
	in_order(ret_changes);
	was_accept |= has_forward_rules(actual);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (was_accept & 1u << i)
			ret_changes->forward[i] = FORWARD_RESTORE;
}

bool shim_leaves_forward(const struct shim_changes *changes)
{
	for (size_t i = 0; i < N_SHIM_FILTERS; i++)
		if (changes->forward[i] != FORWARD_LEAVE)
			return false;
	return true;
}

void shim_changes_free(struct shim_changes *changes)
{
	free(changes->ops);
	arena_free(&changes->arena);
	*changes = (struct shim_changes){ 0 };
}

enum shim_state shim_state(const struct shim_kernel *actual, const struct shim_changes *changes,
			   enum shim_table table)
{
	if (!shim_find_chain(actual, table, SHIM_USER_CHAIN))
		return SHIM_NO_DOCKER_USER;
	for (size_t i = 0; i < changes->n_ops; i++)
		if (changes->ops[i].table == table)
			return SHIM_DIFFERS;
	return shim_find_chain(actual, table, SHIM_CHAIN) ? SHIM_INSTALLED : SHIM_NOT_NEEDED;
}
