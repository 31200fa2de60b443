/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_view.h"

#include <stdlib.h>

#include "dockside/base/util.h"
#include "dockside/names/alarms.h"
#include "services.h"

size_t daemon_alarms(const struct services *s, const struct gate_view *gate, size_t *ret_names)
{
	cleanup(cleanup_free) char *not_bound = enforcer_not_bound(s->enforcer);

	*ret_names = alarms_tell(&s->enforcer->running->policy, &s->enforcer->names, NULL, NULL);
	return *ret_names + gate_alarms(gate, NULL, NULL) + (not_bound != NULL) +
	       (daemon_learning_alarm(s->learning) != NULL) +
	       (daemon_files_alarm(s->files) != NULL) + (daemon_judged_dns(s->judged) != NULL);
}

void daemon_view_take(const struct services *s, const struct counters_view *counters,
		      struct daemon_view *ret)
{
	size_t n_names;

	*ret = (struct daemon_view){
		.now_ms = loop_now_ms(s->loop),
		.started_ms = s->started_ms,
		.enforcer = s->enforcer,
		.counters = *counters,
		.dns_alarm = daemon_judged_dns(s->judged),
		.learning_alarm = daemon_learning_alarm(s->learning),
		.legs = daemon_judged_legs(s->judged),
		.settings_error = daemon_settings_error(s->settings),
		.resolver = daemon_names_trouble(s->names),
		.load = daemon_load_state(s->load),
		.repair = daemon_repair_state(s->repair),
		.files = daemon_files_view(s->files),
		.denied = daemon_denied_view(s->denied),
		.gate = { .state = daemon_gate_state(s->gate),
			  .policy = &s->enforcer->running->policy,
			  .plan = &s->enforcer->running->plan,
			  .actual = counters->actual,
			  .now_ms = loop_now_ms(s->loop) },
		.n_ended = daemon_unjudged_ended(s->unjudged),
		.docker = s->docker,
		.ports = s->ports,
		.loop = loop_times(s->loop),
	};
	daemon_judged_now(s->judged, &ret->counters, &ret->judged);
	ret->n_alarms = ret->judged.n_not + daemon_alarms(s, &ret->gate, &n_names);
}

void daemon_view_free(struct daemon_view *view)
{
	judge_result_free(&view->judged);
	free(view->resolver);
	*view = (struct daemon_view){ 0 };
}
