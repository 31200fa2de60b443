/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prefixes to rules of a plan, events to JSON, the memory of events, and what was not told. */
#include "denied_fixture.h"

#include <netinet/in.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/report/denied.h"
#include "dockside/table/compile.h"

/* ------------------------------------------------------------------ prefixes */

static void test_prefixes(void **state)
{
	struct denied_prefix p;

	(void)state;
	assert_true(denied_prefix_parse("dsfw/amber/OUT/3/0123abcd", &p));
	assert_string_equal(p.bridge, "amber");
	assert_string_equal(p.kind, "OUT");
	assert_true(denied_prefix_parse("dsfw/abcdefghijklmno/HOST/-/0", &p));
	assert_string_equal(p.bridge, "abcdefghijklmno");
	assert_false(denied_prefix_parse("", &p));
	assert_false(denied_prefix_parse("dsfw", &p));
	assert_false(denied_prefix_parse("dsfw/", &p));
	assert_false(denied_prefix_parse("dsfw//OUT/1/2", &p));
	assert_false(denied_prefix_parse("dsfw/amber", &p));
	assert_false(denied_prefix_parse("dsfw/amber/", &p));
	assert_false(denied_prefix_parse("dsfw/amber/OUT", &p));
	assert_false(denied_prefix_parse("dsfw/abcdefghijklmnop/OUT/1/2", &p));
	assert_false(denied_prefix_parse("dsfw/amber/OUTOUTOUTOU/1/2", &p));
	assert_false(denied_prefix_parse("DROP: ", &p));
}

/* A policy and its plan, from the rules of network amber. */
struct compiled {
	struct policy policy;
	struct resolved resolved;
	struct plan plan;
};

static void compile(struct compiled *c, const char *rules)
{
	static const char network[] =
		"{\"networks\":[{\"name\":\"amber\",\"subnet\":\"192.0.2.0/24\"}]}";
	static const struct plan_options options = { .mark_bit = 1, .log_group = 20 };
	cleanup(cleanup_free) char *firewall = xasprintf("{\"networks\":{\"amber\":{%s}}}", rules);

	*c = (struct compiled){ 0 };
	policy_read(&c->policy, network, firewall);
	resolved_collect(&c->policy, &c->resolved);
	compile_policy(&c->policy, &c->resolved, &options, &c->plan);
}

static void free_compiled(struct compiled *c)
{
	plan_free(&c->plan);
	resolved_free(&c->resolved);
	policy_free(&c->policy);
}

/* The prefixes of a chain's rules, each with the entry that the rule behind it is of. */
static void print_prefixes(const struct compiled *c, const char *chain_name, struct buf *b)
{
	const struct plan_chain *chain = plan_find_chain(&c->plan, chain_name);

	assert_non_null(chain);
	for (size_t i = 0; i < chain->n_rules; i++)
		if (chain->rules[i].verdict == VERDICT_LOG)
			buf_printf(b, "%s %s\n", chain->rules[i].log,
				   chain->rules[i + 1].origin->entry);
}

static void test_every_refusal_has_a_prefix(void **state)
{
	struct compiled c;
	struct buf b = { 0 };

	(void)state;
	compile(&c, "\"egress\":[{\"action\":\"drop\",\"proto\":\"udp\",\"ports\":[53]},"
		    "{\"proto\":\"tcp\"},{\"action\":\"drop\",\"proto\":\"icmp\"},"
		    "{\"action\":\"drop\"}],\"host\":[{\"action\":\"drop\"}]");
	for (size_t i = 0; i < c.plan.n_chains; i++) {
		const struct plan_chain *chain = c.plan.chains[i];

		for (size_t k = 0; chain->bridge && k < chain->n_rules; k++) {
			const struct plan_rule *rule = &chain->rules[k];
			struct denied_prefix parsed;

			if (rule->verdict != VERDICT_LOG)
				continue;
			assert_true(k + 1 < chain->n_rules);
			assert_int_equal(rule->n_matches, rule[1].n_matches);
			assert_true(denied_prefix_parse(rule->log, &parsed));
			assert_string_equal(parsed.bridge, "amber");
			assert_string_equal(parsed.kind, chain->kind);
			/* Rules of one entry share a prefix: the first of them is found. */
			assert_ptr_equal(denied_find_rule(&c.plan, rule->log, &parsed)->origin,
					 rule[1].origin);
			buf_printf(&b, "%.*s %s\n", (int)(strrchr(rule->log, '/') - rule->log),
				   rule->log, rule[1].origin->entry);
		}
	}
	assert_string_equal(buf_str(&b), "dsfw/amber/OUT/0 egress[0]\n"
					 "dsfw/amber/OUT/2 egress[2]\n"
					 "dsfw/amber/OUT/2 egress[2]\n"
					 "dsfw/amber/OUT/3 egress[3]\n"
					 "dsfw/amber/ING/- network amber\n"
					 "dsfw/amber/HOST/0 host[0]\n"
					 "dsfw/amber/SRC/- network amber\n"
					 "dsfw/amber/SRC/- network amber\n"
					 "dsfw/amber/SRC/- network amber\n"
					 "dsfw/amber/SRC/- network amber\n");
	buf_free(&b);
	free_compiled(&c);
}

