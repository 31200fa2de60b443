/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's policy: which documents are taken, and what its table says of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "gate/gate_never.h"
#include "gate/gate_policy.h"

static const char document[] =
	"{\"version\": 1, \"generation\": \"g\", \"upstream\": [\"192.0.2.53\", \"2001:db8::53\"],"
	" \"lists\": [{\"slot\": 1, \"names\": [\"api.example.com\", \"*.example.com\"]},"
	"  {\"slot\": 7, \"set\": \"deep\", \"names\": [\"*.a.b.example.com\", "
	"\"x.a.b.example.com\"]},"
	"  {\"slot\": 0, \"names\": [\"*.corp.example\"]}, {\"slot\": 9, \"names\": "
	"[\"other.example\"]}],"
	" \"networks\": [{\"name\": \"N\", \"bridge\": \"br-n\", \"lists\": [2, 0, 1], \"ipv6\": "
	"true,"
	"  \"life\": 3900, \"types\": [\"MX\"], \"private\": [\"10.1.0.0/16\", \"fd00:1::/32\"], "
	"\"size\": 100,"
	"  \"audit\": false},"
	" {\"name\": \"M\", \"bridge\": \"br-m\", \"lists\": [3], \"ipv6\": false, \"life\": 300, "
	"\"size\": 1}]}";

/* The text with the first FROM replaced by TO. */
static struct gate_policy *parse_with(const char *from, const char *to, struct diags *diags)
{
	const char *at = strstr(document, from);
	cleanup(cleanup_free) char *text = NULL;
	struct src src = { .text = NULL };

	assert_non_null(at);
	text = xasprintf("%.*s%s%s", (int)(at - document), document, to, at + strlen(from));
	src.text = text;
	src.len = strlen(text);
	return gate_policy_parse(&src, diags);
}

static struct gate_policy *parse(void)
{
	struct diags diags = { 0 };
	struct gate_policy *policy = parse_with("g", "g", &diags);

	assert_non_null(policy);
	assert_int_equal(diags.n, 0);
	return policy;
}

static void test_document(void **state)
{
	struct gate_policy *policy = parse();
	const struct gate_network *n = gate_policy_network(policy, "br-n");

	(void)state;
	assert_string_equal(policy->generation, "g");
	assert_int_equal(policy->upstream.n_servers, 2);
	assert_int_equal(policy->n_lists, 4);
	assert_non_null(n);
	assert_string_equal(n->name, "N");
	assert_int_equal(n->n_lists, 3);
	assert_int_equal(n->life_s, 3900);
	assert_true(n->ipv6 && !n->audit);
	assert_int_equal(n->n_privates, 2);
	assert_null(gate_policy_network(policy, "br-x"));
	assert_int_equal(policy->tag, 0);
	gate_policy_free(policy);
}

