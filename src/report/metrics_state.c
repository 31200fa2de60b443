/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon says of its own state. */
#include <inttypes.h>

#include "metrics_family.h"

#include "dockside/base/buf.h"

static void put_us(struct buf *b, uint64_t us)
{
	buf_printf(b, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
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

static size_t networks_managed(const struct metrics *m)
{
	return m->n_managed;
}

/* ------------------------------------------------------------------ samples */

static void put_build(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_label(b, "version", m->state.version, true);
	metrics_family_label(b, "kernel", m->state.kernel ? m->state.kernel : "", false);
	metrics_family_value(b, 1);
}

static void put_start(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	metrics_family_ms(b, m->state.started_ms);
}

static void put_ready(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.ready);
}

static void put_settings(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.settings);
}

static void put_networks(const struct metrics *m, size_t i, struct buf *b)
{
	uint64_t n = 0;

	for (size_t k = 0; k < m->policy->n_networks; k++)
		n += (size_t)m->state.judged[k].state == i;
	metrics_family_label(b, "state", judged_state_name((enum judged_state)i), true);
	metrics_family_value(b, n);
}

static void put_judged(const struct metrics *m, size_t i, struct buf *b)
{
	size_t network = m->managed[i];

	metrics_family_label(b, "network", m->policy->networks[network].name, true);
	metrics_family_value(b, m->state.judged[network].state == JUDGED_NOT);
}

static void put_reloads(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "result", i == 0 ? "ok" : "error", true);
	metrics_family_value(b, i == 0 ? m->state.loads_ok : m->state.loads_failed);
}

static void put_reload_ok(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, !m->state.load_failed);
}

static void put_reload_time(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	metrics_family_ms(b, m->state.load_ms);
}

static void put_repairs(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.repairs);
}

static void put_ended(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.ended);
}

static void put_repair_time(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	metrics_family_ms(b, m->state.repair_ms);
}

static void put_limited(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.repair_limit_limited);
}

static void put_drift(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.repair_waiting);
}

static void put_alarms(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	metrics_family_plain(b, m->state.alarms);
}

static void put_shim(const struct metrics *m, size_t i, struct buf *b)
{
	bool ip6 = i >= m->state.shim_ip.n;
	const struct state_of *state = ip6 ? &m->state.shim_ip6 : &m->state.shim_ip;

	i -= ip6 ? m->state.shim_ip.n : 0;
	metrics_family_label(b, "table", ip6 ? "ip6 filter" : "ip filter", true);
	metrics_family_label(b, "state", state->names[i], false);
	metrics_family_value(b, i == state->current);
}

static void put_docker(const struct metrics *m, size_t i, struct buf *b)
{
	metrics_family_label(b, "state", m->state.docker.names[i], true);
	metrics_family_value(b, i == m->state.docker.current);
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
		metrics_family_plain(b, loop->n);
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
	metrics_family_value(b, n);
}

static void put_loop_max(const struct metrics *m, size_t i, struct buf *b)
{
	(void)i;
	buf_putc(b, ' ');
	put_us(b, m->state.loop->max_us);
}

/* ------------------------------------------------------------------ families */

const struct metrics_family metrics_state_families[METRICS_STATE_FAMILIES] = {
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
	  "(removed, with containers still attached), pending (there is none yet), or not judged "
	  "(no packet reaches its rules).",
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
};
