/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that names never open, and what becomes of them in sets and NAT maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/names/name_alarms.h"
#include "dockside/names/never.h"
#include "dockside/table/compile.h"
#include "policy_fixture.h"

static struct ipaddr addr(const char *s)
{
	struct ipaddr a;

	/* The parser of the configuration refuses these. */
	if (strncmp(s, "::ffff:", 7) == 0) {
		assert_true(ipaddr_parse(s + 7, strlen(s) - 7, &a));
		memmove(a.b + 12, a.b, 4);
		memset(a.b, 0, 10);
		a.b[10] = a.b[11] = 0xff;
		a.family = FAMILY_IPV6;
		return a;
	}
	assert_true(ipaddr_parse(s, strlen(s), &a));
	return a;
}

static const char network_text[] =
	"{\"networks\": [{\"name\": \"ds-a\", \"subnet\": \"172.30.1.0/24\", \"subnet6\": "
	"\"fd00:30:1::/64\"},"
	" {\"name\": \"ds-c\", \"subnet\": \"172.30.3.0/24\"}]}"; /* ds-c is not managed */
static const char firewall_text[] =
	"{\"ipsets\": {\"both\": [\"both.example\"], \"bad\": [\"bad.example\"]},\n"
	"\"networks\": {\"ds-a\": {\"egress\": [\n"
	"{\"action\": \"drop\", \"to\": \"ipset\", \"ipset\": \"bad\"},\n"
	"{\"action\": \"drop\", \"to\": \"ipset\", \"ipset\": \"both\", \"proto\": \"udp\"},\n"
	"{\"to\": \"ipset\", \"ipset\": \"both\"},\n"
	"{\"to\": \"host\", \"host\": \"api.example\"},\n"
	"{\"action\": \"drop\"}],\n"
	"\"nat\": [{\"match_dport\": 80, \"to_host\": \"clone.example\", \"to_port\": 80}]}}}";

struct fixture {
	struct policy policy;
	struct never never;
	struct resolved resolved;
	struct names names;
	struct plan plan;
};

static void set_own(struct fixture *f, const char *one, const char *two)
{
	struct ipaddr own[2] = { addr(one), addr(two) };

	never_set_own(&f->never, own, 2);
	names_set_never(&f->names, &f->never, 3000);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	policy_read(&f->policy, network_text, firewall_text);
	resolved_collect(&f->policy, &f->resolved);
	names_init(&f->names, 60, 300);
	names_configure(&f->names, &f->resolved, 0);
	never_set_policy(&f->never, &f->policy);
	set_own(f, "192.0.2.77", "2001:db8::77");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	plan_free(&f->plan);
	names_free(&f->names);
	resolved_free(&f->resolved);
	never_free(&f->never);
	policy_free(&f->policy);
	free(f);
	return 0;
}

