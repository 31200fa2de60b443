/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This limits how often we put back what somebody else takes away: at once, but after 10
 * repairs within a minute at most every 5 s. Pure: the time is a parameter, in milliseconds.
 */
#ifndef DOCKSIDE_DAEMON_REPAIR_LIMIT_H
#define DOCKSIDE_DAEMON_REPAIR_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define REPAIR_LIMIT_AT_ONCE 10
#define REPAIR_LIMIT_WINDOW_MS 60000
#define REPAIR_LIMIT_SLOW_MS 5000

/* Zero-initialise. */
struct repair_limit {
	uint64_t times_ms[REPAIR_LIMIT_AT_ONCE]; /* of the last repairs, as a ring */
	uint64_t total;
};

/* Returns the earliest time of the next repair: now, or later. */
uint64_t repair_limit_when(const struct repair_limit *repairs, uint64_t now_ms);
/* Whether they are limited at present. */
bool repair_limit_limited(const struct repair_limit *repairs, uint64_t now_ms);
void repair_limit_note(struct repair_limit *repairs, uint64_t now_ms);
/* Stores the time of the last repair; returns false if there was none. */
bool repair_limit_last(const struct repair_limit *repairs, uint64_t *ret_ms);

#endif
