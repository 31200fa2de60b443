/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_METRICS_H
#define DOCKSIDE_DAEMON_DAEMON_METRICS_H

#include "daemon_view.h"
#include "dockside/base/buf.h"

/* Appends to b the text that answers `metrics`. */
void daemon_metrics(const struct daemon_view *view, struct buf *b);
/* The same, of this moment. */
void daemon_metrics_now(const struct services *s, struct buf *b);

#endif
