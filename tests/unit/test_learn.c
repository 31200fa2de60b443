/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events to the rules that would have allowed them, which are a valid configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/report/learn.h"
#include "dockside/table/plan.h"

static void add(struct learn *learn, const char *event)
{
	struct src src = { .text = xstrdup(event), .len = strlen(event) };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };

	assert_true(json_parse(&src, &tree, &diags));
	learn_add(learn, tree.root);
	json_tree_free(&tree);
	diags_free(&diags);
	src_free(&src);
}

static void add_port(struct learn *learn, const char *kind, const char *destination,
		     const char *name, const char *protocol, int port)
{
	cleanup(cleanup_free) char *quoted = name ? xasprintf("\"%s\"", name) : xstrdup("null");
	cleanup(cleanup_free) char *event =
		xasprintf("{\"kind\":\"%s\",\"destination\":\"%s\",\"name\":%s,"
			  "\"protocol\":\"%s\",\"%s\":%d}",
			  kind, destination, quoted, protocol,
			  strncmp(protocol, "icmp", 4) == 0 ? "icmp_type" : "port", port);

	add(learn, event);
}

/* It is what is expected, and `check` has nothing against it. */
static void assert_learnt(struct learn *learn, const char *expected)
{
	static const char network[] =
		"{\"networks\":[{\"name\":\"abcdefghijklmno\",\"subnet\":\"192.0.2.0/24\"}]}";
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	struct buf b = { 0 };

	learn_print(learn, "abcdefghijklmno", &b);
	assert_string_equal(buf_str(&b), expected);
	policy.network_src = (struct src){ xstrdup("n"), xstrdup(network), strlen(network) };
	policy.firewall_src = (struct src){ xstrdup("f"), xstrdup(b.data), b.len };
	assert_true(config_parse(&policy, &diags));
	assert_int_equal(diags.n, 0);
	diags_free(&diags);
	policy_free(&policy);
	buf_free(&b);
	learn_free(learn);
}

static void test_nothing(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	assert_learnt(&learn, "{\n"
			      "  \"networks\": {\n"
			      "    \"abcdefghijklmno\": {\n"
			      "      \"egress\": []\n"
			      "    }\n"
			      "  }\n"
			      "}\n");
}

/* Neither a rule that is there, nor a comment that ends early. */
static void test_allowed(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		add(&learn,
		    "{\"kind\":\"OUT\",\"destination\":\"198.51.100.1\",\"name\":\"pool.example\","
		    "\"name_from\":\"lookup\",\"protocol\":\"tcp\",\"port\":443,"
		    "\"allowed_by\":\"egress[1]\"}");
	add(&learn, "{\"kind\":\"OUT\",\"destination\":\"198.51.100.2\",\"name\":null,"
		    "\"protocol\":\"tcp\",\"port\":443,\"allowed_by\":\"egress[0]\"}");
	add(&learn, "{\"kind\":\"OUT\",\"destination\":\"198.51.100.3\",\"name\":null,"
		    "\"protocol\":\"tcp\",\"port\":443,\"allowed_by\":\"x {\"}");
	assert_learnt(
		&learn,
		"// Allowed already, and therefore not in here. Packets that were refused all the "
		"same are "
		"from before that rule, or went\n"
		"// to addresses that the daemon did not know for the name, as DNS had told it "
		"others. What helps then: one\n"
		"// caching resolver for containers and host, a longer IPSET_STALE_TTL, or a rule "
		"for the networks of these.\n"
		"//   pool.example by egress[1]: 2 packets\n"
		"//   198.51.100.2 by egress[0]: 1 packet\n"
		"{\n"
		"  \"networks\": {\n"
		"    \"abcdefghijklmno\": {\n"
		"      \"egress\": [\n"
		"        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ip\", \"ip\": "
		"\"198.51.100.3\", \"action\": \"allow\" } // 1 packet\n"
		"      ]\n"
		"    }\n"
		"  }\n"
		"}\n");
}

