/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every alarm goes through daemon_alarms(): status prints them, metrics and systemd's STATUS count them. */
#include "daemon_alarms.h"

#include "dockside/base/util.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/report/judged.h"

struct alarms {
	alarm_fn fn;
	void *data;
	size_t n;
};

static void alarm_of(struct alarms *a, const char *text)
{
	if (!text)
		return;
	a->n++;
	if (a->fn)
		a->fn(a->data, text);
}

static void tell_repair(const struct daemon_view *view, struct alarms *a)
{
	cleanup(cleanup_free) char *text = NULL;

	if (!view->repair.trouble)
		return;
	text = xasprintf("the kernel may lack rules of the policy, as they cannot be put back: %s; "
			 "trying again every few seconds",
			 view->repair.trouble);
	alarm_of(a, text);
}

static void tell_draining(const struct daemon_view *view, struct alarms *a)
{
	const struct drain *drain = &view->enforcer->drain;
	cleanup(cleanup_free) char *text = NULL;

	if (drain->n == 0 || !drain->trouble)
		return;
	text = xasprintf("the policies of networks that are draining are not kept, so that after a "
			 "reboot nothing confines their containers: %s; make the directory "
			 "writable, or end these containers",
			 drain->trouble);
	alarm_of(a, text);
}

static void tell_not_judged(const struct daemon_view *view, struct alarms *a)
{
	for (size_t i = 0; i < view->judged.n; i++) {
		cleanup(cleanup_free) char *text = NULL;

		if (view->judged.items[i].state != JUDGED_NOT)
			continue;
		text = judged_sentence(view->enforcer->running->policy.networks[i].name,
				       &view->judged.items[i]);
		alarm_of(a, text);
	}
}

size_t daemon_alarms(const struct daemon_view *view, alarm_fn on_alarm, void *data)
{
	struct alarms a = { .fn = on_alarm, .data = data };
	cleanup(cleanup_free) char *not_bound = enforcer_not_bound(view->enforcer);

	alarm_of(&a, view->files.alarm);
	tell_not_judged(view, &a);
	tell_repair(view, &a);
	tell_draining(view, &a);
	alarm_of(&a, not_bound);
	alarm_of(&a, view->learning_alarm);
	alarm_of(&a, view->dns_alarm);
	a.n += gate_alarms(&view->gate, on_alarm, data);
	a.n += name_alarms(&view->enforcer->running->policy, &view->enforcer->names, on_alarm,
			   data);
	return a.n;
}
