/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics_state.h"

#include <stdio.h>

#include "metrics_family.h"

#include "dockside/base/buf.h"

static void put_build(const struct metrics_state *s, struct buf *b)
{
	struct metrics_family family = metrics_family(b, "build_info", "gauge",
						      "The running program and kernel; always 1.");

	metrics_family_label(&family, "version", s->version);
	metrics_family_label(&family, "kernel", s->kernel ? s->kernel : "");
	metrics_family_value(&family, 1);
}

static void put_networks(const struct policy *policy, const struct metrics_state *s, struct buf *b)
{
	uint64_t n[JUDGED_STATES] = { 0 };
	struct metrics_family family =
		metrics_family(b, "networks", "gauge",
			       "Networks by state: enforced, audit (what its rules refuse passes), "
			       "unmanaged, draining (removed, with containers still attached), "
			       "pending (there is none yet), or not judged (no packet reaches its "
			       "rules).");

	for (size_t i = 0; i < policy->n_networks; i++)
		n[s->judged[i].state]++;
	for (size_t i = 0; i < JUDGED_STATES; i++) {
		metrics_family_label(&family, "state", judged_state_name((enum judged_state)i));
		metrics_family_value(&family, n[i]);
	}
}

static void put_judged(const struct policy *policy, const struct metrics_state *s, struct buf *b)
{
	struct metrics_family family = metrics_family(
		b, "network_not_judged", "gauge",
		"Whether the packets of a network do not reach its rules; `status` says why.");

	for (size_t i = 0; i < policy->n_networks; i++) {
		if (!network_has_policy(&policy->networks[i]) || policy->networks[i].draining)
			continue;
		metrics_family_label(&family, "network", policy->networks[i].name);
		metrics_family_value(&family, s->judged[i].state == JUDGED_NOT);
	}
}

static bool is_judged(const struct network *network)
{
	return network_managed(network) || network->draining;
}

static void put_ports(const struct policy *policy, const struct metrics_state *s, struct buf *b)
{
	struct metrics_family ports = metrics_family(
		b, "ports", "gauge",
		"Ports of a network's bridge, by whether it is known which container is at the "
		"other end; `status` says why not.");
	struct metrics_family net_raw =
		metrics_family(b, "net_raw_containers", "gauge",
			       "Containers of a network that have the capability NET_RAW, by "
			       "Docker's word; absent "
			       "while Docker has not told.");

	for (size_t i = 0; i < policy->n_networks; i++) {
		if (!is_judged(&policy->networks[i]))
			continue;
		metrics_family_label(&ports, "network", policy->networks[i].name);
		metrics_family_label(&ports, "state", "known");
		metrics_family_value(&ports, s->ports[i].known);
		metrics_family_label(&ports, "network", policy->networks[i].name);
		metrics_family_label(&ports, "state", "unknown");
		metrics_family_value(&ports, s->ports[i].unknown);
	}
	for (size_t i = 0; i < policy->n_networks; i++) {
		if (!is_judged(&policy->networks[i]) || !s->ports[i].net_raw_told)
			continue;
		metrics_family_label(&net_raw, "network", policy->networks[i].name);
		metrics_family_value(&net_raw, s->ports[i].net_raw);
	}
}

static void put_reloads(const struct metrics_state *s, struct buf *b)
{
	struct metrics_family family =
		metrics_family(b, "reloads_total", "counter",
			       "Times that a configuration was loaded, by result; the start and "
			       "changes over the socket count.");

	metrics_family_label(&family, "result", "ok");
	metrics_family_value(&family, s->loads_ok);
	metrics_family_label(&family, "result", "error");
	metrics_family_value(&family, s->loads_failed);
	metrics_family_gauge(b, "last_reload_successful", "Whether the last of these succeeded.",
			     !s->load_failed);
	metrics_family_time(b, "last_reload_timestamp_seconds",
			    "When it was, in seconds since 1970.", s->load_ms);
}