static void test_rules(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	add_port(&learn, "OUT", "198.51.100.1", NULL, "tcp", 443);
	for (int i = 0; i < 3; i++)
		add_port(&learn, "OUT", "198.51.100.2", "db.example", "tcp", 5432);
	add_port(&learn, "OUT", "2001:db8::2", "db.example", "tcp", 5433);
	add_port(&learn, "OUT", "2001:db8::3", NULL, "udp", 53);
	add_port(&learn, "OUT", "2001:db8::3", NULL, "icmpv6", 128);
	add_port(&learn, "OUT", "198.51.100.4", NULL, "icmp", 13);
	add_port(&learn, "OUT", "198.51.100.4", NULL, "icmp", 8);
	add_port(&learn, "HOST", "192.0.2.1", NULL, "udp", 53);
	add_port(&learn, "HOST", "192.0.2.9", "db.example", "udp", 123);
	assert_learnt(&learn,
		      "{\n"
		      "  \"ipsets\": {\n"
		      "    \"learnt-abcdefghijklmno-1\": [\n"
		      "      \"198.51.100.4\",\n"
		      "      \"2001:db8::3\"\n"
		      "    ]\n"
		      "  },\n"
		      "  \"networks\": {\n"
		      "    \"abcdefghijklmno\": {\n"
		      "      \"egress\": [\n"
		      "        { \"proto\": \"tcp\", \"ports\": [5432, 5433], \"to\": \"host\", "
		      "\"host\": \"db.example\", \"action\": \"allow\" }, // 4 packets\n"
		      "        { \"proto\": \"icmp\", \"type\": 8, \"to\": \"ipset\", \"ipset\": "
		      "\"learnt-abcdefghijklmno-1\", \"action\": \"allow\" }, // 2 packets\n"
		      "        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ip\", \"ip\": "
		      "\"198.51.100.1\", \"action\": \"allow\" }, // 1 packet\n"
		      "        { \"proto\": \"icmp\", \"type\": 13, \"to\": \"ip\", \"ip\": "
		      "\"198.51.100.4\", \"action\": \"allow\" }, // 1 packet\n"
		      "        { \"proto\": \"udp\", \"ports\": [53], \"to\": \"ip\", \"ip\": "
		      "\"2001:db8::3\", \"action\": \"allow\" } // 1 packet\n"
		      "      ],\n"
		      "      \"host\": [\n"
		      "        { \"proto\": \"udp\", \"ports\": [53, 123], \"action\": \"allow\" } "
		      "// 2 packets\n"
		      "      ]\n"
		      "    }\n"
		      "  }\n"
		      "}\n");
}

static void test_ipsets(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	add_port(&learn, "OUT", "198.51.100.1", NULL, "udp", 53);
	for (int i = 0; i < 2; i++)
		add_port(&learn, "OUT", "198.51.100.2", "a.example", "tcp", 443);
	add_port(&learn, "OUT", "2001:db8::3", NULL, "tcp", 443);
	add_port(&learn, "OUT", "198.51.100.4", NULL, "udp", 53);
	add_port(&learn, "OUT", "198.51.100.5", NULL, "tcp", 80); /* not alike: another port, too */
	add_port(&learn, "OUT", "198.51.100.5", NULL, "tcp", 443);
	assert_learnt(
		&learn,
		"{\n"
		"  \"ipsets\": {\n"
		"    \"learnt-abcdefghijklmno-1\": [\n"
		"      \"a.example\",\n"
		"      \"2001:db8::3\"\n"
		"    ],\n"
		"    \"learnt-abcdefghijklmno-2\": [\n"
		"      \"198.51.100.1\",\n"
		"      \"198.51.100.4\"\n"
		"    ]\n"
		"  },\n"
		"  \"networks\": {\n"
		"    \"abcdefghijklmno\": {\n"
		"      \"egress\": [\n"
		"        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": "
		"\"learnt-abcdefghijklmno-1\", \"action\": \"allow\" }, // 3 packets\n"
		"        { \"proto\": \"tcp\", \"ports\": [80, 443], \"to\": \"ip\", \"ip\": "
		"\"198.51.100.5\", \"action\": \"allow\" }, // 2 packets\n"
		"        { \"proto\": \"udp\", \"ports\": [53], \"to\": \"ipset\", \"ipset\": "
		"\"learnt-abcdefghijklmno-2\", \"action\": \"allow\" } // 2 packets\n"
		"      ]\n"
		"    }\n"
		"  }\n"
		"}\n");
}

