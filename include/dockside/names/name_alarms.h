/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alarms: the operator must look, as something is not as safe as the files read. A rule
 * does nothing while no address is known of its name. An allow rule is closed then, which its containers notice; a
 * drop rule stops nothing, and a nat rule redirects nothing. And a name may have addresses that no name
 * opens (never.h): then somebody tried to open them, or DNS gives other answers than the user
 * expects.
 */
#ifndef DOCKSIDE_NAMES_NAME_ALARMS_H
#define DOCKSIDE_NAMES_NAME_ALARMS_H

#include "dockside/names/names.h"
#include "dockside/policy/model.h"

/* Receives one alarm, a line without its end; text is borrowed. */
typedef void (*alarm_fn)(void *data, const char *text);

/* Calls on_alarm, which may be NULL, for each such rule and name, in the order of the files, then for each such
 * address. Returns how many there are. A name that DNS knows, without an address, has nothing to drop. Networks in
 * audit mode drop nothing. */
size_t name_alarms(const struct policy *policy, const struct names *names, alarm_fn on_alarm,
		   void *data);

#endif
