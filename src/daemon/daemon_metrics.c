/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to `metrics`; its shape is in ctl_server.h, the lines are made by metrics.c. */
#include "daemon_metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "daemon_docker.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/ctl/request.h"
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

/* The caller frees the array. */
static struct metrics_draining *collect_draining(const struct enforcer *enforcer)
{
	size_t n = enforcer->n_draining;
	struct metrics_draining *list = xcalloc(n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		const struct draining *draining = &enforcer->draining[i];

		list[i] = (struct metrics_draining){ draining_name(draining), draining->bridge };
	}
	return list;
}

static size_t count_alarms(const struct daemon_view *view)
{
	return view->judged.n_not + (view->dns_alarm != NULL) + (view->files.alarm != NULL) +
	       alarms_tell(&view->enforcer->running->policy, &view->enforcer->names, NULL, NULL);
}

static struct metrics_state collect_state(const struct daemon_view *view, const char *release)
{
	const struct repair_state *repair = &view->repair;
	const struct load_state *load = &view->load;

	return (struct metrics_state){
		.version = PACKAGE_VERSION,
		.kernel = release,
		.now_ms = view->now_ms,
		.started_ms = view->started_ms,
		.ready = !view->settings_error && view->judged.n_not == 0,
		.judged = view->judged.items,
		.settings = !view->settings_error,
		.loads_ok = load->n_ok,
		.loads_failed = load->n_failed,
		.load_failed = load->failed,
		.load_ms = load->unix_ms,
		.repairs = repair->n,
		.repaired = repair->n > 0,
		.ended = view->n_ended,
		.repair_ms = repair->unix_ms,
		.repair_limit_limited = repair->limited,
		.repair_waiting = repair->waiting,
		.alarms = count_alarms(view),
		.shim_ip = shim_state_of(view->counters.shim, SHIM_FILTER4),
		.shim_ip6 = shim_state_of(view->counters.shim, SHIM_FILTER6),
		.docker = daemon_docker_state(view->docker),
		.loop = view->loop,
		.denied = view->denied.counts,
		.denied_lost = view->denied.lost,
		.lookups = view->denied.lookups,
	};
}

/* Lines that do not fit are asked for by number: the same ones as long as this stays the same. */
static void put_version(const struct daemon_view *view, const struct metrics *metrics,
			struct json_writer *out)
{
	cleanup(cleanup_free) char *of = xasprintf("%" PRIu64 ".%" PRIu64 ".%zu", view->started_ms,
						   view->enforcer->n_policies, metrics->n_lines);

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

void daemon_metrics(const struct daemon_view *view, uint64_t from, struct json_writer *out)
{
	const struct running *running = view->enforcer->running;
	cleanup(cleanup_free) struct metrics_draining *draining = collect_draining(view->enforcer);
	struct metrics_state state;
	struct metrics metrics;
	struct utsname name;

	state = collect_state(view, uname(&name) == 0 ? name.release : NULL);
	state.draining = draining;
	state.n_draining = view->enforcer->n_draining;
	metrics_collect(&running->policy, &running->plan, view->counters.actual,
			&view->enforcer->names, &state, &metrics);
	json_write_open(out, NULL, '{');
	json_write_string(out, "status", "ok");
	put_version(view, &metrics, out);
	put_lines(&metrics, from < metrics.n_lines ? (size_t)from : metrics.n_lines, out);
	json_write_close(out, '}');
	metrics_free(&metrics);
}
