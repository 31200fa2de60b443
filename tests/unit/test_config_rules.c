/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same for what firewall-config says: rules of all kinds, and ipsets. */
#include "config_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

/* ---- egress rules ---- */

static void test_rule_defaults(void **state)
{
	const struct rule *rule = accept_rule(*state, "{\"action\": \"allow\"}");

	assert_int_equal(rule->action, ACTION_ALLOW);
	assert_int_equal(rule->proto, PROTO_ANY);
	assert_int_equal(rule->n_ports, 0);
	assert_int_equal(rule->to, DEST_ALL);
	assert_null(rule->hostname);
	assert_null(rule->comment);
	assert_false(rule->icmp4.set);
	assert_false(rule->icmp6.set);
}

static void test_ports(void **state)
{
	struct fixture *f = *state;

	assert_ports(accept_rule(f, "{\"proto\": \"tcp\", \"ports\": [443, \"80\", 443]}"),
		     "80-80 443-443");
	assert_ports(accept_rule(f, "{\"proto\": \"udp\", \"ports\":"
				    " [\"8000-8100\", 8101, \"8050-9000\", 1, 65535]}"),
		     "1-1 8000-9000 65535-65535");
	assert_int_equal(f->policy.networks[0].egress[0].proto, PROTO_UDP);
}

static void test_destinations(void **state)
{
	static const struct {
		const char *rule;
		enum dest to;
		const char *prefix;
	} cases[] = {
		{ "{\"to\": \"cidr\", \"cidr\": \"172.30.77.5/12\"}", DEST_CIDR, "172.16.0.0/12" },
		{ "{\"to\": \"cidr\", \"cidr\": \"203.0.113.77\"}", DEST_CIDR, "203.0.113.77/32" },
		{ "{\"to\": \"cidr\", \"cidr\": \"192.0.2.128/255.255.255.192\"}", DEST_CIDR,
		  "192.0.2.128/26" },
		{ "{\"to\": \"cidr\", \"cidr\": \"0.0.0.0/0\"}", DEST_CIDR, "0.0.0.0/0" },
		{ "{\"to\": \"cidr\", \"cidr\": \"2001:db8::1/32\"}", DEST_CIDR, "2001:db8::/32" },
		{ "{\"action\": \"drop\", \"cidr\": \"10.0.0.0/8\"}", DEST_CIDR, "10.0.0.0/8" },
		{ "{\"to\": \"ip\", \"ip\": \"198.51.100.7\"}", DEST_IP, "198.51.100.7/32" },
		{ "{\"to\": \"ip\", \"ip\": \"2001:DB8::7\"}", DEST_IP, "2001:db8::7/128" },
		{ "{\"to\": \"host\", \"host\": \"198.51.100.7\"}", DEST_IP, "198.51.100.7/32" },
		{ "{\"to\": \"host\", \"host\": \"2001:db8::7\"}", DEST_IP, "2001:db8::7/128" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct rule *rule = accept_rule(f, cases[i].rule);

		assert_int_equal(rule->to, cases[i].to);
		assert_prefix(&rule->cidr, cases[i].prefix);
		assert_null(rule->hostname);
	}
}

static void test_host_and_ipset(void **state)
{
	struct fixture *f = *state;
	const struct rule *rule = accept_rule(f, "{\"to\": \"host\", \"host\": \"DB-1.Example\"}");

	assert_int_equal(rule->to, DEST_HOSTNAME);
	assert_string_equal(rule->hostname, "db-1.example");

	rule = accept_rule(f, "{\"to\": \"ipset\", \"ipset\": \"db\"}");
	assert_int_equal(rule->to, DEST_IPSET);
	assert_int_equal(rule->ipset, 1);
	assert_string_equal(f->policy.ipsets[rule->ipset].name, "db");
}

/* Rules may stand before the ipsets that they name. */
static void test_ipsets_behind(void **state)
{
	struct fixture *f = *state;

	accept_files(f, AMBER,
		     "{\"networks\": {\"amber\": {\"egress\":"
		     " [{\"to\": \"ipset\", \"ipset\": \"web\"}]}}, \"ipsets\": {\"web\": []}}");
	assert_int_equal(f->policy.networks[0].egress[0].ipset, 0);
}

/* A name like an address is a name, but worth a warning. */
static void test_numeric_names(void **state)
{
	static const char *const names[] = { "10.0.0.256", "127.1", "010.0.0.1", "7", "0x0a.1" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(cleanup_free) char *text =
			xasprintf("{\"to\": \"host\", \"host\": \"%s\"}", names[i]);
		const struct rule *rule = accept_rule(f, text);

		assert_int_equal(rule->to, DEST_HOSTNAME);
		assert_string_equal(rule->hostname, names[i]);
		assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);
	}
}

