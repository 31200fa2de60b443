/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations with name servers end when DNS gates are turned on or off, or go on. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/names/gate.h"
#include "dockside/table/dns_flows.h"

static void gated(struct dns_flows *f, const char *text)
{
	struct prefix prefix;

	assert_true(prefix_parse(text, strlen(text), &prefix));
	dns_flows_add_gated(f, &prefix);
}

static void exempt(struct dns_flows *f, const char *text)
{
	struct ipaddr a = addr(text);

	dns_flows_add_exempt(f, &a);
}

static int set_up(void **state)
{
	static struct dns_flows f;

	/* Out of order, twice, and one inside another. */
	gated(&f, "172.30.2.0/24");
	gated(&f, "fe80::/64");
	gated(&f, "172.30.1.0/24");
	gated(&f, "fe80::/64");
	gated(&f, "10.1.2.0/24");
	gated(&f, "10.1.0.0/16");
	gated(&f, "fd77:1::/64");
	exempt(&f, "172.30.2.1");
	exempt(&f, "172.30.1.2");
	exempt(&f, "fd77:1::2");
	dns_flows_finish(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	dns_flows_free(*state);
	return 0;
}

static bool ends(const struct dns_flows *f, const char *src, uint8_t l4proto, uint16_t port,
		 uint16_t reached_port)
{
	const struct flow flow = { .src = addr(src),
				   .dst = addr(strchr(src, ':') ? "2001:db8::1" : "192.0.2.1"),
				   .l4proto = l4proto,
				   .port = port,
				   .reached_port = reached_port,
				   .judged = true };

	return dns_flow_ends(f, &flow);
}

static void test_gate_on(void **state)
{
	static const char *const inside[] = { "172.30.1.11", "172.30.2.255", "10.1.2.3",
					      "10.1.200.1",  "fd77:1::11",   "fe80::1" };
	static const char *const outside[] = { "172.30.3.11", "172.30.0.255", "10.2.0.1",
					       "fd77:2::1",   "9.9.9.9",      "172.30.1.2",
					       "172.30.2.1",  "fd77:1::2" };

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		assert_true(ends(*state, inside[i], IPPROTO_UDP, 53, 53));
		assert_true(ends(*state, inside[i], IPPROTO_TCP, 53, 53));
		assert_true(ends(*state, inside[i], IPPROTO_TCP, 53, 5353));
		assert_true(ends(*state, inside[i], IPPROTO_TCP, 853, 853));
		assert_true(ends(*state, inside[i], IPPROTO_UDP, 853, 853));
		/* The gate's own goes on, and so does what is no DNS. */
		assert_false(ends(*state, inside[i], IPPROTO_UDP, 53, GATE_PORT));
		assert_false(ends(*state, inside[i], IPPROTO_TCP, 53, GATE_PORT));
		assert_false(ends(*state, inside[i], IPPROTO_TCP, 443, 443));
		assert_false(ends(*state, inside[i], IPPROTO_TCP, GATE_PORT, GATE_PORT));
		assert_false(ends(*state, inside[i], IPPROTO_SCTP, 53, 53));
		assert_false(ends(*state, inside[i], IPPROTO_ICMP, 0, 0));
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_false(ends(*state, outside[i], IPPROTO_UDP, 53, 53));
		assert_false(ends(*state, outside[i], IPPROTO_TCP, 853, 853));
	}
}

static void test_gate_off(void **state)
{
	const struct dns_flows none = { 0 };

	assert_true(ends(*state, "172.30.3.11", IPPROTO_UDP, 53, GATE_PORT));
	assert_true(ends(*state, "172.30.1.2", IPPROTO_TCP, 53, GATE_PORT));
	assert_false(ends(*state, "172.30.3.11", IPPROTO_UDP, 54, GATE_PORT));
	assert_true(ends(&none, "172.30.1.11", IPPROTO_UDP, 53, GATE_PORT));
	assert_false(ends(&none, "172.30.1.11", IPPROTO_UDP, 53, 53));
	assert_false(ends(&none, "172.30.1.11", IPPROTO_TCP, 853, 853));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gate_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gate_off, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
