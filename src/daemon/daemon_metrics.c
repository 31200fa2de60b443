/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to `metrics` and to Prometheus; metrics.c makes its text. */
#include "daemon_metrics.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "daemon_docker.h"
#include "daemon_files.h"
#include "daemon_ports.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/ctl/request.h"
#include "services.h"

static struct state_of shim_state_of(const struct reconcile_shim_comparison *c,
				     enum shim_table table)
{
	static const char *names[SHIM_DIFFERS + 1];

	for (int i = 0; i <= SHIM_DIFFERS; i++)
		names[i] = shim_state_name((enum shim_state)i);
	return (struct state_of){ names, ARRAY_SIZE(names),
				  shim_state(&c->actual, &c->changes, table) };
}

static struct state_of files_state_of(const struct files_view *files)
{
	static const char *names[N_FILES_STATES];

	for (int i = 0; i < N_FILES_STATES; i++)
		names[i] = files_state_name((enum files_state)i);
	return (struct state_of){ names, ARRAY_SIZE(names), files->state };
}

/* By network; the caller frees them. */
static struct metrics_ports *collect_ports(const struct daemon_view *view)
{
	const struct policy *policy = &view->enforcer->running->policy;
	struct metrics_ports *ports = xcalloc(policy->n_networks + 1, sizeof(*ports));

	for (size_t i = 0; i < policy->n_networks; i++) {
		const char *bridge = policy->networks[i].bridge;
		size_t unknown, net_raw;

		ports[i].known = daemon_ports_count(view->ports, bridge, &unknown);
		ports[i].unknown = unknown;
		ports[i].net_raw_told = daemon_ports_net_raw(view->ports, bridge, &net_raw);
		ports[i].net_raw = net_raw;
	}
	return ports;
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
		.ready = view->ready,
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
		.alarms = view->n_alarms,
		.shim_ip = shim_state_of(view->counters.shim, SHIM_FILTER4),
		.shim_ip6 = shim_state_of(view->counters.shim, SHIM_FILTER6),
		.docker = daemon_docker_state(view->docker),
		.files = files_state_of(&view->files),
		.loop = view->loop,
		.bind = view->counters.bind,
		.denied = view->denied.listens,
		.denied_events = view->denied.n_events,
		.denied_lost = view->denied.lost,
		.lookups = view->denied.lookups,
		.gate = view->gate.state,
	};
}

void daemon_metrics(const struct daemon_view *view, struct buf *b)
{
	const struct running *running = view->enforcer->running;
	cleanup(cleanup_free) struct metrics_ports *ports = collect_ports(view);
	struct metrics_state state;
	struct utsname name;

	state = collect_state(view, uname(&name) == 0 ? name.release : NULL);
	state.ports = ports;
	metrics_write(&running->policy, &running->plan, view->counters.actual,
		      &view->enforcer->names, &state, b);
}

void daemon_metrics_now(const struct services *s, struct buf *b)
{
	struct counters_view counters = daemon_counters_read(s->counters);
	struct daemon_view view;

	daemon_files_look(s->files);
	daemon_view_take(s, &counters, &view);
	daemon_metrics(&view, b);
	daemon_view_free(&view);
}
