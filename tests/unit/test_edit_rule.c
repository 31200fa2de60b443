/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allow and deny: what becomes of the file, and what is said. */
#include "edit_fixture.h"

#define NETWORKS                                                           \
	"{\"networks\": [{\"name\": \"a\", \"subnet\": \"192.0.2.0/28\"}," \
	"{\"name\": \"b\", \"subnet\": \"192.0.2.16/28\"},"                \
	"{\"name\": \"open\", \"subnet\": \"192.0.2.32/28\"}]}"

#define HEAD                                                                                     \
	"// what may be reached\n"                                                               \
	"{\n\t\"ipsets\": {\n"                                                                   \
	"\t\t\"list\": [\n\t\t\t\"one.example\", // one\n\t\t\t\"two.example\" // two\n\t\t],\n" \
	"\t\t\"shared\": [\"all.example\", \"198.51.100.0/24\"],\n"                              \
	"\t\t\"bad\": [\"bad.example\", \"203.0.113.0/24\"], // never\n"                         \
	"\t\t\"npm\": [\"npm.example\"]\n"                                                       \
	"\t},\n\t\"networks\": {\n\t\t\"a\": {\n\t\t\t\"egress\": [\n"
#define DNS "\t\t\t\t{\"proto\": \"udp\", \"ports\": [53]}, // DNS\n"
#define BAD "\t\t\t\t{\"action\": \"drop\", \"to\": \"ipset\", \"ipset\": \"bad\"},\n"
#define OWN                                                                          \
	"\t\t\t\t{\"proto\": \"tcp\", \"ports\": [22], \"to\": \"host\", \"host\": " \
	"\"own.example\"},\n"
#define LIST                                                                            \
	"\t\t\t\t{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": " \
	"\"list\"},\n"
#define SHARED                                                                               \
	"\t\t\t\t{\"proto\": \"tcp\", \"ports\": [80, 8080], \"to\": \"ipset\", \"ipset\": " \
	"\"shared\"}, // shared\n"
#define DROPS(key, what) \
	"\t\t\t\t{\"action\": \"drop\", \"to\": \"" key "\", \"" key "\": \"" what "\"},\n"
#define DROP "\n\t\t\t\t// nothing else\n\t\t\t\t{\"action\": \"drop\"}\n"
#define TAIL                                                                                       \
	"\t\t\t]\n\t\t},\n\t\t\"b\": {\"egress\": [{\"to\": \"ipset\", \"ipset\": \"shared\"}]}\n" \
	"\t}\n}\n"
#define FIREWALL HEAD DNS BAD OWN LIST SHARED DROP TAIL

/* expected NULL: nothing changes. */
static void assert_edit(const char *firewall, const char *request, const char *expected,
			const char *message)
{
	struct fixture f = { 0 };
	struct policy after = { 0 };

	run(&f, NETWORKS, firewall, request);
	diags_print(&f.diags, stderr);
	assert_true(f.good);
	assert_null(f.edit.network_text);
	if (expected && f.edit.firewall_text)
		assert_string_equal(f.edit.firewall_text, expected);
	assert_int_equal(expected == NULL, f.edit.firewall_text == NULL);
	assert_string_equal(f.edit.message, message);
	if (expected)
		policy_read(&after, NETWORKS, expected);
	policy_free(&after);
	clear(&f);
}

static void assert_refused_in(const char *firewall, const char *request, const char *message)
{
	struct fixture f = { 0 };

	run(&f, NETWORKS, firewall, request);
	assert_false(f.good);
	assert_int_equal(f.diags.n, 1);
	if (!strstr(f.diags.items[0].message, message))
		assert_string_equal(f.diags.items[0].message, message);
	clear(&f);
}

static void assert_refused(const char *request, const char *message)
{
	assert_refused_in(FIREWALL, request, message);
}

#define ALLOW(to) "{\"action\": \"allow\", \"name\": \"a\", \"to\": \"" to "\""
#define DENY(to) "{\"action\": \"deny\", \"name\": \"a\", \"to\": \"" to "\"}"
#define UDP(ports) ", \"proto\": \"udp\", \"ports\": [" ports "]}"
#define TCP(ports) ", \"ports\": [" ports "]}"

