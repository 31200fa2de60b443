/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script changes the kernel's table where that differs from the plan; test_diff_names.c has the
 * part of the names. */
#include "diff_fixture.h"

#include "dockside/base/util.h"

#define TABLE(chains) "table inet dockside {\n" chains "}\n"
#define CHAIN(name, rules) "chain " name " {\n" rules "}\n"
#define INVALID "ct state invalid counter drop comment \"part of no connection\"\n"
/* The rule that reports a packet; a hash of the refusing rule is in it. */
#define LOG(kind, rest)                                                               \
	"counter name \"amber-" kind "-denied\" limit name \"amber-log\" log prefix " \
	"\"dsfw/amber/" kind "/" rest "\" group 20 snaplen 128\n"
#define NEIGHBOUR(type, rest, comment) \
	"ct state untracked icmpv6 type " type " " rest "accept comment \"" comment "\"\n"
#define LISTENER(type) NEIGHBOUR(type, "ip6 daddr ff00::/8 ", "multicast listener")
#define NEIGHBOURS                                  \
	NEIGHBOUR("135", "", "neighbour discovery") \
	NEIGHBOUR("136", "", "neighbour discovery") \
	LISTENER("131") LISTENER("132") LISTENER("143")
#define ING                                                                                      \
	CHAIN("amber-ING", NEIGHBOURS                                                            \
	      "ct state untracked,invalid counter drop comment \"part of no "                    \
	      "connection\"\n" LOG("ING", "-/d5e4915e") "counter drop comment \"no connections " \
							"between containers\"\n")
#define OUT(rules) CHAIN("amber-OUT", "oifname \"amber\" goto amber-ING\n" INVALID rules)
#define ROUTER(type)                                     \
	"icmpv6 type " type                              \
	" " LOG("SRC", "-/dd84ad99") "icmpv6 type " type \
				     " counter drop comment \"a container is no router\"\n"
#define SRC                                                                                      \
	CHAIN("amber-SRC",                                                                       \
	      "ip saddr 192.0.2.2-192.0.2.254 ip daddr != 127.0.0.0/8 accept\n"                  \
	      "ip daddr 127.0.0.0/8 " LOG(                                                       \
		      "SRC",                                                                     \
		      "-/c2afcb5b") "ip daddr 127.0.0.0/8 counter drop comment \"the host's "    \
				    "loopback\"\n" ROUTER("134") ROUTER(                         \
					    "137") "ip saddr 0.0.0.0 udp dport 67 accept "       \
						   "comment \"DHCP\"\n"                          \
						   "ip6 saddr :: meta l4proto icmpv6 "           \
						   "accept comment \"duplicate address "         \
						   "detection\"\n"                               \
						   "fib saddr type unicast fib saddr . "         \
						   "iif oif exists accept comment \"it "         \
						   "routes back "                                \
						   "over the bridge\"\n" LOG(                    \
							   "SRC", "-/15427dc9") "counter drop "  \
										"comment \"its " \
										"source is not " \
										"of this "       \
										"bridge\"\n")
#define FORWARD                                                                                \
	TABLE(CHAIN("forward",                                                                 \
		    "udp sport 53 ct direction reply oifname @lookups limit rate 300/second "  \
		    "burst 300 packets log prefix \"dsfw-dns\" group 20 snaplen 1500\n"        \
		    "ct state established meta mark set meta mark | 0x10000000 "               \
		    "counter accept\n"                                                         \
		    "meta mark set meta mark | 0x10000000 iifname vmap @dispatch\n"            \
		    "meta mark set meta mark & 0xefffffff continue comment \"from no managed " \
		    "network\"\n"))

static void test_same(void **state)
{
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	expect_script(&c.plan, &actual, "");
	actual_free(&actual);
	config_done(&c);
}

static struct elem *fingerprint(struct actual *actual, const char *bridge)
{
	struct plan_set *found = set(actual, FINGERPRINT_SET);

	for (size_t i = 0; i < found->n_elems; i++)
		if (strcmp((const char *)found->elems[i].key, bridge) == 0)
			return &found->elems[i];
	fail_msg("no fingerprint of %s", bridge);
	return NULL;
}

