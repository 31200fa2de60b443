/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allow and deny where a DNS gate serves wildcards: what becomes of the rules, and what is said. */
#include "edit_fixture.h"

#define NETWORKS "{\"networks\": [{\"name\": \"a\", \"subnet\": \"192.0.2.0/28\"}]}"
#define LIST_OF(members) \
	"{\"ipsets\": {\"x\": [" members "]}, \"networks\": {\"a\": {\"dns\": {}, \"egress\": ["
#define RULES "{\"networks\": {\"a\": {\"dns\": {}, \"egress\": ["
#define BY_LIST "{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": \"x\"}, "
#define TO(ports, host) \
	"{\"proto\": \"tcp\", \"ports\": [" ports "], \"to\": \"host\", \"host\": \"" host "\"}, "
#define TO_NET "{\"to\": \"cidr\", \"cidr\": \"198.51.100.0/24\"}, "
#define DROPS(key, what) "{\"action\": \"drop\", \"to\": \"" key "\", \"" key "\": \"" what "\"}, "
#define END "{\"action\": \"drop\"}]}}}"
#define OPEN_END "{\"proto\": \"icmp\"}]}}}"
#define ALLOW(to) "{\"action\": \"allow\", \"name\": \"a\", \"to\": \"" to "\"}"
#define DENY(to) "{\"action\": \"deny\", \"name\": \"a\", \"to\": \"" to "\"}"

/* expected NULL: nothing changes. */
static void assert_edit(const char *firewall, const char *request, const char *expected,
			const char *message)
{
	struct policy after = { 0 };
	struct fixture f = { 0 };

	run(&f, NETWORKS, firewall, request);
	diags_print(&f.diags, stderr);
	assert_true(f.good);
	assert_int_equal(expected == NULL, f.edit.firewall_text == NULL);
	if (expected)
		assert_string_equal(f.edit.firewall_text, expected);
	assert_string_equal(f.edit.message, message);
	if (expected)
		policy_read(&after, NETWORKS, expected);
	policy_free(&after);
	clear(&f);
}

static void assert_refused(const char *firewall, const char *request, const char *message)
{
	struct fixture f = { 0 };

	run(&f, NETWORKS, firewall, request);
	assert_false(f.good);
	assert_int_equal(f.diags.n, 1);
	assert_string_equal(f.diags.items[0].message, message);
	assert_null(f.edit.firewall_text);
	clear(&f);
}

static void test_allow(void **state)
{
	(void)state;
	assert_edit(RULES END, ALLOW("*.Example.com."), RULES TO("443", "*.example.com") END,
		    "a may reach *.example.com on tcp/443: egress[0] is new");
	assert_edit(LIST_OF("\"one.example\"") BY_LIST END, ALLOW("*.example.com"),
		    LIST_OF("\"one.example\", \"*.example.com\"") BY_LIST END,
		    "a may reach *.example.com on tcp/443: it is in ipset x now, which egress[0] "
		    "allows");
	/* A wildcard has names and narrower wildcards, and not the bare name. */
	assert_edit(
		RULES TO("443", "*.example.com") END, ALLOW("a.b.example.com"), NULL,
		"a could reach a.b.example.com on tcp/443 before, by egress[0]: nothing changed");
	assert_edit(
		RULES TO("443", "*.example.com") END, ALLOW("*.b.example.com"), NULL,
		"a could reach *.b.example.com on tcp/443 before, by egress[0]: nothing changed");
	assert_edit(RULES TO("443", "*.example.com") END, ALLOW("example.com"),
		    RULES TO("443", "*.example.com") TO("443", "example.com") END,
		    "a may reach example.com on tcp/443: egress[1] is new");
	assert_edit(RULES TO("443", "a.example.com") END, ALLOW("*.example.com"),
		    RULES TO("443", "a.example.com") TO("443", "*.example.com") END,
		    "a may reach *.example.com on tcp/443: egress[1] is new");
	/* Addresses may be of its names: nobody but the gate knows. */
	assert_edit(
		RULES TO("443", "*.example.com") END, ALLOW("198.51.100.7"),
		RULES TO("443",
			 "*.example.com") "{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ip\", "
					  "\"ip\": \"198.51.100.7\"}, " END,
		"a may reach 198.51.100.7 on tcp/443: egress[1] is new");
	/* The rule that is there would skip the drop between it and the new one's place. */
	assert_edit(RULES TO("80", "*.example.com") DROPS("ip", "198.51.100.7") END,
		    ALLOW("*.example.com"),
		    RULES TO("80", "*.example.com") DROPS("ip", "198.51.100.7")
			    TO("443", "*.example.com") END,
		    "a may reach *.example.com on tcp/443: egress[2] is new");
	assert_refused(RULES DROPS("host", "bad.example.com") END, ALLOW("*.example.com"),
		       "egress[0] of a drops a part of *.example.com: change that first");
	assert_refused(
		RULES END, ALLOW("*"),
		"\"to\" must be a hostname, a wildcard, an address or a network in CIDR notation, "
		"found \"*\"");
	assert_refused(
		RULES END, ALLOW("a.*.example.com"),
		"\"to\" must be a hostname, a wildcard, an address or a network in CIDR notation, "
		"found \"a.*.example.com\"");
}

