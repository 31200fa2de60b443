/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * An answer's addresses are told unless they were told, by this name and for this network, within the last minute, or
 * half of an element's life where that is less. So an address stays for its life after an answer, but for a minute, and
 * the kernel is told seldom. Names differ in that time, between half of it and the whole: those that all were told at
 * once, as after a start, would be told anew at once, and questions would wait for that.
 *
 * gate_follow.c has the changes that another policy makes.
 */
#include "gate_opener.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"
#include "gate_opener_parts.h"

#define FRESH_MS 60000u
#define UNDOS_PER_S 20u /* each walks through all that was told; then nothing counts as told */

#define WHY_FULL "the network has no room for more addresses: its set is full"
#define WHY_RULES "the kernel lacks the rules that take addresses: is the daemon running?"

int gate_opener_open(struct gate_counts *counts, struct gate_report *report,
		     struct gate_opener **ret_opener, struct err *err)
{
	struct gate_tell *tell;
	int r = gate_tell_open(&tell, err);

	if (r < 0)
		return r;
	*ret_opener = xcalloc(1, sizeof(**ret_opener));
	(*ret_opener)->tell = tell;
	(*ret_opener)->counts = counts;
	(*ret_opener)->report = report;
	gate_told_init(&(*ret_opener)->told);
	return 0;
}

void gate_opener_close(struct gate_opener *o)
{
	if (!o)
		return;
	gate_tell_close(o->tell);
	gate_told_free(&o->told);
	free(o->tasks);
	free(o->again);
	free(o);
}

int gate_opener_fd(const struct gate_opener *o)
{
	return gate_tell_fd(o->tell);
}

/* ------------------------------------------------------------------ answers */

/* A refusal that came late. */
static void undo(struct gate_opener *o, const struct ipaddr *addr)
{
	if (o->n_undone++ < UNDOS_PER_S) {
		gate_told_undo(&o->told, addr);
	} else {
		o->sure_ms = o->now_ms;
		gate_told_doubt(&o->told);
	}
}

static void miss_untell(struct gate_opener *o)
{
	o->missed = o->refused = true;
}

void gate_opener_hear(struct gate_opener *o)
{
	struct ipaddr addr;
	unsigned port;

	while (gate_tell_refused(o->tell, &addr, &port)) {
		if (port >= GATE_UNTELL) {
			miss_untell(o);
			continue;
		}
		o->counts->tell_failures++;
		undo(o, &addr);
	}
	gate_tell_settle(o->tell);
}

/* The sets of a name take an address, or some of them do, or none. */
struct outcome {
	size_t n_taken; /* as far as one can see at once */
	bool told;	/* all have taken it */
};

/* To all sets of the name. */
static struct outcome tell_one(struct gate_opener *o, const struct gate_policy *policy,
			       const struct gate_opening *opening, const struct ipaddr *addr)
{
	size_t n_taken = 0;
	bool ok = true;

	for (size_t i = 0; i < opening->match->n && ok; i++) {
		unsigned slot = policy->lists[opening->match->lists[i]].slot;

		o->counts->tells++;
		switch (gate_tell_send(o->tell, policy->tag, opening->ifindex, slot, addr)) {
		case GATE_TELL_TAKEN:
			n_taken++;
			break;
		case GATE_TELL_NO_RULES:
			gate_report_alarm(o->report, opening->net, opening->name, WHY_RULES);
			ok = false;
			break;
		case GATE_TELL_FAILED:
			ok = false;
			break;
		}
	}
	return (struct outcome){ n_taken, ok };
}

/* Takes out the addresses that the kernel refused. */
static void take_refusals(struct gate_opener *o, struct gate_opening *opening,
			  struct outcome outcomes[GATE_ANSWER_ADDRS_MAX])
{
	struct ipaddr addr;
	unsigned port;

	while (gate_tell_refused(o->tell, &addr, &port)) {
		bool mine = false;

		if (port >= GATE_UNTELL) {
			miss_untell(o);
			continue;
		}
		for (size_t i = 0; i < opening->n; i++) {
			if (ipaddr_cmp(&opening->addrs[i], &addr) != 0)
				continue;
			mine = true;
			opening->is_open[i] = outcomes[i].told = false;
			outcomes[i].n_taken -= outcomes[i].n_taken > 0;
		}
		if (!mine)
			undo(o, &addr);
		else
			gate_report_alarm(o->report, opening->net, opening->name,
					  "the kernel refused its address: the set is full, or the "
					  "rules do not let names open it");
		o->counts->tell_failures++;
	}
}

