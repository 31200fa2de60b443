/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_STATUS_H
#define DOCKSIDE_DAEMON_DAEMON_STATUS_H

#include "daemon_view.h"
#include "dockside/json/json_write.h"

/* The answer to `status`. */
void daemon_status(const struct daemon_view *view, struct json_writer *out);

#endif
