/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dockside/daemon/repairs.h"

static void test_at_once_then_slowly(void **state)
{
	struct repairs repairs = { 0 };
	uint64_t now_ms = 1000, last;

	(void)state;
	assert_false(repairs_last(&repairs, &last));
	for (int i = 0; i < REPAIRS_AT_ONCE; i++) {
		assert_false(repairs_limited(&repairs, now_ms));
		assert_int_equal(repairs_when(&repairs, now_ms), now_ms);
		repairs_note(&repairs, now_ms++);
	}
	assert_true(repairs_last(&repairs, &last));
	assert_int_equal(last, now_ms - 1);
	/* The eleventh in a minute waits until 5 s after the tenth, each further one likewise. */
	assert_true(repairs_limited(&repairs, now_ms));
	assert_int_equal(repairs_when(&repairs, now_ms), last + REPAIRS_SLOW_MS);
	now_ms = last + REPAIRS_SLOW_MS;
	assert_int_equal(repairs_when(&repairs, now_ms), now_ms);
	repairs_note(&repairs, now_ms);
	assert_int_equal(repairs_when(&repairs, now_ms + 1), now_ms + REPAIRS_SLOW_MS);
}

static void test_a_quiet_minute_forgives(void **state)
{
	struct repairs repairs = { 0 };
	uint64_t now_ms = 1000;

	(void)state;
	for (int i = 0; i < 25; i++)
		repairs_note(&repairs, now_ms);
	assert_true(repairs_limited(&repairs, now_ms + REPAIRS_WINDOW_MS - 1));
	now_ms += REPAIRS_WINDOW_MS;
	assert_false(repairs_limited(&repairs, now_ms));
	assert_int_equal(repairs_when(&repairs, now_ms), now_ms);
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