/* The fingerprint shows that somebody changed a chain's rules. */
static void test_rules_by_hand(void **state)
{
	static const char wanted[] = "flush chain inet dockside amber-ING\n" TABLE(ING);
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	for (int i = 0; i < 4; i++) {
		struct actual_chain *ing;
		struct actual_rule saved;

		config_compile(&c);
		kernel_load(&c.plan, &actual);
		ing = chain(&actual, "amber-ING");
		saved = ing->rules[0];
		if (i == 0) { /* changed */
			ing->rules[0].hash ^= 1;
		} else if (i == 1) { /* removed */
			ing->n_rules--;
		} else if (i == 2) { /* added */
			ing->rules = array_grow(ing->rules, &ing->cap_rules, ing->n_rules,
						sizeof(*ing->rules));
			ing->rules[ing->n_rules++] = saved;
		} else { /* in another order */
			ing->rules[0] = ing->rules[1];
			ing->rules[1] = saved;
		}
		expect_script(&c.plan, &actual, wanted);
		actual_free(&actual);
		plan_free(&c.plan);
	}
	config_done(&c);
}

static void test_fingerprint_forgotten(void **state)
{
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	/* One network's fingerprints name two chains; one of them under another name. */
	fingerprint(&actual, "amber")->comment = "xING=0.0 OUT=0.0";
	expect_script(
		&c.plan, &actual,
		"flush chain inet dockside amber-ING\n"
		"flush chain inet dockside amber-OUT\n"
		"flush chain inet dockside amber-SRC\n" TABLE(ING OUT(LOG(
			"OUT", "0/a253b558") "counter goto refuse comment \"egress[0]\"\n") SRC));
	actual_free(&actual);
	config_done(&c);
}

static void test_chains_by_hand(void **state)
{
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	chain(&actual, "forward")->as_ours = false; /* priority or policy */
	expect_script(&c.plan, &actual,
		      "flush chain inet dockside forward\n"
		      "delete chain inet dockside forward\n"
		      "add chain inet dockside forward { type filter hook forward priority "
		      "filter - 1; policy accept; }\n" FORWARD);
	chain(&actual, "forward")->as_ours = true;
	chain(&actual, "forward")->name = "forwarc";
	chain(&actual, "forwarc")->base = false;
	expect_script(&c.plan, &actual,
		      "flush chain inet dockside forwarc\n"
		      "delete chain inet dockside forwarc\n"
		      "add chain inet dockside forward { type filter hook forward priority "
		      "filter - 1; policy accept; }\n" FORWARD);
	actual_free(&actual);
	config_done(&c);
}

static void test_table(void **state)
{
	struct actual actual, none = { 0 };
	struct changes changes;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	actual.dormant = true;
	expect_script(&c.plan, &actual, "add table inet dockside\n");
	diff_plan(&c.plan, &none, STALE_S, &changes);
	assert_true(changes.table);
	assert_int_equal(changes.n_chains, c.plan.n_chains);
	assert_int_equal(changes.n_sets, c.plan.n_sets);
	changes_free(&changes);
	actual_free(&actual);
	config_done(&c);
}

static void test_others(void **state)
{
	struct actual_other others[] = { { "quota", "mine" }, { "ct helper", "ftp" } };
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	actual.others = others;
	actual.n_others = 1;
	expect_script(&c.plan, &actual, "delete quota inet dockside mine\n");
	actual.n_others = 2;
	expect_script(&c.plan, &actual,
		      "delete quota inet dockside mine\n"
		      "delete ct helper inet dockside ftp\n");
	actual.others = NULL;
	actual_free(&actual);
	config_done(&c);
}

#define COUNTER(name) "add counter inet dockside " name " { }\n"
#define LIMIT "add limit inet dockside amber-log { rate 200/second burst 400 packets; }\n"

static void test_objects(void **state)
{
	static const struct plan_options silent = { .mark_bit = 0x10000000 };
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&c);
	assert_int_equal(c.plan.n_objects, 4);
	kernel_load(&c.plan, &actual);
	/* A limit of another rate cannot be changed while rules use it. */
	actual_find_object(&actual, OBJECT_LIMIT, "amber-log")->as_ours = false;
	expect_script(
		&c.plan, &actual,
		"flush chain inet dockside amber-ING\n"
		"flush chain inet dockside amber-OUT\n"
		"flush chain inet dockside amber-SRC\n"
		"delete limit inet dockside amber-log\n" LIMIT TABLE(ING OUT(LOG(
			"OUT", "0/a253b558") "counter goto refuse comment \"egress[0]\"\n") SRC));
	/* A counter's values do not matter. */
	actual_find_object(&actual, OBJECT_LIMIT, "amber-log")->as_ours = true;
	actual_find_object(&actual, OBJECT_COUNTER, "amber-OUT-denied")->packets = 7;
	expect_script(&c.plan, &actual, "");
	/* One that nobody asked for, and missing ones. */
	actual_find_object(&actual, OBJECT_COUNTER, "amber-OUT-denied")->name = "amber-P";
	expect_script(&c.plan, &actual,
		      "delete counter inet dockside amber-P\n" COUNTER("amber-OUT-denied"));
	actual.n_objects = 0;
	expect_script(&c.plan, &actual,
		      COUNTER("amber-ING-denied") COUNTER("amber-OUT-denied")
			      COUNTER("amber-SRC-denied") LIMIT);
	actual_free(&actual);
	/* Without log statements there are none. */
	plan_free(&c.plan);
	compile_policy(&c.policy, &c.resolved, &silent, &c.plan);
	assert_int_equal(c.plan.n_objects, 0);
	config_done(&c);
}