static void test_allow_new_rule(void **state)
{
	(void)state;
	/* Behind the last rule before the one that drops; its comment stays with it. */
	assert_edit(FIREWALL, ALLOW("new.example") UDP("123, \"500-600\""),
		    HEAD DNS BAD OWN LIST SHARED
		    "\t\t\t\t{\"proto\": \"udp\", \"ports\": [123, \"500-600\"], \"to\": \"host\", "
		    "\"host\": \"new.example\"},\n" DROP TAIL,
		    "a may reach new.example on udp/123,500-600: egress[5] is new");
	assert_edit(FIREWALL, ALLOW("2001:DB8::1") TCP("22"),
		    HEAD DNS BAD OWN LIST SHARED
		    "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [22], \"to\": \"ip\", \"ip\": "
		    "\"2001:db8::1\"},\n" DROP TAIL,
		    "a may reach 2001:db8::1 on tcp/22: egress[5] is new");
	assert_edit(FIREWALL, ALLOW("10.1.2.3/8") TCP("22"),
		    HEAD DNS BAD OWN LIST SHARED
		    "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [22], \"to\": \"cidr\", \"cidr\": "
		    "\"10.0.0.0/8\"},\n" DROP TAIL,
		    "a may reach 10.0.0.0/8 on tcp/22: egress[5] is new");
	/* Only what does not pass yet. */
	assert_edit(FIREWALL, ALLOW("all.example") TCP("80, 81"),
		    HEAD DNS BAD OWN LIST SHARED
		    "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [81], \"to\": \"host\", \"host\": "
		    "\"all.example\"},\n" DROP TAIL,
		    "a may reach all.example on tcp/81: egress[5] is new");
}

static void test_allow_merges(void **state)
{
	(void)state;
	/* The name has a rule on other ports. */
	assert_edit(
		FIREWALL, ALLOW("OWN.example.") TCP("443, 22"),
		HEAD DNS BAD
		"\t\t\t\t{\"proto\": \"tcp\", \"ports\": [22, 443], \"to\": \"host\", \"host\": "
		"\"own.example\"},\n" LIST SHARED DROP TAIL,
		"a may reach own.example on tcp/443: egress[2] has that, too, now");
	/* The network has a list of its own on these ports: 443 where nothing is said. */
	assert_edit(
		FIREWALL, ALLOW("new.example") "}",
		"// what may be reached\n"
		"{\n\t\"ipsets\": {\n"
		"\t\t\"list\": [\n\t\t\t\"one.example\", // one\n\t\t\t\"two.example\", // two\n"
		"\t\t\t\"new.example\"\n\t\t],\n"
		"\t\t\"shared\": [\"all.example\", \"198.51.100.0/24\"],\n"
		"\t\t\"bad\": [\"bad.example\", \"203.0.113.0/24\"], // never\n"
		"\t\t\"npm\": [\"npm.example\"]\n"
		"\t},\n\t\"networks\": {\n\t\t\"a\": {\n\t\t\t\"egress\": [\n" DNS BAD OWN LIST
			SHARED DROP TAIL,
		"a may reach new.example on tcp/443: it is in ipset list now, which egress[3] "
		"allows");
	/* The list of others, too, is not for this network alone. */
	assert_edit(FIREWALL, ALLOW("new.example") TCP("80, 8080"),
		    HEAD DNS BAD OWN LIST SHARED
		    "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [80, 8080], \"to\": \"host\", "
		    "\"host\": \"new.example\"},\n" DROP TAIL,
		    "a may reach new.example on tcp/80,8080: egress[5] is new");
}

/* A rule that drops addresses was meant for all names that have them. */
static void test_allow_keeps_behind(void **state)
{
	(void)state;
	assert_edit(HEAD LIST DROPS("ip", "198.51.100.9") DROP TAIL, ALLOW("new.example") "}",
		    HEAD LIST DROPS("ip", "198.51.100.9") "\t\t\t\t{\"proto\": \"tcp\", \"ports\": "
							  "[443], \"to\": \"host\", "
							  "\"host\": \"new.example\"},\n" DROP TAIL,
		    "a may reach new.example on tcp/443: egress[2] is new");
}

