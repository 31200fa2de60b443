/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The plan's sets are what we believe that the kernel's sets hold. Answers of the resolver change the
 * names; enforcer_names() makes the host-backed sets of the plan again and gives the kernel the
 * difference, as element operations, which touch no rule.
 *
 * A repair compares the whole plan with what the kernel really holds (reconcile.c). We keep
 * what it holds afterwards. As long as we can trust that (known.c), a reload compares with it and
 * reads nothing.
 */
#include "dockside/enforce/enforcer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/sorted.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/table/compile.h"
#include "enforcer_adopt.h"
#include "enforcer_bind.h"

#define TEXTS_MAX (4u << 20) /* bytes */

/* Makes the plans anew. */
static void compile(struct enforcer *e, struct running *running)
{
	struct plan *plan = &running->plan;
	unsigned was_accept = plan->forward_was_accept;

	plan_free(plan);
	names_fill_resolved(&e->names, &running->resolved, 0);
	compile_policy(&running->policy, &running->resolved, &e->options, plan);
	plan->forward_was_accept = was_accept;
	plan_free(&running->bind);
	enforcer_compile_bind(e, &running->policy, &e->ports, &running->bind);
}

int enforcer_open(struct enforcer *ret_enforcer, unsigned refresh_s, unsigned stale_s,
		  const struct plan_options *options, const char *docker, struct err *err)
{
	struct enforcer *e = ret_enforcer;
	int r;

	*e = (struct enforcer){ .stale_s = stale_s, .options = *options, .docker = docker };
	names_init(&e->names, refresh_s, stale_s);
	r = nft_reader_open(&e->reader, err);
	if (r >= 0)
		r = nft_sets_open(&e->sets, RENEWAL_PROBE, err);
	if (r >= 0) {
		nft_loader_open(&e->loader);
		e->no_bridge = nft_probe_bridge();
	}
	if (r < 0)
		enforcer_close(e);
	return r;
}

void enforcer_close(struct enforcer *e)
{
	running_free(e->running);
	drain_close(&e->drain);
	told_record_free(&e->told);
	placing_close(&e->placing);
	names_free(&e->names);
	never_free(&e->never);
	known_forget(&e->known);
	ports_free(&e->ports);
	free(e->no_bridge);
	nft_sets_close(e->sets);
	nft_loader_close(e->loader);
	nft_reader_close(e->reader);
	*e = (struct enforcer){ 0 };
}

/* ------------------------------------------------------------------ the observer */

void enforcer_observe(struct enforcer *e, const struct enforcer_observer *observer)
{
	e->observer = observer;
}

static void tell_before(const struct enforcer *e, enum enforcement enforcement)
{
	if (e->observer)
		e->observer->before(e->observer->data, enforcement);
}

static void tell_after(const struct enforcer *e, enum enforcement enforcement)
{
	if (e->observer)
		e->observer->after(e->observer->data, enforcement);
}

void enforcer_confirm(struct enforcer *e)
{
	tell_before(e, ENFORCE_HELD);
	tell_after(e, ENFORCE_HELD);
}

/* ------------------------------------------------------------------ what the kernel is known to hold */

static bool is_known(struct enforcer *e)
{
	uint32_t genid = 0;

	return e->known.valid && nft_read_genid(e->reader, &genid, NULL) >= 0 &&
	       known_holds(&e->known, genid);
}

/* The next apply() goes by what the kernel is known to hold, where that is still true. */
static void recall(struct enforcer *e)
{
	struct running *running = e->running;

	if (known_may_use(&e->known) && is_known(e))
		known_recall(&e->known,
			     (struct plan *const[N_TABLES]){ &running->plan, &running->bind });
	else
		known_forget(&e->known);
}

static int apply(struct enforcer *e, struct plan *plan, struct plan *bind,
		 struct reconcile_result *ret_result, struct err *err)
{
	struct reconcile_sockets sockets = { e->reader, e->loader, e->sets };
	struct plan *const plans[N_TABLES] = { plan, bind };
	int r = reconcile_apply(&sockets, plans, e->stale_s, e->known.tables, ret_result, err);

