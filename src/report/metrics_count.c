/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A counter that cannot be read is left out: as a zero it would look like traffic when it comes back. */
#include "metrics_count.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"
#include "dockside/report/denied.h"

static void add_traffic(struct traffic *traffic, const struct actual_rule *rule)
{
	traffic->packets += rule->packets;
	traffic->bytes += rule->bytes;
}

static void count_rule(struct network_traffic *sum, bool accepts, const struct actual_rule *rule)
{
	add_traffic(accepts ? &sum->passed : &sum->refused, rule);
}

static void count_chain(struct network_traffic *sum, const struct plan_chain *chain,
			const struct actual_chain *have)
{
	sum->known = true;
	for (size_t i = 0; i < chain->n_rules && i < have->n_rules; i++)
		if (chain->rules[i].counter)
			count_rule(sum, chain->rules[i].verdict == VERDICT_ACCEPT, &have->rules[i]);
}

struct network_traffic network_count(const struct plan *plan, const struct actual *actual,
				     const char *stem)
{
	struct network_traffic sum = { 0 };
	struct arena arena = { 0 };

	for (size_t k = 0; k < N_JUDGING_KINDS; k++) {
		const char *name = plan_chain_name(&arena, stem, judging_kinds[k]);
		const struct plan_chain *chain = plan_find_chain(plan, name);
		const struct actual_chain *have = actual_find_chain(actual, name);

		if (chain && have)
			count_chain(&sum, chain, have);
	}
	arena_free(&arena);
	return sum;
}

/* An entry of the configuration may be several rules of the kernel, one after the other. */
static void collect_chain(struct metrics_counts *m, const char *network, const char *kind,
			  const struct plan_chain *chain, const struct actual_chain *have)
{
	const struct origin *origin = NULL;
	struct metrics_rule *last = NULL;

	for (size_t i = 0; i < chain->n_rules && i < have->n_rules; i++) {
		const struct plan_rule *rule = &chain->rules[i];
		const char *comment = rule->comment ? rule->comment : "";

		if (!rule->counter)
			continue;
		if (!last || rule->origin != origin || strcmp(last->comment, comment) != 0) {
			m->rules =
				array_grow(m->rules, &m->cap_rules, m->n_rules, sizeof(*m->rules));
			last = &m->rules[m->n_rules++];
			origin = rule->origin;
			*last = (struct metrics_rule){
				.network = network,
				.chain = kind,
				.entry = origin == chain->origin ? "built-in" : origin->entry,
				.comment = comment,
				.verdict = rule->verdict == VERDICT_ACCEPT ? "passed" : "refused",
			};
		}
		add_traffic(&last->traffic, &have->rules[i]);
	}
}

static void add_elem(struct traffic *traffic, const struct actual_set *have,
		     const struct elem *elem)
{
	const struct elem *found = NULL;

	if (have && have->set.n_elems > 0)
		found = bsearch(elem, have->set.elems, have->set.n_elems, sizeof(*elem), elem_cmp);
	if (!found)
		return;
	traffic->packets += found->packets;
	traffic->bytes += found->bytes;
}

/* NAT rules are elements of two maps, both sorted; a name has its port in both. */
static void collect_nat(struct metrics_counts *m, const char *network,
			const struct plan_set *const maps[N_FAMILIES],
			const struct actual_set *const have[N_FAMILIES])
{
	size_t at[N_FAMILIES] = { 0 };

	for (;;) {
		const struct elem *first = NULL;
		struct metrics_rule *rule;

		for (int f = 0; f < N_FAMILIES; f++)
			if (maps[f] && at[f] < maps[f]->n_elems &&
			    (!first || elem_cmp(&maps[f]->elems[at[f]], first) < 0))
				first = &maps[f]->elems[at[f]];
		if (!first)
			return;
		m->rules = array_grow(m->rules, &m->cap_rules, m->n_rules, sizeof(*m->rules));
		rule = &m->rules[m->n_rules++];
		*rule = (struct metrics_rule){
			.network = network,
			.chain = "NAT",
			.entry = first->origin->entry,
			.comment = first->comment ? first->comment : "",
			.verdict = "redirected",
		};
		for (int f = 0; f < N_FAMILIES; f++)
			if (maps[f] && at[f] < maps[f]->n_elems &&
			    elem_cmp(&maps[f]->elems[at[f]], first) == 0) {
				add_elem(&rule->traffic, have[f], first);
				at[f]++;
			}
	}
}

static void collect_network(struct metrics_counts *m, const struct plan *plan,
			    const struct actual *actual, const struct network *network)
{
	const char *stem = network->stem;
	const struct actual_set *have_maps[N_FAMILIES];
	const struct plan_set *maps[N_FAMILIES];
	struct metrics_network *item = &m->networks[m->n_networks];
	struct arena arena = { 0 };

	*item = (struct metrics_network){
		.name = network->name,
		.draining = network->draining,
		.traffic = network_count(plan, actual, stem),
	};
	item->tallied = denied_packets(actual, stem, &item->denied);
	m->n_networks += item->traffic.known;
	for (size_t k = 0; k < N_JUDGING_KINDS; k++) {
		const char *name = plan_chain_name(&arena, stem, judging_kinds[k]);
		const struct plan_chain *chain = plan_find_chain(plan, name);
		const struct actual_chain *have = actual_find_chain(actual, name);

		if (chain && have)
			collect_chain(m, network->name, judging_kinds[k], chain, have);
	}
	for (int f = 0; f < N_FAMILIES; f++) {
		const char *name =
			plan_chain_name(&arena, stem, f == FAMILY_IPV4 ? "nat4" : "nat6");

		maps[f] = plan_find_set(plan, name);
		have_maps[f] = actual_find_set(actual, name);
	}
	if (have_maps[FAMILY_IPV4] || have_maps[FAMILY_IPV6])
		collect_nat(m, network->name, maps, have_maps);
	arena_free(&arena);
}

void metrics_count(const struct policy *policy, const struct plan *plan,
		   const struct actual *actual, struct metrics_counts *ret_counts)
{
	struct metrics_counts m = { 0 };

	m.networks = xcalloc(policy->n_networks + 1, sizeof(*m.networks));
	for (size_t i = 0; i < policy->n_networks; i++)
		collect_network(&m, plan, actual, &policy->networks[i]);
	*ret_counts = m;
}

void metrics_counts_free(struct metrics_counts *m)
{
	free(m->networks);
	free(m->rules);
	*m = (struct metrics_counts){ 0 };
}

const unsigned loop_limits[LOOP_BUCKETS] = { 100,   500,    1000,   5000,   10000,
					     50000, 100000, 500000, 1000000 };

void loop_times_add(struct loop_times *times, uint64_t us)
{
	size_t i = 0;

	while (i < LOOP_BUCKETS && us > loop_limits[i])
		i++;
	times->buckets[i]++;
	times->n++;
	times->sum_us += us;
	if (us > times->max_us)
		times->max_us = us;
}
