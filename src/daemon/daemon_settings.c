/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings without which bridged packets do not pass the rules (SPEC §3). They may not exist yet:
 * at boot it is Docker, which starts after us, that loads br_netfilter. And somebody may turn them
 * off again, and the kernel does not report it: containers of one network reach each other until we look. So
 * they are looked at all the time; without them the rules are in force all the same, but "ready" is not said.
 *
 * Nothing stays open from then: without the settings bridged packets make no conntrack entries, and with them
 * the next packet of a connection is a new one.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"

#define LOOK_MS 300
#define LOOK_ACCURACY_US 100000 /* so that it wakes the processor together with others */
#define TOLD_EVERY_MS 10000	/* somebody may turn them off all the time */

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	daemon_settings_make(data);
	return 0;
}

static void tell_made(struct daemon *d)
{
	uint64_t now_ms = loop_now_ms(d->loop);

	if (!d->settings_made) {
		log_info("set net.bridge.bridge-nf-call-* and -filter-vlan-tagged to 1");
	} else if (now_ms >= d->settings_told_ms) {
		d->settings_told_ms = now_ms + TOLD_EVERY_MS;
		log_warning("somebody had turned off net.bridge.bridge-nf-call-* or "
			    "-filter-vlan-tagged, by which the rules between containers of one "
			    "network are in force; turned on again");
	}
}

void daemon_settings_make(struct daemon *d)
{
	struct err err = { 0 };
	bool changed = false, missing = d->settings_error != NULL;
	int r = sysctl_bridge_netfilter(&changed, &err);

	if (r < 0 && (!d->settings_error || strcmp(d->settings_error, err.text) != 0))
		log_error("%s; packets between containers of one network do not pass the rules, "
			  "trying on",
			  err.text);
	else if (r >= 0 && changed)
		tell_made(d);
	free(d->settings_error);
	d->settings_error = r < 0 ? xstrdup(err.text) : NULL;
	err_free(&err);
	if (missing != (r < 0))
		loop_post(d->loop, NOTE_STATUS);
	d->settings_made |= r >= 0;
	loop_arm(d->loop, &d->settings_timer, loop_now_ms(d->loop) + LOOK_MS, on_look, d);
	sd_event_source_set_time_accuracy(d->settings_timer, LOOK_ACCURACY_US);
}

void daemon_settings_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->settings_timer);
	free(d->settings_error);
}
