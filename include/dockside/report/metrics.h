/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's metrics, in Prometheus' text format (version 0.0.4). Pure: kernel, names,
 * state and time are parameters.
 */
#ifndef DOCKSIDE_REPORT_METRICS_H
#define DOCKSIDE_REPORT_METRICS_H

#include "dockside/base/buf.h"
#include "dockside/names/names.h"
#include "dockside/report/judged.h"
#include "dockside/table/actual.h"

struct traffic {
	uint64_t packets, bytes;
};

/* The rules of a network have counted these packets. A rule never sees the later packets of a
 * connection that it has let pass, so "passed" are first packets only; "refused" are all that were
 * refused. */
struct network_traffic {
	bool known; /* some chain of it was read */
	struct traffic passed, refused;
};

/* Counts the traffic of a network's chains OUT, ING, HOST and SRC. The kernel's rules have to be those of the plan, one by one. */
struct network_traffic network_count(const struct plan *plan, const struct actual *actual,
				     const char *stem);

/* ---- how long the event loop is busy at a time ---- */

#define LOOP_BUCKETS 9

/* Zero-initialise. */
struct loop_times {
	uint64_t buckets[LOOP_BUCKETS + 1]; /* by loop_limits; the last has what exceeds them */
	uint64_t n, sum_us, max_us;
};

extern const unsigned loop_limits[LOOP_BUCKETS]; /* microseconds */

void loop_times_add(struct loop_times *times, uint64_t us);

/* ---- the text ---- */

struct gate_state;

/* One of several states. */
struct state_of {
	const char *const *names;
	size_t n, current;
};

/* The daemon hears DNS replies to containers. */
struct metrics_lookups {
	bool listening;
	size_t n; /* addresses whose names are known from them */
	uint64_t replies, malformed;
};

/* The ports of a network, and its containers with NET_RAW. */
struct metrics_ports {
	uint64_t known, unknown;
	bool net_raw_told; /* Docker has, of each of its containers */
	uint64_t net_raw;
};

/* The rest of the metrics, beside plan, kernel and names. Times are milliseconds since 1970 unless
 * their line says otherwise. */
struct metrics_state {
	const char *version, *kernel; /* of the program; of Linux, or NULL */
	uint64_t now_ms;	      /* of the clock of the names */
	uint64_t started_ms;
	bool ready, settings;
	const struct judged *judged;	   /* by network of the policy */
	const struct metrics_ports *ports; /* the same */
	uint64_t loads_ok, loads_failed;
	bool load_failed; /* the last one */
	uint64_t load_ms;
	uint64_t repairs;
	uint64_t ended; /* connections that were opened without our rules */
	bool repaired;	/* ever */
	uint64_t repair_ms;
	bool repair_limit_limited, repair_waiting;
	size_t alarms;
	struct state_of shim_ip, shim_ip6, docker, files;
	const struct loop_times *loop;
	const struct actual *bind; /* table bridge dockside, as far as its objects */
	bool denied;		   /* what is refused is recorded */
	uint64_t denied_events, denied_lost;
	struct metrics_lookups lookups;
	const struct gate_state *gate; /* of the DNS gate */
};

/*
 * Appends to b everything that is measured, line by line. Numbers that the kernel's table does not have are left out: as
 * zeros it would look like traffic when it comes back.
 */
void metrics_write(const struct policy *policy, const struct plan *plan,
		   const struct actual *actual, const struct names *names,
		   const struct metrics_state *state, struct buf *b);

#endif