	e->gates_changed |= ret_result->gates;
	known_end(&e->known);
	return r;
}

bool enforcer_gates_changed(struct enforcer *e)
{
	bool changed = e->gates_changed;

	e->gates_changed = false;
	return changed;
}

static void keep(struct enforcer *e, struct running *running)
{
	known_keep(&e->known, (struct plan *const[N_TABLES]){ &running->plan, &running->bind });
}

/* ------------------------------------------------------------------ element operations */

struct set_ops {
	struct set_op *items;
	size_t n, cap;
};

static void add_op(struct set_ops *ops, const struct plan_set *set, enum set_op_kind kind,
		   const struct elem *elem)
{
	ops->items = array_grow(ops->items, &ops->cap, ops->n, sizeof(*ops->items));
	ops->items[ops->n++] =
		(struct set_op){ .set = set->name, .type = set->type, .kind = kind, .elem = *elem };
}

/* Adds the addresses of names that have no timeout here. Literals never have one. */
static void add_permanent(struct set_ops *ops, const struct plan_set *set)
{
	for (size_t i = 0; set->n_names > 0 && i < set->n_elems; i++) {
		struct elem elem = set->elems[i];

		if (elem.timeout_ms == 0)
			continue;
		elem.timeout_ms = 0;
		add_op(ops, set, SET_OP_RENEW, &elem);
	}
}

/* ------------------------------------------------------------------ taking over */

/* The names that were there before know their addresses; only at the start the kernel knows more. */
static void adopt(struct enforcer *e, struct running *candidate, const struct actual *actual,
		  uint64_t now_ms)
{
	names_configure(&e->names, &candidate->resolved, now_ms);
	compile(e, candidate);
	enforcer_adopt_addresses(&e->names, &candidate->plan, actual, now_ms);
}

/* ------------------------------------------------------------------ the whole policy */

/* Its networks' subnets. */
static void follow_subnets(struct enforcer *e, const struct policy *policy, uint64_t now_ms)
{
	never_set_policy(&e->never, policy);
	names_set_never(&e->names, &e->never, now_ms);
}

/* At the start: who is on which port. */
static int begin_ports(struct enforcer *e, const struct policy *policy, struct err *err)
{
	struct actual bridge_table = { 0 };
	int r;

	if (e->no_bridge || !e->observer || !e->observer->first)
		return 0;
	r = nft_read_table(e->reader, TABLE_BRIDGE, &bridge_table, err);
	if (r >= 0)
		e->observer->first(e->observer->data, policy, &bridge_table);
	actual_free(&bridge_table);
	return r < 0 ? err_prefix(err, "take over") : 0;
}

bool enforcer_holds(struct enforcer *e, uint64_t now_ms)
{
	return e->running && !names_expire(&e->names, now_ms) && is_known(e);
}

int enforcer_policy(struct enforcer *e, struct running *candidate, uint64_t now_ms,
		    struct running **ret_before, struct reconcile_result *ret_result,
		    struct err *err)
{
	struct actual actual = { 0 };
	int r = 0;

	tell_before(e, ENFORCE_POLICY);
	sites_apply(&e->placing.sites, &candidate->policy);
	if (!e->running)
		r = enforcer_adopt_table(e, &candidate->policy, &actual, err);
	if (r >= 0)
		r = drain_merge(&e->drain, &candidate->policy, err);
	if (r >= 0 && !e->running)
		r = begin_ports(e, &candidate->policy, err);
	if (r < 0) {
		actual_free(&actual);
		return r;
	}
	resolved_free(&candidate->resolved); /* it may have run before */
	resolved_collect_all(&candidate->policy, &candidate->resolved);
	names_expire(&e->names, now_ms);
	follow_subnets(e, &candidate->policy, now_ms);
	if (!e->running)
		adopt(e, candidate, &actual, now_ms);
	actual_free(&actual);
	/* We keep these bits here, too, as others may delete their record in the kernel. */
	candidate->plan.forward_was_accept |= e->running ? e->running->plan.forward_was_accept : 0;
	compile(e, candidate);
	recall(e);
	drain_save(&e->drain);
	r = apply(e, &candidate->plan, &candidate->bind, ret_result, err);
	if (r < 0 && e->running)
		follow_subnets(e, &e->running->policy, now_ms);
	if (r < 0)
		return r;
	names_configure(&e->names, &candidate->resolved, now_ms);
	*ret_before = e->running;
	e->running = candidate;
	drain_adopted(&e->drain);
	drain_remove_configured(&e->drain, &candidate->policy);
	drain_save(&e->drain);
	placing_save(&e->placing, &candidate->policy);
	e->n_policies++;
	keep(e, candidate);
	tell_after(e, ENFORCE_POLICY);
	return 0;
}