/* An event of a rule of the first configuration must not count for a rule of the second. */
static void assert_same(const char *first, const char *second, bool same)
{
	struct compiled a, b;
	struct buf x = { 0 }, y = { 0 };

	compile(&a, first);
	compile(&b, second);
	print_prefixes(&a, "amber-OUT", &x);
	print_prefixes(&b, "amber-OUT", &y);
	assert_int_equal(strcmp(buf_str(&x), buf_str(&y)) == 0, same);
	buf_free(&x);
	buf_free(&y);
	free_compiled(&a);
	free_compiled(&b);
}

static void test_prefix_follows_the_rule(void **state)
{
	static const char first[] =
		"\"egress\":[{\"action\":\"drop\",\"to\":\"ip\",\"ip\":\"192.0.2.1\"}]";

	(void)state;
	assert_same(first, first, true);
	assert_same(first,
		    "\"host\":[], \"egress\": [ {\"comment\":\"x\", \"action\":\"drop\","
		    "\"to\":\"ip\", \"ip\":\"192.0.2.1\"} ]",
		    true);
	assert_same(first, "\"egress\":[{\"action\":\"drop\",\"to\":\"ip\",\"ip\":\"192.0.2.2\"}]",
		    false);
	assert_same(first,
		    "\"egress\":[{\"proto\":\"tcp\"},"
		    "{\"action\":\"drop\",\"to\":\"ip\",\"ip\":\"192.0.2.1\"}]",
		    false);
	assert_same(first,
		    "\"mode\":\"audit\",\"egress\":[{\"action\":\"drop\",\"to\":\"ip\","
		    "\"ip\":\"192.0.2.1\"}]",
		    false);
	assert_same("\"egress\":[{\"action\":\"drop\",\"proto\":\"tcp\",\"ports\":[1]}]",
		    "\"egress\":[{\"action\":\"drop\",\"proto\":\"tcp\",\"ports\":[\"1-2\"]}]",
		    false);
	assert_same("\"egress\":[{\"action\":\"drop\",\"proto\":\"tcp\"}]",
		    "\"egress\":[{\"action\":\"drop\",\"proto\":\"udp\"}]", false);
	assert_same("\"egress\":[{\"action\":\"drop\",\"proto\":\"icmp\",\"type\":8}]",
		    "\"egress\":[{\"action\":\"drop\",\"proto\":\"icmp\",\"type\":13}]", false);
	assert_same("\"egress\":[{\"action\":\"drop\",\"to\":\"host\",\"host\":\"a.example\"}]",
		    "\"egress\":[{\"action\":\"drop\",\"to\":\"host\",\"host\":\"b.example\"}]",
		    false);
}

