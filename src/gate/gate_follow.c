/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Another policy may have a name in fewer sets, or in more. For each address of a network we compare the sets, by the
 * lists' identities, that its names had it in with those that they have it in now: what is gone is taken back, what is
 * new is told. An address that no answer may open by now, as `private` no longer has it, is to be in none. The tasks are
 * done a few at a time, between questions. A task that takes back looks once more whether a name wants the address: an
 * answer may have told it in the meantime.
 *
 * The same policy may be to be told once more. Then the networks are compared one after the other between questions, too:
 * all of a thousand at once would take 20 ms. Until a network's own tasks are done, its answers are told anew.
 *
 * A packet of a container that found the address in the set while it was taken back may put it in again by renewing it.
 * So a moment later it is taken back once more; until then a policy is not taken.
 *
 * We cannot take back what we have forgotten for want of room. So the daemon hears from then on that we missed something.
 *
 * The kernel takes nothing back while the bridge is away or down: the daemon hears that, and empties sets. The
 * network is away then: its answers are told anew, and now and then we try to take back and to tell all that it has.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"
#include "dockside/system/clock.h"
#include "gate_never.h"
#include "gate_opener_parts.h"

#define WORK_US 250u  /* at once: questions wait meanwhile */
#define LOOK_EVERY 8u /* tasks, at the clock */
#define TASKS_MAX (4u << 20)
#define AGAIN_S 5u     /* between two tries with networks that were away */
#define REPEAT_MS 100u /* after which no packet is on its way any more that found an address */

/* ------------------------------------------------------------------ which tasks there are */

static void add_task(struct gate_opener *o, struct gate_net *owner, const struct ipaddr *addr,
		     uint16_t slot, bool untell)
{
	if (slot == 0)
		return;
	if (o->n_tasks == TASKS_MAX) {
		o->missed |= untell;
		return;
	}
	o->tasks = array_grow(o->tasks, &o->cap_tasks, o->n_tasks, sizeof(*o->tasks));
	o->tasks[o->n_tasks++] = (struct task){ &owner->told, owner, *addr, slot, untell };
	owner->n_tasks++;
}

#define IDENTITIES_MAX 512u

/* Whether the name has the address by an answer still, and not by new connections alone. */
static bool is_live(const struct gate_told_ref *ref, const struct gate_network *network,
		    uint64_t now_ms)
{
	return ref->told_ms != 0 && ref->told_ms + (uint64_t)network->life_s * 1000 > now_ms;
}

/* The sets that an address is in by its names. */
struct sets {
	uint64_t identities[IDENTITIES_MAX];
	uint16_t slots[IDENTITIES_MAX];
	size_t n;
	bool all; /* more than fit */
};

static bool has_set(const struct sets *sets, uint64_t identity)
{
	for (size_t i = 0; i < sets->n; i++)
		if (sets->identities[i] == identity)
			return true;
	return sets->all;
}

static void add_set(struct sets *sets, const struct gate_list *list)
{
	if (has_set(sets, list->identity))
		return;
	if (sets->n == IDENTITIES_MAX) {
		sets->all = true;
		return;
	}
	sets->slots[sets->n] = list->slot;
	sets->identities[sets->n++] = list->identity;
}

/* Out of every set of the network that it is not to be in. */
static void untell_all(struct gate_opener *o, struct gate_net *net,
		       const struct gate_policy *policy, const struct gate_network *network,
		       const struct gate_told_addr *addr, const struct sets *now)
{
	for (size_t i = 0; network && i < network->n_lists; i++) {
		const struct gate_list *list = &policy->lists[network->lists[i]];

		if (!has_set(now, list->identity))
			add_task(o, net, &addr->addr, list->slot, true);
	}
}

/* The kernel may hold what we do not know of, or lack what we take for told. */
static void miss(struct gate_opener *o, struct gate_net *net)
{
	net->was_away = true;
	o->missed = true;
	gate_told_doubt(&o->told);
}

struct change {
	const struct gate_policy *old, *policy;
	const struct gate_network *was, *is; /* of the network */
	bool retell;
	uint64_t now_ms;
	/* The sets that an address was in, and is to be in; those for which a name has an answer still; and those that
	 * a name has lost. */
	struct sets before, now, live, lost;
};

static void match_name(const struct gate_policy *policy, const struct gate_network *network,
		       const struct gate_told_ref *ref, struct gate_match *ret_match)
{
	struct dns_name name = gate_told_name(ref);

	ret_match->n = 0;
	if (policy && network && !gate_never_reason(network, &ref->addr->addr))
		gate_table_match(policy, network, &name, ret_match);
}