static void add_looked_up(struct learn *learn, const char *destination, const char *name,
			  const char *from, int port)
{
	cleanup(cleanup_free) char *event =
		xasprintf("{\"kind\":\"OUT\",\"destination\":\"%s\",\"name\":\"%s\","
			  "\"name_from\":\"%s\",\"protocol\":\"tcp\",\"port\":%d}",
			  destination, name, from, port);

	add(learn, event);
}

/* The reader has to judge such names. */
static void test_hearsay_is_marked(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		add_looked_up(&learn, "198.51.100.1", "a.example", "lookup", 443);
	add_looked_up(&learn, "198.51.100.2", "b.example", "lookup", 443);
	add_looked_up(&learn, "198.51.100.2", "b.example", "configuration", 443);
	add_looked_up(&learn, "198.51.100.3", "c.example", "lookup", 22);
	add_looked_up(&learn, "198.51.100.4", "d.example", "configuration", 25);
	add_looked_up(&learn, "198.51.100.5", "odd~name.example", "lookup", 80);
	assert_learnt(
		&learn,
		"// looked up: by what the containers were told, whoever it was that they asked. "
		"Judge these\n"
		"// names before you allow them: what is allowed is what the daemon finds under a "
		"name.\n"
		"{\n"
		"  \"ipsets\": {\n"
		"    \"learnt-abcdefghijklmno-1\": [\n"
		"      \"a.example\", // looked up\n"
		"      \"b.example\"\n"
		"    ]\n"
		"  },\n"
		"  \"networks\": {\n"
		"    \"abcdefghijklmno\": {\n"
		"      \"egress\": [\n"
		"        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": "
		"\"learnt-abcdefghijklmno-1\", \"action\": \"allow\" }, // 5 packets\n"
		"        { \"proto\": \"tcp\", \"ports\": [80], \"to\": \"ip\", \"ip\": "
		"\"198.51.100.5\", \"action\": \"allow\" }, // 1 packet\n"
		"        { \"proto\": \"tcp\", \"ports\": [22], \"to\": \"host\", "
		"\"host\": \"c.example\", \"action\": \"allow\" }, // 1 packet, looked up\n"
		"        { \"proto\": \"tcp\", \"ports\": [25], \"to\": \"host\", "
		"\"host\": \"d.example\", \"action\": \"allow\" } // 1 packet\n"
		"      ]\n"
		"    }\n"
		"  }\n"
		"}\n");
}

#define REFUSED                                                                          \
	"{\"kind\":\"OUT\",\"destination\":\"198.51.100.%d\",\"name\":%s,\"name_from\":" \
	"\"lookup\","                                                                    \
	"\"protocol\":\"tcp\",\"port\":443%s}"

static void add_refused(struct learn *learn, int address, const char *name, const char *more)
{
	cleanup(cleanup_free) char *event = xasprintf(REFUSED, address, name, more);

	add(learn, event);
}

