/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_view.h"

#include <stdlib.h>

#include "daemon_alarms.h"
#include "services.h"

void daemon_view_begin(const struct services *s, struct daemon_view *ret)
{
	*ret = (struct daemon_view){
		.now_ms = loop_now_ms(s->loop),
		.started_ms = s->started_ms,
		.enforcer = s->enforcer,
		.dns_alarm = daemon_judged_dns(s->judged),
		.learning_alarm = daemon_learning_alarm(s->learning),
		.legs = daemon_judged_legs(s->judged),
		.settings_error = daemon_settings_error(s->settings),
		.load = daemon_load_state(s->load),
		.repair = daemon_repair_state(s->repair),
		.files = daemon_files_view(s->files),
		.denied = daemon_denied_view(s->denied),
		.gate = { .state = daemon_gate_state(s->gate),
			  .policy = &s->enforcer->running->policy,
			  .plan = &s->enforcer->running->plan,
			  .now_ms = loop_now_ms(s->loop) },
		.n_ended = daemon_unjudged_ended(s->unjudged),
		.docker = s->docker,
		.ports = s->ports,
		.loop = loop_times(s->loop),
	};
}

void daemon_view_take(const struct services *s, const struct counters_view *counters,
		      struct daemon_view *ret)
{
	daemon_view_begin(s, ret);
	ret->counters = *counters;
	ret->gate.actual = counters->actual;
	ret->resolver = daemon_names_trouble(s->names);
	daemon_judged_now(s->judged, &ret->counters, ret->repair.doubtful, &ret->judged);
	ret->n_alarms = daemon_alarms(ret, NULL, NULL);
	ret->ready = !ret->settings_error && ret->judged.n_not == 0 && !ret->repair.doubtful;
}

void daemon_view_free(struct daemon_view *view)
{
	judge_result_free(&view->judged);
	free(view->resolver);
	*view = (struct daemon_view){ 0 };
}
