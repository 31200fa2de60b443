/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/metrics.h"

#include "metrics_count.h"
#include "metrics_family.h"
#include "metrics_state.h"

#include "dockside/base/buf.h"
#include "dockside/names/gate_lists.h"
#include "dockside/report/denied.h"
#include "dockside/report/gate_state.h"

/* ------------------------------------------------------------------ networks and rules */

static void put_traffic(struct metrics_family *family, const struct metrics_counts *m, bool bytes)
{
	for (size_t i = 0; i < m->n_networks; i++) {
		const struct network_traffic *traffic = &m->networks[i].traffic;

		metrics_family_label(family, "network", m->networks[i].name);
		metrics_family_label(family, "verdict", "passed");
		metrics_family_value(family,
				     bytes ? traffic->passed.bytes : traffic->passed.packets);
		metrics_family_label(family, "network", m->networks[i].name);
		metrics_family_label(family, "verdict", "refused");
		metrics_family_value(family,
				     bytes ? traffic->refused.bytes : traffic->refused.packets);
	}
}

static void put_draining(const struct metrics_counts *m, struct buf *b)
{
	struct metrics_family family =
		metrics_family(b, "network_draining", "gauge",
			       "Whether a network is no longer configured, its last policy in "
			       "force until its containers have left.");

	for (size_t i = 0; i < m->n_networks; i++) {
		metrics_family_label(&family, "network", m->networks[i].name);
		metrics_family_value(&family, m->networks[i].draining);
	}
}

static void put_denied(const struct metrics_counts *m, const struct metrics_state *state,
		       struct buf *b)
{
	struct metrics_family packets = metrics_family(
		b, "denied_packets_total", "counter",
		"Packets that rules have refused, or would have in audit mode, by network; they "
		"count on when rules are rewritten.");

	if (!state->denied)
		return;
	for (size_t i = 0; i < m->n_networks; i++) {
		if (!m->networks[i].tallied)
			continue;
		metrics_family_label(&packets, "network", m->networks[i].name);
		metrics_family_value(&packets, m->networks[i].denied);
	}
	metrics_family_counter(b, "denied_events_total",
			       "Those of all networks that `denied` has had since the daemon's "
			       "start; the kernel limits them.",
			       state->denied_events);
	metrics_family_counter(b, "denied_lost_total",
			       "Those that the kernel sent and the daemon was too slow for.",
			       state->denied_lost);
}

static void put_port_denied(const struct metrics_state *state, struct buf *b)
{
	struct metrics_family family = metrics_family(
		b, "port_denied_packets_total", "counter",
		"Frames that table bridge dockside has refused: from a known port, what is not "
		"its container's (BIND); from another one (UNBOUND); somebody's address from "
		"another port (strange); to a known port (BINDTO), to another one (UNBOUNDTO).");

	for (size_t i = 0; state->denied && i < N_BOUND_KINDS; i++) {
		uint64_t packets;

		if (!denied_bound_packets(state->bind, bound_kinds[i], &packets))
			continue;
		metrics_family_label(&family, "kind", bound_kinds[i]);
		metrics_family_value(&family, packets);
	}
}

static void put_rules(struct metrics_family *family, const struct metrics_counts *m, bool bytes)
{
	for (size_t i = 0; i < m->n_rules; i++) {
		const struct metrics_rule *rule = &m->rules[i];

		metrics_family_label(family, "network", rule->network);
		metrics_family_label(family, "chain", rule->chain);
		metrics_family_label(family, "rule", rule->entry);
		metrics_family_label(family, "verdict", rule->verdict);
		metrics_family_label(family, "comment", rule->comment);
		metrics_family_value(family, bytes ? rule->traffic.bytes : rule->traffic.packets);
	}
}

