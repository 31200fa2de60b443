/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/hosts.h"
#include "dockside/util.h"

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_true(ipaddr_parse(text, strlen(text), &a));
	return a;
}

/* The addresses of a host as one string. */
static const char *addrs_of(const struct host *host, struct buf *b)
{
	char text[ADDR_STRLEN];

	buf_reset(b);
	for (size_t i = 0; i < host->n_addrs; i++)
		buf_printf(b, "%s%s", i > 0 ? " " : "", ipaddr_format(&host->addrs[i], text));
	return buf_str(b);
}

static void test_collect(void **state)
{
	const char *set_names[] = { "a.example", "b.example" };
	const char *unused_names[] = { "unused.example" };
	struct ipset ipsets[] = {
		{ .name = "used", .hostnames = set_names, .n_hostnames = 2 },
		{ .name = "unused", .hostnames = unused_names, .n_hostnames = 1 },
	};
	struct rule rules[] = {
		{ .to = DEST_HOST, .host = "z.example" },
		{ .to = DEST_IPSET, .ipset = 0 },
		{ .to = DEST_IPSET, .ipset = 0 },
		{ .to = DEST_HOST, .host = "b.example" },
		{ .to = DEST_CIDR },
		{ .to = DEST_ALL },
	};
	struct nat_rule nat[] = { { .to_host = "mysql.example" }, { .to_host = NULL } };
	struct network networks[] = {
		{ .name = "n1", .egress = rules, .n_egress = ARRAY_SIZE(rules) },
		{ .name = "n2", .nat = nat, .n_nat = ARRAY_SIZE(nat) },
		{ .name = "unmanaged" },
	};
	const struct policy policy = {
		.networks = networks,
		.n_networks = ARRAY_SIZE(networks),
		.ipsets = ipsets,
		.n_ipsets = ARRAY_SIZE(ipsets),
	};
	const char *const want[] = { "a.example", "b.example", "mysql.example", "z.example" };
	struct hosts hosts;

	(void)state;
	hosts_collect(&policy, &hosts);
	assert_int_equal(hosts.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < hosts.n; i++) {
		assert_string_equal(hosts.items[i].name, want[i]);
		assert_int_equal(hosts.items[i].state, HOST_UNASKED);
		assert_int_equal(hosts.items[i].n_addrs, 0);
		assert_ptr_equal(hosts_find(&hosts, want[i]), &hosts.items[i]);
	}
	assert_null(hosts_find(&hosts, "unused.example"));
	hosts_free(&hosts);
	assert_int_equal(hosts.n, 0);
}

static void test_collect_nothing(void **state)
{
	const struct policy policy = { 0 };
	struct hosts hosts;

	(void)state;
	hosts_collect(&policy, &hosts);
	assert_int_equal(hosts.n, 0);
	assert_null(hosts_find(&hosts, "a.example"));
	hosts_free(&hosts);
	hosts_free(NULL);
}

static void test_set(void **state)
{
	const struct ipaddr addrs[] = {
		addr("2001:db8::2"), addr("10.0.0.2"), addr("0.0.0.0"),	    addr("10.0.0.1"),
		addr("10.0.0.2"),    addr("::"),       addr("2001:db8::1"),
	};
	struct host host = { .name = xstrdup("a.example") };
	struct hosts hosts = { .items = xmalloc(sizeof(host)), .n = 1 };
	struct buf b = { 0 };

	(void)state;
	host_set(&host, HOST_DNS, addrs, ARRAY_SIZE(addrs));
	assert_int_equal(host.state, HOST_DNS);
	assert_string_equal(addrs_of(&host, &b), "10.0.0.1 10.0.0.2 2001:db8::1 2001:db8::2");

	/* Its own addresses are a valid source, and are replaced. */
	host_set(&host, HOST_STATIC, host.addrs, 1);
	assert_int_equal(host.state, HOST_STATIC);
	assert_string_equal(addrs_of(&host, &b), "10.0.0.1");

	hosts.items[0] = host;
	hosts_free(&hosts);
	buf_free(&b);
}

static void test_set_nothing(void **state)
{
	const struct ipaddr nothing[] = { addr("0.0.0.0"), addr("::") };
	const struct ipaddr one = addr("10.0.0.1");
	struct hosts hosts = { .items = xcalloc(1, sizeof(struct host)), .n = 1 };
	struct host *host = &hosts.items[0];

	(void)state;
	host->name = xstrdup("a.example");
	host_set(host, HOST_DNS, nothing, ARRAY_SIZE(nothing));
	assert_int_equal(host->state, HOST_FAILED);
	assert_non_null(host->error);
	assert_int_equal(host->n_addrs, 0);

	host_set(host, HOST_DNS, &one, 1);
	assert_int_equal(host->state, HOST_DNS);
	assert_null(host->error);

	host_set(host, HOST_STATIC, NULL, 0);
	assert_int_equal(host->state, HOST_FAILED);
	assert_null(host->addrs);
	hosts_free(&hosts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collect),
		cmocka_unit_test(test_collect_nothing),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_nothing),
	};

	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
