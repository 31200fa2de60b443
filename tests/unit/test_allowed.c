/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allowed.h finds the rule that allows a name whose address we do not know. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/names/allowed.h"
#include "dockside/policy/config.h"

#define NONE SIZE_MAX

static struct policy parse(const char *egress)
{
	static const char network[] =
		"{\"networks\":[{\"name\":\"n\",\"subnet\":\"192.0.2.0/24\"}]}";
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	char *text =
		xasprintf("{\"ipsets\":{\"web\":[\"a.example\",\"b.example\",\"203.0.113.0/24\"]},"
			  "\"networks\":{\"n\":{\"egress\":[%s]}}}",
			  egress);

	policy.network_src = (struct src){ xstrdup("n"), xstrdup(network), strlen(network) };
	policy.firewall_src = (struct src){ xstrdup("f"), text, strlen(text) };
	if (!config_parse(&policy, &diags))
		fail_msg("%s", diags.items[0].message);
	diags_free(&diags);
	return policy;
}

static void assert_allowed(const char *egress, const char *name, const char *dst, uint16_t port,
			   size_t by_name, size_t now)
{
	struct policy policy = parse(egress);
	struct allowed_packet packet = { .name = name, .l4proto = IPPROTO_TCP, .port = port };
	size_t index = NONE;

	assert_true(ipaddr_parse(dst, strlen(dst), &packet.dst));
	assert_int_equal(allowed_by_name(&policy, policy.networks, &packet, &index),
			 by_name != NONE);
	assert_int_equal(index, by_name);
	index = NONE;
	assert_int_equal(allowed_now(&policy, policy.networks, &packet, &index), now != NONE);
	assert_int_equal(index, now);
	policy_free(&policy);
}

#define WEB "{\"proto\":\"tcp\",\"ports\":[443,\"8000-8080\"],\"to\":\"ipset\",\"ipset\":\"web\"}"
#define HOST "{\"to\":\"host\",\"host\":\"c.example\"}"
#define DROP "{\"action\":\"drop\"}"

static void test_names(void **state)
{
	(void)state;
	assert_allowed(HOST "," WEB "," DROP, "b.example", "198.51.100.1", 443, 1, 1);
	assert_allowed(HOST "," WEB "," DROP, "b.example", "2001:db8::1", 8042, 1, 1);
	assert_allowed(HOST "," WEB "," DROP, "b.example", "198.51.100.1", 80, NONE, NONE);
	assert_allowed(HOST "," WEB "," DROP, "c.example", "198.51.100.1", 80, 0, 0);
	assert_allowed(HOST "," WEB "," DROP, "d.example", "198.51.100.1", 443, NONE, NONE);
	assert_allowed(HOST, "d.example", "198.51.100.1", 443, NONE, NONE);
	/* Some name. */
	assert_allowed(WEB "," HOST "," DROP, NULL, "198.51.100.1", 443, 0, 0);
	assert_allowed(WEB "," HOST "," DROP, NULL, "198.51.100.1", 25, 1, 1);
	assert_allowed(WEB "," DROP, NULL, "198.51.100.1", 25, NONE, NONE);
}

static void test_order(void **state)
{
	(void)state;
	assert_allowed(DROP "," WEB, "b.example", "198.51.100.1", 443, NONE, NONE);
	assert_allowed("{\"action\":\"drop\",\"cidr\":\"198.51.100.0/24\"}," WEB, "b.example",
		       "198.51.100.1", 443, NONE, NONE);
	assert_allowed("{\"action\":\"drop\",\"cidr\":\"198.51.100.0/24\"}," WEB, "b.example",
		       "198.51.101.1", 443, 1, 1);
	assert_allowed("{\"action\":\"drop\",\"proto\":\"udp\"}," WEB, "b.example", "198.51.100.1",
		       443, 1, 1);
	assert_allowed("{\"action\":\"drop\",\"to\":\"host\",\"host\":\"b.example\"}," WEB,
		       "b.example", "198.51.100.1", 443, NONE, NONE);
	assert_allowed("{\"action\":\"drop\",\"to\":\"host\",\"host\":\"b.example\"}," WEB, NULL,
		       "198.51.100.1", 443, 1, 1);
}

static void test_addresses(void **state)
{
	(void)state;
	assert_allowed(WEB "," DROP, NULL, "203.0.113.7", 443, NONE, 0);
	assert_allowed("{\"to\":\"ip\",\"ip\":\"198.51.100.1\"}," DROP, NULL, "198.51.100.1", 443,
		       NONE, 0);
	assert_allowed("{\"to\":\"all\"}," WEB, "b.example", "198.51.100.1", 443, NONE, 0);
}

static void assert_dropped(const char *egress, const char *name, uint16_t port, size_t expected)
{
	struct policy policy = parse(egress);
	struct allowed_packet packet = { .name = name, .l4proto = IPPROTO_TCP, .port = port };
	const struct network *network = policy.networks;
	size_t index = NONE;

	assert_true(ipaddr_parse("203.0.113.7", 11, &packet.dst));
	assert_int_equal(dropped_now(&policy, network->egress, network->n_egress, &packet, &index),
			 expected != NONE);
	assert_int_equal(index, expected);
	policy_free(&policy);
}

#define DROP_CIDR "{\"action\":\"drop\",\"cidr\":\"203.0.113.0/28\"}"
#define DROP_NAME "{\"action\":\"drop\",\"to\":\"host\",\"host\":\"c.example\"}"
#define DROP_SSH "{\"action\":\"drop\",\"proto\":\"tcp\",\"ports\":[22]}"

/* By a rule that says what it drops; the one that drops the rest does not. */
static void test_dropped(void **state)
{
	(void)state;
	assert_dropped(DROP, NULL, 22, NONE);
	assert_dropped("", NULL, 22, NONE);
	assert_dropped(DROP "," DROP_CIDR, NULL, 22, NONE);
	assert_dropped(HOST "," DROP_CIDR "," DROP, NULL, 22, 1);
	assert_dropped(HOST "," DROP_CIDR "," DROP, "d.example", 22, 1);
	assert_dropped(HOST "," DROP_CIDR "," DROP, "c.example", 22, NONE);
	assert_dropped(DROP_NAME "," DROP, "c.example", 22, 0);
	assert_dropped(DROP_NAME "," DROP, "d.example", 22, NONE);
	assert_dropped(DROP_NAME "," DROP, NULL, 22, NONE);
	assert_dropped(DROP_SSH "," DROP, "d.example", 22, 0);
	assert_dropped(DROP_SSH "," DROP, "d.example", 23, NONE);
	assert_dropped(WEB "," DROP_CIDR "," DROP, NULL, 443, NONE);
	assert_dropped("{\"comment\":\"x\"}," DROP_SSH, NULL, 22, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
