/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether packets reach the rules, by what is known of Docker and the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/base/buf.h"
#include "dockside/enforce/judge_network.h"

static struct docker_wanted wanted = { .name = "ds-A", .bridge = "ds-a", .managed = true };

static struct docker_network right(void)
{
	return (struct docker_network){
		.id = "aa", .name = "ds-A", .driver = "bridge", .bridge = "ds-a"
	};
}

/* Docker has the network, and the kernel its bridge. */
static struct judge_facts good(struct docker_networks *docker, struct docker_network *network)
{
	*network = right();
	*docker = (struct docker_networks){ .items = network, .n = 1 };
	return (struct judge_facts){
		.wanted = &wanted,
		.docker = docker,
		.link = JUDGE_LINK_BRIDGE,
		.rules = JUDGE_RULES_THERE,
	};
}

/* reason, mend: a part of it; NULL: there is none. */
static void expect(const struct judge_facts *facts, enum judged_state state, const char *reason,
		   const char *mend)
{
	struct judged judged;

	judge_network(facts, &judged);
	if (judged.state != state)
		fail_msg("it is %s, wanted %s", judged_state_name(judged.state),
			 judged_state_name(state));
	if ((reason != NULL) != (judged.reason != NULL) ||
	    (reason && !strstr(judged.reason, reason)))
		fail_msg("reason %s", judged.reason);
	if ((mend != NULL) != (judged.mend != NULL) || (mend && !strstr(judged.mend, mend)))
		fail_msg("mend %s", judged.mend);
	judged_free(&judged);
}

static void test_good(void **state)
{
	struct docker_networks docker;
	struct docker_network network;
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	wanted.audit = true;
	expect(&facts, JUDGED_AUDIT, NULL, NULL);
	wanted.audit = false;
	wanted.managed = false;
	network.driver = "macvlan";
	expect(&facts, JUDGED_UNMANAGED, NULL, NULL);
	wanted.managed = true;
}

static void test_docker(void **state)
{
	struct docker_networks docker;
	struct docker_network network, two[2];
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	network.bridge = "br-0123456789ab";
	expect(&facts, JUDGED_NOT, "its bridge is br-0123456789ab in Docker, ds-a",
	       "docker network rm ds-A");
	expect(&facts, JUDGED_NOT, "its bridge", "\"external\": true in network-config");
	expect(&facts, JUDGED_NOT, "its bridge", "\"bridge\": \"br-0123456789ab\"");
	network.driver = "ipvlan";
	network.bridge = "";
	expect(&facts, JUDGED_NOT, "its driver is ipvlan", "RESET=1");
	network.driver = "";
	expect(&facts, JUDGED_NOT, "its driver is unknown", "RESET=1");

	/* Another network's interfaces may be on top of the bridge, or of a VLAN interface of it. */
	network = right();
	two[0] = right();
	two[1] = (struct docker_network){
		.id = "bb", .name = "top", .driver = "macvlan", .bridge = "", .parent = "ds-a"
	};
	docker = (struct docker_networks){ .items = two, .n = 2 };
	expect(&facts, JUDGED_NOT, "macvlan network top is on top of its bridge ds-a",
	       "docker network rm top");
	two[1].parent = "ds-a.7";
	expect(&facts, JUDGED_NOT, "on top of its bridge ds-a", "docker network rm top");
	two[1].parent = "ds-ab";
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	two[1].parent = "";
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);

	/* Docker allows two of a name. */
	two[0] = two[1] = right();
	two[1].id = "0123456789abcdef";
	two[1].bridge = "br-0123456789ab";
	docker = (struct docker_networks){ .items = two, .n = 2 };
	expect(&facts, JUDGED_NOT, "its bridge is br-", "docker network rm 0123456789ab\"");
}

static void test_default_bridge(void **state)
{
	struct docker_wanted predefined = { .name = "bridge", .bridge = "bridge", .managed = true };
	struct docker_networks docker;
	struct docker_network network;
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	facts.wanted = &predefined;
	facts.link = JUDGE_LINK_MISSING;
	network.name = "bridge";
	network.bridge = "docker0";
	expect(&facts, JUDGED_NOT, "its bridge is docker0 in Docker", "\"external\": true");
	predefined.name = network.name = "host";
	network.driver = "host";
	expect(&facts, JUDGED_NOT, "its driver is host", "another name");
}