static uint64_t fresh_ms_of(const struct gate_opener *o, const struct gate_opening *opening)
{
	uint64_t half_life_ms = (uint64_t)opening->net->policy->life_s * 500;
	uint64_t half_ms = (half_life_ms < FRESH_MS ? half_life_ms : FRESH_MS) / 2;

	return half_ms + gate_told_hash(&o->told, opening->name) % (half_ms + 1);
}

/* Finds those that are open as they were told lately. While a network is behind, an address may be new in one of the sets. */
static void find_fresh(const struct gate_opener *o, struct gate_opening *opening, uint64_t now_ms)
{
	uint64_t fresh_ms = fresh_ms_of(o, opening), oldest_ms = now_ms;
	uint64_t told_ms[GATE_ANSWER_ADDRS_MAX];
	bool sure = !gate_net_is_behind(opening->net), all = sure;

	gate_told_when(&o->told, &opening->net->told, opening->name, opening->addrs, opening->n,
		       told_ms);
	for (size_t i = 0; i < opening->n; i++) {
		opening->is_open[i] =
			sure && told_ms[i] > o->sure_ms && now_ms - told_ms[i] < fresh_ms;
		all &= opening->is_open[i];
		if (told_ms[i] < oldest_ms)
			oldest_ms = told_ms[i];
	}
	if (all && opening->all)
		*opening->all = (struct gate_told_all){ opening->net->told.id, o->told.losses,
							oldest_ms + fresh_ms };
}

bool gate_opener_has_told(const struct gate_opener *o, const struct gate_net *net,
			  const struct gate_told_all *all, uint64_t now_ms)
{
	return gate_told_has_all(&o->told, &net->told, all, now_ms);
}

static bool has_room(struct gate_opener *o, const struct gate_opening *opening, size_t i,
		     uint64_t now_ms)
{
	const struct gate_network *network = opening->net->policy;

	if (gate_told_room(&o->told, &opening->net->told, opening->name, &opening->addrs[i],
			   network->size, now_ms, (uint64_t)network->life_s * 1000))
		return true;
	o->counts->tell_failures++;
	gate_report_alarm(o->report, opening->net, opening->name, WHY_FULL);
	return false;
}

/* Those that were told just now. One that a set has taken, and another has not, is to be taken back with its name, too: the
 * rules may be of a policy that we are about to hear of. */
static void note_told(struct gate_opener *o, const struct gate_opening *opening,
		      const struct outcome outcomes[GATE_ANSWER_ADDRS_MAX], uint64_t now_ms)
{
	struct ipaddr addrs[GATE_ANSWER_ADDRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < opening->n; i++) {
		if (outcomes[i].n_taken == 0)
			continue;
		gate_told_put(&o->told, &opening->net->told, opening->name, &opening->addrs[i],
			      outcomes[i].told ? now_ms : 0);
		if (outcomes[i].told)
			addrs[n++] = opening->addrs[i];
	}
	if (n > 0)
		gate_report_told(o->report, opening->net, opening->name, addrs, n);
}

size_t gate_opener_tell(struct gate_opener *o, const struct gate_policy *policy,
			struct gate_opening *opening, uint64_t now_ms)
{
	struct outcome outcomes[GATE_ANSWER_ADDRS_MAX] = { 0 };
	size_t n_open = 0;
	bool any = false;

	if (opening->match->n == 0) {
		memset(opening->is_open, true, sizeof(opening->is_open));
		return opening->n;
	}
	o->now_ms = now_ms;
	find_fresh(o, opening, now_ms);
	for (size_t i = 0; i < opening->n; i++) {
		if (opening->is_open[i] || opening->match->overflow ||
		    !has_room(o, opening, i, now_ms))
			continue;
		if (!any)
			gate_opener_hear(o); /* of earlier ones */
		any = true;
		outcomes[i] = tell_one(o, policy, opening, &opening->addrs[i]);
		opening->is_open[i] = outcomes[i].told;
		o->counts->tell_failures += !outcomes[i].told;
	}
	if (any) {
		take_refusals(o, opening, outcomes);
		note_told(o, opening, outcomes, now_ms);
	}
	for (size_t i = 0; i < opening->n; i++)
		n_open += opening->is_open[i];
	return n_open;
}
