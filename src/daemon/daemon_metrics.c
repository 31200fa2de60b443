/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to `metrics`; its shape is in ctl_server.h, the lines are made by metrics.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"
#include "dockside/names/alarms.h"

/* The longest line as JSON, and the end of the answer. */
#define ROOM (2 * METRICS_LINE_MAX + 64)

static struct state_of shim_state_of(const struct reconcile_shim_comparison *c,
				     enum shim_table table)
{
	static const char *names[SHIM_DIFFERS + 1];

	for (int i = 0; i <= SHIM_DIFFERS; i++)
		names[i] = shim_state_name((enum shim_state)i);
	return (struct state_of){ names, ARRAY_SIZE(names),
				  shim_state(&c->actual, &c->changes, table) };
}

static struct metrics_state collect_state(const struct daemon *d, const char *release,
					  const struct judge_result *judged)
{
	uint64_t now_ms = daemon_now_ms(d);

	return (struct metrics_state){
		.version = PACKAGE_VERSION,
		.kernel = release,
		.now_ms = now_ms,
		.started_ms = d->started_ms,
		.ready = !d->settings_error && judged->n_not == 0,
		.judged = judged->items,
		.settings = !d->settings_error,
		.loads_ok = d->last_load.n_ok,
		.loads_failed = d->last_load.n_failed,
		.load_failed = d->last_load.failed,
		.load_ms = d->last_load.unix_ms,
		.repairs = d->repairs.total,
		.repaired = d->repairs.total > 0,
		.ended = daemon_unjudged_ended(d),
		.repair_ms = d->repair_unix_ms,
		.repair_limit_limited = repair_limit_limited(&d->repairs, now_ms),
		.repair_waiting = d->repair_waiting,
		.alarms =
			judged->n_not + (daemon_judged_dns(d) != NULL) +
			alarms_tell(&d->enforcer.running->policy, &d->enforcer.names, NULL, NULL) +
			(daemon_files_alarm(d) ? 1 : 0),
		.shim_ip = shim_state_of(&d->shim, SHIM_FILTER4),
		.shim_ip6 = shim_state_of(&d->shim, SHIM_FILTER6),
		.docker = daemon_docker_state(d),
		.loop = &d->loop,
		.denied = daemon_denied_counts(d),
		.denied_lost = daemon_denied_lost(d),
		.lookups = daemon_denied_lookups(d),
	};
}

/* Lines that do not fit are asked for by number: the same ones as long as this stays the same. */
static void put_version(const struct daemon *d, const struct metrics *metrics,
			struct json_writer *out)
{
	cleanup(cleanup_free) char *of = xasprintf("%" PRIu64 ".%" PRIu64 ".%zu", d->started_ms,
						   d->n_policies, metrics->n_lines);

	json_write_string(out, "of", of);
}

static void put_lines(const struct metrics *metrics, size_t from, struct json_writer *out)
{
	struct buf line = { 0 };
	size_t i = from;

	json_write_open(out, "metrics", '[');
	for (; i < metrics->n_lines && out->b->len + ROOM < REQUEST_MAX; i++) {
		buf_reset(&line);
		metrics_line(metrics, i, &line);
		json_write_string(out, NULL, buf_str(&line));
	}
	json_write_close(out, ']');
	if (i < metrics->n_lines)
		json_write_int(out, "next", (int64_t)i);
	else
		json_write_string(out, "next", NULL);
	buf_free(&line);
}

void daemon_metrics(struct daemon *d, uint64_t from, struct json_writer *out)
{
	const struct running *running = d->enforcer.running;
	const struct actual *counters = daemon_counters(d);
	struct judge_result judged;
	struct metrics_state state;
	struct metrics metrics;
	struct utsname name;

	daemon_judged_now(d, counters, &judged);
	daemon_denied_count(d);
	state = collect_state(d, uname(&name) == 0 ? name.release : NULL, &judged);
	metrics_collect(&running->policy, &running->plan, counters, &d->enforcer.names, &state,
			&metrics);
	json_write_open(out, NULL, '{');
	json_write_string(out, "status", "ok");
	put_version(d, &metrics, out);
	put_lines(&metrics, from < metrics.n_lines ? (size_t)from : metrics.n_lines, out);
	json_write_close(out, '}');
	metrics_free(&metrics);
	judge_result_free(&judged);
}
