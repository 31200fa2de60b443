/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that table bridge dockside refuses: prefixes to its rules, events to JSON, and how many there were. */
#include "denied_fixture.h"

#include <net/ethernet.h>
#include <netinet/in.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"
#include "dockside/table/compile_bind.h"

/* ------------------------------------------------------------------ prefixes */

static void test_bridge_prefixes(void **state)
{
	static const struct {
		const char *prefix, *bridge, *kind;
		enum table_family table;
	} cases[] = {
		{ "dsfw/amber/OUT/3/0123abcd", "amber", "OUT", TABLE_INET },
		{ "dsfw/amber/SRC/-/0123abcd", "amber", "SRC", TABLE_INET },
		{ "dsfw/_/BIND/-/0123abcd", "", "BIND", TABLE_BRIDGE },
		{ "dsfw/_/strange/-/0123abcd", "", "strange", TABLE_BRIDGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct denied_prefix p;

		assert_true(denied_prefix_parse(cases[i].prefix, &p));
		assert_string_equal(p.bridge, cases[i].bridge);
		assert_string_equal(p.kind, cases[i].kind);
		assert_int_equal(p.table, cases[i].table);
	}
}

/* Rules by their comments, each with the field of the frame that it refuses. -1: nobody may send it. */
static void test_bridge_rules(void **state)
{
	static const struct {
		const char *chain, *comment;
		int field;
	} cases[] = {
		{ "strange", "MAC address of somebody else", FIELD_ETHER_SADDR },
		{ "strange", "MAC address of somebody else in ARP", FIELD_ARP_SENDER_MAC },
		{ "strange", "address of somebody else in ARP", FIELD_ARP_SENDER },
		{ "strange", "IPv6 address of somebody else", FIELD_SADDR6 },
		{ "strange", "neighbour advertisement of somebody else's address",
		  FIELD_ND_TARGET },
		{ "known", "router advertisement", -1 },
		{ "not-own", "not the container's MAC address", FIELD_ETHER_SADDR },
		{ "not-own", "not the container's address in ARP", FIELD_ARP_SENDER },
		{ "not-own", "not the container's address", FIELD_SADDR },
		{ "not-net", "neighbour advertisement of an address that is not the network's",
		  FIELD_ND_TARGET },
		{ "not-net", "not an address of the network", FIELD_SADDR },
		{ "not-to", "not for the container of this port", FIELD_DADDR },
		{ "to-unknown", "for somebody else", FIELD_DADDR },
		{ "to-unknown", "for somebody else, IPv6", FIELD_DADDR6 },
	};
	static const struct plan_options options = { .mark_bit = 1, .log_group = 20 };
	struct policy policy = { 0 };
	struct ports ports = { 0 };
	struct plan plan;

	(void)state;
	policy_read(&policy,
		    "{\"networks\":[{\"name\":\"amber\",\"subnet\":\"192.0.2.0/"
		    "24\",\"subnet6\":\"2001:db8::/64\","
		    "\"dockside_ip\":\"192.0.2.2\"}]}",
		    "{\"networks\":{}}");
	compile_bind(&policy, &ports, &options, &plan);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct plan_chain *chain = plan_find_chain(&plan, cases[i].chain);
		size_t found = 0;

		assert_non_null(chain);
		for (size_t k = 0; k + 1 < chain->n_rules; k++) {
			const char *prefix = chain->rules[k].log;
			enum frame_field field = FIELD_ETHER_DADDR;
			const struct plan_rule *rule;
			struct denied_prefix parsed;

			if (chain->rules[k].verdict != VERDICT_LOG)
				continue;
			assert_true(denied_prefix_parse(prefix, &parsed));
			rule = denied_find_rule(&plan, prefix, &parsed);
			assert_ptr_equal(rule, &chain->rules[k + 1]);
			if (strcmp(rule->comment, cases[i].comment) != 0)
				continue;
			found++;
			assert_int_equal(denied_rule_field(rule, parsed.kind, &field) ? (int)field
										      : -1,
					 cases[i].field);
		}
		assert_int_equal(found, 1);
	}
	plan_free(&plan);
	policy_free(&policy);
}

/* ------------------------------------------------------------------ events */

#define FRAME_HEAD                                                        \
	"{\"seq\":0,\"time\":\"1970-01-01T00:00:00.000Z\",\"time_ms\":0," \
	"\"verdict\":\"refused\",\"network\":\"Amber\",\"bridge\":\"amber\",\"kind\":"
#define FRAME_MACS "\"source_mac\":\"02:00:00:00:01:11\",\"destination_mac\":\"02:00:00:00:01:02\","
#define FRAME_RULE ",\"rule\":\"-\",\"file\":null,\"line\":null}"

/* ARP by which web-1 pretends to be 192.0.2.12. */
static struct denied_frame arp_frame(enum frame_field field, const char *reason)
{
	return (struct denied_frame){
		.port = "veth1",
		.protocol = ETHERTYPE_ARP,
		.has_addrs = true,
		.has_macs = true,
		.src = { 2, 0, 0, 0, 1, 0x11 },
		.dst = { 2, 0, 0, 0, 1, 2 },
		.has_sender = true,
		.sender = { 2, 0, 0, 0, 1, 0x12 },
		.has_field = true,
		.field = field,
		.reason = reason,
	};
}

static struct denied_event frame_event(const char *kind, const struct denied_frame *frame)
{
	return (struct denied_event){
		.network = "Amber",
		.bridge = "amber",
		.kind = kind,
		.container = "web-1",
		.src = address("192.0.2.12"),
		.dst = address("192.0.2.2"),
		.entry = "-",
		.frame = frame,
	};
}

