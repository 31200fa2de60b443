/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dockside/daemon/repair_limit.h"

static void test_at_once_then_slowly(void **state)
{
	struct repair_limit repairs = { 0 };
	uint64_t now_ms = 1000, last;

	(void)state;
	assert_false(repair_limit_last(&repairs, &last));
	for (int i = 0; i < REPAIR_LIMIT_AT_ONCE; i++) {
		assert_false(repair_limit_limited(&repairs, now_ms));
		assert_int_equal(repair_limit_when(&repairs, now_ms), now_ms);
		repair_limit_note(&repairs, now_ms++);
	}
	assert_true(repair_limit_last(&repairs, &last));
	assert_int_equal(last, now_ms - 1);
	/* The eleventh in a minute waits until 5 s after the tenth, each further one likewise. */
	assert_true(repair_limit_limited(&repairs, now_ms));
	assert_int_equal(repair_limit_when(&repairs, now_ms), last + REPAIR_LIMIT_SLOW_MS);
	now_ms = last + REPAIR_LIMIT_SLOW_MS;
	assert_int_equal(repair_limit_when(&repairs, now_ms), now_ms);
	repair_limit_note(&repairs, now_ms);
	assert_int_equal(repair_limit_when(&repairs, now_ms + 1), now_ms + REPAIR_LIMIT_SLOW_MS);
}

static void test_a_quiet_minute_forgives(void **state)
{
	struct repair_limit repairs = { 0 };
	uint64_t now_ms = 1000;

	(void)state;
	for (int i = 0; i < 25; i++)
		repair_limit_note(&repairs, now_ms);
	assert_true(repair_limit_limited(&repairs, now_ms + REPAIR_LIMIT_WINDOW_MS - 1));
	now_ms += REPAIR_LIMIT_WINDOW_MS;
	assert_false(repair_limit_limited(&repairs, now_ms));
	assert_int_equal(repair_limit_when(&repairs, now_ms), now_ms);
	assert_int_equal(repairs.total, 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once_then_slowly),
		cmocka_unit_test(test_a_quiet_minute_forgives),
	};

	return cmocka_run_group_tests_name("repairs", tests, NULL, NULL);
}
