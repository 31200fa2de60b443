/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * assert_in_range() of cmocka, by a name of our own: cmocka 2 calls that one deprecated, and cmocka 1 does not have
 * what it wants instead. Included after cmocka.h.
 */
#ifndef DOCKSIDE_TESTS_BETWEEN_H
#define DOCKSIDE_TESTS_BETWEEN_H

#include <inttypes.h>
#include <stdint.h>

#define assert_between(got, low, high)                                                         \
	do {                                                                                   \
		uint64_t got_ = (uint64_t)(got), low_ = (low), high_ = (high);                 \
                                                                                               \
		if (got_ < low_ || got_ > high_)                                               \
			fail_msg("%s is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, #got, got_, \
				 low_, high_);                                                 \
	} while (0)

#endif
