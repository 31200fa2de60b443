/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table that the kernel holds, with its counters, and the shim. We read them when somebody
 * asks, and keep them for a moment. */
#ifndef DOCKSIDE_DAEMON_DAEMON_COUNTERS_H
#define DOCKSIDE_DAEMON_DAEMON_COUNTERS_H

#include <stdbool.h>

#include "dockside/enforce/enforcer.h"

/* As of one moment. Borrowed from the service until it reads again or forgets. */
struct counters_view {
	const struct actual *actual; /* table inet dockside */
	const struct actual
		*bind; /* the objects of table bridge dockside; empty where there is none */
	bool failed;   /* actual could not be read, and is empty */
	const struct reconcile_shim_comparison *shim;
	uint64_t read_ms; /* when, by CLOCK_MONOTONIC */
};

struct daemon_counters;

/* Borrows the enforcer. daemon_counters_close(NULL) is valid. */
struct daemon_counters *daemon_counters_open(struct enforcer *enforcer);
void daemon_counters_close(struct daemon_counters *k);

/* A large table is not read again for each request: else any client could keep us busy. */
struct counters_view daemon_counters_read(struct daemon_counters *k);
/* Another policy runs, or none. */
void daemon_counters_forget(struct daemon_counters *k);

#endif