/* One that others make. */
static void test_external(void **state)
{
	struct docker_wanted external = { .name = "shop_default",
					  .bridge = "br-0123456789ab",
					  .managed = true,
					  .external = true,
					  .placed = true };
	struct docker_networks docker;
	struct docker_network network, two[2];
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	facts.wanted = &external;
	network.name = "shop_default";
	network.bridge = "br-0123456789ab";
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	network.bridge = "br-ba9876543210"; /* the rules have not followed */
	expect(&facts, JUDGED_NOT, "its bridge is br-ba9876543210 in Docker, and the rules are not",
	       "reconcile");
	external.bridge_given = true;
	expect(&facts, JUDGED_NOT,
	       "its bridge is br-ba9876543210 in Docker, br-0123456789ab in the configuration",
	       "leave it out");
	external.bridge_given = false;
	network.bridge = "br-0123456789ab";
	network.driver = "overlay";
	expect(&facts, JUDGED_NOT, "its driver is overlay", "take it out");
	network.driver = "bridge";
	external.site_trouble = "its bridge in Docker, x, is network y's";
	expect(&facts, JUDGED_NOT, "is network y's", "another bridge");
	external.site_trouble = NULL;
	two[0] = two[1] = network;
	two[0].id = "0123456789abcdef";
	docker = (struct docker_networks){ .items = two, .n = 2 };
	expect(&facts, JUDGED_NOT, "Docker has 2 networks of that name", "docker network rm 0123");
	docker.n = 0;
	expect(&facts, JUDGED_PENDING, "Docker does not have it", NULL);
}

static void test_external_untold(void **state)
{
	struct docker_wanted external = {
		.name = "shop_default", .bridge = ":0", .managed = true, .external = true
	};
	struct judge_facts facts = {
		.wanted = &external,
		.link = JUDGE_LINK_MISSING,
		.rules = JUDGE_RULES_MISSING,
	};

	(void)state;
	expect(&facts, JUDGED_PENDING, "waiting for Docker", NULL);
	facts.docker_failed = true;
	expect(&facts, JUDGED_NOT, "Docker does not answer, and it alone knows", "\"bridge\"");
	/* The rules are in force where it was last. */
	external.placed = true;
	external.bridge = "br-0123456789ab";
	facts.link = JUDGE_LINK_BRIDGE;
	facts.rules = JUDGE_RULES_THERE;
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	facts.rules = JUDGE_RULES_MISSING;
	expect(&facts, JUDGED_NOT, "does not have its rules", "reconcile");
	facts.rules = JUDGE_RULES_THERE;
	facts.link = JUDGE_LINK_MISSING;
	expect(&facts, JUDGED_NOT, "Docker does not answer", "see to it");
	external.bridge_given = true;
	expect(&facts, JUDGED_PENDING, "Docker does not answer", NULL);
}

static void test_absent(void **state)
{
	struct docker_networks none = { 0 };
	struct judge_facts facts = { .wanted = &wanted, .link = JUDGE_LINK_MISSING };

	(void)state;
	expect(&facts, JUDGED_PENDING, NULL, NULL); /* no Docker: the kernel's word */
	facts.docker = &none;
	expect(&facts, JUDGED_PENDING, NULL, NULL);
	facts.link = JUDGE_LINK_BRIDGE;
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	facts.docker = NULL;
	expect(&facts, JUDGED_ENFORCED, NULL, NULL);
	facts.docker_failed = true;
	facts.link = JUDGE_LINK_MISSING;
	expect(&facts, JUDGED_PENDING, "Docker does not answer", NULL);
}

static void test_link(void **state)
{
	struct docker_leg leg = { .network = "ds-A" };
	struct docker_legs legs = { .items = &leg, .n = 1 };
	struct docker_networks docker;
	struct docker_network network;
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	facts.link = JUDGE_LINK_OTHER;
	expect(&facts, JUDGED_NOT, "ds-a is not a bridge", "rename");
	facts.link = JUDGE_LINK_UNKNOWN;
	expect(&facts, JUDGED_NOT, "does not say", "log");
	facts.link = JUDGE_LINK_ENSLAVED;
	facts.master = "vrf0";
	expect(&facts, JUDGED_NOT, "part of vrf0", "ip link set ds-a nomaster");
	facts.link = JUDGE_LINK_MISSING;
	expect(&facts, JUDGED_PENDING, "Docker has it", NULL);
	facts.legs = &legs; /* then their packets go somewhere */
	expect(&facts, JUDGED_NOT, "1 container is attached", "restart");
	facts.gateway_on = "foo";
	expect(&facts, JUDGED_NOT, "on bridge foo", "ip link set foo name ds-a");
	facts.link = JUDGE_LINK_BRIDGE; /* somebody's, beside the renamed one */
	expect(&facts, JUDGED_NOT, "on bridge foo", "ip link set foo name ds-a");
}