static void put_counts(const struct metrics_counts *m, const struct metrics_state *state,
		       struct buf *b)
{
	struct metrics_family packets =
		metrics_family(b, "network_packets_total", "counter",
			       "Packets that were judged, by network and verdict; of a connection "
			       "that passes, the first alone.");
	struct metrics_family bytes =
		metrics_family(b, "network_bytes_total", "counter", "Bytes of these packets.");
	struct metrics_family rule_packets =
		metrics_family(b, "rule_packets_total", "counter",
			       "Packets that a rule has judged; rule is the entry of the "
			       "configuration that it is from.");
	struct metrics_family rule_bytes =
		metrics_family(b, "rule_bytes_total", "counter", "Bytes of these packets.");

	put_traffic(&packets, m, false);
	put_traffic(&bytes, m, true);
	put_draining(m, b);
	put_denied(m, state, b);
	put_port_denied(state, b);
	put_rules(&rule_packets, m, false);
	put_rules(&rule_bytes, m, true);
}

/* Sets of addresses alone: those of ports are part of their rules. */
static void put_sets(const struct plan *plan, const struct actual *actual, struct buf *b)
{
	struct metrics_family family =
		metrics_family(b, "set_elements", "gauge",
			       "Addresses and networks that a set of the kernel holds; entry is "
			       "the ipset or host that it is of.");

	for (size_t i = 0; i < plan->n_sets; i++) {
		const struct plan_set *set = plan->sets[i];
		const struct actual_set *have = actual_find_set(actual, set->name);

		if (!have || (set->type != SET_IPV4 && set->type != SET_IPV6))
			continue;
		metrics_family_label(&family, "set", set->name);
		metrics_family_label(&family, "entry", set->origin ? set->origin->entry : "");
		metrics_family_label(&family, "family", set->type == SET_IPV4 ? "ipv4" : "ipv6");
		metrics_family_value(&family, have->set.n_elems);
	}
}

/* ------------------------------------------------------------------ DNS */

static void put_addresses(const struct policy *policy, const struct names *names, struct buf *b)
{
	struct metrics_family addresses =
		metrics_family(b, "dns_addresses", "gauge",
			       "Addresses that are let through or refused for a name.");
	struct metrics_family refused =
		metrics_family(b, "dns_refused_addresses", "gauge",
			       "Addresses that a name has and that no name opens, such as "
			       "loopback; absent if there are none.");

	for (size_t i = 0; i < names->n; i++) {
		metrics_family_label(&addresses, "name", names->items[i].name);
		metrics_family_value(&addresses, names->items[i].n_addrs);
	}
	for (size_t i = 0; i < names->n; i++) {
		size_t n = name_refused(&names->items[i], policy);

		if (n == 0)
			continue;
		metrics_family_label(&refused, "name", names->items[i].name);
		metrics_family_value(&refused, n);
	}
}

enum answers { ANSWERS, FAILURES, ANSWER_AGE };

static void put_answer(struct metrics_family *family, const struct name_family *answer,
		       enum answers what, uint64_t now_ms)
{
	switch (what) {
	case ANSWERS:
		metrics_family_value(family, answer->n_answers);
		break;
	case FAILURES:
		metrics_family_value(family, answer->n_failures);
		break;
	case ANSWER_AGE:
		if (answer->answered)
			metrics_family_ms(family, now_ms - answer->answered_ms);
		else
			metrics_family_nan(family);
		break;
	}
}

static void put_answers(const struct names *names, uint64_t now_ms, struct buf *b)
{
	struct metrics_family families[] = {
		[ANSWERS] = metrics_family(
			b, "dns_answers_total", "counter",
			"Answers for a name since it is configured, of DNS or /etc/hosts."),
		[FAILURES] = metrics_family(b, "dns_failures_total", "counter",
					    "Questions that failed; NXDOMAIN is a failure."),
		[ANSWER_AGE] = metrics_family(
			b, "dns_answer_age_seconds", "gauge",
			"Time since the last answer for a name; NaN if there never was one."),
	};

	for (enum answers what = ANSWERS; what <= ANSWER_AGE; what++) {
		for (size_t i = 0; i < N_FAMILIES * names->n; i++) {
			const struct name *name = &names->items[i / N_FAMILIES];
			bool v4 = i % N_FAMILIES == FAMILY_IPV4;

			metrics_family_label(&families[what], "name", name->name);
			metrics_family_label(&families[what], "family", v4 ? "ipv4" : "ipv6");
			put_answer(&families[what], &name->families[i % N_FAMILIES], what, now_ms);
		}
	}
}