static void test_deny(void **state)
{
	(void)state;
	assert_edit(RULES TO("443", "*.example.com") END, DENY("*.example.com"), RULES END,
		    "egress[0], which allowed *.example.com, is gone");
	assert_edit(LIST_OF("\"one.example\", \"*.example.com\"") BY_LIST END,
		    DENY("*.example.com"), LIST_OF("\"one.example\"") BY_LIST END,
		    "*.example.com is no longer in ipset x");
	assert_edit(RULES END, DENY("*.example.com"), NULL,
		    "no rule lets a reach *.example.com by that name: nothing changed");
	/* Rules about addresses are not what a wildcard is denied for. */
	assert_edit(RULES TO("443", "*.example.com") TO_NET END, DENY("*.example.com"),
		    RULES TO_NET END, "egress[0], which allowed *.example.com, is gone");
	/* A name that a wildcard has is dropped in front of it. */
	assert_edit(
		RULES TO("443", "*.example.com") END, DENY("a.example.com"),
		RULES DROPS("host", "a.example.com") TO("443", "*.example.com") END,
		"egress[0] drops a.example.com now, as the rule behind it allows *.example.com");
	assert_edit(LIST_OF("\"*.example.com\", \"a.example.com\"") BY_LIST END,
		    DENY("a.example.com"),
		    LIST_OF("\"*.example.com\"") DROPS("host", "a.example.com") BY_LIST END,
		    "a.example.com is no longer in ipset x; egress[0] drops a.example.com now, as "
		    "the rule "
		    "behind it allows ipset x, which has it by a wildcard");
	assert_edit(RULES TO("443", "*.example.com") END, DENY("198.51.100.7"),
		    RULES DROPS("ip", "198.51.100.7") TO("443", "*.example.com") END,
		    "egress[0] drops 198.51.100.7 now, as the rule behind it allows names, which "
		    "may have it");
}

/* No rule can drop a wildcard: deny says so, and changes nothing. */
static void test_deny_refused(void **state)
{
	(void)state;
	assert_refused(
		RULES TO("443", "*.example.com") TO("22", "a.example.com") END,
		DENY("*.example.com"),
		"egress[1] of a allows names of *.example.com, and no rule can drop a wildcard");
	assert_refused(
		RULES TO("443", "*.example.com") END, DENY("*.b.example.com"),
		"egress[0] of a allows names of *.b.example.com, and no rule can drop a wildcard");
	assert_refused(
		LIST_OF("\"*.npmjs.org\", \"preset:npm\"") BY_LIST END, DENY("*.npmjs.org"),
		"egress[0] of a allows names of *.npmjs.org, by ipset x, and no rule can drop a "
		"wildcard");
	assert_refused(
		RULES TO("443", "*.example.com") "{\"proto\": \"tcp\"}, " END,
		DENY("*.example.com"),
		"egress[1] of a allows names of *.example.com, and no rule can drop a wildcard");
	assert_refused(
		RULES TO("443", "*.example.com") OPEN_END, DENY("*.example.com"),
		"network a has no rule that drops everything, so that a wildcard cannot be denied: "
		"its last egress rule has to be {\"action\": \"drop\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_deny_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
