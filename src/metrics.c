/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The lines are numbered: every family that has samples is two lines, HELP and TYPE, and one for each
 * sample. Any line can be written by itself, so that what does not fit into one answer of the socket
 * is asked for in pieces.
 */
#include "dockside/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "dsfw_nft_"

/* ------------------------------------------------------------------ labels and values */

static void put_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(b, '\\');
		if (*s == '\n')
			buf_puts(b, "\\n");
		else
			buf_putc(b, *s);
	}
}

/* The first one opens the braces; put_value() closes them. */
static void put_label(struct buf *b, const char *name, const char *value, bool first)
{
	buf_putc(b, first ? '{' : ',');
	buf_puts(b, name);
	buf_puts(b, "=\"");
	put_escaped(b, value);
	buf_putc(b, '"');
}

static void put_value(struct buf *b, uint64_t value)
{
	buf_puts(b, "} ");
	buf_uint(b, value);
}

static void put_plain(struct buf *b, uint64_t value)
{
	buf_putc(b, ' ');
	buf_uint(b, value);
}

static void put_us(struct buf *b, uint64_t us)
{
	buf_printf(b, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void put_ms(struct buf *b, uint64_t ms)
{
	buf_printf(b, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

/* ------------------------------------------------------------------ numbers of samples */

static size_t one(const struct metrics *m)
{
	(void)m;
	return 1;
}

static size_t two(const struct metrics *m)
{
	(void)m;
	return 2;
}

static size_t network_states(const struct metrics *m)
{
	(void)m;
	return JUDGED_STATES;
}

static size_t one_if_repaired(const struct metrics *m)
{
	return m->state.repaired;
}

static size_t shim_states(const struct metrics *m)
{
	return m->state.shim_ip.n + m->state.shim_ip6.n;
}

static size_t docker_states(const struct metrics *m)
{
	return m->state.docker.n;
}

static size_t loop_lines(const struct metrics *m)
{
	(void)m;
	return LOOP_BUCKETS + 3;
}

static size_t one_if_listening(const struct metrics *m)
{
	return m->state.lookups.listening;
}

static size_t two_if_listening(const struct metrics *m)
{
	return m->state.lookups.listening ? 2 : 0;
}

static size_t networks_managed(const struct metrics *m)
{
	return m->n_managed;
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

static void put_build(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_label(b, "version", m->state.version, true);
	put_label(b, "kernel", m->state.kernel ? m->state.kernel : "", false);
	put_value(b, 1);
}

static void put_start(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	put_ms(b, m->state.started_ms);
}

static void put_ready(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.ready);
}

static void put_settings(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.settings);
}

static void put_networks(const struct metrics *m, size_t i, struct buf *b)
{
	uint64_t n = i == JUDGED_DRAINING ? m->state.n_draining : 0;

	for (size_t k = 0; k < m->policy->n_networks; k++)
		n += (size_t)m->state.judged[k].state == i;
	put_label(b, "state", judged_state_name((enum judged_state)i), true);
	put_value(b, n);
}

static void put_judged(const struct metrics *m, size_t i, struct buf *b)
{
	size_t network = m->managed[i];

	put_label(b, "network", m->policy->networks[network].name, true);
	put_value(b, m->state.judged[network].state == JUDGED_NOT);
}

static void put_reloads(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "result", i == 0 ? "ok" : "error", true);
	put_value(b, i == 0 ? m->state.loads_ok : m->state.loads_failed);
}

static void put_reload_ok(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, !m->state.load_failed);
}

static void put_reload_time(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	put_ms(b, m->state.load_ms);
}

static void put_repairs(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.repairs);
}

static void put_ended(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.ended);
}

static void put_repair_time(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	put_ms(b, m->state.repair_ms);
}

static void put_limited(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.repairs_limited);
}

static void put_drift(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.repair_waiting);
}

static void put_alarms(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.alarms);
}

static void put_shim(const struct metrics *m, size_t i, struct buf *b)
{
	bool ip6 = i >= m->state.shim_ip.n;
	const struct state_of *state = ip6 ? &m->state.shim_ip6 : &m->state.shim_ip;

	i -= ip6 ? m->state.shim_ip.n : 0;
	put_label(b, "table", ip6 ? "ip6 filter" : "ip filter", true);
	put_label(b, "state", state->names[i], false);
	put_value(b, i == state->current);
}

