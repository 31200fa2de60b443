/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Every commit of anybody raises the ruleset's generation by one, and the kernel reports each of
 * them, in order. Our knowledge of the table at one generation holds at the next if that
 * generation's transaction touched nothing of ours, or was one of our own whose changes are in what
 * is known. So trust moves on from generation to generation as the events come in, one by one;
 * any other event, and a generation that is left out, ends it for good: only reading the
 * table begins it again.
 *
 * It holds if the last generation that is accounted for is the ruleset's own. The kernel counts
 * first and tells then, so that an event that has not arrived makes it fail to hold, never the other
 * way round. A transaction that comes after that question is one that comes after the reload.
 *
 * Events of generations up to that at which the table was read arrive late, and say nothing new.
 *
 * Not kept are the elements of sets and maps that change with the names, by themselves, when they run
 * out, or with the ports: they are the running plans'. Whether they are is looked at when the rest is kept.
 */
#include "dockside/enforce/known.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"

/* Before it is read again: little adds up each time, and nobody is infallible. */
#define USES_MAX 1000

void known_begin(struct known *known, uint32_t genid)
{
	known->valid = true;
	known->genid = genid;
}

void known_end(struct known *known)
{
	known->valid = false;
	known->genid = 0;
}

/* Numbers wrap around, and leave out 0, as in the kernel. */
static uint32_t next_genid(uint32_t genid)
{
	return genid + 1 == 0 ? 1 : genid + 1;
}

static bool already_known(const struct known *known, uint32_t genid)
{
	return known->genid - genid <= INT32_MAX;
}

void known_transaction(struct known *known, uint32_t genid, enum deed deed)
{
	if (!known->valid || already_known(known, genid))
		return;
	if (deed == DEED_UNKNOWN || genid != next_genid(known->genid))
		known_end(known);
	else
		known->genid = genid;
}

bool known_holds(const struct known *known, uint32_t genid)
{
	return known->valid && known->genid == genid;
}

/* ------------------------------------------------------------------ the table */

void known_forget(struct known *known)
{
	known->uses = 0;
	for (int i = 0; i < N_TABLES; i++)
		actual_free(&known->tables[i]);
	known_end(known);
}

bool known_may_use(struct known *known)
{
	return ++known->uses < USES_MAX;
}

/* Whether its elements are the running plan's, and not kept. */
static bool set_is_planned(const struct plan *plan, const struct plan_set *set)
{
	if (plan->family == TABLE_BRIDGE)
		return strcmp(set->name, FINGERPRINT_SET) != 0;
	return (set->timeout && !set->dynamic) || set->type == MAP_NAT4 || set->type == MAP_NAT6;
}

static void drop_elems(struct plan_set *set)
{
	free(set->elems);
	set->elems = NULL;
	set->n_elems = set->cap_elems = 0;
}

static void recall_set(struct plan_set *have, const struct plan_set *planned)
{
	for (size_t i = 0; i < planned->n_elems; i++) {
		struct elem elem = planned->elems[i];

		elem.name = NULL;
		if (!elem.unresolved)
			*set_add_elem(have, NULL) = elem;
	}
}

static void recall_table(struct actual *table, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sets; i++) {
		struct actual_set *have = actual_find_set(table, plan->sets[i]->name);

		if (set_is_planned(plan, plan->sets[i]))
			recall_set(&have->set, plan->sets[i]);
	}
}

void known_recall(struct known *known, struct plan *const plans[N_TABLES])
{
	for (int i = 0; i < N_TABLES; i++) {
		known->tables[i].genid = known->genid;
		recall_table(&known->tables[i], plans[i]);
	}
}

static bool holds_as_planned(const struct plan_set *want, const struct plan_set *have)
{
	size_t n = 0;

	for (size_t i = 0; i < want->n_elems; i++) {
		const struct elem *w = &want->elems[i], *h;

		if (w->unresolved)
			continue;
		if (n == have->n_elems)
			return false;
		h = &have->elems[n++];
		if (elem_cmp(w, h) != 0 || !text_equal(w->comment, h->comment) ||
		    w->timeout_ms != h->timeout_ms ||
		    memcmp(w->data, h->data, sizeof(w->data)) != 0)
			return false;
	}
	return n == have->n_elems;
}

/* Drops the elements that are the plan's; false: the table is not as planned. */
static bool keep_table(struct actual *table, const struct plan *plan)
{
	bool good = table->genid != 0 && !plan->ports_unknown;

	for (size_t i = 0; good && i < plan->n_sets; i++) {
		struct actual_set *have = actual_find_set(table, plan->sets[i]->name);

		good = have != NULL;
		if (!good || !set_is_planned(plan, plan->sets[i]))
			continue;
		good = holds_as_planned(plan->sets[i], &have->set);
		drop_elems(&have->set);
	}
	return good;
}

void known_keep(struct known *known, struct plan *const plans[N_TABLES])
{
	bool good = true;

	for (int i = 0; i < N_TABLES; i++)
		good &= keep_table(&known->tables[i], plans[i]);
	if (good)
		known_begin(known, known->tables[TABLE_INET].genid);
	else
		known_forget(known);
}
