/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections end after a repair or not, by who has opened them and where they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/table/unjudged.h"

static void network(struct unjudged *u, const char *text, bool host_rules)
{
	struct prefix prefix;

	assert_true(prefix_parse(text, strlen(text), &prefix));
	unjudged_add_network(u, &prefix, host_rules);
}

static void local(struct unjudged *u, const char *text)
{
	struct ipaddr a = addr(text);

	unjudged_add_local(u, &a);
}

static bool ends(const struct unjudged *u, const char *src, const char *dst)
{
	struct flow flow = { .src = addr(src), .dst = addr(dst) };
	bool r = unjudged_is(u, &flow);

	flow.judged = true;
	assert_false(unjudged_is(u, &flow));
	return r;
}

static int set_up(void **state)
{
	static struct unjudged u;

	/* Out of order, twice, and one inside another. */
	network(&u, "172.30.2.0/24", true);
	network(&u, "172.30.1.0/24", false);
	network(&u, "fd77:1::/64", false);
	network(&u, "172.30.1.0/24", false);
	network(&u, "fd77:2::/64", true);
	network(&u, "10.1.2.0/24", false);
	network(&u, "10.1.0.0/16", false);
	network(&u, "10.1.200.0/24", false);
	for (int i = 3; i >= 1; i--) {
		local(&u, i == 1 ? "192.0.2.1" : i == 2 ? "172.30.1.1" : "172.30.2.1");
		local(&u, i == 1 ? "fd77:1::1" : i == 2 ? "fd77:2::1" : "fe80::1");
	}
	unjudged_finish(&u);
	*state = &u;
	return 0;
}

static int tear_down(void **state)
{
	unjudged_free(*state);
	return 0;
}

static void test_outward(void **state)
{
	const struct unjudged *u = *state;

	assert_true(ends(u, "172.30.1.11", "203.0.113.1"));
	assert_true(ends(u, "172.30.2.255", "203.0.113.1"));
	assert_true(ends(u, "fd77:1::11", "2001:db8::1"));
	assert_true(ends(u, "10.1.2.3", "203.0.113.1"));
	assert_true(ends(u, "10.1.3.3", "203.0.113.1"));
	assert_true(ends(u, "10.1.255.3", "203.0.113.1"));
	/* Between containers, of one network and of two. */
	assert_true(ends(u, "172.30.1.11", "172.30.1.12"));
	assert_true(ends(u, "172.30.1.11", "172.30.2.12"));
	assert_true(ends(u, "fd77:1::11", "fd77:1::12"));
}

static void test_from_elsewhere(void **state)
{
	const struct unjudged *u = *state;

	/* Into a managed network: if it is what it looks like, it has the label. */
	assert_true(ends(u, "203.0.113.1", "172.30.1.11"));
	assert_true(ends(u, "2001:db8::1", "fd77:1::11"));
	assert_true(ends(u, "fd77:3::11", "fd77:1::11"));
	assert_true(ends(u, "172.30.1.1", "172.30.1.11")); /* the host's, docker-proxy's too */
	assert_true(ends(u, "fd77:2::1", "fd77:2::11"));
	assert_true(ends(u, "192.0.2.1", "10.1.3.3"));
	/* Past managed networks. */
	assert_false(ends(u, "172.30.3.11", "203.0.113.1"));
	assert_false(ends(u, "10.2.0.1", "203.0.113.1"));
	assert_false(ends(u, "9.255.255.255", "203.0.113.1"));
	assert_false(ends(u, "172.30.2.1", "203.0.113.1"));
	assert_false(ends(u, "203.0.113.1", "172.30.2.1"));
	assert_false(ends(u, "172.30.1.1", "172.30.2.1"));
	assert_false(ends(u, "127.0.0.1", "127.0.0.1"));
	assert_false(ends(u, "fe80::11", "fe80::12")); /* no bridge has such an address here */
}

static void test_to_the_host(void **state)
{
	const struct unjudged *u = *state;

	assert_false(ends(u, "172.30.1.11", "172.30.1.1"));
	assert_false(ends(u, "172.30.1.11", "192.0.2.1"));
	assert_false(ends(u, "172.30.1.11", "127.0.0.1"));
	assert_false(ends(u, "172.30.1.11", "172.30.1.255"));
	assert_false(ends(u, "172.30.1.11", "255.255.255.255"));
	assert_false(ends(u, "172.30.1.11", "224.0.0.251"));
	assert_false(ends(u, "fd77:1::11", "ff02::fb"));
	assert_false(ends(u, "fd77:1::11", "fd77:2::1"));
	/* With host rules. */
	assert_true(ends(u, "172.30.2.11", "172.30.2.1"));
	assert_true(ends(u, "172.30.2.11", "192.0.2.1"));
	assert_true(ends(u, "172.30.2.11", "172.30.2.255"));
	assert_true(ends(u, "fd77:2::11", "fd77:1::1"));
	/* Another network's broadcast address is no address of the host. */
	assert_true(ends(u, "172.30.1.11", "172.30.2.255"));
}

static void test_link_local(void **state)
{
	struct unjudged u = { 0 };

	(void)state;
	network(&u, "fe80::/64", false);
	local(&u, "fe80::1");
	unjudged_finish(&u);
	assert_true(ends(&u, "fe80::11", "fe80::12"));
	assert_false(ends(&u, "fe80::11", "fe80::1"));
	assert_true(ends(&u, "fe80::1", "fe80::11"));
	unjudged_free(&u);
	/* Nobody can tell whose it is: all count as having host rules. */
	network(&u, "fe80::/64", false);
	network(&u, "fe80::/64", true);
	network(&u, "fe80::/64", false);
	local(&u, "fe80::1");
	unjudged_finish(&u);
	assert_true(ends(&u, "fe80::11", "fe80::1"));
	unjudged_free(&u);
}

static void test_nothing(void **state)
{
	struct unjudged u = { 0 };

	(void)state;
	unjudged_finish(&u);
	assert_false(ends(&u, "172.30.1.11", "203.0.113.1"));
	unjudged_free(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outward),	    cmocka_unit_test(test_from_elsewhere),
		cmocka_unit_test(test_to_the_host), cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests_name("unjudged", tests, set_up, tear_down);
}