static void expect_doubtful(const struct judge_facts *facts, bool doubtful)
{
	struct judged judged;

	judge_network(facts, &judged);
	assert_int_equal(judged.state, JUDGED_NOT);
	assert_int_equal(judged.doubtful, doubtful);
	judged_free(&judged);
}

/* Docker's list and the kernel's are of different times; what one of them says alone is so. */
static void test_doubtful(void **state)
{
	struct docker_wanted external = {
		.name = "ds-A", .bridge = "br-1", .managed = true, .external = true, .placed = true
	};
	struct docker_leg leg = { .network = "ds-A" };
	struct docker_legs legs = { .items = &leg, .n = 1 };
	struct docker_networks docker;
	struct docker_network network;
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	facts.gateway_on = "foo";
	expect_doubtful(&facts, true);
	facts.gateway_on = NULL;
	facts.link = JUDGE_LINK_OTHER;
	expect_doubtful(&facts, false);
	facts.link = JUDGE_LINK_ENSLAVED;
	expect_doubtful(&facts, false);
	facts.link = JUDGE_LINK_MISSING;
	facts.legs = &legs;
	expect_doubtful(&facts, true);
	network.bridge = "br-2";
	expect_doubtful(&facts, false);
	facts.wanted = &external;
	expect_doubtful(&facts, true);
	network.driver = "macvlan";
	expect_doubtful(&facts, false);
}

static void test_rules(void **state)
{
	struct docker_networks docker;
	struct docker_network network;
	struct judge_facts facts = good(&docker, &network);

	(void)state;
	facts.rules = JUDGE_RULES_MISSING;
	expect(&facts, JUDGED_NOT, "does not have its rules", "reconcile");
	facts.rules = JUDGE_RULES_UNKNOWN;
	expect(&facts, JUDGED_NOT, "cannot be read", "reconcile");
	facts.rules = JUDGE_RULES_DOUBTFUL;
	expect(&facts, JUDGED_NOT, "may lack some of its rules", "reconcile");
	network.driver = "macvlan"; /* comes first */
	expect(&facts, JUDGED_NOT, "macvlan", "RESET=1");
	wanted.managed = false;
	expect(&facts, JUDGED_UNMANAGED, NULL, NULL);
	wanted.managed = true;
}

/* ---- legs ---- */

struct texts {
	struct buf all;
};

static void collect(void *data, const char *text)
{
	struct texts *texts = data;

	buf_printf(&texts->all, "%.*s\n", (int)strcspn(text, ","), text);
}

static struct docker_leg leg_of(const char *container, const char *network, const char *ip)
{
	return (struct docker_leg){
		.container = { .id = container, .name = container, .has_ip = true, .ip = addr(ip) },
		.network = network,
	};
}

static void expect_legs(const struct docker_wanted_list *list, const struct judged *judged,
			const struct docker_legs *legs, size_t n, const char *wanted_texts)
{
	struct texts texts = { 0 };

	assert_int_equal(judge_network_legs(list, judged, legs, collect, &texts), n);
	assert_string_equal(buf_str(&texts.all), wanted_texts);
	assert_int_equal(judge_network_legs(list, judged, legs, NULL, NULL), n);
	buf_free(&texts.all);
}

