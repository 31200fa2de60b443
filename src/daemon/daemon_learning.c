/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bridge learns from frames for reserved addresses before any rule sees these (doc/kernel.md, "What a bridge learns"). It
 * is kept from that by a setting of its own, whose changes the kernel reports like all of an interface, so
 * that it need not be looked at in between.
 */
#include "daemon_learning.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/bridges_learn.h"
#include "dockside/system/log.h"

#define TOLD_EVERY_MS 10000 /* somebody may turn it off all the time */
#define AGAIN_MS 5000	    /* where it could not be set */

struct daemon_learning {
	struct loop *loop;
	const struct enforcer *enforcer;
	sd_event_source *timer;
	char *alarm;
	uint64_t told_ms; /* until then the log has enough about what was set */
};

static void tell_set(struct daemon_learning *k, size_t n)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (n == 0 || now_ms < k->told_ms)
		return;
	k->told_ms = now_ms + TOLD_EVERY_MS;
	log_info("set no_linklocal_learn of %zu bridge%s, so that no container teaches it where "
		 "others are",
		 n, plural(n));
}

/* Takes over the text. */
static void set_alarm(struct daemon_learning *k, char *alarm)
{
	bool changed =
		(alarm != NULL) != (k->alarm != NULL) || (alarm && strcmp(alarm, k->alarm) != 0);

	if (changed && alarm)
		log_error("%s", alarm);
	if (changed)
		loop_post(k->loop, NOTE_STATUS);
	free(k->alarm);
	k->alarm = alarm;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	daemon_learning_stop(data);
	return 0;
}

void daemon_learning_stop(struct daemon_learning *k)
{
	struct err err = { 0 };
	char *alarm = NULL;
	size_t n;

	if (!k->enforcer->running)
		return;
	if (bridges_learn_stop(&k->enforcer->running->policy, &n, &err) < 0)
		alarm = xasprintf("%s; a container can keep others' packets from them, until these "
				  "send again: take NET_RAW from the containers (cap_drop: "
				  "[NET_RAW])",
				  err.text);
	err_free(&err);
	tell_set(k, n);
	set_alarm(k, alarm);
	if (alarm)
		loop_arm(k->loop, &k->timer, loop_now_ms(k->loop) + AGAIN_MS, on_timer, k);
}

const char *daemon_learning_alarm(const struct daemon_learning *k)
{
	return k->alarm;
}

struct daemon_learning *daemon_learning_open(struct loop *loop, const struct enforcer *enforcer)
{
	struct daemon_learning *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->enforcer = enforcer;
	return k;
}

void daemon_learning_close(struct daemon_learning *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->timer);
	free(k->alarm);
	free(k);
}