/* The entries of a chain's rules that refuse, each with whether it says what it drops. */
static void test_on_purpose(void **state)
{
	struct compiled c;
	struct buf b = { 0 };

	(void)state;
	compile(&c, "\"egress\":[{\"action\":\"drop\",\"proto\":\"udp\",\"ports\":[53]},{\"proto\":"
		    "\"tcp\"},"
		    "{\"action\":\"drop\",\"cidr\":\"192.0.2.0/24\"},{\"action\":\"drop\"}],"
		    "\"host\":[{\"action\":\"drop\",\"proto\":\"tcp\"},{\"action\":\"drop\"}]");
	for (size_t i = 0; i < c.plan.n_chains; i++) {
		const struct plan_chain *chain = c.plan.chains[i];

		for (size_t k = 0; chain->bridge && k < chain->n_rules; k++)
			if (chain->rules[k].verdict == VERDICT_LOG)
				buf_printf(
					&b, "%s %d\n", chain->rules[k + 1].origin->entry,
					denied_on_purpose(&c.policy, chain->rules[k + 1].origin));
	}
	assert_non_null(strstr(buf_str(&b), "egress[0] 1\n"));
	assert_non_null(strstr(buf_str(&b), "egress[2] 1\n"));
	assert_non_null(strstr(buf_str(&b), "egress[3] 0\n"));
	assert_non_null(strstr(buf_str(&b), "host[0] 1\n"));
	assert_non_null(strstr(buf_str(&b), "host[1] 0\n"));
	assert_non_null(strstr(buf_str(&b), "network amber 0\n"));
	assert_null(strstr(buf_str(&b), "egress[3] 1\n"));
	assert_null(strstr(buf_str(&b), "network amber 1\n"));
	buf_free(&b);
	free_compiled(&c);
}

static void test_older_rules(void **state)
{
	struct denied_prefix parsed;
	struct compiled c;

	(void)state;
	compile(&c, "\"egress\":[{\"action\":\"drop\"}]");
	assert_true(denied_prefix_parse("dsfw/amber/OUT/0/00000000", &parsed));
	assert_null(denied_find_rule(&c.plan, "dsfw/amber/OUT/0/00000000", &parsed));
	assert_true(denied_prefix_parse("dsfw/gone/OUT/0/00000000", &parsed));
	assert_null(denied_find_rule(&c.plan, "dsfw/gone/OUT/0/00000000", &parsed));
	assert_true(denied_prefix_parse("dsfw/amber/HOST/0/00000000", &parsed));
	assert_null(denied_find_rule(&c.plan, "dsfw/amber/HOST/0/00000000", &parsed));
	free_compiled(&c);
}

static void test_audit_accepts(void **state)
{
	struct compiled c;
	size_t n = 0;

	(void)state;
	compile(&c, "\"mode\":\"audit\",\"egress\":[{\"action\":\"drop\",\"proto\":\"tcp\"},"
		    "{\"action\":\"drop\"}],\"host\":[{\"action\":\"drop\"}]");
	for (size_t i = 0; i < c.plan.n_chains; i++) {
		const struct plan_chain *chain = c.plan.chains[i];

		for (size_t k = 0; k < chain->n_rules; k++) {
			const struct plan_rule *rule = &chain->rules[k];

			n += rule->verdict == VERDICT_LOG;
			assert_true(rule->verdict != VERDICT_RESET);
			/* A forged source is no policy's to allow, nor a way past the bridge. */
			if (strcmp(chain->kind, "SRC") == 0 || strcmp(chain->kind, "raw") == 0 ||
			    strcmp(chain->kind, "output") == 0)
				continue;
			if (rule->verdict == VERDICT_DROP) /* what is part of no connection */
				assert_true(rule->matches[0].kind == MATCH_CT_STATE);
			if (k > 0 && rule[-1].verdict == VERDICT_LOG)
				assert_true(rule->verdict == VERDICT_ACCEPT && rule->counter);
		}
	}
	assert_int_equal(n, 8);
	assert_null(plan_find_chain(&c.plan, "refuse")); /* nobody goes there */
	free_compiled(&c);
}

/* ------------------------------------------------------------------ events */