static void test_legs(void **state)
{
	struct docker_wanted items[] = {
		{ .name = "ds-a",
		  .bridge = "ds-a",
		  .managed = true,
		  .identity = { .has_ip = true, .ip = addr("10.1.0.2") } },
		{ .name = "ds-b", .bridge = "ds-b", .managed = true },
		{ .name = "ds-c", .bridge = "ds-c" },
	};
	struct docker_wanted_list list = { .items = items, .n = 3 };
	struct judged judged[] = { { .state = JUDGED_ENFORCED },
				   { .state = JUDGED_AUDIT },
				   { .state = JUDGED_UNMANAGED } };
	struct docker_leg all[] = {
		leg_of("dockside", "ds-a", "10.1.0.2"),	    leg_of("dockside", "ds-b", "10.2.0.2"),
		leg_of("dockside", "bridge", "172.17.0.2"), leg_of("two", "ds-a", "10.1.0.3"),
		leg_of("two", "ds-b", "10.2.0.3"),	    leg_of("one", "bridge", "172.17.0.3"),
		leg_of("c1", "ds-a", "10.1.0.4"),	    leg_of("c1", "bridge", "172.17.0.4"),
		leg_of("c1", "ds-c", "10.3.0.4"),
	};
	struct docker_legs legs = { .items = all, .n = sizeof(all) / sizeof(all[0]) };

	(void)state;
	expect_legs(&list, judged, &legs, 2,
		    "network ds-a: its container c1 is on network bridge\n"
		    "network ds-a: its container c1 is on network ds-c\n");
	judged[1].state = JUDGED_NOT;
	expect_legs(&list, judged, &legs, 3,
		    "network ds-a: its container two is on network ds-b\n"
		    "network ds-a: its container c1 is on network bridge\n"
		    "network ds-a: its container c1 is on network ds-c\n");
	items[0].identity.policed = true; /* then it counts like any other */
	expect_legs(&list, judged, &legs, 6,
		    "network ds-a: its container dockside is on network ds-b\n"
		    "network ds-a: its container dockside is on network bridge\n"
		    "network ds-b: its container dockside is on network bridge\n"
		    "network ds-a: its container two is on network ds-b\n"
		    "network ds-a: its container c1 is on network bridge\n"
		    "network ds-a: its container c1 is on network ds-c\n");
}

/* ---- the table ---- */

static void test_dispatched(void **state)
{
	struct actual_rule rule = { 0 };
	struct actual_chain chains[] = {
		{ .name = "ds-a-OUT", .rules = &rule, .n_rules = 1 },
		{ .name = "forward", .base = true, .rules = &rule, .n_rules = 1 },
	};
	struct elem elem = { .key = "ds-a", .target = "ds-a-OUT" };
	struct actual_set set = { .set = { .name = "dispatch", .elems = &elem, .n_elems = 1 } };
	struct actual actual = {
		.exists = true, .chains = chains, .n_chains = 2, .sets = &set, .n_sets = 1
	};
	struct plan plan = { 0 };
	struct elem *want;

	(void)state;
	want = set_add_elem(plan_add_set(&plan, MAP_DISPATCH, "dispatch", NULL), NULL);
	memcpy(want->key, "ds-a", 4);
	want->target = "ds-a-OUT";
	plan_finish(&plan);
	assert_true(judge_network_dispatched(&plan, &actual, "ds-a"));
	assert_false(judge_network_dispatched(&plan, &actual, "ds-b"));
	elem.target = "ds-b-OUT";
	assert_false(judge_network_dispatched(&plan, &actual, "ds-a"));
	elem.target = "ds-a-OUT";
	actual.dormant = true;
	assert_false(judge_network_dispatched(&plan, &actual, "ds-a"));
	actual.dormant = false;
	chains[0].n_rules = 0;
	assert_false(judge_network_dispatched(&plan, &actual, "ds-a"));
	chains[0].n_rules = 1;
	chains[1].base = false;
	assert_false(judge_network_dispatched(&plan, &actual, "ds-a"));
	chains[1].base = true;
	set.set.n_elems = 0;
	assert_false(judge_network_dispatched(&plan, &actual, "ds-a"));
	assert_false(judge_network_dispatched(&plan, &(struct actual){ 0 }, "ds-a"));
	plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	       cmocka_unit_test(test_docker),
		cmocka_unit_test(test_default_bridge), cmocka_unit_test(test_absent),
		cmocka_unit_test(test_external),       cmocka_unit_test(test_external_untold),
		cmocka_unit_test(test_link),	       cmocka_unit_test(test_doubtful),
		cmocka_unit_test(test_rules),	       cmocka_unit_test(test_legs),
		cmocka_unit_test(test_dispatched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
