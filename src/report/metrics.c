/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The lines are numbered: every family that has samples is two lines, HELP and TYPE, and one for each
 * sample. Any line can be written by itself, so that what does not fit into one answer of the socket
 * is asked for in pieces.
 */
#include "dockside/report/metrics.h"

#include <assert.h>

#include "metrics_family.h"

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

#define PREFIX "dsfw_nft_"

/* ------------------------------------------------------------------ numbers of samples */

static size_t one_if_listening(const struct metrics *m)
{
	return m->state.lookups.listening;
}

static size_t two_if_listening(const struct metrics *m)
{
	return m->state.lookups.listening ? 2 : 0;
}

static size_t networks_judged(const struct metrics *m)
{
	return m->n_networks;
}

/* Passed and refused. */
static size_t networks_twice(const struct metrics *m)
{
	return 2 * m->n_networks;
}

static size_t networks_told(const struct metrics *m)
{
	return m->state.denied ? m->n_networks : 0;
}

static size_t one_if_told(const struct metrics *m)
{
	return m->state.denied != NULL;
}

static size_t rules(const struct metrics *m)
{
	return m->n_rules;
}

static size_t sets(const struct metrics *m)
{
	return m->n_sets;
}

static size_t names(const struct metrics *m)
{
	return m->names->n;
}

static size_t names_refused(const struct metrics *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->names->n; i++)
		n += name_refused(&m->names->items[i], m->policy) > 0;
	return n;
}

static size_t answers(const struct metrics *m)
{
	return m->n_answers;
}

/* ------------------------------------------------------------------ samples */

static const struct traffic *network_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_network *network = &m->networks[i / 2];
	bool refused = i % 2;

	metrics_family_label(b, "network", network->name, true);
	metrics_family_label(b, "verdict", refused ? "refused" : "passed", false);
	return refused ? &network->traffic.refused : &network->traffic.passed;
}

static void put_network_packets(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, network_labels(m, i, b)->packets);
}

static void put_network_bytes(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, network_labels(m, i, b)->bytes);
}

static void put_draining(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "network", m->networks[i].name, true);
	metrics_family_value(b, m->networks[i].draining);
}

static void put_recorded(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "network", m->networks[i].name, true);
	metrics_family_value(b, m->networks[i].denied.told);
}

static void put_suppressed(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "network", m->networks[i].name, true);
	metrics_family_value(b, m->networks[i].denied.suppressed);
}

static void put_lost(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.denied_lost);
}

static const struct traffic *rule_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_rule *rule = &m->rules[i];

	metrics_family_label(b, "network", rule->network, true);
	metrics_family_label(b, "chain", rule->chain, false);
	metrics_family_label(b, "rule", rule->entry, false);
	metrics_family_label(b, "verdict", rule->verdict, false);
	metrics_family_label(b, "comment", rule->comment, false);
	return &rule->traffic;
}

static void put_rule_packets(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, rule_labels(m, i, b)->packets);
}

static void put_rule_bytes(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, rule_labels(m, i, b)->bytes);
}

static void put_set(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_set *set = &m->sets[i];

	metrics_family_label(b, "set", set->name, true);
	metrics_family_label(b, "entry", set->entry, false);
	metrics_family_label(b, "family", set->v4 ? "ipv4" : "ipv6", false);
	metrics_family_value(b, set->n);
}

static void put_addresses(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name *name = &m->names->items[i];

	metrics_family_label(b, "name", name->name, true);
	metrics_family_value(b, name->n_addrs);
}

static void put_refused(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name *name = m->names->items;

	while (name_refused(name, m->policy) == 0 || i-- > 0)
		name++;
	metrics_family_label(b, "name", name->name, true);
	metrics_family_value(b, name_refused(name, m->policy));
}

static const struct name_family *answer_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_answers *item = &m->answers[i];

	metrics_family_label(b, "name", item->name->name, true);
	metrics_family_label(b, "family", item->v4 ? "ipv4" : "ipv6", false);
	return item->family;
}

static void put_answers(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, answer_labels(m, i, b)->n_answers);
}

static void put_failures(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_value(b, answer_labels(m, i, b)->n_failures);
}

