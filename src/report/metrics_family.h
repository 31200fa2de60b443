/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The families of metrics.c and metrics_state.c, and the parts of their lines. */
#ifndef DOCKSIDE_REPORT_METRICS_FAMILY_H
#define DOCKSIDE_REPORT_METRICS_FAMILY_H

#include "dockside/base/buf.h"
#include "dockside/report/metrics.h"

struct metrics_family {
	const char *name, *type, *help;
	size_t (*count)(const struct metrics *m); /* its samples */
	/* Appends to b what follows the name in sample i. */
	void (*put)(const struct metrics *m, size_t i, struct buf *b);
};

/* The daemon's own state: they come first. */
#define METRICS_STATE_FAMILIES 19
extern const struct metrics_family metrics_state_families[METRICS_STATE_FAMILIES];

/* The first one opens the braces; metrics_family_value() closes them. */
void metrics_family_label(struct buf *b, const char *name, const char *value, bool first);
void metrics_family_value(struct buf *b, uint64_t value);
/* The value of a sample without labels. */
void metrics_family_plain(struct buf *b, uint64_t value);
/* Seconds. */
void metrics_family_ms(struct buf *b, uint64_t ms);

#endif