static void put_docker(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "state", m->state.docker.names[i], true);
	put_value(b, i == m->state.docker.current);
}

static void put_loop(const struct metrics *m, size_t i, struct buf *b)
{
	const struct loop_times *loop = m->state.loop;
	uint64_t n = 0;

	if (i == LOOP_BUCKETS + 1) {
		buf_puts(b, "_sum ");
		put_us(b, loop->sum_us);
		return;
	}
	if (i == LOOP_BUCKETS + 2) {
		buf_puts(b, "_count");
		put_plain(b, loop->n);
		return;
	}
	for (size_t k = 0; k <= i; k++)
		n += loop->buckets[k];
	buf_puts(b, "_bucket{le=\"");
	if (i < LOOP_BUCKETS)
		buf_printf(b, "%g", loop_limits[i] / 1e6);
	else
		buf_puts(b, "+Inf");
	buf_putc(b, '"');
	put_value(b, n);
}

static void put_loop_max(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	put_us(b, m->state.loop->max_us);
}

static const struct traffic *network_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_network *network = &m->networks[i / 2];
	bool refused = i % 2;

	put_label(b, "network", network->name, true);
	put_label(b, "verdict", refused ? "refused" : "passed", false);
	return refused ? &network->traffic.refused : &network->traffic.passed;
}

static void put_network_packets(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, network_labels(m, i, b)->packets);
}

static void put_network_bytes(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, network_labels(m, i, b)->bytes);
}

static void put_draining(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "network", m->networks[i].name, true);
	put_value(b, m->networks[i].draining);
}

static void put_recorded(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "network", m->networks[i].name, true);
	put_value(b, m->networks[i].denied.told);
}

static void put_suppressed(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "network", m->networks[i].name, true);
	put_value(b, m->networks[i].denied.suppressed);
}

static void put_lost(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.denied_lost);
}

static const struct traffic *rule_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_rule *rule = &m->rules[i];

	put_label(b, "network", rule->network, true);
	put_label(b, "chain", rule->chain, false);
	put_label(b, "rule", rule->entry, false);
	put_label(b, "verdict", rule->verdict, false);
	put_label(b, "comment", rule->comment, false);
	return &rule->traffic;
}

static void put_rule_packets(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, rule_labels(m, i, b)->packets);
}

static void put_rule_bytes(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, rule_labels(m, i, b)->bytes);
}

static void put_set(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_set *set = &m->sets[i];

	put_label(b, "set", set->name, true);
	put_label(b, "entry", set->entry, false);
	put_label(b, "family", set->v4 ? "ipv4" : "ipv6", false);
	put_value(b, set->n);
}

static void put_addresses(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name *name = &m->names->items[i];

	put_label(b, "name", name->name, true);
	put_value(b, name->n_addrs);
}

static void put_refused(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name *name = m->names->items;

	while (name_refused(name, m->policy) == 0 || i-- > 0)
		name++;
	put_label(b, "name", name->name, true);
	put_value(b, name_refused(name, m->policy));
}

static const struct name_family *answer_labels(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metrics_answers *item = &m->answers[i];

	put_label(b, "name", item->name->name, true);
	put_label(b, "family", item->v4 ? "ipv4" : "ipv6", false);
	return item->family;
}

static void put_answers(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, answer_labels(m, i, b)->n_answers);
}

static void put_failures(const struct metrics *m, size_t i, struct buf *b)
{
	put_value(b, answer_labels(m, i, b)->n_failures);
}

/* NaN is what Prometheus has for a number that there is not. */
static void put_answer_age(const struct metrics *m, size_t i, struct buf *b)
{
	const struct name_family *family = answer_labels(m, i, b);

	buf_puts(b, "} ");
	if (family->answered)
		put_ms(b, m->state.now_ms - family->answered_ms);
	else
		buf_puts(b, "NaN");
}

static void put_lookups(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	put_plain(b, m->state.lookups.n);
}

