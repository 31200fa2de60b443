/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table bridge dockside: containers that start and stop change elements, and nothing else. */
#include "diff_fixture.h"

#include "dockside/base/util.h"

static const uint8_t mac_a[] = { 2, 0x42, 0xac, 0x14, 0, 2 };
static const uint8_t mac_b[] = { 2, 0x42, 0xac, 0x14, 0, 3 };
static const uint8_t addr_a[] = { 172, 20, 0, 2 };

static void add_key(struct plan_set *set, const char *port, const uint8_t *bytes, size_t len)
{
	struct elem *elem = set_add_bridge(set, port, NULL);

	memcpy(elem->key + IFNAME_KEY_LEN, bytes, len);
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

/* A container on port veth1; with second another on veth2, which else is in the map of unknown ports. */
static void make_plan(struct plan *plan, bool second)
{
	struct plan_set *macs, *addrs, *unknown;
	struct plan_chain *chain;

	*plan = (struct plan){ .family = TABLE_BRIDGE };
	macs = plan_add_set(plan, SET_PORT_MAC, "macs", NULL);
	addrs = plan_add_set(plan, SET_PORT_IPV4, "addrs4", NULL);
	unknown = plan_add_set(plan, MAP_DISPATCH, "unknown", NULL);
	plan_add_set(plan, SET_BRIDGES, FINGERPRINT_SET, NULL);
	add_key(macs, "veth1", mac_a, sizeof(mac_a));
	add_key(addrs, "veth1", addr_a, sizeof(addr_a));
	if (second)
		add_key(macs, "veth2", mac_b, sizeof(mac_b));
	else
		set_add_bridge(unknown, "veth2", NULL)->target = "amber-learn";
	chain = plan_add_chain(plan, "amber-learn", NULL);
	chain_add_rule(chain, NULL)->verdict = VERDICT_DROP;
	chain = plan_add_chain(plan, "bind", NULL);
	chain->hook = BASE_BIND;
	chain_add_rule(chain, NULL)->verdict = VERDICT_VMAP;
	chain->rules[0].set = unknown;
	plan_finish(plan);
	nft_text_hash(plan);
}

/* "+macs +addrs4 -unknown ", or "no". */
static void expect_between(const struct plan *before, const struct plan *after, const char *wanted)
{
	struct changes changes = { 0 };
	struct buf b = { 0 };

	if (!diff_elements_only(before, after, &changes))
		buf_puts(&b, "no");
	for (size_t i = 0; i < changes.n_sets; i++)
		for (size_t k = 0; k < changes.sets[i].n_elems; k++)
			buf_printf(&b, "%c%s ",
				   changes.sets[i].elems[k].kind == ELEM_DELETE ? '-' : '+',
				   changes.sets[i].name);
	assert_string_equal(buf_str(&b), wanted);
	changes_free(&changes);
	buf_free(&b);
}

static void test_elements_only(void **state)
{
	struct plan one, two;
	struct actual actual;

	(void)state;
	make_plan(&one, false);
	make_plan(&two, true);
	kernel_load(&one, &actual);
	expect_script(&one, &actual, "");
	expect_script(&two, &actual,
		      "delete element bridge dockside unknown { \"veth2\" }\n"
		      "add element bridge dockside macs {\n"
		      "\t\"veth2\" . 02:42:ac:14:00:03 }\n");
	expect_between(&one, &one, "");
	expect_between(&one, &two, "+macs -unknown ");
	expect_between(&two, &one, "-macs +unknown ");
	actual_free(&actual);
	plan_free(&one);
	plan_free(&two);
}

/* An element with another target goes before it comes: the kernel takes no other data for a key that is there. */
static void test_target(void **state)
{
	struct plan one, two;

	(void)state;
	make_plan(&one, false);
	make_plan(&two, false);
	plan_find_set(&two, "unknown")->elems[0].target = "bind";
	expect_between(&one, &two, "-unknown +unknown ");
	two.sets[0]->elems[0].comment = "web";
	expect_between(&one, &two, "-macs +macs -unknown +unknown ");
	plan_free(&one);
	plan_free(&two);
}

static void test_more_than_elements(void **state)
{
	struct plan one, two;

	(void)state;
	make_plan(&one, false);
	make_plan(&two, true);
	two.chains[0]->hash++;
	expect_between(&one, &two, "no");
	two.chains[0]->hash--;
	two.sets[0]->counter = true;
	expect_between(&one, &two, "no");
	two.sets[0]->counter = false;
	one.sets[0]->interval = two.sets[0]->interval = true;
	expect_between(&one, &two, "no"); /* its element is no single one */
	expect_between(&two, &two, "");
	one.sets[0]->interval = two.sets[0]->interval = false;
	plan_add_object(&two, OBJECT_COUNTER, "amber-denied", NULL);
	plan_finish(&two);
	expect_between(&one, &two, "no");
	plan_free(&two);
	make_plan(&two, true);
	one.ports_unknown = true; /* its elements are not what the kernel holds */
	expect_between(&one, &two, "no");
	plan_free(&one);
	plan_free(&two);
}

/* Until somebody says who is on which port, what is bound stays bound. */
static void test_ports_unknown(void **state)
{
	struct plan plan;
	struct actual actual;

	(void)state;
	make_plan(&plan, true);
	kernel_load(&plan, &actual);
	for (size_t i = 0; i < plan.n_sets; i++)
		plan.sets[i]->n_elems = 0;
	expect_script(&plan, &actual,
		      "delete element bridge dockside addrs4 { \"veth1\" . 172.20.0.2 }\n"
		      "delete element bridge dockside macs { \"veth1\" . 02:42:ac:14:00:02 }\n"
		      "delete element bridge dockside macs { \"veth2\" . 02:42:ac:14:00:03 }\n");
	plan.ports_unknown = true;
	expect_script(&plan, &actual, "");
	actual_free(&actual);
	plan_free(&plan);
}

/* A plan without chains stands for no table. */
static void test_no_table(void **state)
{
	struct plan plan, none = { .family = TABLE_BRIDGE };
	struct actual actual, nothing = { .family = TABLE_BRIDGE };
	struct script script = { 0 };

	(void)state;
	make_plan(&plan, true);
	kernel_load(&plan, &actual);
	expect_script(&none, &actual, "delete table bridge dockside\n");
	expect_script(&none, &nothing, "");
	nft_text_plan(&none, &script);
	assert_int_equal(script.n_lines, 0);
	script_free(&script);
	actual_free(&actual);
	plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements_only),	   cmocka_unit_test(test_target),
		cmocka_unit_test(test_more_than_elements), cmocka_unit_test(test_ports_unknown),
		cmocka_unit_test(test_no_table),
	};

	return cmocka_run_group_tests_name("diff_bind", tests, NULL, NULL);
}
