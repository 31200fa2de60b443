/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/clock.h"

#include <time.h>

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint64_t unix_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}
