/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dockside/enforce/known.h"

static void test_nothing_is_trusted_unread(void **state)
{
	struct known trust = { 0 };

	(void)state;
	assert_false(known_holds(&trust, 0));
	known_transaction(&trust, 1, DEED_NOTHING);
	assert_false(known_holds(&trust, 1));
	known_begin(&trust, 7);
	assert_true(known_holds(&trust, 7));
	assert_false(known_holds(&trust, 8)); /* its event has not come yet */
	known_end(&trust);
	assert_false(known_holds(&trust, 7));
	assert_false(known_holds(&trust, 0));
}

static void test_harmless_ones_move_it_on(void **state)
{
	struct known trust = { 0 };

	(void)state;
	known_begin(&trust, 7);
	known_transaction(&trust, 8, DEED_NOTHING);
	known_transaction(&trust, 9, DEED_NOTED);
	assert_true(known_holds(&trust, 9));
	assert_false(known_holds(&trust, 8));
	assert_false(known_holds(&trust, 10));
}

static void test_late_events(void **state)
{
	struct known trust = { 0 };

	(void)state;
	known_begin(&trust, 7);
	known_transaction(&trust, 6, DEED_UNKNOWN);
	known_transaction(&trust, 7, DEED_UNKNOWN);
	assert_true(known_holds(&trust, 7));
	known_transaction(&trust, 8, DEED_NOTHING);
	assert_true(known_holds(&trust, 8));
}

static void test_gap(void **state)
{
	struct known trust = { 0 };

	(void)state;
	known_begin(&trust, 7);
	known_transaction(&trust, 9, DEED_NOTHING);
	assert_false(known_holds(&trust, 9));
	/* What was left out does not come later. */
	known_transaction(&trust, 8, DEED_NOTHING);
	known_transaction(&trust, 9, DEED_NOTHING);
	assert_false(known_holds(&trust, 9));
}

/* Every sequence of four transactions, each of which does nothing, something of ours, something
 * else, or goes untold: trusted to the end if and only if all were told and harmless. */
static void test_all_orders(void **state)
{
	enum { UNTOLD = DEED_UNKNOWN + 1, KINDS, LENGTH = 4 };

	(void)state;
	for (unsigned code = 0; code < KINDS * KINDS * KINDS * KINDS; code++) {
		struct known trust = { 0 };
		unsigned rest = code;
		bool good = true;

		known_begin(&trust, 100);
		for (uint32_t i = 1; i <= LENGTH; i++, rest /= KINDS) {
			unsigned kind = rest % KINDS;

			good &= kind == DEED_NOTHING || kind == DEED_NOTED;
			if (kind != UNTOLD)
				known_transaction(&trust, 100 + i, (enum deed)kind);
		}
		assert_int_equal(known_holds(&trust, 100 + LENGTH), good);
		/* Reading the table makes good whatever was. */
		known_begin(&trust, 100 + LENGTH);
		assert_true(known_holds(&trust, 100 + LENGTH));
	}
}

static void test_numbers_wrap(void **state)
{
	struct known trust = { 0 };

	(void)state;
	known_begin(&trust, UINT32_MAX);
	known_transaction(&trust, UINT32_MAX - 1, DEED_UNKNOWN);
	assert_true(known_holds(&trust, UINT32_MAX));
	known_transaction(&trust, 1, DEED_NOTHING);
	assert_true(known_holds(&trust, 1));
	known_transaction(&trust, UINT32_MAX, DEED_UNKNOWN); /* late */
	assert_true(known_holds(&trust, 1));
	known_begin(&trust, UINT32_MAX);
	known_transaction(&trust, 2, DEED_NOTHING);
	assert_false(known_holds(&trust, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_trusted_unread),
		cmocka_unit_test(test_harmless_ones_move_it_on),
		cmocka_unit_test(test_late_events),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_all_orders),
		cmocka_unit_test(test_numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
