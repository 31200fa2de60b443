/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of rules, summed up by network and by entry of the configuration. */
#ifndef DOCKSIDE_REPORT_METRICS_COUNT_H
#define DOCKSIDE_REPORT_METRICS_COUNT_H

#include "dockside/report/metrics.h"

struct metrics_network {
	const char *name;
	bool draining;
	struct network_traffic traffic;
	bool tallied;
	uint64_t denied; /* packets, if tallied */
};

/* One rule of the kernel, or several of one entry of the configuration. */
struct metrics_rule {
	const char *network, *chain, *entry, *comment, *verdict;
	struct traffic traffic;
};

/* The strings are borrowed. */
struct metrics_counts {
	struct metrics_network *networks;
	size_t n_networks;
	struct metrics_rule *rules;
	size_t n_rules, cap_rules;
};

/* metrics_counts_free() when done. */
void metrics_count(const struct policy *policy, const struct plan *plan,
		   const struct actual *actual, struct metrics_counts *ret_counts);
void metrics_counts_free(struct metrics_counts *counts);

#endif
