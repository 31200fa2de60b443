/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_EXPLAIN_H
#define DOCKSIDE_DAEMON_DAEMON_EXPLAIN_H

#include "dockside/ctl/ctl_server.h"
#include "services.h"

/* Answers `explain`. */
void daemon_explain(const struct services *s, struct ctl_request *request);

#endif
