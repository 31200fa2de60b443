/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_METRICS_H
#define DOCKSIDE_DAEMON_DAEMON_METRICS_H

#include "daemon_view.h"
#include "dockside/json/json_write.h"

/* The answer to `metrics`, from line `from` on. */
void daemon_metrics(const struct daemon_view *view, uint64_t from, struct json_writer *out);

#endif