static void test_comments(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	const struct rule *rule = accept_rule(
		f, "{\"to\": \"all\", \"comment\": \"say \\\"hi\\\" C:\\\\\", \"_note\": [null]}");

	assert_string_equal(rule->comment, "say 'hi' C:\\");
	assert_null(accept_rule(f, "{\"to\": \"all\", \"comment\": \"\"}")->comment);

	/* 127 bytes and a character of three: cut before it, not inside. */
	buf_puts(&b, "{\"to\": \"all\", \"comment\": \"");
	for (size_t i = 0; i < 127; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\xe2\x82\xac tail\"}");
	rule = accept_rule(f, buf_str(&b));
	assert_int_equal(strlen(rule->comment), 127);
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);
	buf_reset(&b);

	/* Exactly 128 bytes stay. */
	buf_puts(&b, "{\"to\": \"all\", \"comment\": \"");
	for (size_t i = 0; i < 64; i++)
		buf_puts(&b, "\xc3\xa9");
	buf_puts(&b, "\"}");
	rule = accept_rule(f, buf_str(&b));
	assert_int_equal(strlen(rule->comment), COMMENT_MAX);
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 0);
	buf_free(&b);
}

/* ---- ICMP ---- */

static void test_icmp_rules(void **state)
{
	struct fixture *f = *state;
	const struct rule *rule = accept_rule(f, "{\"proto\": \"icmp\"}");

	assert_int_equal(rule->icmp4.type, 8);
	assert_int_equal(rule->icmp6.type, 128);
	assert_true(rule->icmp4.set && rule->icmp6.set);
	assert_false(rule->icmp4.has_code || rule->icmp6.has_code);

	rule = accept_rule(f, "{\"proto\": \"icmp\", \"type\": 13}");
	assert_int_equal(rule->icmp4.type, 13);
	assert_false(rule->icmp6.set);
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 0);

	/* Errors belong to known connections; and IPv6 has no timestamps. */
	accept_rule(f, "{\"proto\": \"icmp\", \"type\": \"time-exceeded\"}");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);
	accept_rule(f, "{\"proto\": \"icmp\", \"type\": 13, \"to\": \"ip\","
		       " \"ip\": \"2001:db8::1\"}");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);
}

/* ---- nat, host, ipsets ---- */

static void test_nat(void **state)
{
	const struct network *network = accept_rules(
		*state, "nat",
		"{\"match_dport\": 3306, \"to_ip\": \"198.51.100.7\", \"to_port\": 3307},"
		"{\"proto\": \"udp\", \"match_dport\": 3306, \"to_host\": \"DB.example\","
		" \"to_port\": 65535, \"comment\": \"clone\"},"
		"{\"match_dport\": 1, \"to_host\": \"2001:db8::7\", \"to_port\": 1}");
	const struct nat_rule *nat = network->nat;

	assert_int_equal(network->n_nat, 3);
	assert_int_equal(nat[0].proto, PROTO_TCP);
	assert_int_equal(nat[0].match_dport, 3306);
	assert_int_equal(nat[0].to_port, 3307);
	assert_null(nat[0].to_host);
	assert_null(nat[0].comment);
	assert_ip(&nat[0].to_ip, "198.51.100.7");
	assert_int_equal(nat[1].proto, PROTO_UDP);
	assert_string_equal(nat[1].to_host, "db.example");
	assert_string_equal(nat[1].comment, "clone");
	assert_null(nat[2].to_host);
	assert_ip(&nat[2].to_ip, "2001:db8::7");
}

static void test_host_rules(void **state)
{
	const struct network *network =
		accept_rules(*state, "host",
			     "{\"proto\": \"udp\", \"ports\": [53]}, {\"proto\": \"icmp\"},"
			     " {\"action\": \"drop\", \"comment\": \"rest\"}");

	assert_int_equal(network->n_host_rules, 3);
	assert_ports(&network->host_rules[0], "53-53");
	assert_int_equal(network->host_rules[0].to, DEST_ALL);
	assert_int_equal(network->host_rules[1].icmp4.type, 8);
	assert_int_equal(network->host_rules[2].action, ACTION_DROP);
	assert_string_equal(network->host_rules[2].comment, "rest");
}

