/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The enforcer's observer, the part that needs no kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/enforce/enforcer.h"

struct seen {
	unsigned n_before, n_after;
	enum enforcement enforcement;
};

static void before(void *data, enum enforcement enforcement)
{
	struct seen *seen = data;

	assert_int_equal(seen->n_before, seen->n_after);
	seen->n_before++;
	seen->enforcement = enforcement;
}

static void after(void *data, enum enforcement enforcement)
{
	struct seen *seen = data;

	seen->n_after++;
	assert_int_equal(seen->n_before, seen->n_after);
	assert_int_equal(seen->enforcement, enforcement);
}

static void test_what_is_held_is_told_as_if_enforced(void **state)
{
	struct seen seen = { 0 };
	const struct enforcer_observer observer = { before, after, NULL, &seen };
	struct enforcer enforcer = { 0 };

	(void)state;
	enforcer_confirm(&enforcer); /* nobody observes */
	enforcer_observe(&enforcer, &observer);
	enforcer_confirm(&enforcer);
	assert_int_equal(seen.n_before, 1);
	assert_int_equal(seen.n_after, 1);
	assert_int_equal(seen.enforcement, ENFORCE_HELD);
	enforcer_observe(&enforcer, NULL);
	enforcer_confirm(&enforcer);
	assert_int_equal(seen.n_after, 1);
}

/* An alarm is called for where the files say that ports are bound and they are not. */
static void test_not_bound(void **state)
{
	char why[] = "no such family";
	struct network networks[2] = {
		{ .name = "a", .placed = true, .bind = BIND_OFF, .has_dockside_ip = true },
		{ .name = "b" }
	}; /* nobody manages it */
	struct running running = { .policy = { .networks = networks, .n_networks = 2 } };
	struct enforcer enforcer = { .no_bridge = why };
	char *text;

	(void)state;
	assert_null(enforcer_not_bound(&enforcer)); /* nothing runs */
	enforcer.running = &running;
	assert_null(enforcer_not_bound(&enforcer));
	networks[0].bind = BIND_LEARN;
	text = enforcer_not_bound(&enforcer);
	assert_non_null(text);
	assert_non_null(strstr(text, "(no such family)"));
	free(text);
	enforcer.no_bridge = NULL;
	assert_null(enforcer_not_bound(&enforcer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_held_is_told_as_if_enforced),
		cmocka_unit_test(test_not_bound),
	};

	return cmocka_run_group_tests_name("enforcer", tests, NULL, NULL);
}
