/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One walk over two sorted arrays; a place in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/sorted.h"
#include "dockside/base/util.h"

struct right {
	char unused;
	int number;
};

static int cmp_ints(const void *key, const void *item)
{
	int a = *(const int *)key, b = *(const int *)item;

	return (a > b) - (a < b);
}

static int cmp_right(const void *key, const void *item)
{
	int a = *(const int *)key, b = ((const struct right *)item)->number;

	return (a > b) - (a < b);
}

/* Writes down a walk over 1 3 5 7 and some numbers: "<" left alone, ">" right alone, "=" both. */
static void assert_walk(size_t n_left, const struct right *rights, size_t n_right,
			const char *expected)
{
	static const int lefts[] = { 1, 3, 5, 7 };
	struct sorted_walk walk = { .lefts = { lefts, n_left, sizeof(lefts[0]) },
				    .rights = { rights, n_right, sizeof(*rights) },
				    .cmp = cmp_right };
	char got[128] = "";

	while (sorted_walk_next(&walk)) {
		const int *left = walk.left;
		const struct right *right = walk.right;
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%c%d ",
			 !left	  ? '>'
			 : !right ? '<'
				  : '=',
			 left	 ? *left
			 : right ? right->number
				 : -1);
		if (left && right)
			assert_int_equal(*left, right->number);
	}
	assert_string_equal(got, expected);
}

static void test_walk(void **state)
{
	static const struct right rights[] = { { 0, 0 }, { 0, 3 }, { 0, 4 }, { 0, 7 }, { 0, 9 } };

	(void)state;
	assert_walk(4, rights, 5, ">0 <1 =3 >4 <5 =7 >9 ");
	assert_walk(0, rights, 2, ">0 >3 ");
	assert_walk(2, rights, 0, "<1 <3 ");
	assert_walk(4, rights + 1, 1, "<1 =3 <5 <7 ");
	assert_walk(0, NULL, 0, "");
}

static void test_places(void **state)
{
	static const int items[] = { 2, 4, 4, 4, 6 };
	static const struct {
		int key;
		size_t before, up_to;
	} cases[] = { { 1, 0, 0 }, { 2, 0, 1 }, { 3, 1, 1 }, { 4, 1, 4 },
		      { 5, 4, 4 }, { 6, 4, 5 }, { 7, 5, 5 } };
	const struct sorted_array array = SORTED_ARRAY(items, ARRAY_SIZE(items));
	const struct sorted_array none = { NULL, 0, sizeof(items[0]) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(sorted_before(&array, &cases[i].key, cmp_ints), cases[i].before);
		assert_int_equal(sorted_up_to(&array, &cases[i].key, cmp_ints), cases[i].up_to);
		assert_int_equal(sorted_before(&none, &cases[i].key, cmp_ints), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests_name("sorted", tests, NULL, NULL);
}