static void test_events(void **state)
{
	struct denied_event event = {
		.seq = 17,
		.time_ms = 1767323045678,
		.network = "Amber",
		.bridge = "amber",
		.kind = "OUT",
		.container = "web\"1",
		.src = address("192.0.2.10"),
		.dst = address("198.51.100.7"),
		.name = "db.example",
		.looked_up = false,
		.l4proto = IPPROTO_TCP,
		.has_ports = true,
		.sport = 40000,
		.dport = 443,
		.entry = "egress[3]",
		.file = "/etc/firewall.json",
		.line = 12,
	};

	(void)state;
	assert_json(&event,
		    "{\"seq\":17,\"time\":\"2026-01-02T03:04:05.678Z\",\"time_ms\":1767323045678,"
		    "\"verdict\":\"refused\",\"network\":\"Amber\",\"bridge\":\"amber\","
		    "\"kind\":\"OUT\",\"container\":\"web\\\"1\",\"source\":\"192.0.2.10\","
		    "\"destination\":\"198.51.100.7\",\"name\":\"db.example\","
		    "\"name_from\":\"configuration\",\"protocol\":\"tcp\","
		    "\"source_port\":40000,\"port\":443,\"rule\":\"egress[3]\","
		    "\"file\":\"/etc/firewall.json\",\"line\":12}");
	event = (struct denied_event){
		.seq = 1,
		.audit = true,
		.network = "a",
		.bridge = "a",
		.kind = "HOST",
		.src = address("2001:db8::1"),
		.dst = address("2001:db8::2"),
		.l4proto = IPPROTO_ICMPV6,
		.has_icmp = true,
		.icmp_type = 128,
		.name = "six.example",
		.looked_up = true,
	};
	assert_json(&event,
		    "{\"seq\":1,\"time\":\"1970-01-01T00:00:00.000Z\",\"time_ms\":0,"
		    "\"verdict\":\"audit\",\"network\":\"a\",\"bridge\":\"a\",\"kind\":\"HOST\","
		    "\"container\":null,\"source\":\"2001:db8::1\",\"destination\":\"2001:db8::2\","
		    "\"name\":\"six.example\",\"name_from\":\"lookup\",\"protocol\":\"icmpv6\","
		    "\"icmp_type\":128,\"icmp_code\":0,"
		    "\"rule\":null,\"file\":null,\"line\":null}");
}

static void assert_name(const struct names *names, const char *looked_up, const char *addr,
			const char *expected)
{
	struct ipaddr a = address(addr);
	bool hearsay;
	const char *name = denied_name(names, looked_up, &a, &hearsay);
	cleanup(cleanup_free) char *got =
		xasprintf("%s %s", name ? name : "-", hearsay ? "hearsay" : "sure");

	assert_string_equal(got, expected);
}

static void test_names(void **state)
{
	const struct ipaddr addr = address("198.51.100.7");
	char db[] = "db.example";
	struct resolved_name host = { .name = db };
	const struct resolved wanted = { .items = &host, .n = 1 };
	struct names names;

	(void)state;
	names_init(&names, 60, 300);
	names_configure(&names, &wanted, 0);
	assert_name(&names, NULL, "198.51.100.7", "- sure");
	assert_name(&names, "db.example", "198.51.100.7", "db.example hearsay");
	names_adopt(&names, "db.example", &addr, 1, 0);
	assert_name(&names, NULL, "198.51.100.7", "db.example sure");
	/* The container meant this name, and DNS confirms it or not. */
	assert_name(&names, "db.example", "198.51.100.7", "db.example sure");
	assert_name(&names, "www.example", "198.51.100.7", "www.example hearsay");
	assert_name(&names, "db.example", "198.51.100.8", "db.example hearsay");
	assert_name(&names, NULL, "198.51.100.8", "- sure");
	names_free(&names);
}

/* ------------------------------------------------------------------ the memory */

static void add(struct denied_ring *ring, const char *network, uint64_t time_ms)
{
	struct denied_event event = { .time_ms = time_ms,
				      .network = network,
				      .bridge = network,
				      .kind = "OUT",
				      .src = address("192.0.2.1"),
				      .dst = address("192.0.2.2") };

	denied_ring_add(ring, &event);
}

/* "17 18; next 18, more 0, missed 0" */
static void assert_asked(const struct denied_ring *ring, struct denied_query query,
			 const char *expected)
{
	struct src src = { .name = NULL };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct buf b = { 0 }, text = { 0 };
	struct json_writer out = { .b = &b };
	const struct json_node *events;

	json_write_open(&out, NULL, '{');
	denied_ring_json(ring, &query, &out);
	json_write_close(&out, '}');
	src.text = b.data;
	src.len = b.len;
	assert_true(json_parse(&src, &tree, &diags));
	events = json_get(tree.root, "events");
	for (size_t i = 0; i < events->u.children.n; i++)
		buf_printf(&text, "%d ",
			   (int)json_get(&events->u.children.items[i], "seq")->u.integer);
	buf_printf(&text, "next %d more %d missed %d", (int)json_get(tree.root, "next")->u.integer,
		   (int)json_get(tree.root, "more")->u.boolean,
		   (int)json_get(tree.root, "missed")->u.integer);
	assert_string_equal(buf_str(&text), expected);
	json_tree_free(&tree);
	diags_free(&diags);
	buf_free(&text);
	buf_free(&b);
}