static void collect_ref(struct change *c, const struct gate_told_ref *ref)
{
	struct gate_match was, is;
	struct sets own = { .n = 0 };

	match_name(c->policy, c->is, ref, &is);
	for (size_t i = 0; i < is.n; i++) {
		const struct gate_list *list = &c->policy->lists[is.lists[i]];

		add_set(&own, list);
		add_set(&c->now, list);
		if (is_live(ref, c->is, c->now_ms))
			add_set(&c->live, list);
	}
	if (c->old == c->policy)
		return;
	match_name(c->old, c->was, ref, &was);
	for (size_t i = 0; i < was.n; i++) {
		const struct gate_list *list = &c->old->lists[was.lists[i]];

		add_set(&c->before, list);
		if (!has_set(&own, list->identity))
			add_set(&c->lost, list);
	}
}

static void collect(struct change *c, const struct gate_told_addr *addr)
{
	struct sets *const all[] = { &c->before, &c->now, &c->live, &c->lost };
	const struct gate_told_ref *ref;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i]->n = 0;
		all[i]->all = false;
	}
	for (ref = LIST_FIRST(&addr->refs); ref; ref = LIST_NEXT(ref, entry))
		collect_ref(c, ref);
}

/* New connections alone may have kept it there, of which nobody knows for which name they were made: where a name has lost
 * it, another one needs an answer. */
static bool stays(const struct change *c, uint64_t identity)
{
	return has_set(&c->now, identity) &&
	       (has_set(&c->live, identity) || !has_set(&c->lost, identity));
}

static void compare(struct gate_opener *o, struct gate_net *net, const struct gate_told_addr *addr,
		    struct change *c)
{
	const struct sets *before = &c->before;

	collect(c, addr);
	if (c->old == c->policy)
		before = &c->now;
	else
		o->missed |= c->now.all || c->before.all;
	for (size_t i = 0; i < before->n; i++) {
		uint16_t slot;

		if (stays(c, before->identities[i]))
			continue;
		slot = gate_policy_slot(c->policy, before->identities[i]);
		if (slot != 0)
			add_task(o, net, &addr->addr, slot, true);
		/* Its set has gone with it; but a tell may have gone to the set of the list that has its slot now. */
		else if (gate_policy_identity(c->policy, before->slots[i]) != 0)
			untell_all(o, net, c->policy, c->is, addr, &c->now);
	}
	if (net->was_away)
		untell_all(o, net, c->policy, c->is, addr, &c->now);
	for (size_t i = 0; i < c->live.n; i++)
		if (c->retell || net->was_away || !has_set(before, c->live.identities[i]))
			add_task(o, net, &addr->addr, c->live.slots[i], false);
}

static void compare_net(struct gate_opener *o, struct gate_nets *nets, struct gate_net *net,
			struct change *c)
{
	const struct gate_told_ref *ref;
	bool away = !gate_net_ifindex(nets, net);

	if (away) {
		miss(o, net);
		return;
	}
	for (ref = TAILQ_FIRST(&net->told.by_age); ref; ref = TAILQ_NEXT(ref, by_age))
		if (LIST_FIRST(&ref->addr->refs) == ref) /* each address once */
			compare(o, net, ref->addr, c);
	if (c->is)
		net->was_away = false;
	else if (net->was_away && !gate_net_is_over(net, c->now_ms))
		o->missed = true; /* it has no lists any more that it could be taken out of */
}

static void renew(struct gate_opener *o, const struct change *c, const struct task *tasks,
		  size_t done, size_t n)
{
	for (size_t i = done; i < n; i++) {
		struct gate_net *net = tasks[i].owner;

		/* Otherwise it may be gone in a moment. */
		if (tasks[i].untell && net->told.n_refs > 0 && !gate_net_is_over(net, c->now_ms))
			add_task(o, net, &tasks[i].addr,
				 gate_policy_slot(c->policy,
						  gate_policy_identity(c->old, tasks[i].slot)),
				 true);
	}
}

/* Tasks that were not done yet name slots of the old policy. Their networks are compared as if nothing were known of
 * them, so that nothing is left out of the sets that they have now. An address still has to go out of a set that its
 * network no longer has, if another network has kept the set: one day the network may have it again. And what was taken
 * back once is to be taken back once more. */
