/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A family of metrics: its samples, and before the first of them its HELP and TYPE lines. */
#ifndef DOCKSIDE_REPORT_METRICS_FAMILY_H
#define DOCKSIDE_REPORT_METRICS_FAMILY_H

#include <stdbool.h>

#include "dockside/base/buf.h"

struct metrics_family {
	struct buf *b;
	const char *name, *type, *help;
	const char *suffix; /* of the next samples of a histogram; or NULL */
	bool titled;	    /* HELP and TYPE are written: a family without samples has neither */
	bool open;	    /* a sample is begun, with a label */
};

/* Before its first sample. Everything is borrowed. */
struct metrics_family metrics_family(struct buf *b, const char *name, const char *type,
				     const char *help);
/* A sample is any number of labels, then a value. */
void metrics_family_label(struct metrics_family *family, const char *name, const char *value);
void metrics_family_value(struct metrics_family *family, uint64_t value);
void metrics_family_ms(struct metrics_family *family, uint64_t ms); /* as seconds */
void metrics_family_us(struct metrics_family *family, uint64_t us); /* as seconds */
/* Prometheus has NaN for a number that does not exist. */
void metrics_family_nan(struct metrics_family *family);

/* A whole family, of one sample without labels. */
void metrics_family_gauge(struct buf *b, const char *name, const char *help, uint64_t value);
void metrics_family_counter(struct buf *b, const char *name, const char *help, uint64_t value);
void metrics_family_time(struct buf *b, const char *name, const char *help, uint64_t ms);

#endif
