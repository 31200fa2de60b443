/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations that are accepted: what the model holds then. Refused ones and their messages are
 * in tests/golden/.
 */
#include "config_fixture.h"

#include "dockside/base/diag.h"
#include "dockside/base/util.h"

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

/* The dockside container's address alone says who it is, and nobody sees to it that others do not take it. */
static void test_bind_off(void **state)
{
	static const struct {
		const char *keys;
		size_t notes, warnings;
	} cases[] = {
		{ "\"dockside_ip\": \"192.0.2.2\", \"bind\": \"off\"", 1, 0 },
		{ "\"dockside_ip\": \"192.0.2.2\", \"bind\": \"strict\"", 0, 0 },
		{ "\"dockside_ip\": \"192.0.2.2\"", 0, 0 },
		{ "\"dockside_ip\": \"192.0.2.2\", \"bind\": \"off\", "
		  "\"dockside_mac\": \"02:00:5e:00:53:01\"",
		  0, 0 },
		{ "\"bind\": \"off\", \"extra\": [\"10.0.0.0/8\"]", 0, 1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(cleanup_free) char *network = xasprintf(
			"{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\", %s}]}",
			cases[i].keys);

		accept_files(f, network, "{}");
		assert_int_equal(f->diags.count[SEVERITY_NOTE], cases[i].notes);
		assert_int_equal(f->diags.count[SEVERITY_WARNING], cases[i].warnings);
	}
}

static void test_extra(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0x5e, 0, 0x53, 1 };
	struct fixture *f = *state;
	const struct network *network;
	char text[ADDR_STRLEN];

	accept_files(f,
		     "{\"networks\": [{\"name\": \"amber\", \"subnet\": \"192.0.2.0/24\", "
		     "\"bind\": \"strict\", \"extra\": [\"02:00:5e:00:53:01\", \"192.0.2.77\", "
		     "\"10:2:3:4:5:6:7:89\", \"10.0.0.9/255.0.0.0\"]}]}",
		     "{}");
	network = &f->policy.networks[0];
	assert_int_equal(network->bind, BIND_STRICT);
	assert_int_equal(network->n_extra_macs, 1);
	assert_memory_equal(network->extra_macs[0], mac, sizeof(mac));
	assert_int_equal(network->n_extra, 3);
	assert_string_equal(prefix_format(&network->extra[0], text), "192.0.2.77/32");
	assert_string_equal(prefix_format(&network->extra[1], text), "10:2:3:4:5:6:7:89/128");
	assert_string_equal(prefix_format(&network->extra[2], text), "10.0.0.0/8");
	accept_files(f, AMBER, "{}");
	assert_int_equal(f->policy.networks[0].bind, BIND_LEARN);
	assert_int_equal(f->policy.networks[0].n_extra, 0);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_network_defaults),
		TEST(test_network_all_keys),
		TEST(test_network_names),
		TEST(test_network_comment),
		TEST(test_managed),
		TEST(test_lint),
		TEST(test_old_gateway),
		TEST(test_mtu),
		TEST(test_failure),
		TEST(test_load_missing),
		TEST(test_bind_off),
		TEST(test_extra),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
