/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "cli/since.h"

#define NOW_MS 1767323045000ull /* 2026-01-02T03:04:05Z */
#define HOUR_MS 3600000ull

static void assert_since(const char *text, uint64_t wanted_ms)
{
	uint64_t ms = 0;

	if (!since_parse(text, NOW_MS, &ms))
		fail_msg("\"%s\" is refused", text);
	if (ms != wanted_ms)
		fail_msg("\"%s\" is %llu, wanted %llu", text, (unsigned long long)ms,
			 (unsigned long long)wanted_ms);
}

static void assert_refused(const char *text)
{
	uint64_t ms;

	if (since_parse(text, NOW_MS, &ms))
		fail_msg("\"%s\" is taken for %llu", text, (unsigned long long)ms);
}

static void test_ago(void **state)
{
	(void)state;
	assert_since("0s", NOW_MS);
	assert_since("30s", NOW_MS - 30000);
	assert_since("10m", NOW_MS - 600000);
	assert_since("2h", NOW_MS - 2 * HOUR_MS);
	assert_since("1d", NOW_MS - 24 * HOUR_MS);
	assert_since("1000000d", 0);
}

static void test_utc(void **state)
{
	(void)state;
	assert_since("2026-01-02T03:04:05Z", NOW_MS);
	assert_since("2026-01-02T03:04:05.678Z",
		     NOW_MS); /* of an event's JSON; no event is left out */
	assert_since("1970-01-01T00:00:00Z", 0);
}

/* The zone is the table's own. UTC+2 there, in summer another hour. */
static void test_local(void **state)
{
	(void)state;
	setenv("TZ", "XXX-2YYY,M3.5.0/2,M10.5.0/3", 1);
	tzset();
	assert_since("2026-01-02 05:04:05", NOW_MS);
	assert_since("2025-07-02 06:04:05", NOW_MS - 184 * 24 * HOUR_MS);
	assert_since("05:04:05", NOW_MS);
	assert_since("04:04:05", NOW_MS - HOUR_MS);
	assert_since("05:04:06", NOW_MS - 24 * HOUR_MS + 1000); /* yesterday's */
	unsetenv("TZ");
	tzset();
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"10",
		"m",
		"-1s",
		"1.5h",
		"10 m",
		"10w",
		"1000001s",
		"yesterday",
		"03:04",
		"25:00:00",
		"2026-01-02",
		"2026-13-02T03:04:05Z",
		"2026-01-02T03:04:05",
		"2026-01-02T03:04:05Zx",
		"2026-01-02T03:04:05,5Z",
		"2026-01-02 03:04:05Z",
		"1960-01-02T03:04:05Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ago),
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
