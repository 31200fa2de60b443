/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations that are accepted: what the model holds then. Refused ones and their messages are
 * in tests/golden/.
 */
#include "policy_fixture.h"

struct fixture {
	struct policy policy;
	struct diags diags;
};

#define AMBER "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\"}]}"

static bool parse_files(struct fixture *f, const char *network, const char *firewall)
{
	policy_free(&f->policy);
	diags_free(&f->diags);
	f->policy.network_src = text_src("network.json", network);
	f->policy.firewall_src = text_src("firewall.json", firewall);
	return config_parse(&f->policy, &f->diags);
}

static void accept_files(struct fixture *f, const char *network, const char *firewall)
{
	if (!parse_files(f, network, firewall)) {
		diags_print(&f->diags, stderr);
		fail_msg("refused: %s %s", network, firewall);
	}
}

/* The policy of network amber with one list of rules. */
static const struct network *accept_rules(struct fixture *f, const char *list, const char *rules)
{
	cleanup(cleanup_free) char *firewall =
		xasprintf("{\"ipsets\": {\"web\": [], \"db\": []},"
			  " \"networks\": {\"amber\": {\"%s\": [%s]}}}",
			  list, rules);

	accept_files(f, AMBER, firewall);
	return &f->policy.networks[0];
}

static const struct rule *accept_rule(struct fixture *f, const char *rule)
{
	const struct network *network = accept_rules(f, "egress", rule);

	assert_int_equal(network->n_egress, 1);
	return &network->egress[0];
}

static void assert_ip(const struct ipaddr *addr, const char *text)
{
	char s[ADDR_STRLEN];

	assert_string_equal(ipaddr_format(addr, s), text);
}

static void assert_prefix(const struct prefix *prefix, const char *text)
{
	char s[ADDR_STRLEN];

	assert_string_equal(prefix_format(prefix, s), text);
}

static void assert_ports(const struct rule *rule, const char *text)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < rule->n_ports; i++)
		buf_printf(&b, "%s%u-%u", i ? " " : "", rule->ports[i].lo, rule->ports[i].hi);
	assert_string_equal(buf_str(&b), text);
	buf_free(&b);
}

/* ---- network-config ---- */

static void test_empty(void **state)
{
	struct fixture *f = *state;

	accept_files(f, "{\"networks\": []}", "{}");
	assert_int_equal(f->policy.n_networks, 0);
	assert_int_equal(f->policy.n_ipsets, 0);
	assert_int_equal(f->diags.n, 0);
}

static void test_network_defaults(void **state)
{
	struct fixture *f = *state;

	accept_files(f, "{\"networks\": [{\"name\": \"Amber\", \"subnet\": \"10.0.0.129/25\"}]}",
		     "{\"networks\": {}}");
	assert_int_equal(f->policy.n_networks, 1);

	const struct network *network = &f->policy.networks[0];

	assert_string_equal(network->name, "Amber");
	assert_string_equal(network->bridge, "amber");
	assert_prefix(&network->subnet, "10.0.0.128/25");
	assert_ip(&network->gateway, "10.0.0.129");
	assert_false(network->has_subnet6);
	assert_false(network->has_dockside_ip);
	assert_false(network->has_dockside_ip6);
	assert_false(network->has_dockside_mac);
	assert_false(network->dockside_policed);
	assert_false(network_managed(network));
}

static void test_network_all_keys(void **state)
{
	static const uint8_t mac[6] = { 0x02, 0x5d, 0, 0, 0x0b, 0x0c };
	struct fixture *f = *state;

	accept_files(
		f,
		"{\"_comment\": [1], \"networks\": [{\"name\": \"a.b_c-9\", \"comment\": {},"
		" \"subnet\": \"192.0.2.0/255.255.255.0\", \"subnet6\": \"2001:db8::7/64\","
		" \"gateway_ip\": \"192.0.2.254\", \"dockside_ip\": \"192.0.2.2\","
		" \"dockside_ip6\": \"2001:DB8::2\", \"dockside_mac\": \"02:5D:00:00:0b:0C\","
		" \"dockside_egress\": \"policed\"}]}",
		"{\"comment\": null, \"networks\": {\"_x\": 1, \"a.b_c-9\": {\"comment\": 2}}}");

	const struct network *network = &f->policy.networks[0];

	assert_string_equal(network->name, "a.b_c-9");
	assert_prefix(&network->subnet, "192.0.2.0/24");
	assert_true(network->has_subnet6);
	assert_prefix(&network->subnet6, "2001:db8::/64");
	assert_ip(&network->gateway, "192.0.2.254");
	assert_true(network->has_dockside_ip && network->has_dockside_ip6);
	assert_ip(&network->dockside_ip, "192.0.2.2");
	assert_ip(&network->dockside_ip6, "2001:db8::2");
	assert_true(network->has_dockside_mac);
	assert_memory_equal(network->dockside_mac, mac, sizeof(mac));
	assert_true(network->dockside_policed);
	assert_true(network_managed(network));
}

