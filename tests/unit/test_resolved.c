/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/names/resolved.h"

/* The addresses of a host as one string. */
static const char *addrs_of(const struct resolved_name *host, struct buf *b)
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
		{ .to = DEST_HOSTNAME, .hostname = "z.example" },
		{ .to = DEST_IPSET, .ipset = 0 },
		{ .to = DEST_IPSET, .ipset = 0 },
		{ .to = DEST_HOSTNAME, .hostname = "b.example" },
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
	struct resolved resolved;

	(void)state;
	resolved_collect(&policy, &resolved);
	assert_int_equal(resolved.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < resolved.n; i++) {
		assert_string_equal(resolved.items[i].name, want[i]);
		assert_int_equal(resolved.items[i].states[FAMILY_IPV4], RESOLVED_UNASKED);
		assert_int_equal(resolved.items[i].states[FAMILY_IPV6], RESOLVED_UNASKED);
		assert_int_equal(resolved.items[i].n_addrs, 0);
		assert_ptr_equal(resolved_find(&resolved, want[i]), &resolved.items[i]);
	}
	assert_null(resolved_find(&resolved, "unused.example"));
	resolved_free(&resolved);
	assert_int_equal(resolved.n, 0);
	resolved_collect_all(&policy, &resolved);
	assert_int_equal(resolved.n, ARRAY_SIZE(want) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_non_null(resolved_find(&resolved, want[i]));
	assert_non_null(resolved_find(&resolved, "unused.example"));
	resolved_free(&resolved);
}

static void test_collect_nothing(void **state)
{
	const struct policy policy = { 0 };
	struct resolved resolved;

	(void)state;
	resolved_collect(&policy, &resolved);
	assert_int_equal(resolved.n, 0);
	assert_null(resolved_find(&resolved, "a.example"));
	resolved_free(&resolved);
	resolved_free(NULL);
}

/* Both families, as if one question had brought all. */
static void answer(struct resolved_name *host, enum resolved_state state,
		   const struct ipaddr *addrs, size_t n)
{
	for (int family = 0; family < N_FAMILIES; family++)
		resolved_answer(host, &(struct answer){ .family = (enum family)family,
							.state = state,
							.addrs = addrs,
							.n_addrs = n });
}

static void test_answer(void **state)
{
	const struct ipaddr addrs[] = {
		addr("2001:db8::2"), addr("10.0.0.2"), addr("0.0.0.0"),	    addr("10.0.0.1"),
		addr("10.0.0.2"),    addr("::"),       addr("2001:db8::1"),
	};
	const struct ipaddr other = addr("2001:db8::9");
	struct resolved_name host = { .name = xstrdup("a.example") };
	struct resolved resolved = { .items = xmalloc(sizeof(host)), .n = 1 };
	struct buf b = { 0 };

	(void)state;
	answer(&host, RESOLVED_DNS, addrs, ARRAY_SIZE(addrs));
	assert_int_equal(host.states[FAMILY_IPV4], RESOLVED_DNS);
	assert_int_equal(host.states[FAMILY_IPV6], RESOLVED_DNS);
	assert_string_equal(addrs_of(&host, &b), "10.0.0.1 10.0.0.2 2001:db8::1 2001:db8::2");
	assert_ptr_equal(host.targets[FAMILY_IPV4], &host.addrs[0]);
	assert_ptr_equal(host.targets[FAMILY_IPV6], &host.addrs[2]);

	/* One family leaves the other as it is. */
	resolved_answer(&host, &(struct answer){ .family = FAMILY_IPV6,
						 .state = RESOLVED_STATIC,
						 .addrs = &other,
						 .n_addrs = 1 });
	assert_int_equal(host.states[FAMILY_IPV4], RESOLVED_DNS);
	assert_int_equal(host.states[FAMILY_IPV6], RESOLVED_STATIC);
	assert_string_equal(addrs_of(&host, &b), "10.0.0.1 10.0.0.2 2001:db8::9");
	assert_ptr_equal(host.targets[FAMILY_IPV6], &host.addrs[2]);

	/* Its own addresses are a valid source, and are replaced. */
	resolved_answer(&host, &(struct answer){ .family = FAMILY_IPV4,
						 .state = RESOLVED_STATIC,
						 .addrs = host.addrs,
						 .n_addrs = 1 });
	resolved_answer(&host, &(struct answer){ .family = FAMILY_IPV6, .state = RESOLVED_STATIC });
	assert_int_equal(host.states[FAMILY_IPV4], RESOLVED_STATIC);
	assert_string_equal(addrs_of(&host, &b), "10.0.0.1");
	assert_null(host.targets[FAMILY_IPV6]);

	resolved.items[0] = host;
	resolved_free(&resolved);
	buf_free(&b);
}

static void test_answer_nothing(void **state)
{
	const struct ipaddr nothing[] = { addr("0.0.0.0"), addr("::") };
	const struct ipaddr one = addr("10.0.0.1");
	struct resolved resolved = { .items = xcalloc(1, sizeof(struct resolved_name)), .n = 1 };
	struct resolved_name *host = &resolved.items[0];

	(void)state;
	host->name = xstrdup("a.example");
	answer(host, RESOLVED_DNS, nothing, ARRAY_SIZE(nothing));
	assert_int_equal(host->states[FAMILY_IPV4], RESOLVED_DNS);
	assert_null(host->errors[FAMILY_IPV4]);
	assert_int_equal(host->n_addrs, 0);
	answer(host, RESOLVED_DNS, &one, 1);
	assert_int_equal(host->n_addrs, 1);
	answer(host, RESOLVED_FAILED, NULL, 0);
	assert_int_equal(host->states[FAMILY_IPV4], RESOLVED_FAILED);
	assert_non_null(host->errors[FAMILY_IPV4]);
	assert_int_equal(host->n_addrs, 0);
	answer(host, RESOLVED_STATIC, &one, 1);
	assert_null(host->errors[FAMILY_IPV4]);
	resolved_free(&resolved);
}

static void test_error(void **state)
{
	static const struct {
		const char *v4, *v6, *text;
	} cases[] = {
		{ NULL, NULL, "" },
		{ "late", NULL, "IPv4: late" },
		{ NULL, "lost", "IPv6: lost" },
		{ "late", "late", "late" },
		{ "late", "lost", "IPv4: late; IPv6: lost" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *errors[N_FAMILIES] = { (char *)cases[i].v4, (char *)cases[i].v6 };

		answers_error(errors, &b);
		assert_string_equal(buf_str(&b), cases[i].text);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collect), cmocka_unit_test(test_collect_nothing),
		cmocka_unit_test(test_answer),	cmocka_unit_test(test_answer_nothing),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
