/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_SETTINGS_H
#define DOCKSIDE_DAEMON_DAEMON_SETTINGS_H

#include "dockside/enforce/enforcer.h"
#include "loop.h"

/* The settings without which packets do not pass the rules. Posts NOTE_STATUS. */
struct daemon_settings;

/* daemon_settings_close(NULL) is valid. */
struct daemon_settings *daemon_settings_open(struct loop *loop, const struct enforcer *enforcer);
void daemon_settings_close(struct daemon_settings *k);

/* Makes them, now and from then on. */
void daemon_settings_make(struct daemon_settings *k);
/* Names the setting that is missing, and why; NULL: all are as they must be. Borrowed until the
 * next event, as a timer makes them again. */
const char *daemon_settings_error(const struct daemon_settings *k);

#endif