static void test_allow_nothing(void **state)
{
	(void)state;
	assert_edit(FIREWALL, ALLOW("one.example") "}", NULL,
		    "a could reach one.example on tcp/443 before, by egress[3]: nothing changed");
	assert_edit(FIREWALL, ALLOW("198.51.100.7") TCP("80"), NULL,
		    "a could reach 198.51.100.7 on tcp/80 before, by egress[4]: nothing changed");
	assert_edit(FIREWALL, "{\"action\": \"allow\", \"name\": \"open\", \"to\": \"x.example\"}",
		    NULL,
		    "open could reach x.example on tcp/443 before, as no egress rule of it drops "
		    "that: nothing changed");
}

static void test_allow_refused(void **state)
{
	(void)state;
	assert_refused(ALLOW("bad.example") "}",
		       "egress[1] of a drops bad.example, as ipset bad has it: change that first");
	assert_refused(ALLOW("203.0.113.9") "}", "as ipset bad has it");
	/* deny gives its rules no comment. */
	assert_refused_in(HEAD "\t\t\t\t{\"action\": \"drop\", \"to\": \"host\", \"host\": "
			       "\"own.example\", \"comment\": \"ticket 7\"},\n" DROP TAIL,
			  ALLOW("own.example") "}",
			  "egress[0] of a drops own.example (ticket 7): change that first");
	/* A network part of which is dropped. */
	assert_refused(ALLOW("203.0.0.0/16") "}", "as ipset bad has it");
	assert_refused("{\"action\": \"allow\", \"name\": \"aa\", \"to\": \"x.example\"}", "aa");
	assert_refused(ALLOW("x.example") ", \"proto\": \"icmp\"}",
		       "\"proto\" must be \"tcp\" or \"udp\"");
	assert_refused(ALLOW("x.example") TCP("\"80-70\""), "a port must be a number");
	assert_refused(ALLOW("x.example") TCP("0"), "a port must be a number");
	assert_refused(ALLOW("x.example") TCP(""), "must have a port");
}

#define MAY_HAVE "as the rule behind it allows addresses, which it may have"

static void test_deny_takes_out(void **state)
{
	(void)state;
	assert_edit(HEAD DNS BAD OWN LIST DROP TAIL, DENY("own.example"),
		    HEAD DNS BAD LIST DROP TAIL, "egress[2], which allowed own.example, is gone");
	assert_edit(HEAD DNS BAD OWN LIST DROP TAIL, DENY("own.exampel"), NULL,
		    "no rule lets a reach own.exampel by that name: nothing changed; did you mean "
		    "\"own.example\"?");
	/* A rule about addresses may be about the name, too. */
	assert_edit(FIREWALL, DENY("own.example"),
		    HEAD DNS BAD LIST DROPS("host", "own.example") SHARED DROP TAIL,
		    "egress[2], which allowed own.example, is gone; egress[3] drops own.example "
		    "now, " MAY_HAVE);
	assert_edit(FIREWALL, DENY("Two.Example"),
		    "// what may be reached\n"
		    "{\n\t\"ipsets\": {\n"
		    "\t\t\"list\": [\n\t\t\t\"one.example\" // one\n\t\t],\n"
		    "\t\t\"shared\": [\"all.example\", \"198.51.100.0/24\"],\n"
		    "\t\t\"bad\": [\"bad.example\", \"203.0.113.0/24\"], // never\n"
		    "\t\t\"npm\": [\"npm.example\"]\n"
		    "\t},\n\t\"networks\": {\n\t\t\"a\": {\n\t\t\t\"egress\": [\n" DNS BAD OWN LIST
			    DROPS("host", "two.example") SHARED DROP TAIL,
		    "two.example is no longer in ipset list; egress[4] drops two.example "
		    "now, " MAY_HAVE);
	assert_edit(FIREWALL, DENY("bad.example"), NULL,
		    "no rule lets a reach bad.example by that name: nothing changed");
	assert_edit(FIREWALL, DENY("own.exampel"),
		    HEAD DNS BAD OWN LIST DROPS("host", "own.exampel") SHARED DROP TAIL,
		    "egress[4] drops own.exampel now, " MAY_HAVE "; did you mean \"own.example\"?");
}