static void put_repairs(const struct metrics_state *s, struct buf *b)
{
	metrics_family_counter(b, "repairs_total",
			       "Times that what others had changed was put back.", s->repairs);
	metrics_family_counter(b, "unjudged_connections_ended_total",
			       "Connections that were opened while our rules were gone, and that a "
			       "repair has ended.",
			       s->ended);
	if (s->repaired)
		metrics_family_time(
			b, "last_repair_timestamp_seconds",
			"When that was last, in seconds since 1970; absent if it never was.",
			s->repair_ms);
	metrics_family_gauge(
		b, "repairs_limited",
		"Whether repairs are too many, so that they are made every 5 seconds at most.",
		s->repair_limit_limited);
	metrics_family_gauge(
		b, "drift",
		"Whether somebody has changed the ruleset and that is not put back yet.",
		s->repair_waiting);
}

static void put_states(struct metrics_family *family, const char *table,
		       const struct state_of *state)
{
	for (size_t i = 0; i < state->n; i++) {
		if (table)
			metrics_family_label(family, "table", table);
		metrics_family_label(family, "state", state->names[i]);
		metrics_family_value(family, i == state->current);
	}
}

static void put_neighbours(const struct metrics_state *s, struct buf *b)
{
	struct metrics_family shim = metrics_family(
		b, "shim_state", "gauge",
		"The second layer in DOCKER-USER: 1 for the state that it is in, by table.");
	struct metrics_family docker =
		metrics_family(b, "docker_state", "gauge",
			       "Whether Docker answers: 1 for the state that it is in.");
	struct metrics_family files =
		metrics_family(b, "files_state", "gauge",
			       "Whether the files on the disk say what is enforced (current), or "
			       "would once they are reloaded (edited), or a reload would refuse "
			       "them (faulty): 1 for the state that they are in.");

	put_states(&shim, "ip filter", &s->shim_ip);
	put_states(&shim, "ip6 filter", &s->shim_ip6);
	put_states(&docker, NULL, &s->docker);
	put_states(&files, NULL, &s->files);
}

static void put_loop(const struct loop_times *loop, struct buf *b)
{
	struct metrics_family busy = metrics_family(
		b, "event_loop_busy_seconds", "histogram",
		"How long the daemon was busy with one event, so that others had to wait.");
	struct metrics_family longest =
		metrics_family(b, "event_loop_busy_longest_seconds", "gauge",
			       "The longest of these since the start.");
	char limit[16];
	uint64_t n = 0;

	busy.suffix = "_bucket";
	for (size_t i = 0; i <= LOOP_BUCKETS; i++) {
		n += loop->buckets[i];
		if (i < LOOP_BUCKETS)
			snprintf(limit, sizeof(limit), "%g", loop_limits[i] / 1e6);
		metrics_family_label(&busy, "le", i < LOOP_BUCKETS ? limit : "+Inf");
		metrics_family_value(&busy, n);
	}
	busy.suffix = "_sum";
	metrics_family_us(&busy, loop->sum_us);
	busy.suffix = "_count";
	metrics_family_value(&busy, loop->n);
	metrics_family_us(&longest, loop->max_us);
}

void metrics_state_write(const struct policy *policy, const struct metrics_state *s, struct buf *b)
{
	put_build(s, b);
	metrics_family_time(b, "start_time_seconds",
			    "When the daemon started, in seconds since 1970.", s->started_ms);
	metrics_family_gauge(
		b, "ready",
		"Whether the policy is enforced, between containers of one network, too.",
		s->ready);
	metrics_family_gauge(
		b, "host_settings_ok",
		"Whether the host has the settings by which bridged packets pass the rules.",
		s->settings);
	put_networks(policy, s, b);
	put_judged(policy, s, b);
	put_ports(policy, s, b);
	put_reloads(s, b);
	put_repairs(s, b);
	metrics_family_gauge(b, "alarms",
			     "What is not as safe as the files read, such as networks whose "
			     "packets are not judged; `status` lists it.",
			     s->alarms);
	put_neighbours(s, b);
	put_loop(s->loop, b);
}
