/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "dns" of networks, and wildcards; the messages are in tests/golden. */
#include "config_fixture.h"

static void test_defaults(void **state)
{
	struct fixture *f = *state;

	accept_files(f, AMBER, "{\"networks\": {\"amber\": {\"dns\": {}}}}");
	assert_true(f->policy.networks[0].dns.gated);
	assert_true(network_managed(&f->policy.networks[0]));
	assert_false(f->policy.networks[0].dns.has_stale);
	assert_int_equal(f->policy.n_upstream, 0);
	accept_files(f, AMBER, "{\"networks\": {\"amber\": {\"dns\": null}}}");
	assert_false(f->policy.networks[0].dns.gated);
	assert_false(network_managed(&f->policy.networks[0]));
}

static void test_all(void **state)
{
	struct fixture *f = *state;
	const struct network_dns *dns;

	accept_files(
		f, AMBER,
		"{\"dns\": {\"upstream\": [\"2001:db8::53\", \"192.0.2.53\"], \"_\": 1},\n"
		"\"networks\": {\"amber\": {\"dns\": {\"names\": [\"B.Example.\", \"*.A.example\", "
		"\"b.example\"], \"private\": [\"10.1.2.0/24\", \"10.1.0.0/16\", \"fd00::1\"], "
		"\"types\": [\"SRV\", \"MX\", \"SRV\"], \"stale\": 0, \"comment\": 1}}}}");
	dns = &f->policy.networks[0].dns;
	assert_int_equal(dns->n_names, 2);
	assert_string_equal(dns->names[0], "*.a.example");
	assert_string_equal(dns->names[1], "b.example");
	assert_int_equal(dns->n_private, 2);
	assert_prefix(&dns->private[0], "10.1.0.0/16");
	assert_int_equal(dns->n_types, 2);
	assert_string_equal(dns->types[0], "MX");
	assert_true(dns->has_stale);
	assert_int_equal(dns->stale_s, 0);
	assert_int_equal(f->policy.n_upstream, 2);
	assert_ip(&f->policy.upstream[0], "2001:db8::53"); /* in the order of the file */
}

static void test_wildcards(void **state)
{
	struct fixture *f = *state;
	const struct network *network;

	accept_files(f, AMBER,
		     "{\"ipsets\": {\"web\": [\"*.B.example\", \"a.example\", \"*.a.example.\", "
		     "\"*.b.example\"]}, \"networks\": {\"amber\": {\"dns\": {}, \"egress\": "
		     "[{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"to\": \"host\", \"host\": "
		     "\"*.Example.COM\"}]}}}");
	assert_int_equal(f->policy.ipsets[0].n_patterns, 2);
	assert_string_equal(f->policy.ipsets[0].patterns[0], "*.a.example");
	assert_int_equal(f->policy.ipsets[0].n_hostnames, 1);
	network = &f->policy.networks[0];
	assert_int_equal(network->egress[1].to, DEST_PATTERN);
	assert_string_equal(network->egress[1].hostname, "*.example.com");
	assert_true(rule_told(network, &network->egress[0]));
	assert_true(ipset_has_pattern_of(&f->policy.ipsets[0], "x.y.a.example"));
	assert_false(ipset_has_pattern_of(&f->policy.ipsets[0], "a.example"));
	assert_false(ipset_has_pattern_of(&f->policy.ipsets[0], "xa.example"));
	/* An ipset that no rule uses may have what it likes. */
	accept_files(f, AMBER, "{\"ipsets\": {\"web\": [\"*.a.example\"]}}");
	assert_false(parse_files(f, AMBER,
				 "{\"networks\": {\"amber\": {\"egress\": [{\"to\": \"host\", "
				 "\"host\": \"*.a.example\"}]}}}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_all),
		TEST(test_wildcards),
	};

	return cmocka_run_group_tests_name("config_dns", tests, NULL, NULL);
}