/* NaN is what Prometheus has for a number that there is not. */
static void put_answer_age(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name_family *family = answer_labels(m, i, b);

	buf_puts(b, "} ");
	if (family->answered)
		metrics_family_ms(b, m->state.now_ms - family->answered_ms);
	else
		buf_puts(b, "NaN");
}

static void put_lookups(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.lookups.n);
}

static void put_replies(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "result", i == 0 ? "read" : "malformed", true);
	metrics_family_value(b, i == 0 ? m->state.lookups.replies : m->state.lookups.malformed);
}

/* ------------------------------------------------------------------ families */

static const struct metrics_family traffic_families[] = {
	{ "network_packets_total", "counter",
	  "Packets that were judged, by network and verdict; of a connection that passes, the "
	  "first "
	  "alone.",
	  networks_twice, put_network_packets },
	{ "network_bytes_total", "counter", "Bytes of these packets.", networks_twice,
	  put_network_bytes },
	{ "network_draining", "gauge",
	  "Whether a network is no longer configured, its last policy in force until its "
	  "containers have left.",
	  networks_judged, put_draining },
	{ "denied_events_total", "counter",
	  "Packets that rules have refused since the daemon's start and `denied` tells of, by "
	  "network.",
	  networks_told, put_recorded },
	{ "denied_suppressed_total", "counter",
	  "Those that it does not tell of: there were too many at once.", networks_told,
	  put_suppressed },
	{ "denied_lost_total", "counter",
	  "Those of the latter, of all networks, that the daemon was too slow for.", one_if_told,
	  put_lost },
	{ "rule_packets_total", "counter",
	  "Packets that a rule has judged; rule is the entry of the configuration that it is from.",
	  rules, put_rule_packets },
	{ "rule_bytes_total", "counter", "Bytes of these packets.", rules, put_rule_bytes },
	{ "set_elements", "gauge",
	  "Addresses and networks that a set of the kernel holds; entry is the ipset or host that "
	  "it is of.",
	  sets, put_set },
	{ "dns_addresses", "gauge", "Addresses that are let through or refused for a name.", names,
	  put_addresses },
	{ "dns_refused_addresses", "gauge",
	  "Addresses that a name has and that no name opens, such as loopback; absent if there are "
	  "none.",
	  names_refused, put_refused },
	{ "dns_answers_total", "counter",
	  "Answers for a name since it is configured, of DNS or /etc/hosts.", answers,
	  put_answers },
	{ "dns_failures_total", "counter", "Questions that failed; NXDOMAIN is a failure.", answers,
	  put_failures },
	{ "dns_answer_age_seconds", "gauge",
	  "Time since the last answer for a name; NaN if there never was one.", answers,
	  put_answer_age },
	{ "lookup_addresses", "gauge",
	  "Addresses that containers have looked up within the hour, by which names for them are "
	  "known.",
	  one_if_listening, put_lookups },
	{ "lookup_replies_total", "counter",
	  "DNS replies to containers that the kernel told of, by whether they made sense.",
	  two_if_listening, put_replies },
};

static size_t family_lines(const struct metrics *m, const struct metrics_family *family)
{
	size_t n = family->count(m);

	return n > 0 ? n + 2 : 0;
}

static const struct metrics_family *find_family(size_t i)
{
	return i < METRICS_STATE_FAMILIES ? &metrics_state_families[i]
					  : &traffic_families[i - METRICS_STATE_FAMILIES];
}

size_t metrics_count_lines(const struct metrics *m)
{
	size_t n = 0;

	for (size_t i = 0; i < METRICS_STATE_FAMILIES + ARRAY_SIZE(traffic_families); i++)
		n += family_lines(m, find_family(i));
	return n;
}

void metrics_line(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_family *family = find_family(0);

	assert(i < m->n_lines);
	for (size_t n, k = 1; i >= (n = family_lines(m, family)); k++) {
		i -= n;
		family = find_family(k);
	}
	if (i == 0) {
		buf_printf(b, "# HELP " PREFIX "%s %s", family->name, family->help);
	} else if (i == 1) {
		buf_printf(b, "# TYPE " PREFIX "%s %s", family->name, family->type);
	} else {
		buf_puts(b, PREFIX);
		buf_puts(b, family->name);
		family->put(m, i - 2, b);
	}
}