static void test_sets_by_hand(void **state)
{
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("\"s\": [\"198.51.100.1\", \"198.51.100.2\"]",
			      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	set(&actual, "ipset-s-v4")->n_elems--;
	expect_script(&c.plan, &actual,
		      "add element inet dockside ipset-s-v4 {\n\t198.51.100.2 }\n");
	set(&actual, "ipset-s-v4")->n_elems++;
	set(&actual, "ipset-s-v4")->elems[1].key[3] = 9;
	set(&actual, "ipset-s-v4")->elems[1].last[3] = 9;
	expect_script(&c.plan, &actual,
		      "add element inet dockside ipset-s-v4 { 198.51.100.9 }\n"
		      "delete element inet dockside ipset-s-v4 { 198.51.100.9 }\n"
		      "add element inet dockside ipset-s-v4 {\n\t198.51.100.2 }\n");
	set(&actual, "dispatch")->elems[0].target = "amber-ING";
	set(&actual, "ipset-s-v4")->elems[1].key[3] = 2;
	set(&actual, "ipset-s-v4")->elems[1].last[3] = 2;
	expect_script(&c.plan, &actual,
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "add element inet dockside dispatch {\n\t\"amber\" : goto amber-OUT }\n");
	actual_free(&actual);
	config_done(&c);
}

/* A set of the wrong kind cannot go while rules use it. */
static void test_set_replaced(void **state)
{
	struct actual actual;
	struct config c;

	(void)state;
	config_read(&c, RULES("", "{\"proto\": \"tcp\", \"ports\": [80, 443]},"
				  "{\"action\": \"drop\"}"));
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	set(&actual, "ports_80_443")->type = SET_UNKNOWN;
	expect_script(
		&c.plan, &actual,
		"flush chain inet dockside amber-OUT\n"
		"delete set inet dockside ports_80_443\n"
		"add set inet dockside ports_80_443 { type inet_service; }\n"
		"add element inet dockside ports_80_443 {\n\t80,\n\t443 }\n" TABLE(
			OUT("tcp dport @ports_80_443 counter ct label set 127 accept comment "
			    "\"egress[0]\"\n" LOG(
				    "OUT",
				    "1/a253b558") "counter goto refuse comment \"egress[1]\"\n")));
	actual_free(&actual);
	config_done(&c);
}

/* The lowest address would be ours; a daemon keeps to the one that it has. */
static void test_nat_beside_daemon(void **state)
{
	struct ipaddr addrs[2];
	struct config before, after;
	struct actual actual;

	(void)state;
	config_read(&before, NAT("3307"));
	answer(&before, "db.example", RESOLVED_DNS, "198.51.100.2");
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, NAT("3307"));
	assert_true(ipaddr_parse("198.51.100.1", 12, &addrs[0]));
	assert_true(ipaddr_parse("198.51.100.2", 12, &addrs[1]));
	resolved_answer(resolved_find(&after.resolved, "db.example"),
			&(struct answer){ .family = FAMILY_IPV4,
					  .state = RESOLVED_DNS,
					  .addrs = addrs,
					  .n_addrs = ARRAY_SIZE(addrs) });
	config_compile(&after);
	after.plan.beside_daemon = true;
	expect_script(&after.plan, &actual, "");
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

static void test_unsafe_names(void **state)
{
	static const char *const names[] = { "x y", "0set", "a\nflush ruleset", "", "a\"b", "a{" };
	struct actual_chain chain = { 0 };
	struct actual actual = { .chains = &chain, .n_chains = 1 };

	(void)state;
	chain.name = "_1st-OUT.x/y";
	assert_true(actual_names_safe(&actual));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		chain.name = names[i];
		assert_false(actual_names_safe(&actual));
	}
}