static void test_reasons(void **state)
{
	static const char *const cases[][2] = {
		{ "0.0.0.1", "an unspecified address" },
		{ "127.0.0.1", "a loopback address" },
		{ "127.0.1.1", "a loopback address" },
		{ "::1", "a loopback address" },
		{ "169.254.0.1", "a link-local address" },
		{ "169.254.169.254", "a cloud's metadata address" },
		{ "100.100.100.200", "a cloud's metadata address" },
		{ "fd00:ec2::254", "a cloud's metadata address" },
		{ "fd00:ec2::253", "a cloud's metadata address" },
		{ "fd00:42::42", "a cloud's metadata address" },
		{ "168.63.129.16", "a cloud's metadata address" },
		{ "192.0.0.192", "a cloud's metadata address" },
		{ "64:ff9b:1::a9fe:a9fe", "an IPv6 form of an address that names never open" },
		{ "0:0:0:0:ffff:0:a9fe:a9fe", "an IPv6 form of an address that names never open" },
		{ "::169.254.169.254", "an IPv6 form of an address that names never open" },
		{ "fd20:ce::254", "a cloud's metadata address" },
		{ "fe80::1", "a link-local address" },
		{ "febf::1", "a link-local address" },
		{ "224.0.0.1", "a multicast address" },
		{ "239.255.255.255", "a multicast address" },
		{ "ff02::1", "a multicast address" },
		{ "255.255.255.255", "the broadcast address" },
		{ "::ffff:198.51.100.1", "an IPv4-mapped address" },
		{ "192.0.2.77", "an address of this host" },
		{ "2001:db8::77", "an address of this host" },
		{ "172.30.1.0", "in the subnet of a managed network" },
		{ "172.30.1.1", "in the subnet of a managed network" },
		{ "172.30.1.255", "in the subnet of a managed network" },
		{ "fd00:30:1::9", "in the subnet of a managed network" },
		{ "64:ff9b::a9fe:a9fe", "an IPv6 form of an address that names never open" },
		{ "64:ff9b::7f00:1", "an IPv6 form of an address that names never open" },
		{ "64:ff9b::192.0.2.77", "an IPv6 form of an address that names never open" },
		{ "64:ff9b::172.30.1.5", "an IPv6 form of an address that names never open" },
		{ "2002:a9fe:a9fe::1", "an IPv6 form of an address that names never open" },
		{ "2002:7f00:1::", "an IPv6 form of an address that names never open" },
	};
	static const char *const good[] = {
		"10.0.0.1",
		"192.168.1.1",
		"172.30.2.1",
		"172.30.3.1",
		"100.100.100.201",
		"100.64.0.1",
		"169.253.1.1",
		"198.51.100.1",
		"223.255.255.1",
		"2001:db8::78",
		"fd00::1",
		"fec0::1",
		"64:ff9b::198.51.100.1",
		"2002:c633:6401::1",
		"fd00:ec3::253",
		"64:ff9b:1::198.51.100.1",
		"168.63.129.17",
		"fd00:30:2::1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipaddr a = addr(cases[i][0]);
		const char *reason = never_reason(&f->never, &a);

		if (!reason || strcmp(reason, cases[i][1]) != 0)
			fail_msg("%s: %s", cases[i][0], reason ? reason : "allowed");
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct ipaddr a = addr(good[i]);
		const char *reason = never_reason(&f->never, &a);

		if (reason)
			fail_msg("%s: %s", good[i], reason);
	}
}

static void answer4(struct fixture *f, const char *name, const char *first, const char *second)
{
	struct ipaddr addrs[2] = { addr(first), addr(second) };

	names_answer(&f->names,
		     &(struct answer){ .name = name,
				       .family = FAMILY_IPV4,
				       .state = RESOLVED_DNS,
				       .addrs = addrs,
				       .n_addrs = 2,
				       .ttl_s = 60 },
		     2000);
}

