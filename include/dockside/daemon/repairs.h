/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often we put back what somebody else takes away (SPEC §10): at once, but after 10
 * repairs within a minute at most every 5 s. Pure: the time is a parameter, in milliseconds.
 */
#ifndef DOCKSIDE_DAEMON_REPAIRS_H
#define DOCKSIDE_DAEMON_REPAIRS_H

#include <stdbool.h>
#include <stdint.h>

#define REPAIRS_AT_ONCE 10
#define REPAIRS_WINDOW_MS 60000
#define REPAIRS_SLOW_MS 5000

/* Zero-initialise. */
struct repairs {
	uint64_t times_ms[REPAIRS_AT_ONCE]; /* of the last repairs, as a ring */
	uint64_t total;
};

/* When the next repair may be made: now, or later. */
uint64_t repairs_when(const struct repairs *repairs, uint64_t now_ms);
/* Whether they are limited at present. */
bool repairs_limited(const struct repairs *repairs, uint64_t now_ms);
void repairs_note(struct repairs *repairs, uint64_t now_ms);
/* When the last one was; false if there was none. */
bool repairs_last(const struct repairs *repairs, uint64_t *ret_ms);

#endif