static void renew_tasks(struct gate_opener *o, const struct change *c)
{
	struct task *tasks = o->tasks, *again = o->again;
	size_t done = o->done, n = o->n_tasks, n_again = o->n_again;
	size_t first = o->repeating ? done : 0;

	o->tasks = o->again = NULL;
	o->n_tasks = o->cap_tasks = o->done = o->n_again = 0;
	o->repeating = false;
	for (size_t i = done; i < n; i++) {
		tasks[i].owner->was_away = true;
		tasks[i].owner->n_tasks--;
	}
	if (c->old) {
		renew(o, c, tasks, first, n);
		renew(o, c, again, 0, n_again);
	}
	free(tasks);
	free(again);
}

/* The kernel refused to take something back: all networks are compared as if their bridges had been away. */
static void doubt_all(struct gate_opener *o, struct gate_nets *nets)
{
	struct gate_net *net;

	for (net = TAILQ_FIRST(gate_nets_list(nets)); net && o->refused;
	     net = TAILQ_NEXT(net, entry))
		net->was_away = true;
	o->refused = false;
}

static void mark_behind(struct gate_opener *o, struct gate_net *net)
{
	o->n_behind += !net->behind;
	net->behind = true;
}

/* Networks that were not compared yet count as unknown. */
static void unmark_all(struct gate_opener *o, struct gate_nets *nets)
{
	struct gate_net *net;

	for (net = TAILQ_FIRST(gate_nets_list(nets)); net && o->n_behind > 0;
	     net = TAILQ_NEXT(net, entry)) {
		net->was_away |= net->behind;
		o->n_behind -= net->behind;
		net->behind = false;
	}
	o->retell = false;
}

static void compare_next(struct gate_opener *o, struct gate_nets *nets,
			 const struct gate_policy *policy)
{
	struct gate_net *net = TAILQ_FIRST(gate_nets_list(nets));
	struct change *c = xcalloc(1, sizeof(*c));

	while (!net->behind)
		net = TAILQ_NEXT(net, entry);
	c->old = c->policy = policy;
	c->was = c->is = net->policy;
	c->retell = o->retell;
	c->now_ms = o->now_ms;
	compare_net(o, nets, net, c);
	free(c);
	net->behind = false;
	if (--o->n_behind == 0)
		o->retell = false;
}

/* Networks that were away, and are back. */
static void try_again(struct gate_opener *o, struct gate_nets *nets)
{
	struct gate_net *net;

	for (net = TAILQ_FIRST(gate_nets_list(nets)); net; net = TAILQ_NEXT(net, entry))
		if (net->was_away && net->policy && gate_net_ifindex(nets, net))
			mark_behind(o, net);
}

static bool has_work(const struct gate_opener *o)
{
	return o->n_tasks > 0 || o->n_behind > 0;
}

bool gate_opener_is_settled(const struct gate_opener *o)
{
	return !has_work(o) && o->n_again == 0;
}

int gate_opener_wait_ms(const struct gate_opener *o, uint64_t now_ms)
{
	if (has_work(o) || o->n_again == 0)
		return -1;
	return now_ms >= o->repeat_ms ? 0 : (int)(o->repeat_ms - now_ms);
}

/* Has all be taken back once more that was a moment ago. */
static void repeat(struct gate_opener *o)
{
	if (gate_opener_wait_ms(o, monotonic_ms()) != 0)
		return;
	free(o->tasks);
	o->tasks = o->again;
	o->n_tasks = o->cap_tasks = o->n_again;
	o->again = NULL;
	o->n_again = 0;
	o->repeating = true;
	for (size_t i = 0; i < o->n_tasks; i++)
		o->tasks[i].owner->n_tasks++;
}

void gate_opener_tick(struct gate_opener *o, struct gate_nets *nets,
		      const struct gate_policy *policy, uint64_t now_ms)
{
	o->now_ms = now_ms;
	o->n_undone = 0;
	if (++o->waited_s < AGAIN_S || !policy || !gate_opener_is_settled(o))
		return;
	o->waited_s = 0;
	if (!o->doubted && o->refused) {
		o->doubted = true;
		doubt_all(o, nets);
	}
	try_again(o, nets);
}

bool gate_opener_has_missed(const struct gate_opener *o)
{
	return o->missed;
}

/* Tasks that are not done yet will be done by c's policy. */
static void begin(struct gate_opener *o, struct gate_nets *nets, const struct change *c)
{
	o->now_ms = c->now_ms;
	o->missed = o->told.forgotten;
	gate_told_doubt(&o->told);
	o->doubted = false;
	doubt_all(o, nets);
	renew_tasks(o, c);
}