/* The elements of a set, or "data" of a map of one element. */
static void assert_set(struct fixture *f, const char *name, const char *expected)
{
	static const struct plan_options options = { .mark_bit = 0x10000000 };
	const struct plan_set *set;
	struct buf b = { 0 };
	char text[ADDR_STRLEN];

	plan_free(&f->plan);
	names_fill_resolved(&f->names, &f->resolved, 0);
	compile_policy(&f->policy, &f->resolved, &options, &f->plan);
	set = plan_find_set(&f->plan, name);
	assert_non_null(set);
	for (size_t i = 0; i < set->n_elems; i++) {
		bool map = set->type == MAP_NAT4;
		struct ipaddr a = ipaddr_from_bytes(FAMILY_IPV4,
						    map ? set->elems[i].data : set->elems[i].key);

		if (!set->elems[i].unresolved)
			buf_printf(&b, "%s%s", i > 0 ? " " : "", ipaddr_format(&a, text));
	}
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void test_sets(void **state)
{
	struct fixture *f = *state;

	answer4(f, "api.example", "169.254.169.254", "198.51.100.1");
	answer4(f, "both.example", "127.0.0.1", "198.51.100.2");
	answer4(f, "clone.example", "172.30.1.9", "198.51.100.3");
	answer4(f, "bad.example", "169.254.169.254", "198.51.100.4");
	assert_set(f, "host-api.example-v4", "198.51.100.1");
	assert_set(f, "ipset-both-v4", "198.51.100.2");
	assert_set(f, "ds-a-nat4", "198.51.100.3");
	/* To drop is not to open. */
	assert_set(f, "ipset-bad-v4", "169.254.169.254 198.51.100.4");
}

static void test_many_subnets(void **state)
{
	struct fixture *f = *state;
	struct buf network = { 0 }, firewall = { 0 };
	struct never never = { 0 };
	struct policy policy = { 0 };
	const char *sep = "";

	(void)f;
	buf_puts(&network, "{\"networks\": [");
	buf_puts(&firewall, "{\"networks\": {");
	for (int i = 0; i < 200; i++) {
		buf_printf(&network,
			   "%s{\"name\": \"n%d\", \"subnet\": \"10.%d.0.0/24\", \"subnet6\": "
			   "\"fd00:%x::/64\"}",
			   sep, i, i, i);
		if (i % 2 == 0)
			buf_printf(&firewall, "%s\"n%d\": {\"egress\": [{\"action\": \"drop\"}]}",
				   sep, i);
		sep = ",";
	}
	buf_puts(&network, "]}");
	buf_puts(&firewall, "}}");
	policy_read(&policy, network.data, firewall.data);
	never_set_policy(&never, &policy);
	for (int i = 0; i < 200; i++) {
		cleanup(cleanup_free) char *in4 = xasprintf("10.%d.0.255", i);
		cleanup(cleanup_free) char *out4 = xasprintf("10.%d.1.0", i);
		cleanup(cleanup_free) char *in6 = xasprintf("fd00:%x::ff", i);
		struct ipaddr a = addr(in4), b = addr(out4), c = addr(in6);

		assert_int_equal(never_reason(&never, &a) != NULL, i % 2 == 0);
		assert_null(never_reason(&never, &b));
		assert_int_equal(never_reason(&never, &c) != NULL, i % 2 == 0);
	}
	never_free(&never);
	policy_free(&policy);
	buf_free(&network);
	buf_free(&firewall);
}

/* Addresses of the host come and go. */
static void test_own(void **state)
{
	struct fixture *f = *state;
	const struct name *clone;

	answer4(f, "api.example", "198.51.100.1", "198.51.100.2");
	answer4(f, "clone.example", "198.51.100.1", "198.51.100.2");
	assert_set(f, "ds-a-nat4", "198.51.100.1");
	set_own(f, "198.51.100.1", "192.0.2.77");
	clone = names_find(&f->names, "clone.example");
	assert_int_equal(clone->touched_ms, 3000);
	assert_set(f, "host-api.example-v4", "198.51.100.2");
	assert_set(f, "ds-a-nat4", "198.51.100.2");
	set_own(f, "192.0.2.78", "192.0.2.77");
	assert_set(f, "host-api.example-v4", "198.51.100.1 198.51.100.2");
}

/* The daemon finds addresses at its start that an older version left in the kernel. */
static void test_adopted(void **state)
{
	struct fixture *f = *state;
	struct ipaddr metadata = addr("169.254.169.254"), good = addr("198.51.100.1");

	names_adopt(&f->names, "api.example", &metadata, UINT64_MAX, 2000);
	names_adopt_target(&f->names, "clone.example", &metadata, 2000);
	assert_set(f, "host-api.example-v4", "");
	assert_set(f, "ds-a-nat4", "");
	names_adopt_target(&f->names, "clone.example", &good, 2000);
	assert_set(f, "ds-a-nat4", "198.51.100.1");
}

static void add_line(void *data, const char *text)
{
	if (strstr(text, "no name opens"))
		buf_printf(data, "%s\n", text);
}

static void test_name_alarms(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	size_t n = name_alarms(&f->policy, &f->names, add_line, &b);

	assert_string_equal(buf_str(&b), "");
	answer4(f, "api.example", "169.254.169.254", "198.51.100.1");
	answer4(f, "bad.example", "169.254.169.254", "198.51.100.4");
	answer4(f, "clone.example", "172.30.1.9", "192.0.2.77");
	n = name_alarms(&f->policy, &f->names, add_line, &b);
	assert_string_equal(
		buf_str(&b),
		"api.example has the address 169.254.169.254, a cloud's metadata address, which no "
		"name opens; a rule that is to allow it has to give the address itself\n"
		"clone.example has the address 172.30.1.9, in the subnet of a managed network, "
		"which no name opens; a rule that is to allow it has to give the address itself\n"
		"clone.example has the address 192.0.2.77, an address of this host, which no name "
		"opens; a rule that is to allow it has to give the address itself\n");
	assert_int_equal(name_alarms(&f->policy, &f->names, NULL, NULL), n);
	assert_int_equal(name_refused(names_find(&f->names, "clone.example"), &f->policy), 2);
	assert_int_equal(name_refused(names_find(&f->names, "bad.example"), &f->policy), 0);
	buf_free(&b);
}

/* One-shot: targets are chosen when all have answered. */
static void test_one_shot(void **state)
{
	struct fixture *f = *state;
	struct ipaddr addrs[2] = { addr("127.0.0.1"), addr("198.51.100.3") };
	struct resolved_name *host = resolved_find(&f->resolved, "clone.example");

	resolved_answer(host, &(struct answer){ .family = FAMILY_IPV4,
						.state = RESOLVED_DNS,
						.addrs = addrs,
						.n_addrs = 2 });
	resolved_set_never(&f->resolved, &f->never);
	assert_non_null(host->targets[FAMILY_IPV4]);
	assert_int_equal(ipaddr_cmp(host->targets[FAMILY_IPV4], &addrs[1]), 0);
}

static size_t drops_of_own(const struct fixture *f)
{
	const struct plan_chain *chain = plan_find_chain(&f->plan, "ds-a-SRC");
	size_t n = 0;

	assert_non_null(chain);
	for (size_t i = 0; i < chain->n_rules; i++)
		n += chain->rules[i].verdict == VERDICT_DROP && chain->rules[i].comment &&
		     strcmp(chain->rules[i].comment, "an address of the host") == 0;
	return n;
}

/* No container has an address that the host has, of which the gateway's is known anyway. */
static void test_own_sources(void **state)
{
	struct fixture *f = *state;
	const struct ipaddr many[] = { addr("172.30.1.200"), addr("fd00:30:1::5"),
				       addr("172.30.1.1"),   addr("172.30.1.200"),
				       addr("172.30.3.7"),   addr("fd00:30:1::1"),
				       addr("10.0.0.1"),     addr("172.30.1.255") };
	const struct ipaddr *first;
	struct prefix subnet;

	never_set_own(&f->never, many, 8);
	assert_true(prefix_parse("172.30.1.0/24", 13, &subnet));
	assert_int_equal(never_own_in(&f->never, &subnet, &first), 4);
	assert_int_equal(first->b[3], 1);
	assert_true(prefix_parse("172.30.4.0/24", 13, &subnet));
	assert_int_equal(never_own_in(&f->never, &subnet, &first), 0);
	plan_free(&f->plan);
	resolved_set_never(&f->resolved, &f->never);
	compile_policy(&f->policy, &f->resolved, &(struct plan_options){ .mark_bit = 1 }, &f->plan);
	assert_int_equal(drops_of_own(f), 3);
	assert_int_equal(f->plan.own_hash, compile_own_hash(&f->policy, &f->never));
	/* A gateway, or an address elsewhere, makes no other rules. */
	never_set_own(&f->never, many, 2);
	assert_int_not_equal(f->plan.own_hash, compile_own_hash(&f->policy, &f->never));
	plan_free(&f->plan);
	compile_policy(&f->policy, &f->resolved, &(struct plan_options){ .mark_bit = 1 }, &f->plan);
	assert_int_equal(drops_of_own(f), 2);
	never_set_own(&f->never, many, 7);
	assert_int_equal(f->plan.own_hash, compile_own_hash(&f->policy, &f->never));
}

struct ranges {
	struct prefix items[256];
	size_t n;
};

static void add_range(void *data, const struct prefix *prefix)
{
	struct ranges *ranges = data;

	assert_true(ranges->n < ARRAY_SIZE(ranges->items));
	ranges->items[ranges->n++] = *prefix;
}

static bool has_addr(const struct ranges *ranges, const struct ipaddr *a)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (prefix_contains(&ranges->items[i], a))
			return true;
	return false;
}