static void test_ring(void **state)
{
	struct denied_ring ring = { 0 };

	(void)state;
	assert_asked(&ring, (struct denied_query){ .max = 1000 }, "next 0 more 0 missed 0");
	for (uint64_t i = 1; i <= 4; i++)
		add(&ring, i % 2 ? "odd" : "even", i * 1000);
	assert_asked(&ring, (struct denied_query){ .max = 10000 },
		     "1 2 3 4 next 4 more 0 missed 0");
	assert_asked(&ring, (struct denied_query){ .after = 2, .max = 10000 },
		     "3 4 next 4 more 0 missed 0");
	assert_asked(&ring, (struct denied_query){ .network = "odd", .max = 10000 },
		     "1 3 next 4 more 0 missed 0");
	assert_asked(&ring, (struct denied_query){ .since_ms = 3000, .max = 10000 },
		     "3 4 next 4 more 0 missed 0");
	/* A limited answer says where to go on. */
	assert_asked(&ring, (struct denied_query){ .max = 20 }, "1 next 1 more 1 missed 0");
	assert_asked(&ring, (struct denied_query){ .after = 1, .max = 20 },
		     "2 next 2 more 1 missed 0");
	/* These numbers are from a daemon before this one. */
	assert_asked(&ring, (struct denied_query){ .after = 99, .max = 1000 },
		     "next 4 more 0 missed 0");
	assert_asked(&ring, (struct denied_query){ .after = UINT64_MAX, .max = 1000 },
		     "next 4 more 0 missed 0");
	denied_ring_free(&ring);
}

static void test_ring_is_bounded(void **state)
{
	struct denied_ring ring = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 2 * DENIED_EVENTS_MAX + 5; i++)
		add(&ring, "a", i);
	/* 4102 is the oldest of 4096. */
	assert_asked(&ring, (struct denied_query){ .max = 20 },
		     "4102 next 4102 more 1 missed 4101");
	assert_asked(&ring, (struct denied_query){ .after = 4101, .max = 20 },
		     "4102 next 4102 more 1 missed 0");
	assert_asked(&ring, (struct denied_query){ .after = 4000, .max = 20 },
		     "4102 next 4102 more 1 missed 101");
	assert_asked(&ring, (struct denied_query){ .after = 8196, .max = 20 },
		     "8197 next 8197 more 0 missed 0");
	denied_ring_free(&ring);
}

/* An answer judges events by the policy that runs when somebody asks. */
static void assert_said(const struct policy *policy, const char *kind, uint16_t port,
			const char *expected)
{
	struct denied_event event = { .network = "amber",
				      .bridge = "amber",
				      .kind = kind,
				      .dst = address("198.51.100.7"),
				      .l4proto = IPPROTO_TCP,
				      .has_ports = true,
				      .dport = port,
				      .entry = "egress[9]",
				      .on_purpose = true };
	struct denied_query query = { .max = 1000, .policy = policy };
	struct denied_ring ring = { 0 };
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	denied_ring_add(&ring, &event);
	json_write_open(&out, NULL, '{');
	denied_ring_json(&ring, &query, &out);
	json_write_close(&out, '}');
	assert_non_null(strstr(buf_str(&b), "\"on_purpose\":true"));
	if (!strstr(buf_str(&b), expected) || (expected[0] == '}' && strstr(buf_str(&b), "ed_by")))
		fail_msg("expected %s, got %s", expected, buf_str(&b));
	buf_free(&b);
	denied_ring_free(&ring);
}

static void test_what_rules_do_now(void **state)
{
	struct compiled c;

	(void)state;
	compile(&c, "\"egress\":[{\"proto\":\"tcp\",\"ports\":[80]},{\"action\":\"drop\","
		    "\"cidr\":\"198.51.100.0/"
		    "24\",\"proto\":\"tcp\",\"ports\":[22]},{\"action\":\"drop\"}],"
		    "\"host\":[{\"action\":\"drop\",\"proto\":\"tcp\",\"ports\":[23]},{\"action\":"
		    "\"drop\"}]");
	assert_said(&c.policy, "OUT", 80, "\"allowed_by\":\"egress[0]\"}");
	assert_said(&c.policy, "OUT", 22, "\"dropped_by\":\"egress[1]\"}");
	assert_said(&c.policy, "OUT", 23, "}");
	assert_said(&c.policy, "HOST", 23, "\"dropped_by\":\"host[0]\"}");
	assert_said(&c.policy, "HOST", 22, "}");
	assert_said(&c.policy, "ING", 22, "}");
	assert_said(NULL, "OUT", 22, "}");
	free_compiled(&c);
}