static void test_network_names(void **state)
{
	static const char *const names[] = {
		"0",	   "9lives", "drop", "flush",		"inet",
		"default", "all",    "a.b",  "fifteen-letters", "X_-."
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(cleanup_free) char *text = xasprintf(
			"{\"networks\": [{\"name\": \"%s\", \"subnet\": \"192.0.2.0/30\"}]}",
			names[i]);

		accept_files(f, text, "{}");
		assert_string_equal(f->policy.networks[0].name, names[i]);
	}
}

/* The key "comment" is free text, unless a network has that name. */
static void test_network_comment(void **state)
{
	struct fixture *f = *state;

	accept_files(f, AMBER, "{\"networks\": {\"comment\": {\"egres\": 1}}}");
	accept_files(f, "{\"networks\": [{\"name\": \"comment\", \"subnet\": \"192.0.2.0/24\"}]}",
		     "{\"networks\": {\"comment\": {\"egress\": [{\"action\": \"drop\"}]}}}");
	assert_int_equal(f->policy.networks[0].n_egress, 1);
}

static void test_managed(void **state)
{
	static const struct {
		const char *network, *firewall;
		bool managed;
	} cases[] = {
		{ "\"comment\": \"x\"", "{\"egress\": [], \"nat\": [], \"host\": []}", false },
		{ "\"gateway_ip\": \"192.0.2.1\"", "{}", false },
		{ "\"dockside_ip\": \"192.0.2.2\"", "{}", true },
		{ "\"dockside_mac\": \"02:00:5e:00:53:01\"", "{}", true },
		{ "\"subnet6\": \"2001:db8::/64\"", "{}", false },
		{ "\"subnet6\": \"2001:db8::/64\", \"dockside_ip6\": \"2001:db8::2\"", "{}", true },
		{ "\"_\": 0", "{\"egress\": [{\"to\": \"all\"}]}", true },
		{ "\"_\": 0",
		  "{\"nat\": [{\"match_dport\": 1, \"to_ip\": \"192.0.2.9\", \"to_port\": 1}]}",
		  true },
		{ "\"_\": 0", "{\"host\": [{\"action\": \"drop\"}]}", true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(cleanup_free) char *network = xasprintf(
			"{\"networks\": [{\"name\": \"a\", \"subnet\": \"192.0.2.0/24\", %s}]}",
			cases[i].network);
		cleanup(cleanup_free) char *firewall =
			xasprintf("{\"networks\": {\"a\": %s}}", cases[i].firewall);

		accept_files(f, network, firewall);
		assert_int_equal(network_managed(&f->policy.networks[0]), cases[i].managed);
	}
}

/* ---- egress rules ---- */

static void test_rule_defaults(void **state)
{
	const struct rule *rule = accept_rule(*state, "{\"action\": \"allow\"}");

	assert_int_equal(rule->action, ACTION_ALLOW);
	assert_int_equal(rule->proto, PROTO_ANY);
	assert_int_equal(rule->n_ports, 0);
	assert_int_equal(rule->to, DEST_ALL);
	assert_null(rule->host);
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
		assert_null(rule->host);
	}
}

static void test_host_and_ipset(void **state)
{
	struct fixture *f = *state;
	const struct rule *rule = accept_rule(f, "{\"to\": \"host\", \"host\": \"DB-1.Example\"}");

	assert_int_equal(rule->to, DEST_HOST);
	assert_string_equal(rule->host, "db-1.example");

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

		assert_int_equal(rule->to, DEST_HOST);
		assert_string_equal(rule->host, names[i]);
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

	assert_int_equal(network->n_host, 3);
	assert_ports(&network->host[0], "53-53");
	assert_int_equal(network->host[0].to, DEST_ALL);
	assert_int_equal(network->host[1].icmp4.type, 8);
	assert_int_equal(network->host[2].action, ACTION_DROP);
	assert_string_equal(network->host[2].comment, "rest");
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

/* ---- warnings, notes, failure ---- */

static void test_lint(void **state)
{
	struct fixture *f = *state;

	accept_rules(f, "egress", "{\"proto\": \"tcp\"}, {\"action\": \"drop\"}");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 0);
	assert_int_equal(f->diags.count[SEVERITY_NOTE], 1);

	accept_rules(f, "egress",
		     "{\"action\": \"drop\"}, {\"proto\": \"tcp\"}, {\"to\": \"all\"}");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);
	assert_int_equal(f->diags.count[SEVERITY_NOTE], 0);

	accept_rules(f, "host", "{\"action\": \"allow\"}, {\"action\": \"drop\"}");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 1);

	accept_files(f, AMBER,
		     "{\"networks\": {\"amber\": {\"egress\": [{\"action\": \"drop\"}],"
		     " \"host\": [{\"action\": \"drop\"}]}}}");
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