/* keep() still reads the plans from before: our knowledge of the kernel borrows from them. */
static int apply_placed(struct enforcer *e, struct err *err)
{
	struct running *running = e->running;
	struct plan plan = running->plan, bind = running->bind;
	struct reconcile_result result;
	int r;

	if (e->drain.n == 0 && running->policy.n_draining == 0)
		recall(e);
	else
		known_forget(&e->known);
	running->plan = (struct plan){ .forward_was_accept = plan.forward_was_accept };
	running->bind = (struct plan){ 0 };
	compile(e, running);
	r = apply(e, &running->plan, &running->bind, &result, err);
	if (r >= 0)
		keep(e, running);
	else
		known_forget(&e->known);
	plan_free(&plan);
	plan_free(&bind);
	return r;
}

int enforcer_place(struct enforcer *e, uint64_t now_ms, struct err *err)
{
	struct policy *policy = &e->running->policy;
	int r = 0;

	tell_before(e, ENFORCE_PLACED);
	sites_apply(&e->placing.sites, policy);
	if (e->drain.n > 0 || policy->n_draining > 0) {
		drain_remove_configured(&e->drain, policy);
		r = drain_merge(&e->drain, policy, err);
	}
	if (r >= 0) {
		names_expire(&e->names, now_ms);
		follow_subnets(e, policy, now_ms);
		r = apply_placed(e, err);
	}
	drain_save(&e->drain);
	placing_save(&e->placing, policy);
	e->n_policies++;
	tell_after(e, ENFORCE_PLACED);
	return r < 0 ? err_prefix(err, "follow Docker's networks") : 0;
}

int enforcer_drained(struct enforcer *e, uint64_t now_ms, struct err *err)
{
	struct running *running = e->running;
	struct reconcile_result result;
	int r;

	tell_before(e, ENFORCE_POLICY);
	r = drain_merge(&e->drain, &running->policy, err);
	if (r < 0)
		return r;
	known_forget(&e->known);
	resolved_free(&running->resolved);
	resolved_collect_all(&running->policy, &running->resolved);
	names_expire(&e->names, now_ms);
	names_configure(&e->names, &running->resolved, now_ms);
	follow_subnets(e, &running->policy, now_ms);
	compile(e, running);
	e->n_policies++;
	drain_save(&e->drain);
	r = apply(e, &running->plan, &running->bind, &result, err);
	if (r >= 0)
		keep(e, running);
	tell_after(e, ENFORCE_POLICY);
	return r;
}

int enforcer_again(struct enforcer *e, uint64_t now_ms, struct reconcile_result *ret_result,
		   struct err *err)
{
	int r;

	tell_before(e, ENFORCE_AGAIN);
	known_forget(&e->known);
	names_expire(&e->names, now_ms);
	compile(e, e->running);
	r = apply(e, &e->running->plan, &e->running->bind, ret_result, err);
	if (r < 0)
		return r;
	keep(e, e->running);
	tell_after(e, ENFORCE_AGAIN);
	return 0;
}

int enforcer_shim(struct enforcer *e, bool *ret_changed, struct err *err)
{
	return reconcile_shim_repair(e->reader, e->loader, &e->running->plan, ret_changed, err);
}

