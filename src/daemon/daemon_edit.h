/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_EDIT_H
#define DOCKSIDE_DAEMON_DAEMON_EDIT_H

#include "dockside/ctl/ctl_server.h"
#include "services.h"

/* Answers a request that changes the files. */
void daemon_edit(const struct services *s, struct ctl_request *request);

#endif