/* "gateway_ip" was the dockside container's address once. */
static void test_old_gateway(void **state)
{
	static const struct {
		const char *network, *rules;
		size_t notes;
	} cases[] = {
		{ "\"gateway_ip\": \"192.0.2.2\"", "[{\"to\": \"all\"}]", 1 },
		{ "\"gateway_ip\": \"192.0.2.2\"", "[]", 0 }, /* not managed */
		{ "\"gateway_ip\": \"192.0.2.1\"", "[{\"to\": \"all\"}]", 0 },
		{ "\"gateway_ip\": \"192.0.2.2\", \"dockside_ip\": \"192.0.2.3\"", "[]", 0 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(cleanup_free) char *network = xasprintf(
			"{\"networks\": [{\"name\": \"a\", \"subnet\": \"192.0.2.0/24\", %s}]}",
			cases[i].network);
		cleanup(cleanup_free) char *firewall =
			xasprintf("{\"networks\": {\"a\": {\"egress\": %s}}}", cases[i].rules);

		accept_files(f, network, firewall);
		assert_int_equal(f->diags.count[SEVERITY_NOTE], cases[i].notes);
		if (cases[i].notes > 0)
			assert_non_null(strstr(f->diags.items[0].hint, "\"dockside_ip\" now"));
	}
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
	assert_int_equal(network->n_host, 2);
	assert_int_equal(network->host[1].index, 3);
	network = accept_rules(*state, "nat",
			       "{\"comment\": \"--\"}, {\"match_dport\": 1, \"to_ip\":"
			       " \"198.51.100.1\", \"to_port\": 2}");
	assert_int_equal(network->n_nat, 1);
	assert_int_equal(network->nat[0].index, 1);
	network = accept_rules(*state, "egress", "{\"comment\": \"--\"}");
	assert_int_equal(network->n_egress, 0);
	assert_false(network_managed(network));
}

static void test_mtu(void **state)
{
	struct fixture *f = *state;

	accept_files(f, AMBER, "{}");
	assert_false(f->policy.networks[0].has_mtu);
	accept_files(
		f,
		"{\"networks\": [{\"name\": \"a\", \"subnet\": \"10.0.0.0/24\", \"mtu\": 9000}]}",
		"{}");
	assert_true(f->policy.networks[0].has_mtu);
	assert_int_equal(f->policy.networks[0].mtu, 9000);
}

/* A refused configuration leaves nothing but its sources, which the messages point into. */
static void test_failure(void **state)
{
	struct fixture *f = *state;

	assert_false(parse_files(f, AMBER, "{\"networks\": {\"birch\": {}}}"));
	assert_null(f->policy.networks);
	assert_int_equal(f->policy.n_networks, 0);
	assert_int_equal(f->policy.n_ipsets, 0);
	assert_non_null(f->policy.network_src.text);
	assert_int_equal(f->diags.count[SEVERITY_ERROR], 1);
	assert_ptr_equal(f->diags.items[0].loc.src, &f->policy.firewall_src);
}

static void test_load_missing(void **state)
{
	struct fixture *f = *state;

	assert_false(
		config_load("/nonexistent/n.json", "/nonexistent/f.json", &f->policy, &f->diags));
	assert_int_equal(f->diags.count[SEVERITY_ERROR], 2);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(proto_name(PROTO_ANY), "any");
	assert_string_equal(proto_name(PROTO_ICMP), "icmp");
	assert_string_equal(action_name(ACTION_DROP), "drop");
	assert_string_equal(dest_name(DEST_IPSET), "ipset");
	policy_free(NULL);
}

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	diags_free(&f->diags);
	policy_free(&f->policy);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_network_defaults),
		TEST(test_network_all_keys),
		TEST(test_network_names),
		TEST(test_network_comment),
		TEST(test_managed),
		TEST(test_rule_defaults),
		TEST(test_ports),
		TEST(test_destinations),
		TEST(test_host_and_ipset),
		TEST(test_ipsets_behind),
		TEST(test_numeric_names),
		TEST(test_comments),
		TEST(test_allows_all),
		TEST(test_old_gateway),
		TEST(test_separators),
		TEST(test_mtu),
		TEST(test_icmp_rules),
		TEST(test_nat),
		TEST(test_host_rules),
		TEST(test_ipsets),
		TEST(test_lint),
		TEST(test_failure),
		TEST(test_load_missing),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