static void test_faulty(void **state)
{
	static const struct {
		const char *from, *to, *message;
	} faults[] = {
		{ "{", "", NULL },
		{ "\"version\": 1", "\"version\": 2",
		  "this version of the document is not known: the gate and "
		  "the daemon are of different versions" },
		{ "\"version\": 1,", "", "no \"version\"" },
		{ "\"version\": 1,", "\"version\": 1, \"x\": 0,",
		  "unknown member: the gate is older than the daemon" },
		{ "[\"192.0.2.53\",",
		  "[\"::1\", \"::2\", \"::3\", \"::4\", \"::5\", \"::6\", \"::7\", \"::8\",",
		  "wanted at most 8 name servers" },
		{ "192.0.2.53", "dns.example", "wanted an address" },
		{ "\"slot\": 7", "\"slot\": 1", "a slot of two lists" },
		{ "\"slot\": 7", "\"slot\": 32768", "out of range" },
		{ "\"slot\": 7", "\"slot\": -1", "out of range" },
		{ "api.example.com", "API.example.com",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "api.example.com", "api..com",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "api.example.com", "192.0.2.1",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "*.example.com", "*.com",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "*.example.com", "*",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "*.example.com", "a*.example.com",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "*.example.com", "a.*.example.com",
		  "wanted a hostname in lower case, or *. and one of two labels" },
		{ "[2, 0, 1]", "[4]", "out of range" },
		{ "[2, 0, 1]", "[\"2\"]", "wanted the number of a list" },
		{ "br-m", "br-n", "two networks have one bridge" },
		{ "br-m", "a-bridge-with-16", "too short or too long" },
		{ "br-m", "", "too short or too long" },
		{ "\"MX\"", "\"ANY\"", "not a type of record that the gate knows" },
		{ "10.1.0.0/16", "10.1.0.0/33", "wanted a prefix" },
		{ "\"life\": 300,", "\"life\": 299,", "out of range" },
		{ "\"size\": 1}", "\"size\": 0}", "out of range" },
		{ "\"ipv6\": true", "\"ipv6\": 1", "wrong type of \"ipv6\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct diags diags = { 0 };

		assert_null(parse_with(faults[i].from, faults[i].to, &diags));
		assert_true(diags.n > 0);
		if (faults[i].message)
			assert_string_equal(diags.items[0].message, faults[i].message);
		diags_free(&diags);
	}
}

/* The host may have none that the gate could ask: whatever else the policy says holds all the same. */
static void test_no_servers(void **state)
{
	struct diags diags = { 0 };
	struct gate_policy *policy = parse_with("[\"192.0.2.53\", \"2001:db8::53\"]", "[]", &diags);

	(void)state;
	assert_non_null(policy);
	assert_int_equal(policy->upstream.n_servers, 0);
	gate_policy_free(policy);
}

static void test_tag(void **state)
{
	struct diags diags = { 0 };
	struct gate_policy *policy = parse_with("\"g\",", "\"g\", \"tag\": 4294967295,", &diags);

	(void)state;
	assert_non_null(policy);
	assert_int_equal(policy->tag, UINT32_MAX);
	gate_policy_free(policy);
	assert_null(parse_with("\"g\",", "\"g\", \"tag\": 4294967296,", &diags));
	assert_null(parse_with("\"g\",", "\"g\", \"tag\": -1,", &diags));
	assert_null(parse_with("\"g\",", "\"g\", \"tag\": \"1\",", &diags));
	assert_int_equal(diags.n, 3);
	diags_free(&diags);
}

/* "exact 1 7" and so on: the slots that a name opens. */
static void assert_match(const struct gate_policy *policy, const char *bridge, const char *text,
			 const char *expected)
{
	const struct gate_network *network = gate_policy_network(policy, bridge);
	struct gate_match match;
	struct dns_name name;
	struct buf b = { 0 };

	assert_true(dns_name_parse(text, &name));
	gate_table_match(policy, network, &name, &match);
	buf_puts(&b, !match.allowed ? "no" : match.exact ? "exact" : "pattern");
	for (size_t i = 0; i < match.n; i++)
		buf_printf(&b, " %u", policy->lists[match.lists[i]].slot);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void test_table(void **state)
{
	struct gate_policy *policy = parse();

	(void)state;
	assert_match(policy, "br-n", "api.example.com", "exact 1");
	assert_match(policy, "br-n", "API.Example.COM", "exact 1");
	assert_match(policy, "br-n", "www.example.com", "pattern 1");
	assert_match(policy, "br-n", "a.b.c.d.example.com", "pattern 1");
	assert_match(policy, "br-n", "example.com", "no");
	assert_match(policy, "br-n", "xexample.com", "no");
	assert_match(policy, "br-n", "com", "no");
	assert_match(policy, "br-n", "x.a.b.example.com", "exact 7 1");
	assert_match(policy, "br-n", "y.a.b.example.com", "pattern 7 1");
	assert_match(policy, "br-n", "a.b.example.com", "pattern 1");
	assert_match(policy, "br-n", "x.corp.example", "pattern");
	assert_match(policy, "br-n", "corp.example", "no");
	assert_match(policy, "br-n", "*.example.com", "no");
	assert_match(policy, "br-n", "a b.example.com", "no");
	assert_match(policy, "br-n", "other.example", "no"); /* another network's */
	assert_match(policy, "br-m", "other.example", "exact 9");
	assert_match(policy, "br-m", "api.example.com", "no");
	gate_policy_free(policy);
}

/* A label with a dot inside is not two labels. */
static void test_dots(void **state)
{
	struct dns_name name = { .b = "\x0b"
				      "api.example\3com",
				 .len = 17 };
	struct gate_policy *policy = parse();
	struct gate_match match;

	(void)state;
	gate_table_match(policy, gate_policy_network(policy, "br-n"), &name, &match);
	assert_false(match.allowed);
	gate_policy_free(policy);
}

static void test_overflow(void **state)
{
	struct buf b = { 0 };
	struct diags diags = { 0 };
	struct src src = { .text = NULL };
	struct gate_policy *policy;
	struct gate_match match;
	struct dns_name name;

	(void)state;
	buf_puts(&b,
		 "{\"version\":1,\"generation\":\"g\",\"upstream\":[\"192.0.2.1\"],\"lists\":[");
	for (unsigned i = 1; i <= GATE_MATCH_MAX + 1; i++)
		buf_printf(&b, "%s{\"slot\":%u,\"names\":[\"a.example\"]}", i > 1 ? "," : "", i);
	buf_puts(&b, "],\"networks\":[{\"name\":\"n\",\"bridge\":\"b\",\"ipv6\":true,\"life\":300,"
		     "\"size\":9,\"lists\":[0");
	for (unsigned i = 1; i <= GATE_MATCH_MAX; i++)
		buf_printf(&b, ",%u", i);
	buf_puts(&b, "]}]}");
	src.text = b.data;
	src.len = b.len;
	policy = gate_policy_parse(&src, &diags);
	assert_non_null(policy);
	assert_true(dns_name_parse("a.example", &name));
	gate_table_match(policy, policy->networks, &name, &match);
	assert_true(match.allowed && match.overflow);
	assert_int_equal(match.n, GATE_MATCH_MAX);
	gate_policy_free(policy);
	buf_free(&b);
}

static void test_identity(void **state)
{
	struct gate_policy *one = parse(), *two;
	struct diags diags = { 0 };

	(void)state;
	two = parse_with("\"api.example.com\", \"*.example.com\"",
			 "\"*.example.com\", \"api.example.com\"", &diags);
	assert_non_null(two);
	assert_true(one->lists[0].identity == two->lists[0].identity);
	assert_true(one->lists[0].identity != one->lists[1].identity);
	gate_policy_free(two);
	/* Without the set's name, other names are another list; with it, they are not. */
	two = parse_with("api.example.com", "apx.example.com", &diags);
	assert_true(one->lists[0].identity != two->lists[0].identity);
	gate_policy_free(two);
	two = parse_with("x.a.b.example.com", "y.a.b.example.com", &diags);
	assert_true(one->lists[1].identity == two->lists[1].identity);
	gate_policy_free(two);
	gate_policy_free(one);
}

static void assert_never(const struct gate_network *network, const char *text, bool expected)
{
	struct ipaddr addr;

	assert_true(ipaddr_parse(text, strlen(text), &addr));
	if ((gate_never_reason(network, &addr) != NULL) != expected)
		fail_msg("%s: wanted %s", text, expected ? "never" : "may be");
}

static void test_never(void **state)
{
	static const char *const never[] = { "0.0.0.0",
					     "10.0.0.1",
					     "100.64.0.1",
					     "127.0.0.1",
					     "169.254.169.254",
					     "172.31.255.255",
					     "192.0.0.1",
					     "192.0.2.1",
					     "192.168.0.1",
					     "198.19.0.1",
					     "198.51.100.1",
					     "203.0.113.1",
					     "224.0.0.1",
					     "240.0.0.1",
					     "255.255.255.255",
					     "168.63.129.16",
					     "::",
					     "::1",
					     "::7f00:1",
					     "64:ff9b::808:808",
					     "64:ff9b:1::1",
					     "100::1",
					     "2001::1",
					     "2001:1ff::1",
					     "2001:db8::1",
					     "2002:808:808::1",
					     "fc00::1",
					     "fd00:ec2::254",
					     "fe80::1",
					     "fec0::1",
					     "ff02::1" };
	static const char *const may[] = { "8.8.8.8",	   "9.9.9.9",	 "100.128.0.1",
					   "172.32.0.1",   "198.20.0.1", "223.255.255.255",
					   "2001:4860::1", "2a00::1",	 "2003::1" };
	struct gate_policy *policy = parse();
	const struct gate_network *n = gate_policy_network(policy, "br-n"),
				  *m = gate_policy_network(policy, "br-m");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		assert_never(n, never[i], true);
		assert_never(m, never[i], true);
	}
	for (size_t i = 0; i < ARRAY_SIZE(may); i++)
		assert_never(n, may[i], false);
	assert_never(n, "10.1.2.3", false);
	assert_never(n, "10.2.2.3", true);
	assert_never(m, "10.1.2.3", true);
	assert_never(n, "fd00:1::1", false);
	gate_policy_free(policy);
}

/* Metadata, loopback and link-local addresses are nobody's, whatever the policy says. */
static void test_never_ever(void **state)
{
	struct diags diags = { 0 };
	struct gate_policy *policy = parse_with("10.1.0.0/16", "0.0.0.0/0", &diags);
	const struct gate_network *n;

	(void)state;
	assert_non_null(policy);
	n = gate_policy_network(policy, "br-n");
	assert_never(n, "192.168.1.1", false);
	assert_never(n, "169.254.169.254", true);
	assert_never(n, "127.0.0.1", true);
	assert_never(n, "224.0.0.1", true);
	assert_never(n, "100.100.100.200", true);
	gate_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),   cmocka_unit_test(test_faulty),
		cmocka_unit_test(test_no_servers), cmocka_unit_test(test_tag),
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_dots),
		cmocka_unit_test(test_overflow),   cmocka_unit_test(test_identity),
		cmocka_unit_test(test_never),	   cmocka_unit_test(test_never_ever),
	};

	return cmocka_run_group_tests_name("gate_policy", tests, NULL, NULL);
}