static void test_frame_events(void **state)
{
	struct denied_frame frame = arp_frame(FIELD_ARP_SENDER, "not its address in ARP");
	struct denied_event event = frame_event("BIND", &frame);

	(void)state;
	assert_json(
		&event, FRAME_HEAD
		"\"BIND\",\"container\":\"web-1\",\"source\":\"192.0.2.12\","
		"\"destination\":\"192.0.2.2\",\"name\":null,\"name_from\":null,"
		"\"protocol\":\"arp\",\"interface\":\"veth1\"," FRAME_MACS
		"\"pretended\":\"192.0.2.12\",\"reason\":\"not its address in ARP\"" FRAME_RULE);
	/* A protocol that has no addresses; of a port that has gone, and a rule that is no longer. */
	frame = (struct denied_frame){ .protocol = 0x88cc,
				       .has_field = true,
				       .field = FIELD_SADDR };
	event.container = NULL;
	assert_json(&event, FRAME_HEAD
		    "\"BIND\",\"container\":null,\"source\":null,\"destination\":null,"
		    "\"name\":null,\"name_from\":null,\"protocol\":\"0x88cc\",\"interface\":null,"
		    "\"source_mac\":null,\"destination_mac\":null,\"pretended\":null,"
		    "\"reason\":null" FRAME_RULE);
	/* To the wrong container. */
	frame = arp_frame(FIELD_DADDR, "not for it");
	frame.protocol = ETHERTYPE_IP;
	frame.to_port = "veth2";
	frame.to_container = "web-2";
	event = frame_event("BINDTO", &frame);
	event.l4proto = IPPROTO_UDP;
	event.has_ports = true;
	event.dport = 53;
	assert_json(&event,
		    FRAME_HEAD "\"BINDTO\",\"container\":\"web-1\",\"source\":\"192.0.2.12\","
			       "\"destination\":\"192.0.2.2\",\"name\":null,\"name_from\":null,"
			       "\"protocol\":\"udp\",\"source_port\":0,\"port\":53,"
			       "\"interface\":\"veth1\",\"to_interface\":\"veth2\",\"to_"
			       "container\":\"web-2\"," FRAME_MACS
			       "\"pretended\":\"192.0.2.2\",\"reason\":\"not for it\"" FRAME_RULE);
}

/* The rule says which field is not the container's. */
static void test_pretended(void **state)
{
	static const struct {
		enum frame_field field;
		const char *wanted;
	} cases[] = {
		{ FIELD_ETHER_SADDR, "\"pretended\":\"02:00:00:00:01:11\"" },
		{ FIELD_ETHER_DADDR, "\"pretended\":\"02:00:00:00:01:02\"" },
		{ FIELD_ARP_SENDER_MAC, "\"pretended\":\"02:00:00:00:01:12\"" },
		{ FIELD_ARP_SENDER, "\"pretended\":\"192.0.2.12\"" },
		{ FIELD_SADDR, "\"pretended\":\"192.0.2.12\"" },
		{ FIELD_SADDR6, "\"pretended\":\"192.0.2.12\"" },
		{ FIELD_DADDR, "\"pretended\":\"192.0.2.2\"" },
		{ FIELD_DADDR6, "\"pretended\":\"192.0.2.2\"" },
		{ FIELD_ND_TARGET, "\"pretended\":\"2001:db8::12\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct denied_frame frame = arp_frame(cases[i].field, "x");
		struct denied_event event = frame_event("BIND", &frame);
		struct buf b = { 0 };

		frame.has_target = true;
		frame.target = address("2001:db8::12");
		denied_event_json(&b, &event);
		assert_non_null(strstr(buf_str(&b), cases[i].wanted));
		buf_reset(&b);
		frame.has_field = false;
		denied_event_json(&b, &event);
		assert_non_null(strstr(buf_str(&b), "\"pretended\":null"));
		buf_free(&b);
	}
}

/* ------------------------------------------------------------------ how many there were */

static void make_tallies(struct actual *actual, const struct actual_object *objects, size_t n)
{
	*actual = (struct actual){ .exists = true, .n_objects = n };
	actual->objects = xcalloc(n, sizeof(*objects));
	memcpy(actual->objects, objects, n * sizeof(*objects));
	actual_finish(actual);
}

static void test_bound_packets(void **state)
{
	static const struct actual_object objects[] = {
		{ .kind = OBJECT_COUNTER, .name = "_-BIND-denied", .packets = 4 },
		{ .kind = OBJECT_COUNTER, .name = "_-strange-denied", .packets = 64 },
		{ .kind = OBJECT_COUNTER, .name = "amber-OUT-denied", .packets = 2 },
	};
	struct actual none = { 0 }, bridge;
	uint64_t packets = 99;

	(void)state;
	make_tallies(&bridge, objects, ARRAY_SIZE(objects));
	assert_false(denied_bound_packets(&none, NULL, &packets));
	assert_false(denied_bound_packets(&bridge, "UNBOUND", &packets));
	assert_int_equal(packets, 99);
	assert_true(denied_bound_packets(&bridge, "strange", &packets));
	assert_int_equal(packets, 64);
	assert_true(denied_bound_packets(&bridge, NULL, &packets));
	assert_int_equal(packets, 64 + 4);
	actual_free(&bridge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridge_prefixes), cmocka_unit_test(test_bridge_rules),
		cmocka_unit_test(test_frame_events),	cmocka_unit_test(test_pretended),
		cmocka_unit_test(test_bound_packets),
	};

	return cmocka_run_group_tests_name("denied_frames", tests, NULL, NULL);
}