static void put_replies(const struct metrics *m, size_t i, struct buf *b)
{
	put_label(b, "result", i == 0 ? "read" : "malformed", true);
	put_value(b, i == 0 ? m->state.lookups.replies : m->state.lookups.malformed);
}

/* ------------------------------------------------------------------ families */

static const struct metric {
	const char *name, *type, *help;
	size_t (*count)(const struct metrics *m);
	void (*put)(const struct metrics *m, size_t i, struct buf *b);
} metrics[] = {
	{ "build_info", "gauge", "The running program and kernel; always 1.", one, put_build },
	{ "start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.", one,
	  put_start },
	{ "ready", "gauge",
	  "Whether the policy is enforced, between containers of one network, too.", one,
	  put_ready },
	{ "host_settings_ok", "gauge",
	  "Whether the host has the settings by which bridged packets pass the rules.", one,
	  put_settings },
	{ "networks", "gauge",
	  "Networks by state: enforced, audit (what its rules refuse passes), unmanaged, draining "
	  "(removed, with containers still attached), closed (draining, and everything is "
	  "refused), pending (there is none yet), or not judged (no packet reaches its rules).",
	  network_states, put_networks },
	{ "network_not_judged", "gauge",
	  "Whether the packets of a network do not reach its rules; `status` says why.",
	  networks_managed, put_judged },
	{ "reloads_total", "counter",
	  "Times that a configuration was loaded, by result; the start and changes over the socket "
	  "count.",
	  two, put_reloads },
	{ "last_reload_successful", "gauge", "Whether the last of these succeeded.", one,
	  put_reload_ok },
	{ "last_reload_timestamp_seconds", "gauge", "When it was, in seconds since 1970.", one,
	  put_reload_time },
	{ "repairs_total", "counter", "Times that what others had changed was put back.", one,
	  put_repairs },
	{ "unjudged_connections_ended_total", "counter",
	  "Connections that were opened while our rules were gone, and that a repair has ended.",
	  one, put_ended },
	{ "last_repair_timestamp_seconds", "gauge",
	  "When that was last, in seconds since 1970; absent if it never was.", one_if_repaired,
	  put_repair_time },
	{ "repairs_limited", "gauge",
	  "Whether repairs are too many, so that they are made every 5 seconds at most.", one,
	  put_limited },
	{ "drift", "gauge",
	  "Whether somebody has changed the ruleset and that is not put back yet.", one,
	  put_drift },
	{ "alarms", "gauge",
	  "What is not as safe as the files read, such as networks whose packets are not judged; "
	  "`status` lists it.",
	  one, put_alarms },
	{ "shim_state", "gauge",
	  "The second layer in DOCKER-USER: 1 for the state that it is in, by table.", shim_states,
	  put_shim },
	{ "docker_state", "gauge", "Whether Docker answers: 1 for the state that it is in.",
	  docker_states, put_docker },
	{ "event_loop_busy_seconds", "histogram",
	  "How long the daemon was busy with one event, so that others had to wait.", loop_lines,
	  put_loop },
	{ "event_loop_busy_longest_seconds", "gauge", "The longest of these since the start.", one,
	  put_loop_max },
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

static size_t metric_lines(const struct metrics *m, const struct metric *metric)
{
	size_t n = metric->count(m);

	return n > 0 ? n + 2 : 0;
}

size_t metrics_count_lines(const struct metrics *m)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		n += metric_lines(m, &metrics[i]);
	return n;
}

void metrics_line(const struct metrics *m, size_t i, struct buf *b)
{
	const struct metric *metric = metrics;

	assert(i < m->n_lines);
	for (size_t n; i >= (n = metric_lines(m, metric)); metric++)
		i -= n;
	if (i == 0) {
		buf_printf(b, "# HELP " PREFIX "%s %s", metric->name, metric->help);
	} else if (i == 1) {
		buf_printf(b, "# TYPE " PREFIX "%s %s", metric->name, metric->type);
	} else {
		buf_puts(b, PREFIX);
		buf_puts(b, metric->name);
		metric->put(m, i - 2, b);
	}
}
