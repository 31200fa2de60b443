/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_ALARMS_H
#define DOCKSIDE_DAEMON_DAEMON_ALARMS_H

#include "daemon_view.h"
#include "dockside/names/name_alarms.h"

/* Calls on_alarm, which may be NULL, for each line of status that begins with ALARM, the most important first. Returns
 * how many there are. */
size_t daemon_alarms(const struct daemon_view *view, alarm_fn on_alarm, void *data);

#endif
