/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings without which bridged packets do not pass the rules (doc/kernel.md, "Bridged packets
 * and br_netfilter"). They may not exist yet:
 * at boot it is Docker, which starts after us, that loads br_netfilter. And somebody may turn them
 * off again, and the kernel does not report it: containers of one network reach each other until we look. So
 * they are looked at all the time; without them the rules are in force all the same, but "ready" is not said.
 *
 * At the same time the bridges of managed networks are kept from source routes, which the kernel does not report, either.
 *
 * Nothing stays open from then: without the settings bridged packets make no conntrack entries, and with them
 * the next packet of a connection is a new one.
 */
#include "daemon_settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/source_routes.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"

#define LOOK_MS 300
#define LOOK_ACCURACY_US 100000 /* so that it wakes the processor together with others */
#define TOLD_EVERY_MS 10000	/* somebody may turn them off all the time */

struct daemon_settings {
	struct loop *loop;
	const struct enforcer *enforcer;
	sd_event_source *timer;
	char *error, *routes_error; /* NULL: they are as they must be */
	bool made;		    /* they were so once */
	uint64_t told_ms;	    /* until then the log has enough about their being turned off */
	uint64_t routes_told_ms;    /* the same of source routes */
};

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	daemon_settings_make(data);
	return 0;
}

static void tell_made(struct daemon_settings *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (!k->made) {
		log_info("set net.bridge.bridge-nf-call-* and -filter-vlan-tagged to 1");
	} else if (now_ms >= k->told_ms) {
		k->told_ms = now_ms + TOLD_EVERY_MS;
		log_warning("somebody had turned off net.bridge.bridge-nf-call-* or "
			    "-filter-vlan-tagged, by which the rules between containers of one "
			    "network are in force; turned on again");
	}
}

/* Keeps the failure, or that there is none; tells of one that is new. */
static void note_error(char **error, const struct err *err, const char *consequence)
{
	char *new = err->code ? xstrdup(err->text) : NULL;

	if (new && !text_equal(new, *error))
		log_error("%s; %s, trying on", new, consequence);
	free(*error);
	*error = new;
}

static void make_bridge_netfilter(struct daemon_settings *k)
{
	struct err err = { 0 };
	bool changed = false;

	if (sysctl_bridge_netfilter(&changed, &err) >= 0) {
		if (changed)
			tell_made(k);
		k->made = true;
	}
	note_error(&k->error, &err,
		   "packets between containers of one network do not pass the rules");
	err_free(&err);
}

static void refuse_source_routes(struct daemon_settings *k)
{
	struct err err = { 0 };
	size_t n = 0;

	if (k->enforcer->running)
		source_routes_refuse(&k->enforcer->running->policy, &n, &err);
	note_error(&k->routes_error, &err,
		   "a container may send packets past the rules by a source route");
	err_free(&err);
	if (n > 0 && loop_now_ms(k->loop) >= k->routes_told_ms) {
		k->routes_told_ms = loop_now_ms(k->loop) + TOLD_EVERY_MS;
		log_warning("this host takes source routes (accept_source_route, seg6_enabled or "
			    "rpl_seg_enabled of all interfaces), which lead past the rules; "
			    "turned off %zu setting%s of managed bridges",
			    n, plural(n));
	}
}

void daemon_settings_make(struct daemon_settings *k)
{
	bool missing = daemon_settings_error(k);

	make_bridge_netfilter(k);
	refuse_source_routes(k);
	if (missing != (daemon_settings_error(k) != NULL))
		loop_post(k->loop, NOTE_STATUS);
	loop_arm(k->loop, &k->timer, loop_now_ms(k->loop) + LOOK_MS, on_look, k);
	sd_event_source_set_time_accuracy(k->timer, LOOK_ACCURACY_US);
}

const char *daemon_settings_error(const struct daemon_settings *k)
{
	return k->error ? k->error : k->routes_error;
}

struct daemon_settings *daemon_settings_open(struct loop *loop, const struct enforcer *enforcer)
{
	struct daemon_settings *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->enforcer = enforcer;
	return k;
}

void daemon_settings_close(struct daemon_settings *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->timer);
	free(k->error);
	free(k->routes_error);
	free(k);
}