/* Somebody meant these rules: what they drop is not mixed with what no rule was about. */
static void test_dropped_on_purpose(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		add_refused(&learn, 1, "null", "");
	add_refused(&learn, 2, "null", ",\"on_purpose\":true");
	add_refused(&learn, 3, "null", ",\"dropped_by\":\"egress[4]\"");
	add_refused(&learn, 4, "\"a.example\"", ",\"dropped_by\":\"egress[4]\"");
	add_refused(&learn, 5, "null", ",\"dropped_by\":\"egress[4] }\"");
	for (int i = 0; i < 2; i++)
		add(&learn, "{\"kind\":\"HOST\",\"destination\":\"192.0.2.1\",\"protocol\":\"udp\","
			    "\"port\":53,\"dropped_by\":\"host[2]\"}");
	assert_learnt(
		&learn,
		"// looked up: by what the containers were told, whoever it was that they asked. "
		"Judge these\n"
		"// names before you allow them: what is allowed is what the daemon finds under a "
		"name.\n"
		"// dropped: by a rule that says what it drops, so somebody meant that. Behind "
		"that "
		"rule another one has no\n"
		"// effect; dsfw-nft allow puts one before it, or says which rule to change.\n"
		"{\n"
		"  \"ipsets\": {\n"
		"    \"learnt-abcdefghijklmno-1\": [\n"
		"      \"198.51.100.2\", // a rule dropped it on purpose\n"
		"      \"198.51.100.3\", // egress[4] drops it\n"
		"      \"198.51.100.5\", // a rule dropped it on purpose\n"
		"      \"a.example\" // looked up, egress[4] drops it\n"
		"    ]\n"
		"  },\n"
		"  \"networks\": {\n"
		"    \"abcdefghijklmno\": {\n"
		"      \"egress\": [\n"
		"        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ipset\", \"ipset\": "
		"\"learnt-abcdefghijklmno-1\", \"action\": \"allow\" }, // 4 packets\n"
		"        { \"proto\": \"tcp\", \"ports\": [443], \"to\": \"ip\", \"ip\": "
		"\"198.51.100.1\", \"action\": \"allow\" } // 2 packets\n"
		"      ],\n"
		"      \"host\": [\n"
		"        { \"proto\": \"udp\", \"ports\": [53], \"action\": \"allow\" } // 2 "
		"packets, "
		"host[2] drops it\n"
		"      ]\n"
		"    }\n"
		"  }\n"
		"}\n");
}

static void test_what_cannot_be_learnt(void **state)
{
	struct learn learn = { 0 };

	(void)state;
	add_port(&learn, "ING", "192.0.2.3", NULL, "tcp", 22);
	add_port(&learn, "SRC", "198.51.100.1", NULL, "tcp", 80);
	add_port(&learn, "DNS", "198.51.100.1", NULL, "tcp", 853);
	/* A container that pretends to be another asks for nothing that could be allowed. */
	for (size_t i = 0; i < N_BOUND_KINDS; i++)
		add_port(&learn, bound_kinds[i], "198.51.100.1", NULL, "tcp", 80);
	add(&learn, "{\"kind\":\"BIND\",\"destination\":null,\"protocol\":\"0x88cc\"}");
	add_port(&learn, "OUT", "198.51.100.1", NULL, "132", 443);   /* SCTP */
	add_port(&learn, "OUT", "2001:db8::1", NULL, "icmpv6", 135); /* without a word for it */
	add_port(&learn, "OUT", "198.51.100.1", NULL, "tcp", 0);
	add_port(&learn, "OUT", "198.51.100.1", NULL, "tcp", 65536);
	add(&learn, "{\"kind\":\"OUT\",\"destination\":\"198.51.100.1\",\"protocol\":\"tcp\"}");
	/* No events at all. */
	add(&learn, "{}");
	add(&learn, "[]");
	add(&learn, "{\"kind\":\"OUT\",\"destination\":\"\\\"x\",\"protocol\":\"tcp\",\"port\":1}");
	/* Not a name that a rule could have. */
	add_port(&learn, "OUT", "198.51.100.1", "a b", "tcp", 1);
	assert_int_equal(learn.between, 1);
	assert_int_equal(learn.past_gate, 1);
	assert_int_equal(learn.forged, 1 + N_BOUND_KINDS + 1);
	assert_int_equal(learn.unsayable, 5);
	assert_int_equal(learn.n, 1);
	assert_string_equal(learn.flows[0].dest, "198.51.100.1");
	learn_free(&learn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_ipsets),
		cmocka_unit_test(test_hearsay_is_marked),
		cmocka_unit_test(test_dropped_on_purpose),
		cmocka_unit_test(test_what_cannot_be_learnt),
	};

	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
