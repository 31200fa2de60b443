/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the clocks. Folders to the left get the time as a parameter. */
#ifndef DOCKSIDE_SYSTEM_CLOCK_H
#define DOCKSIDE_SYSTEM_CLOCK_H

#include <stdint.h>

/* Microseconds and milliseconds of CLOCK_MONOTONIC: for time-outs; and milliseconds since 1970, for people. */
uint64_t monotonic_us(void);
uint64_t monotonic_ms(void);
uint64_t unix_ms(void);

#endif