static void test_network_gone(void **state)
{
	struct config before, after;
	struct actual actual;

	(void)state;
	config_read(&before, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, "{}");
	config_compile(&after);
	expect_script(&after.plan, &actual,
		      "flush chain inet dockside amber-ING\n"
		      "flush chain inet dockside amber-OUT\n"
		      "flush chain inet dockside amber-SRC\n"
		      "flush chain inet dockside refuse\n"
		      "delete element inet dockside dispatch { \"amber\" }\n"
		      "delete element inet dockside dispatch-source { \"amber\" }\n"
		      "delete element inet dockside lookups { \"amber\" }\n"
		      "delete element inet dockside managed { \"amber\" }\n"
		      "delete chain inet dockside amber-ING\n"
		      "delete chain inet dockside amber-OUT\n"
		      "delete chain inet dockside amber-SRC\n"
		      "delete chain inet dockside refuse\n"
		      "delete counter inet dockside amber-ING-denied\n"
		      "delete counter inet dockside amber-OUT-denied\n"
		      "delete counter inet dockside amber-SRC-denied\n"
		      "delete limit inet dockside amber-log\n");
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

/* The kernel translates open connections only as long as there is a NAT chain. */
static void test_nat_stays(void **state)
{
	static const char nat[] = "{\"networks\": {\"amber\": {\"nat\": [{\"match_dport\": 25, "
				  "\"to_ip\": \"10.0.0.1\", \"to_port\": 25}]}}}";
	struct actual actual, none = { 0 };
	struct config before, after;

	(void)state;
	config_read(&before, nat);
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&after);
	assert_false(diff_keep_nat(&after.plan, &none));
	assert_false(diff_keep_nat(&before.plan, &actual)); /* has it */
	chain(&actual, "prerouting")->as_ours = false;
	assert_false(diff_keep_nat(&after.plan, &actual));
	chain(&actual, "prerouting")->as_ours = true;
	assert_true(diff_keep_nat(&after.plan, &actual));
	assert_int_equal(plan_find_chain(&after.plan, "prerouting")->hook, BASE_PREROUTING_NAT);
	assert_int_equal(plan_find_set(&after.plan, "dispatch-nat")->n_elems, 0);
	assert_false(diff_keep_nat(&after.plan, &actual));
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

/* Both scripts of a plan, one after the other. */
static char *scripts(struct plan *plan, const struct actual *actual)
{
	struct changes changes;
	struct script script = { 0 };
	struct buf b = { 0 };

	nft_text_plan(plan, &script);
	buf_puts(&b, buf_str(&script.text));
	script_free(&script);
	diff_plan(plan, actual, STALE_S, &changes);
	nft_text_changes(&changes, &script);
	buf_puts(&b, buf_str(&script.text));
	script_free(&script);
	changes_free(&changes);
	return b.data;
}

/* Everything in a script is about the table of the plan's family, what it removes too. */
static void test_family(void **state)
{
	static const char inet[] = "inet dockside", bridge[] = "bridge dockside";
	struct config before, c;
	struct actual actual;
	char *one, *other, *from, *to;

	(void)state;
	config_read(&before,
		    RULES("\"old\": [\"192.0.2.1\"]", "{\"to\": \"ipset\", \"ipset\": \"old\"}"));
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&c, NAT("3306"));
	config_compile(&c);
	one = scripts(&c.plan, &actual);
	c.plan.family = TABLE_BRIDGE;
	other = scripts(&c.plan, &actual);
	assert_null(strstr(other, inet));
	assert_non_null(strstr(other, "delete set bridge dockside"));
	for (from = one, to = other; (from = strstr(from, inet));) {
		to = strstr(to, bridge);
		assert_non_null(to);
		from += strlen(inet);
		to += strlen(bridge);
		assert_memory_equal(from, to, strcspn(from, "\n"));
	}
	assert_null(strstr(to, bridge));
	free(one);
	free(other);
	actual_free(&actual);
	config_done(&c);
	config_done(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_rules_by_hand),
		cmocka_unit_test(test_fingerprint_forgotten),
		cmocka_unit_test(test_chains_by_hand),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_sets_by_hand),
		cmocka_unit_test(test_set_replaced),
		cmocka_unit_test(test_nat_beside_daemon),
		cmocka_unit_test(test_unsafe_names),
		cmocka_unit_test(test_network_gone),
		cmocka_unit_test(test_nat_stays),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