/* Without a report they are left out, as a restart of the gate is not one of the daemon. */
static void put_gate_counts(const struct gate_state *gate, struct buf *b)
{
	struct metrics_family events = metrics_family(
		b, "gate_events_total", "counter",
		"What the DNS gate has counted since its start: questions (queries), of these "
		"answered from memory (hits), refused, asked of name servers (misses), failed; "
		"addresses told to the kernel (tells), in vain (tell_failures); questions over TCP "
		"(tcp), over a limit (limited), lost by the kernel; reports left_out.");

	for (int i = 0; i < N_GATE_COUNTS; i++) {
		if (i == GATE_COUNT_CACHE)
			continue;
		metrics_family_label(&events, "event", gate_count_names[i]);
		metrics_family_value(&events, gate->counts[i]);
	}
	metrics_family_gauge(b, "gate_cached_names", "Answers that the DNS gate remembers.",
			     gate->counts[GATE_COUNT_CACHE]);
}

static void put_gate_networks(const struct gate_state *gate, struct buf *b)
{
	struct metrics_family family =
		metrics_family(b, "gate_network_queries_total", "counter",
			       "Questions of a network's containers since the DNS gate's start.");

	for (size_t i = 0; i < gate->n_networks; i++) {
		const struct gate_traffic *traffic = &gate->networks[i];

		metrics_family_label(&family, "network", traffic->network);
		metrics_family_label(&family, "verdict", "received");
		metrics_family_value(&family, traffic->received);
		metrics_family_label(&family, "network", traffic->network);
		metrics_family_label(&family, "verdict", "refused");
		metrics_family_value(&family, traffic->refused);
	}
}

static void put_gate(const struct policy *policy, const struct gate_state *gate, struct buf *b)
{
	if (!gate || (!gate_wanted(policy) && !gate->connected))
		return;
	metrics_family_gauge(b, "gate_connected", "Whether the DNS gate is connected.",
			     gate->connected);
	metrics_family_gauge(b, "gate_policy_taken", "Whether it has taken the policy that runs.",
			     gate->policy == GATE_POLICY_TAKEN);
	if (!gate->reported)
		return;
	put_gate_counts(gate, b);
	put_gate_networks(gate, b);
}

static void put_lookups(const struct metrics_lookups *lookups, struct buf *b)
{
	struct metrics_family replies = metrics_family(
		b, "lookup_replies_total", "counter",
		"DNS replies to containers that the kernel reported, by whether they made sense.");

	if (!lookups->listening)
		return;
	metrics_family_gauge(b, "lookup_addresses",
			     "Addresses that containers have looked up within the hour, by which "
			     "names for them are known.",
			     lookups->n);
	metrics_family_label(&replies, "result", "read");
	metrics_family_value(&replies, lookups->replies);
	metrics_family_label(&replies, "result", "malformed");
	metrics_family_value(&replies, lookups->malformed);
}

void metrics_write(const struct policy *policy, const struct plan *plan,
		   const struct actual *actual, const struct names *names,
		   const struct metrics_state *state, struct buf *b)
{
	struct metrics_counts counts;

	metrics_count(policy, plan, actual, &counts);
	metrics_state_write(policy, state, b);
	put_counts(&counts, state, b);
	put_sets(plan, actual, b);
	put_addresses(policy, names, b);
	put_answers(names, state->now_ms, b);
	put_lookups(&state->lookups, b);
	put_gate(policy, state->gate, b);
	metrics_counts_free(&counts);
}
