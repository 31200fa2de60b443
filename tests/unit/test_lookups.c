/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of what was looked up: the latest name, for a while, in bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/names/lookups.h"

static struct ipaddr address(const char *text)
{
	struct ipaddr addr;

	assert_true(ipaddr_parse(text, strlen(text), &addr));
	return addr;
}

static struct ipaddr numbered(unsigned i)
{
	struct ipaddr addr = { .family = FAMILY_IPV4 };

	addr.b[0] = 10;
	addr.b[2] = (uint8_t)(i >> 8);
	addr.b[3] = (uint8_t)i;
	return addr;
}

static void add(struct lookups *l, const char *bridge, const char *addr, const char *name,
		uint64_t now_ms)
{
	struct ipaddr a = address(addr);

	lookups_add(l, bridge, &a, name, now_ms);
}

static void assert_name(const struct lookups *l, const char *bridge, const char *addr,
			uint64_t now_ms, const char *expected)
{
	struct ipaddr a = address(addr);
	const char *found = lookups_find(l, bridge, &a, now_ms);

	assert_string_equal(found ? found : "-", expected);
}

static void test_latest(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	assert_name(&l, "amber", "192.0.2.1", 0, "-");
	add(&l, "amber", "192.0.2.1", "a.example", 1);
	add(&l, "amber", "2001:db8::1", "six.example", 1);
	add(&l, "blue", "192.0.2.1", "b.example", 2);
	assert_name(&l, "amber", "192.0.2.1", 3, "a.example");
	assert_name(&l, "blue", "192.0.2.1", 3, "b.example");
	assert_name(&l, "amber", "2001:db8::1", 3, "six.example");
	assert_name(&l, "blue", "2001:db8::1", 3, "-");
	assert_name(&l, "green", "192.0.2.1", 3, "-");
	add(&l, "amber", "192.0.2.1", "c.example", 4);
	assert_name(&l, "amber", "192.0.2.1", 5, "c.example");
	assert_name(&l, "blue", "192.0.2.1", 5, "b.example");
	assert_int_equal(l.n, 3);
	lookups_free(&l);
	assert_int_equal(l.n, 0);
	lookups_free(&l);
}

static void test_age(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	add(&l, "amber", "192.0.2.1", "a.example", 1000);
	add(&l, "amber", "192.0.2.2", "b.example", 2000);
	assert_name(&l, "amber", "192.0.2.1", 1000 + LOOKUPS_AGE_MS, "a.example");
	assert_name(&l, "amber", "192.0.2.1", 1001 + LOOKUPS_AGE_MS, "-");
	/* Looked up again, it lives on; the other becomes the oldest. */
	add(&l, "amber", "192.0.2.1", "a.example", 3000);
	lookups_expire(&l, 2001 + LOOKUPS_AGE_MS);
	assert_int_equal(l.n, 1);
	assert_name(&l, "amber", "192.0.2.1", 3000 + LOOKUPS_AGE_MS, "a.example");
	assert_name(&l, "amber", "192.0.2.2", 3000, "-");
	/* With the last one its network goes, too. */
	lookups_expire(&l, 3001 + LOOKUPS_AGE_MS);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.n_networks, 0);
	assert_null(l.networks);
}

static void test_bounds(void **state)
{
	struct lookups l = { 0 };
	struct ipaddr addr;

	(void)state;
	add(&l, "blue", "192.0.2.1", "quiet.example", 0);
	for (unsigned i = 0; i < 3 * LOOKUPS_MAX; i++) {
		addr = numbered(i);
		lookups_add(&l, "amber", &addr, "many.example", 1 + i);
		assert_true(l.n <= LOOKUPS_MAX);
	}
	assert_int_equal(l.n, LOOKUPS_MAX);
	/* The network that has most loses its oldest. */
	assert_name(&l, "blue", "192.0.2.1", 1, "quiet.example");
	addr = numbered(2 * LOOKUPS_MAX);
	assert_null(lookups_find(&l, "amber", &addr, 1));
	addr = numbered(2 * LOOKUPS_MAX + 1);
	assert_non_null(lookups_find(&l, "amber", &addr, 1));
	/* A new name for an old address needs no room. */
	lookups_add(&l, "amber", &addr, "other.example", 99);
	addr = numbered(2 * LOOKUPS_MAX + 2);
	assert_non_null(lookups_find(&l, "amber", &addr, 99));
	/* A network that comes later gets its share. */
	for (unsigned i = 0; i < 100; i++) {
		addr = numbered(i);
		lookups_add(&l, "green", &addr, "late.example", 100);
	}
	for (unsigned i = 0; i < 100; i++) {
		addr = numbered(i);
		assert_non_null(lookups_find(&l, "green", &addr, 100));
	}
	assert_int_equal(l.n, LOOKUPS_MAX);
	lookups_free(&l);
}

/* As many networks as there is room for addresses: some have to go altogether. */
static void test_many_networks(void **state)
{
	struct lookups l = { 0 };
	char bridge[BRIDGE_NAME_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < LOOKUPS_MAX + 100; i++) {
		snprintf(bridge, sizeof(bridge), "net%u", i);
		add(&l, bridge, "192.0.2.1", "a.example", i);
	}
	assert_int_equal(l.n, LOOKUPS_MAX);
	assert_int_equal(l.n_networks, LOOKUPS_MAX);
	assert_name(&l, bridge, "192.0.2.1", 0, "a.example");
	lookups_free(&l);
}

static void test_of_name(void **state)
{
	struct lookups l = { 0 };
	struct ipaddr addrs[3];
	char text[ADDR_STRLEN];

	(void)state;
	assert_int_equal(lookups_of_name(&l, "amber", "a.example", 0, addrs, 3), 0);
	add(&l, "amber", "192.0.2.1", "a.example", 0);
	add(&l, "amber", "192.0.2.2", "b.example", 1);
	add(&l, "blue", "192.0.2.3", "a.example", 2);
	add(&l, "amber", "192.0.2.4", "a.example", 3);
	assert_int_equal(lookups_of_name(&l, "amber", "a.example", 4, addrs, 3), 2);
	assert_string_equal(ipaddr_format(&addrs[0], text), "192.0.2.4");
	assert_string_equal(ipaddr_format(&addrs[1], text), "192.0.2.1");
	/* The latest ones; not those that are too old. */
	assert_int_equal(lookups_of_name(&l, "amber", "a.example", 4, addrs, 1), 1);
	assert_int_equal(lookups_of_name(&l, "amber", "a.example", LOOKUPS_AGE_MS + 2, addrs, 3),
			 1);
	assert_string_equal(ipaddr_format(&addrs[0], text), "192.0.2.4");
	lookups_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latest),	      cmocka_unit_test(test_age),
		cmocka_unit_test(test_of_name),	      cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many_networks),
	};

	return cmocka_run_group_tests_name("lookups", tests, NULL, NULL);
}
