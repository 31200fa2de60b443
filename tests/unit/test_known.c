/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "between.h"
#include "dockside/base/util.h"
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
	/* A transaction that was left out does not come later. */
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

/* A set of a plan, and what the kernel holds of it. */
static void make_set(struct plan_set *set, unsigned char key)
{
	*set = (struct plan_set){ .name = "s", .type = SET_IPV4, .timeout = true };
	set_add_elem(set, NULL)->key[0] = key;
}

static bool is_kept(unsigned char planned, unsigned char held, uint32_t genid)
{
	struct plan_set want;
	struct plan_set *sets[] = { &want };
	struct plan plan = { .sets = sets, .n_sets = 1 }, bind = { .family = TABLE_BRIDGE };
	struct plan *const plans[N_TABLES] = { &plan, &bind };
	struct known known = { .tables = { { .exists = true, .genid = genid },
					   { .genid = genid } } };
	bool kept;

	make_set(&want, planned);
	known.tables[TABLE_INET].sets = xcalloc(1, sizeof(*known.tables[TABLE_INET].sets));
	known.tables[TABLE_INET].n_sets = 1;
	make_set(&known.tables[TABLE_INET].sets[0].set, held);
	actual_finish(&known.tables[TABLE_INET]);
	known_keep(&known, plans);
	kept = known_holds(&known, genid);
	if (kept) {
		/* The elements are the plan's, and are put in for one comparison. */
		assert_int_equal(known.tables[TABLE_INET].sets[0].set.n_elems, 0);
		known_recall(&known, plans);
		assert_int_equal(known.tables[TABLE_INET].sets[0].set.n_elems, 1);
		assert_int_equal(known.tables[TABLE_INET].sets[0].set.elems[0].key[0], planned);
	}
	known_forget(&known);
	assert_false(known_holds(&known, genid));
	free(want.elems);
	return kept;
}

static void test_the_table_is_kept_if_it_is_as_planned(void **state)
{
	(void)state;
	assert_true(is_kept(1, 1, 7));
	assert_false(is_kept(1, 2, 7));
	assert_false(is_kept(1, 1, 0)); /* nobody knows as of when */
}

static void test_it_is_read_again_at_times(void **state)
{
	struct known known = { 0 };
	unsigned n = 0;

	(void)state;
	while (n < 100000 && known_may_use(&known))
		n++;
	assert_between(n, 100, 10000);
	known_forget(&known);
	assert_true(known_may_use(&known));
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
		cmocka_unit_test(test_the_table_is_kept_if_it_is_as_planned),
		cmocka_unit_test(test_it_is_read_again_at_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
