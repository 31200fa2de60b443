/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is measured, as lines of Prometheus' text format (version 0.0.4). Pure: kernel, names,
 * state and time are parameters.
 */
#ifndef DOCKSIDE_REPORT_METRICS_H
#define DOCKSIDE_REPORT_METRICS_H

#include "dockside/base/buf.h"
#include "dockside/names/names.h"
#include "dockside/report/denied.h"
#include "dockside/report/judged.h"
#include "dockside/table/actual.h"

struct traffic {
	uint64_t packets, bytes;
};

/* What the rules of a network have counted: as a rule never sees the later packets of a connection
 * that it has let pass, these are first packets, and whatever was refused. */
struct network_traffic {
	bool known; /* some chain of it was read */
	struct traffic passed, refused;
};

/* Of a bridge's chains OUT, ING, HOST and SRC. The kernel's rules have to be those of the plan, one by one. */
struct network_traffic network_count(const struct plan *plan, const struct actual *actual,
				     const char *bridge);

/* ---- how long the event loop is busy at a time ---- */

#define LOOP_BUCKETS 9

/* Zero-initialise. */
struct loop_times {
	uint64_t buckets[LOOP_BUCKETS + 1]; /* by loop_limits; the last has what exceeds them */
	uint64_t n, sum_us, max_us;
};

extern const unsigned loop_limits[LOOP_BUCKETS]; /* microseconds */

void loop_note(struct loop_times *times, uint64_t us);

/* ---- lines ---- */

/* One of several states. */
struct state_of {
	const char *const *names;
	size_t n, current;
};

/* Of DNS replies to containers. */
struct metrics_lookups {
	bool listening;
	size_t n; /* addresses whose names are known from them */
	uint64_t replies, malformed;
};

/* What is not in plan, kernel and names. Times are seconds since 1970, in milliseconds. */
struct metrics_state {
	const char *version, *kernel; /* of the program; of Linux, or NULL */
	uint64_t now_ms;	      /* of the clock of the names */
	uint64_t started_ms;
	bool ready, settings;
	const struct judged *judged; /* by network of the policy */
	uint64_t loads_ok, loads_failed;
	bool load_failed; /* the last one */
	uint64_t load_ms;
	uint64_t repairs;
	uint64_t ended; /* connections that were opened without our rules */
	bool repaired;	/* ever */
	uint64_t repair_ms;
	bool repair_limit_limited, repair_waiting;
	size_t alarms;
	struct state_of shim_ip, shim_ip6, docker;
	const struct loop_times *loop;
	const struct denied_counts *denied; /* NULL: nobody is told */
	uint64_t denied_lost;
	struct metrics_lookups lookups;
};

struct metrics_network {
	const char *name;
	bool draining;
	struct network_traffic traffic;
	struct denied_sum denied;
};

struct metrics_rule {
	const char *network, *chain, *entry, *comment, *verdict;
	struct traffic traffic;
};

struct metrics_set {
	const char *name, *entry;
	bool v4;
	size_t n;
};

struct metrics_answers {
	const struct name *name;
	const struct name_family *family;
	bool v4;
};

/* Everything is borrowed but the arrays. */
struct metrics {
	const struct policy *policy;
	const struct names *names;
	struct metrics_state state;
	size_t *managed; /* indices of the managed networks of the policy's files */
	size_t n_managed;
	struct metrics_network *networks;
	size_t n_networks;
	struct metrics_rule
		*rules; /* or several of the kernel's, of one entry of the configuration */
	size_t n_rules, cap_rules;
	struct metrics_set *sets;
	size_t n_sets;
	struct metrics_answers *answers; /* of one family of a name each */
	size_t n_answers;
	size_t n_lines;
};

/* metrics_free() when done. */
void metrics_collect(const struct policy *policy, const struct plan *plan,
		     const struct actual *actual, const struct names *names,
		     const struct metrics_state *state, struct metrics *ret_metrics);
void metrics_free(struct metrics *metrics);

#define METRICS_LINE_MAX 2048

/* How many lines there are, for metrics_collect(). */
size_t metrics_count_lines(const struct metrics *metrics);

/* Line number i of metrics->n_lines, of less than METRICS_LINE_MAX bytes and without its line feed. Appends to b. */
void metrics_line(const struct metrics *metrics, size_t i, struct buf *b);

#endif
