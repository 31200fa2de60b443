/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --since, of the commands that show what was refused. */
#ifndef DOCKSIDE_CLI_SINCE_H
#define DOCKSIDE_CLI_SINCE_H

#include <stdbool.h>
#include <stdint.h>

#include "dockside/cli/options.h"

/* For messages. */
#define SINCE_ALLOWED                                                                        \
	"30s, 10m, 2h or 1d, or a time as 2026-01-02T03:04:05Z, \"2026-01-02 03:04:05\" or " \
	"03:04:05"

/*
 * Reads a time: so long ago; in UTC as in the JSON of events, perhaps with a fraction of a second; or as the table
 * of `denied` has it, in local time, without a date the last time that the clock showed that. All in milliseconds
 * since 1970. False: it is none of these.
 */
bool since_parse(const char *text, uint64_t now_ms, uint64_t *ret_ms);

extern const struct option_row since_option[]; /* uint64_t: milliseconds since 1970 */

#endif
