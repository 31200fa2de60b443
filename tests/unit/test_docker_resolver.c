/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/util.h"
#include "dockside/docker/docker_resolver.h"
#include "policy_fixture.h"

#define NETWORKS                                                              \
	"{\"networks\": [{\"name\": \"ds-a\", \"subnet\": \"10.1.0.0/24\"}, " \
	"{\"name\": \"ds-b\", \"subnet\": \"10.2.0.0/24\"}]}"

static void test_resolv_conf(void **state)
{
	static const char *const with[][2] = {
		{ "nameserver 127.0.0.53\n", "127.0.0.53" },
		{ "# x\nnameserver 192.0.2.1\n\tnameserver\t127.1.2.3 # y\n", "127.1.2.3" },
		{ "nameserver ::1", "::1" },
	};
	static const char *const without[] = {
		"",
		"\n",
		"nameserver 192.0.2.1\n",
		"#nameserver 127.0.0.1\n",
		"nameserver\n",
		"nameserver127.0.0.1\n",
		"search 127.0.0.1\n",
		"nameserver 127.0.0\n",
	};
	char addr[ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		assert_true(resolver_on_loopback(with[i][0], addr));
		assert_string_equal(addr, with[i][1]);
	}
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (resolver_on_loopback(without[i], addr))
			fail_msg("found %s in %s", addr, without[i]);
}

static void test_daemon_json(void **state)
{
	(void)state;
	assert_true(resolver_of_docker("{\"dns\": [\"192.0.2.53\", \"2001:db8::53\"]}"));
	assert_false(resolver_of_docker("{\"dns\": [\"192.0.2.53\", \"127.0.0.1\"]}"));
	assert_false(resolver_of_docker("{\"dns\": []}"));
	assert_false(resolver_of_docker("{\"dns\": [7]}"));
	assert_false(resolver_of_docker("{\"dns-search\": [\"a\"]}"));
	assert_false(resolver_of_docker("{"));
	assert_false(resolver_of_docker(""));
}

static void expect_resolvers(const char *resolv_conf, const char *daemon_json, const char *wanted)
{
	struct resolvers resolvers;
	struct buf b = { 0 };

	resolvers_of(resolv_conf, daemon_json, &resolvers);
	for (size_t i = 0; i < resolvers.n; i++) {
		char s[ADDR_STRLEN];

		buf_printf(&b, "%s ", ipaddr_format(&resolvers.items[i], s));
	}
	buf_printf(&b, "loopback %s docker %d", resolvers.loopback[0] ? resolvers.loopback : "-",
		   resolvers.of_docker);
	assert_string_equal(buf_str(&b), wanted);
	buf_free(&b);
}

static void test_resolvers(void **state)
{
	(void)state;
	expect_resolvers(NULL, NULL, "loopback - docker 0");
	expect_resolvers("# none\nsearch a.example\n", "{}", "loopback - docker 0");
	expect_resolvers("nameserver 192.0.2.1\nnameserver\t2001:db8::1 # x\nnameserver x\n", NULL,
			 "192.0.2.1 2001:db8::1 loopback - docker 0");
	/* No more than Docker asks; an address with a zone is none that a rule can name. */
	expect_resolvers("nameserver fe80::1%eth0\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
			 "nameserver 192.0.2.3\nnameserver 192.0.2.4\n",
			 NULL, "192.0.2.1 192.0.2.2 192.0.2.3 loopback - docker 0");
	expect_resolvers("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", NULL,
			 "192.0.2.1 loopback 127.0.0.1 docker 0");
	expect_resolvers("nameserver 192.0.2.1\n", "{\"dns\": [\"192.0.2.53\", \"::1\", 7]}",
			 "192.0.2.53 loopback ::1 docker 1");
	expect_resolvers("nameserver 192.0.2.1\n", "{\"dns\": []}",
			 "192.0.2.1 loopback - docker 0");
	expect_resolvers("nameserver 192.0.2.1\n", "{\"dns\":", "192.0.2.1 loopback - docker 0");
}

/* names: of the networks whose rules are evaded; NULL: none. */
static void expect(const char *firewall, const char *names)
{
	cleanup(policy_free) struct policy policy = { 0 };
	cleanup(cleanup_free) char *text = NULL;

	policy_read(&policy, NETWORKS, firewall);
	text = resolver_leak(&policy, "127.0.0.53");
	if ((text != NULL) != (names != NULL) ||
	    (names && strncmp(text, names, strlen(names)) != 0))
		fail_msg("%s: %s", firewall, text);
	if (text)
		assert_non_null(strstr(text, "127.0.0.53"));
}

static void test_leak(void **state)
{
	(void)state;
	expect("{\"networks\": {\"ds-a\": {\"egress\": [{\"action\": \"drop\"}]}}}", "ds-a: ");
	expect("{\"networks\": {\"ds-a\": {\"egress\": [{\"action\": \"drop\"}]}, "
	       "\"ds-b\": {\"egress\": [{\"proto\": \"udp\", \"ports\": [53], \"to\": \"ip\", "
	       "\"ip\": \"192.0.2.53\"}, {\"action\": \"drop\"}]}}}",
	       "ds-a, ds-b: ");
	expect("{}", NULL);
	expect("{\"networks\": {\"ds-a\": {\"egress\": [{\"proto\": \"tcp\"}]}}}", NULL);
	expect("{\"networks\": {\"ds-a\": {\"mode\": \"audit\", \"egress\": [{\"action\": "
	       "\"drop\"}]}}}",
	       NULL);
	/* A network that may ask any server needs no way around its rules. */
	expect("{\"networks\": {\"ds-a\": {\"egress\": [{\"proto\": \"udp\", \"ports\": "
	       "[\"50-60\"]}, "
	       "{\"action\": \"drop\"}]}}}",
	       NULL);
	expect("{\"networks\": {\"ds-a\": {\"egress\": [{\"proto\": \"udp\", \"ports\": [54]}, "
	       "{\"action\": \"drop\"}]}}}",
	       "ds-a: ");
}

/* The gate opens nothing of which it hears nothing, whatever the rules say. */
static void test_leak_past_gate(void **state)
{
	(void)state;
	expect("{\"networks\": {\"ds-b\": {\"dns\": {}, \"egress\": [{\"to\": \"host\", \"host\": "
	       "\"a.example\"}]}}}",
	       "ds-b: the DNS gate hears nothing");
	expect("{\"networks\": {\"ds-b\": {\"dns\": {}, \"mode\": \"audit\", \"egress\": "
	       "[{\"action\": \"drop\"}]}}}",
	       "ds-b: the DNS gate hears nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolv_conf),    cmocka_unit_test(test_daemon_json),
		cmocka_unit_test(test_resolvers),      cmocka_unit_test(test_leak),
		cmocka_unit_test(test_leak_past_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