static void test_deny_drops(void **state)
{
	(void)state;
	/* An ipset that others use, too. */
	assert_edit(FIREWALL, DENY("all.example"),
		    HEAD DNS BAD OWN LIST DROPS("host", "all.example") SHARED DROP TAIL,
		    "egress[4] drops all.example now, as the rule behind it allows ipset shared, "
		    "which has it and is used by other rules, too");
	assert_edit(HEAD DNS BAD SHARED DROP TAIL, DENY("198.51.100.9"),
		    HEAD DNS BAD DROPS("ip", "198.51.100.9") SHARED DROP TAIL,
		    "egress[2] drops 198.51.100.9 now, as the rule behind it allows ipset shared, "
		    "which has it and is used by other rules, too");
	/* A rule about names may be about the address, too. */
	assert_edit(HEAD DNS OWN DROP TAIL, DENY("198.51.100.9"),
		    HEAD DNS DROPS("ip", "198.51.100.9") OWN DROP TAIL,
		    "egress[1] drops 198.51.100.9 now, as the rule behind it allows names, which "
		    "may have it");
	assert_edit(HEAD DNS LIST DROP TAIL, DENY("0.0.0.0/0"),
		    HEAD DNS DROPS("cidr", "0.0.0.0/0") LIST DROP TAIL,
		    "egress[1] drops 0.0.0.0/0 now, as the rule behind it allows names, which may "
		    "have it");
	assert_edit(HEAD DNS DROPS("ip", "198.51.100.9") OWN DROP TAIL, DENY("198.51.100.9"), NULL,
		    "no rule lets a reach 198.51.100.9: nothing changed");
	/* Its own rule goes, and what is left is every destination. */
	assert_edit(
		HEAD DNS OWN "\t\t\t\t{\"proto\": \"tcp\"},\n" DROP TAIL, DENY("own.example"),
		HEAD DNS DROPS("host", "own.example") "\t\t\t\t{\"proto\": \"tcp\"},\n" DROP TAIL,
		"egress[1], which allowed own.example, is gone; egress[1] drops own.example "
		"now, as the rule behind it allows every destination");
	/* Its list has a part of it besides. */
	assert_edit("{\"ipsets\": {\"x\": [\"10.0.0.0/8\", \"10.1.2.3\"]}, \"networks\": {\"a\": "
		    "{\"egress\": [\n{\"to\": \"ipset\", \"ipset\": \"x\"},\n{\"action\": "
		    "\"drop\"}\n]}}}",
		    DENY("10.0.0.0/8"),
		    "{\"ipsets\": {\"x\": [\"10.1.2.3\"]}, \"networks\": {\"a\": "
		    "{\"egress\": [\n{\"action\": \"drop\", \"to\": \"cidr\", \"cidr\": "
		    "\"10.0.0.0/8\"},\n{\"to\": \"ipset\", \"ipset\": \"x\"},\n{\"action\": "
		    "\"drop\"}\n]}}}",
		    "10.0.0.0/8 is no longer in ipset x; egress[0] drops 10.0.0.0/8 now, as the "
		    "rule behind it allows ipset x, which has more of it");
	/* Its list has it by a preset, too, or by that alone. */
	assert_edit("{\"ipsets\": {\"x\": [\"preset:npm\", \"registry.npmjs.org\"]}, "
		    "\"networks\": {\"a\": {\"egress\": [\n{\"to\": \"ipset\", \"ipset\": "
		    "\"x\"},\n{\"action\": \"drop\"}\n]}}}",
		    DENY("registry.npmjs.org"),
		    "{\"ipsets\": {\"x\": [\"preset:npm\"]}, "
		    "\"networks\": {\"a\": {\"egress\": [\n{\"action\": \"drop\", \"to\": "
		    "\"host\", \"host\": \"registry.npmjs.org\"},\n{\"to\": \"ipset\", "
		    "\"ipset\": \"x\"},\n{\"action\": \"drop\"}\n]}}}",
		    "registry.npmjs.org is no longer in ipset x; egress[0] drops "
		    "registry.npmjs.org now, as the rule behind it allows ipset x, which has it by "
		    "a preset");
	assert_edit("{\"ipsets\": {\"x\": [\"preset:npm\"]}, \"networks\": {\"a\": {\"egress\": "
		    "[\n{\"to\": \"ipset\", \"ipset\": \"x\"},\n{\"action\": \"drop\"}\n]}}}",
		    DENY("Registry.npmjs.org"),
		    "{\"ipsets\": {\"x\": [\"preset:npm\"]}, \"networks\": {\"a\": {\"egress\": "
		    "[\n{\"action\": \"drop\", \"to\": \"host\", \"host\": "
		    "\"registry.npmjs.org\"},\n{\"to\": \"ipset\", \"ipset\": \"x\"},\n"
		    "{\"action\": \"drop\"}\n]}}}",
		    "egress[0] drops registry.npmjs.org now, as the rule behind it allows ipset x, "
		    "which has it by a preset");
	/* A list without an end. */
	assert_edit(HEAD DNS TAIL, DENY("x.example"), HEAD DNS DROPS("host", "x.example") TAIL,
		    "egress[1] drops x.example now, as nothing else does");
	assert_refused("{\"action\": \"deny\", \"name\": \"open\", \"to\": \"x.example\"}",
		       "network open has no egress rules");
	assert_refused(DENY("::ffff:8.8.8.8"), "\"to\" must be a hostname, a wildcard");
	assert_refused(ALLOW("preset:npm") "}", "\"to\" must be a hostname, a wildcard");
}