static void test_ipsets(void **state)
{
	static const char *const prefixes[] = { "10.0.0.0/8", "198.18.0.0/15", "198.51.100.7/32",
						"2001:db8::/32" };
	struct fixture *f = *state;

	accept_files(f, AMBER,
		     "{\"ipsets\": {\"_why\": \"x\", \"comment\": 7, \"none\": [], \"Mixed-1.x\":"
		     " [\"b.example\", \"198.51.100.7\", \"2001:db8:1::/48\", \"A.example\","
		     "  \"10.1.2.3\", \"a.EXAMPLE\", \"10.0.0.0/8\", \"2001:db8::/32\","
		     "  \"10.0.0.0/9\", \"198.51.100.7/32\", \"198.19.0.0/15\","
		     "  \"2001:db8::7\"]}}");
	assert_int_equal(f->policy.n_ipsets, 2);
	assert_string_equal(f->policy.ipsets[0].name, "none");
	assert_int_equal(f->policy.ipsets[0].n_hostnames, 0);
	assert_int_equal(f->policy.ipsets[0].n_prefixes, 0);

	const struct ipset *mixed = &f->policy.ipsets[1];

	assert_string_equal(mixed->name, "Mixed-1.x");
	assert_int_equal(mixed->n_hostnames, 2);
	assert_string_equal(mixed->hostnames[0], "a.example");
	assert_string_equal(mixed->hostnames[1], "b.example");
	assert_int_equal(mixed->n_prefixes, ARRAY_SIZE(prefixes));
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		assert_prefix(&mixed->prefixes[i], prefixes[i]);
	assert_int_equal(f->diags.n, 0);
}

/* A rule whose keys were forgotten looks like one that means everything. */
static void test_allows_all(void **state)
{
	static const struct {
		const char *rule;
		size_t notes;
	} cases[] = {
		{ "{\"action\": \"allow\"}", 1 },
		{ "{\"action\": \"allow\", \"comment\": \"x\", \"proto\": null}", 1 },
		{ "{\"to\": \"all\"}", 0 },
		{ "{\"action\": \"allow\", \"to\": \"all\"}", 0 },
		{ "{\"proto\": \"tcp\"}", 0 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		accept_rule(f, cases[i].rule);
		assert_int_equal(f->diags.count[SEVERITY_NOTE], cases[i].notes);
		if (cases[i].notes > 0)
			assert_non_null(strstr(f->diags.items[0].hint, "\"to\": \"all\""));
	}
	accept_rules(f, "host", "{\"action\": \"allow\"}");
	assert_int_equal(f->diags.n, 0);
}

/* Separators are no rules, and a rule's index is its place in the file. */
static void test_separators(void **state)
{
	static const char list[] = "{\"_\": 1}, {\"action\": \"drop\", \"proto\": \"udp\"},"
				   " {\"comment\": \"--\"}, {\"action\": \"drop\"}, {\"_x\": null}";
	const struct network *network = accept_rules(*state, "egress", list);

	assert_int_equal(network->n_egress, 2);
	assert_int_equal(network->egress[0].index, 1);
	assert_int_equal(network->egress[0].proto, PROTO_UDP);
	assert_int_equal(network->egress[1].index, 3);
	network = accept_rules(*state, "host", list);
	assert_int_equal(network->n_host_rules, 2);
	assert_int_equal(network->host_rules[1].index, 3);
	network = accept_rules(*state, "nat",
			       "{\"comment\": \"--\"}, {\"match_dport\": 1, \"to_ip\":"
			       " \"198.51.100.1\", \"to_port\": 2}");
	assert_int_equal(network->n_nat, 1);
	assert_int_equal(network->nat[0].index, 1);
	network = accept_rules(*state, "egress", "{\"comment\": \"--\"}");
	assert_int_equal(network->n_egress, 0);
	assert_false(network_managed(network));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_rule_defaults),  TEST(test_ports),	     TEST(test_destinations),
		TEST(test_host_and_ipset), TEST(test_ipsets_behind), TEST(test_numeric_names),
		TEST(test_comments),	   TEST(test_icmp_rules),    TEST(test_nat),
		TEST(test_host_rules),	   TEST(test_ipsets),	     TEST(test_allows_all),
		TEST(test_separators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
