/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings without which bridged packets do not pass the rules (SPEC §3). They may not exist yet:
 * at boot it is Docker, which starts after us, that loads br_netfilter. And somebody may turn them
 * off again. So they are looked at all the time; without them the rules are in force all the same,
 * but "ready" is not said.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/daemon.h"
#include "dockside/log.h"
#include "dockside/sysctl.h"

#define LOOK_MS 10000

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	daemon_settings_make(data);
	return 0;
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
		log_info("set net.bridge.bridge-nf-call-* and -filter-vlan-tagged to 1");
	free(d->settings_error);
	d->settings_error = r < 0 ? xstrdup(err.text) : NULL;
	err_free(&err);
	if (missing != (r < 0))
		daemon_notify_status(d);
	daemon_arm(d, &d->settings_timer, daemon_now_ms(d) + LOOK_MS, on_look);
}

void daemon_settings_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->settings_timer);
	free(d->settings_error);
}
