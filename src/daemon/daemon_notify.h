/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_NOTIFY_H
#define DOCKSIDE_DAEMON_DAEMON_NOTIFY_H

#include "services.h"

/* Tells systemd what is enforced, and what is not well: STATUS= of sd_notify(3). */
void daemon_notify(const struct services *s);

#endif