static size_t events_of(const struct denied_ring *ring, const char *network)
{
	for (size_t i = 0; i < ring->n_networks; i++)
		if (strcmp(ring->networks[i]->name, network) == 0)
			return ring->networks[i]->n;
	return 0;
}

static void test_ring_is_shared(void **state)
{
	struct denied_ring ring = { 0 };
	char name[16];

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		add(&ring, "calm", i);
	for (uint64_t i = 1; i <= 3 * DENIED_EVENTS_MAX; i++)
		add(&ring, "wild", i);
	assert_asked(&ring, (struct denied_query){ .network = "calm", .max = 1000 },
		     "1 2 3 next 12291 more 0 missed 8195");
	assert_asked(&ring, (struct denied_query){ .after = 1, .max = 20 },
		     "2 next 2 more 1 missed 0");
	/* Its first one is 12291 - 4093 + 1. */
	assert_asked(&ring, (struct denied_query){ .after = 3, .max = 20 },
		     "8199 next 8199 more 1 missed 8195");
	/* Another one gets as much as the first, from the first. */
	for (uint64_t i = 1; i <= DENIED_EVENTS_MAX; i++)
		add(&ring, "mad", i);
	assert_int_equal(events_of(&ring, "calm"), 3);
	assert_int_equal(events_of(&ring, "mad") / 2 * 2, 2046);
	assert_int_equal(events_of(&ring, "wild") / 2 * 2, 2046);
	assert_int_equal(ring.n, DENIED_EVENTS_MAX);
	assert_true(denied_ring_knows(&ring, "Calm"));
	/* More networks than there is room for: the latest ones. */
	for (int i = 0; i < DENIED_EVENTS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		add(&ring, name, 1);
	}
	assert_int_equal(ring.n, DENIED_EVENTS_MAX);
	assert_int_equal(ring.n_networks, DENIED_EVENTS_MAX);
	assert_false(denied_ring_knows(&ring, "calm"));
	assert_int_equal(events_of(&ring, "n9"), 0);
	assert_int_equal(events_of(&ring, name), 1);
	denied_ring_free(&ring);
}

/* ------------------------------------------------------------------ how many there were */

static void test_packets(void **state)
{
	static const struct actual_object objects[] = {
		{ .kind = OBJECT_COUNTER, .name = "_1st-OUT-denied", .packets = 16 },
		{ .kind = OBJECT_COUNTER, .name = "amber--OUT-denied", .packets = 8 },
		{ .kind = OBJECT_COUNTER, .name = "amber-HOST-denied", .packets = 1 },
		{ .kind = OBJECT_COUNTER, .name = "amber-NAT-denied", .packets = 4 },
		{ .kind = OBJECT_COUNTER, .name = "amber-OUT-denied", .packets = 2 },
		{ .kind = OBJECT_COUNTER, .name = "zinc-SRC-denied", .packets = 0 },
	};
	struct actual actual = { .exists = true };
	uint64_t packets = 99;

	(void)state;
	actual.objects = xcalloc(ARRAY_SIZE(objects), sizeof(objects[0]));
	memcpy(actual.objects, objects, sizeof(objects));
	actual.n_objects = ARRAY_SIZE(objects);
	actual_finish(&actual);
	assert_false(denied_packets(&actual, "blue", &packets));
	assert_int_equal(packets, 99);
	/* All its chains are counted, and no other network's. */
	assert_true(denied_packets(&actual, "amber", &packets));
	assert_int_equal(packets, 3);
	assert_true(denied_packets(&actual, "1st", &packets));
	assert_int_equal(packets, 16);
	assert_true(denied_packets(&actual, "zinc", &packets));
	assert_int_equal(packets, 0);
	actual_free(&actual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_every_refusal_has_a_prefix),
		cmocka_unit_test(test_prefix_follows_the_rule),
		cmocka_unit_test(test_on_purpose),
		cmocka_unit_test(test_older_rules),
		cmocka_unit_test(test_audit_accepts),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_ring_is_bounded),
		cmocka_unit_test(test_ring_is_shared),
		cmocka_unit_test(test_what_rules_do_now),
		cmocka_unit_test(test_packets),
	};

	return cmocka_run_group_tests_name("denied", tests, NULL, NULL);
}