/* The kernel's sets and the program say the same of the gate's answers. */
static void test_told(void **state)
{
	static const char *const texts[] = {
		"127.0.0.1",
		"169.254.1.1",
		"169.254.169.254",
		"100.100.100.200",
		"168.63.129.16",
		"0.1.2.3",
		"224.0.0.1",
		"255.255.255.255",
		"10.1.2.3",
		"100.64.1.1",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.0.1",
		"192.0.0.8",
		"192.0.2.1",
		"198.18.0.1",
		"198.51.100.1",
		"203.0.113.1",
		"240.0.0.1",
		"172.30.1.5",
		"172.32.0.1",
		"8.8.8.8",
		"9.255.255.255",
		"11.0.0.0",
		"192.0.1.1",
		"1.1.1.1",
		"::",
		"::1",
		"::2",
		"::8.8.8.8",
		"::ffff:8.8.8.8",
		"0:0:0:0:ffff:0:808:808",
		"0:0:0:0:ffff:0:a00:1",
		"64:ff9b::8.8.8.8",
		"64:ff9b::10.0.0.1",
		"64:ff9b::127.0.0.1",
		"64:ff9b::172.30.1.5",
		"64:ff9b:1::1",
		"100::1",
		"2001::1",
		"2001:1ff::1",
		"2001:200::1",
		"2001:db8::1",
		"2002:808:808::1",
		"2002:a00:1::1",
		"3fff::1",
		"fc00::1",
		"fd00:30:1::5",
		"fd00:ec2::254",
		"fe80::1",
		"fec0::1",
		"ff02::1",
		"2a00::1",
		"2606:4700::1111",
	};
	struct fixture *f = *state;
	struct ranges never = { .n = 0 }, private = { .n = 0 };
	struct prefix opens = { { FAMILY_IPV4, { 0 } }, 0 };
	struct never nothing = { .subnets = f->never.subnets, .n_subnets = f->never.n_subnets };

	never_ranges(&f->policy, add_range, &never);
	never_private_ranges(add_range, &private);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ipaddr a = addr(texts[i]);
		const char *reason = never_told_reason(&nothing, &a, NULL, 0);

		if ((reason != NULL) != (has_addr(&never, &a) || has_addr(&private, &a)))
			fail_msg("%s: the program: %s; the kernel: %d, %d", texts[i],
				 reason ? reason : "opens it", has_addr(&never, &a),
				 has_addr(&private, &a));
		opens.addr.family = a.family;
		reason = never_told_reason(&nothing, &a, &opens, 1);
		if ((reason != NULL) != has_addr(&never, &a))
			fail_msg("%s, private or not: the program: %s; the kernel: %d", texts[i],
				 reason ? reason : "opens it", has_addr(&never, &a));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_reasons),  TEST(test_many_subnets), TEST(test_sets),
		TEST(test_own),	     TEST(test_adopted),      TEST(test_name_alarms),
		TEST(test_one_shot), TEST(test_own_sources),  TEST(test_told),
	};

	return cmocka_run_group_tests_name("never", tests, NULL, NULL);
}
