/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of the daemon's own state: they come first. */
#ifndef DOCKSIDE_REPORT_METRICS_STATE_H
#define DOCKSIDE_REPORT_METRICS_STATE_H

#include "dockside/base/buf.h"
#include "dockside/report/metrics.h"

void metrics_state_write(const struct policy *policy, const struct metrics_state *state,
			 struct buf *b);

#endif