#define TCP_443 "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [443]},\n"
#define OWN_ON(proto, port)                                                            \
	"\t\t\t\t{\"proto\": \"" proto "\", \"ports\": [" port "], \"to\": \"host\", " \
	"\"host\": \"own.example\"},\n"

/* allow undoes deny, and the other way round. */
static void test_inverse(void **state)
{
	(void)state;
	assert_edit(HEAD DNS DROPS("host", "own.example") TCP_443 DROP TAIL,
		    ALLOW("own.example") "}", HEAD DNS TCP_443 DROP TAIL,
		    "a may reach own.example on tcp/443: the rule that dropped it is gone");
	/* But it stays where more would pass without it than was asked for. */
	assert_edit(HEAD DNS DROPS("host", "own.example") TCP_443 DROP TAIL,
		    ALLOW("own.example") UDP("443"),
		    HEAD DNS OWN_ON("udp", "443") DROPS("host", "own.example") TCP_443 DROP TAIL,
		    "a may reach own.example on udp/443: egress[1] is new");
	assert_edit(HEAD DROPS("host", "own.example") TCP_443 TAIL, ALLOW("own.example") "}",
		    HEAD OWN_ON("tcp", "443") DROPS("host", "own.example") TCP_443 TAIL,
		    "a may reach own.example on tcp/443: egress[0] is new");
	assert_edit(HEAD DNS BAD OWN LIST
		    "\t\t\t\t{\"proto\": \"udp\", \"ports\": [123], \"to\": \"host\", \"host\": "
		    "\"new.example\"},\n" DROP TAIL,
		    DENY("new.example"), HEAD DNS BAD OWN LIST DROP TAIL,
		    "egress[4], which allowed new.example, is gone");
	/* A rule about addresses may let more of the name through than was asked for. */
	assert_edit(HEAD DNS DROPS("host", "own.example") SHARED DROP TAIL,
		    ALLOW("own.example") "}",
		    HEAD DNS OWN_ON("tcp", "443") DROPS("host", "own.example") SHARED DROP TAIL,
		    "a may reach own.example on tcp/443: egress[1] is new");
	assert_edit(HEAD DNS DROPS("ip", "198.51.100.9") OWN DROP TAIL, ALLOW("198.51.100.9") "}",
		    HEAD DNS
		    "\t\t\t\t{\"proto\": \"tcp\", \"ports\": [443], \"to\": \"ip\", \"ip\": "
		    "\"198.51.100.9\"},\n" DROPS("ip", "198.51.100.9") OWN DROP TAIL,
		    "a may reach 198.51.100.9 on tcp/443: egress[1] is new");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allow_new_rule),	   cmocka_unit_test(test_allow_merges),
		cmocka_unit_test(test_allow_keeps_behind), cmocka_unit_test(test_allow_nothing),
		cmocka_unit_test(test_allow_refused),	   cmocka_unit_test(test_deny_takes_out),
		cmocka_unit_test(test_deny_drops),	   cmocka_unit_test(test_inverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