void gate_opener_follow(struct gate_opener *o, struct gate_nets *nets,
			const struct gate_policy *old, const struct gate_policy *policy,
			bool retell, uint64_t now_ms)
{
	struct change *c = xcalloc(1, sizeof(*c));
	struct gate_net *net;

	c->old = old;
	c->policy = policy;
	c->retell = retell;
	c->now_ms = now_ms;
	begin(o, nets, c);
	unmark_all(o, nets);
	for (net = TAILQ_FIRST(gate_nets_list(nets)); net; net = TAILQ_NEXT(net, entry)) {
		if (net->told.n_refs == 0)
			continue;
		c->was = net->policy;
		c->is = gate_policy_network(policy, net->bridge);
		compare_net(o, nets, net, c);
	}
	free(c);
	gate_nets_follow(nets, &o->told, policy, now_ms);
}

void gate_opener_again(struct gate_opener *o, struct gate_nets *nets,
		       const struct gate_policy *policy, bool retell, uint64_t now_ms)
{
	struct change *c = xcalloc(1, sizeof(*c));
	struct gate_net *net;

	c->old = c->policy = policy;
	c->now_ms = now_ms;
	begin(o, nets, c);
	free(c);
	for (net = TAILQ_FIRST(gate_nets_list(nets)); net; net = TAILQ_NEXT(net, entry))
		if (net->told.n_refs > 0)
			mark_behind(o, net);
	o->retell = (o->retell || retell) && o->n_behind > 0;
}

/* ------------------------------------------------------------------ doing them */

/* Whether a name has the address in the set. */
static bool is_wanted(const struct gate_opener *o, const struct gate_policy *policy,
		      const struct task *task)
{
	const struct gate_told_addr *addr = gate_told_find(&o->told, task->net, &task->addr);
	const struct gate_told_ref *ref;
	struct gate_match match;

	if (!addr || !task->owner->policy || gate_never_reason(task->owner->policy, &addr->addr))
		return false;
	for (ref = LIST_FIRST(&addr->refs); ref; ref = LIST_NEXT(ref, entry)) {
		struct dns_name name = gate_told_name(ref);

		if (!is_live(ref, task->owner->policy, o->now_ms))
			continue;
		gate_table_match(policy, task->owner->policy, &name, &match);
		for (size_t i = 0; i < match.n; i++)
			if (policy->lists[match.lists[i]].slot == task->slot)
				return true;
	}
	return false;
}

static void do_task(struct gate_opener *o, struct gate_nets *nets, const struct gate_policy *policy,
		    const struct task *task)
{
	unsigned ifindex = gate_net_ifindex(nets, task->owner);
	bool wanted = is_wanted(o, policy, task);

	task->owner->n_tasks--;
	if (wanted == task->untell)
		return;
	if (ifindex == 0 || gate_tell_send(o->tell, policy->tag, ifindex,
					   task->slot + (task->untell ? GATE_UNTELL : 0),
					   &task->addr) != GATE_TELL_TAKEN)
		miss(o, task->owner);
}

/* All is done, and what was taken back is to be done once more. */
static void keep_untells(struct gate_opener *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_tasks && !o->repeating; i++)
		if (o->tasks[i].untell)
			o->tasks[n++] = o->tasks[i];
	free(o->again);
	o->again = n > 0 ? o->tasks : NULL;
	if (n == 0)
		free(o->tasks);
	o->n_again = n;
	o->repeat_ms = monotonic_ms() + REPEAT_MS;
	o->tasks = NULL;
	o->n_tasks = o->cap_tasks = o->done = 0;
	o->repeating = false;
}

bool gate_opener_work(struct gate_opener *o, struct gate_nets *nets,
		      const struct gate_policy *policy)
{
	uint64_t end_us;

	repeat(o);
	if (!has_work(o))
		return false;
	end_us = monotonic_us() + WORK_US;
	do {
		if (o->done == o->n_tasks && o->n_behind > 0)
			compare_next(o, nets, policy);
		for (size_t i = 0; i < LOOK_EVERY && o->done < o->n_tasks; i++)
			do_task(o, nets, policy, &o->tasks[o->done++]);
	} while ((o->done < o->n_tasks || o->n_behind > 0) && monotonic_us() < end_us);
	gate_opener_hear(o);
	if (o->done < o->n_tasks || o->n_behind > 0)
		return true;
	keep_untells(o);
	return false;
}