int enforcer_compare_shim(struct enforcer *e, struct reconcile_shim_comparison *ret_comparison,
			  struct err *err)
{
	const struct plan *plan = &e->running->plan;

	return reconcile_shim_compare(e->reader, plan, plan->forward_was_accept, ret_comparison,
				      err);
}

int enforcer_compare(struct enforcer *e, uint64_t now_ms, struct comparison *ret_comparison,
		     struct err *err)
{
	known_forget(&e->known); /* the plan becomes what the names say, the kernel does not */
	names_expire(&e->names, now_ms);
	compile(e, e->running);
	return reconcile_compare(
		e->reader, e->loader,
		(struct plan *const[N_TABLES]){ &e->running->plan, &e->running->bind }, e->stale_s,
		COMPARE_CHAINS, ret_comparison, err);
}

/* ------------------------------------------------------------------ ports */

/* Rules change, not only elements: all is compared. Both old plans live on until then. */
static int apply_bind(struct enforcer *e, struct plan *next, struct err *err)
{
	struct reconcile_result result;
	int r;

	tell_before(e, ENFORCE_AGAIN);
	recall(e);
	r = apply(e, &e->running->plan, next, &result, err);
	if (r >= 0)
		tell_after(e, ENFORCE_AGAIN);
	return r;
}

int enforcer_ports(struct enforcer *e, const struct ports *ports, struct err *err)
{
	struct running *running = e->running;
	struct ports old_ports = e->ports;
	struct plan old = { 0 };
	struct plan next = { 0 };
	struct changes changes;
	bool rules = false;
	int r = 0;

	enforcer_copy_ports(ports, &e->ports);
	if (running && !e->no_bridge) {
		enforcer_compile_bind(e, &running->policy, &e->ports, &next);
		nft_text_hash(&next);
		rules = !diff_elements_only(&running->bind, &next, &changes);
		if (rules) {
			r = apply_bind(e, &next, err);
		} else {
			r = enforcer_commit_elements(e->sets, &changes, err);
			changes_free(&changes);
		}
		old = running->bind;
		running->bind = next;
		if (r < 0)
			known_forget(&e->known);
		else if (rules)
			keep(e, running);
		plan_free(&old);
	}
	ports_free(&old_ports);
	return r < 0 ? err_prefix(err, "bind ports") : 0;
}

/* ------------------------------------------------------------------ names */

bool enforcer_own(struct enforcer *e, const struct ipaddr *addrs, size_t n, uint64_t now_ms)
{
	never_set_own(&e->never, addrs, n);
	return names_set_never(&e->names, &e->never, now_ms);
}

bool enforcer_own_differs(const struct enforcer *e)
{
	return e->running &&
	       compile_own_hash(&e->running->policy, &e->never) != e->running->plan.own_hash;
}

void enforcer_answer(struct enforcer *e, const struct answer *answer, uint64_t now_ms)
{
	names_answer(&e->names, answer, now_ms);
}

struct vouched {
	struct ipaddr *items; /* sorted */
	size_t n, cap;
};

/* The addresses of a set's names that an answer since then has, or that an outage has spared. */
static void collect_vouched(const struct enforcer *e, const struct plan_set *set, uint64_t since_ms,
			    struct vouched *ret)
{
	for (size_t i = 0; i < set->n_names; i++) {
		const struct name *name = names_find(&e->names, set->names[i]->name);

		for (size_t k = 0; name && k < name->n_addrs; k++) {
			if (name->addrs[k].seen_ms < since_ms)
				continue;
			ret->items = array_grow(ret->items, &ret->cap, ret->n, sizeof(*ret->items));
			ret->items[ret->n++] = name->addrs[k].addr;
		}
	}
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), ipaddr_order);
}

static bool is_vouched(const struct vouched *vouched, const struct plan_set *set,
		       const struct elem *elem)
{
	struct ipaddr addr = ipaddr_from_bytes(set_type_family(set->type), elem->key);

	return vouched->n > 0 &&
	       bsearch(&addr, vouched->items, vouched->n, sizeof(addr), ipaddr_order) != NULL;
}

