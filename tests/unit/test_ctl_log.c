/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user of the socket gets so many lines of the log; the others are counted, and none is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_log.h"

/* Writes n lines; returns how many were allowed. */
static unsigned flood(struct ctl_log *log, uid_t uid, unsigned n, uint64_t now_ms)
{
	unsigned allowed = 0;

	for (unsigned i = 0; i < n; i++)
		allowed += ctl_log_allows(log, uid, now_ms);
	return allowed;
}

static uint64_t take_all(struct ctl_log *log, uint64_t now_ms)
{
	uint64_t missing, sum = 0;
	bool of_uid;
	uid_t uid;

	while (ctl_log_take(log, now_ms, &of_uid, &uid, &missing))
		sum += missing;
	return sum;
}

static void test_root(void **state)
{
	struct ctl_log log = { 0 };

	(void)state;
	assert_int_equal(flood(&log, 0, 100000, 5), 100000);
	assert_false(ctl_log_waits(&log));
}

static void test_one_user(void **state)
{
	struct ctl_log log = { 0 };
	uint64_t missing;
	bool of_uid;
	uid_t uid;

	(void)state;
	assert_int_equal(flood(&log, 1000, 54000, 5), CTL_LOG_LINES);
	assert_true(ctl_log_waits(&log));
	assert_false(ctl_log_take(&log, 5 + CTL_LOG_PERIOD_MS - 1, &of_uid, &uid, &missing));
	assert_true(ctl_log_take(&log, 5 + CTL_LOG_PERIOD_MS, &of_uid, &uid, &missing));
	assert_true(of_uid);
	assert_int_equal(uid, 1000);
	assert_int_equal(missing, 54000 - CTL_LOG_LINES);
	assert_false(ctl_log_waits(&log));
	/* The next period is as good as the first. */
	assert_int_equal(flood(&log, 1000, 3, 20000), 3);
	assert_false(ctl_log_waits(&log));
}

/* Nobody takes the count for a long time: it is not lost. */
static void test_later(void **state)
{
	struct ctl_log log = { 0 };

	(void)state;
	for (uint64_t now_ms = 0; now_ms < 10 * CTL_LOG_PERIOD_MS; now_ms += CTL_LOG_PERIOD_MS)
		assert_int_equal(flood(&log, 1000, 100, now_ms), CTL_LOG_LINES);
	assert_int_equal(take_all(&log, UINT64_MAX), 10 * (100 - CTL_LOG_LINES));
}

/* Many uids, as somebody with a user namespace has, get no more than the limit of all together. */
static void test_many_users(void **state)
{
	struct ctl_log log = { 0 };
	unsigned allowed = 0;

	(void)state;
	for (uid_t uid = 100000; uid < 165536; uid++)
		allowed += flood(&log, uid, 2, 5);
	assert_true(allowed <= CTL_LOG_LINES_ALL);
	assert_int_equal(take_all(&log, UINT64_MAX), 2 * 65536 - allowed);
	/* And somebody else does again, in the next period. */
	assert_int_equal(flood(&log, 1000, 1, 5 + CTL_LOG_PERIOD_MS), 1);
}

static void test_others_are_heard(void **state)
{
	struct ctl_log log = { 0 };

	(void)state;
	assert_int_equal(flood(&log, 1000, 5000, 5), CTL_LOG_LINES);
	assert_int_equal(flood(&log, 1001, 5, 6), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_one_user),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_many_users),
		cmocka_unit_test(test_others_are_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