static bool set_touched(const struct enforcer *e, const struct plan_set *set, uint64_t since_ms)
{
	for (size_t i = 0; i < set->n_names; i++) {
		const struct name *name = names_find(&e->names, set->names[i]->name);

		if (name && name->touched_ms >= since_ms)
			return true;
	}
	return false;
}

/* Makes a set's elements again; the difference goes to ops. */
static void update_set(struct enforcer *e, struct plan_set *set, uint64_t since_ms,
		       struct set_ops *ops)
{
	struct plan_set old = *set;
	struct vouched vouched = { 0 };
	struct sorted_walk walk = { .cmp = elem_cmp };

	collect_vouched(e, set, since_ms, &vouched);
	set->elems = NULL;
	set->n_elems = set->cap_elems = 0;
	for (size_t n = 0; n < old.n_elems; n++)
		*set_add_elem(set, NULL) = old.elems[n];
	compile_host_elems(&e->running->plan, set, e->stale_s);
	walk.lefts = SORTED_ARRAY(set->elems, set->n_elems);
	walk.rights = SORTED_ARRAY(old.elems, old.n_elems);
	while (sorted_walk_next(&walk)) {
		const struct elem *want = walk.left, *had = walk.right;

		if (!want)
			add_op(ops, set, SET_OP_ABSENT, had);
		else if (!had || !text_equal(want->comment, had->comment))
			add_op(ops, set, SET_OP_PRESENT, want);
		else if (want->timeout_ms != 0 && is_vouched(&vouched, set, want))
			add_op(ops, set, SET_OP_RENEW, want);
	}
	free(vouched.items);
	free(old.elems);
}

/* Targets that are names. A key that is there with other data has to go first. */
static void update_map(struct plan_set *map, struct set_ops *ops)
{
	for (size_t i = 0; i < map->n_elems; i++) {
		struct elem *elem = &map->elems[i];
		struct elem old = *elem;

		if (!elem->name)
			continue;
		compile_nat_target(elem, map->type);
		if (elem->unresolved == old.unresolved &&
		    memcmp(elem->data, old.data, sizeof(old.data)) == 0)
			continue;
		if (!old.unresolved)
			add_op(ops, map, SET_OP_ABSENT, &old);
		if (!elem->unresolved)
			add_op(ops, map, SET_OP_PRESENT, elem);
	}
}

int enforcer_names(struct enforcer *e, uint64_t since_ms, uint64_t now_ms, struct err *err)
{
	struct plan *plan = &e->running->plan;
	struct set_ops ops = { 0 };
	int r;

	names_expire(&e->names, now_ms);
	names_fill_resolved(&e->names, &e->running->resolved, since_ms);
	for (size_t i = 0; i < plan->n_sets; i++) {
		struct plan_set *set = plan->sets[i];

		if (set_touched(e, set, since_ms))
			update_set(e, set, since_ms, &ops);
		else if (set->type == MAP_NAT4 || set->type == MAP_NAT6)
			update_map(set, &ops);
	}
	r = nft_sets_commit_all(e->sets, ops.items, ops.n, err);
	free(ops.items);
	if (r < 0)
		known_forget(&e->known);
	/* The names that share an address change all the time, and their texts add up. */
	if (plan->texts_size > TEXTS_MAX)
		compile(e, e->running);
	return r;
}

int enforcer_release(struct enforcer *e, uint64_t now_ms, struct err *err)
{
	struct set_ops ops = { 0 };
	int r;

	if (!e->running)
		return 0;
	known_forget(&e->known);
	/* An address that has run out since its name was last answered must not come back for good. */
	names_expire(&e->names, now_ms);
	compile(e, e->running);
	for (size_t i = 0; i < e->running->plan.n_sets; i++)
		add_permanent(&ops, e->running->plan.sets[i]);
	r = nft_sets_commit_all(e->sets, ops.items, ops.n, err);
	free(ops.items);
	return r < 0 ? err_prefix(err, "make the sets' addresses permanent") : 0;
}
