/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that the DNS gate fills: their elements are nobody's plan, their declaration is ours. */
#include "diff_fixture.h"

#include <byteswap.h>

#include "dockside/enforce/told.h"
#include "dockside/names/gate.h"

#define GATED                                                                                 \
	"{\"networks\": {\"amber\": {\"dns\": {}, \"egress\": [{\"to\": \"host\", \"host\": " \
	"\"*.example.com\"}, {\"action\": \"drop\"}]}}}"
#define TOLD "wild-example.com-told4"

static void add_told(struct actual *actual, const char *bridge)
{
	struct elem *elem = set_add_bridge(set(actual, TOLD), bridge, NULL);

	elem->key[IFNAME_KEY_LEN] = elem->last[IFNAME_KEY_LEN] = 8;
	elem->timeout_ms = 3900000;
	actual_finish(actual);
}

static void test_elements(void **state)
{
	struct config c;
	struct actual actual;

	(void)state;
	config_read(&c, GATED);
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	expect_script(&c.plan, &actual, "");
	add_told(&actual, "amber");
	add_told(&actual, "other");
	expect_script(&c.plan, &actual, "");
	actual_free(&actual);
	config_done(&c);
}

/* All that is in the way of a set of another size goes and comes with it. */
static void test_declaration(void **state)
{
	struct config c;
	struct actual actual;
	struct changes changes;

	(void)state;
	config_read(&c, GATED);
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	set(&actual, TOLD)->size = 65536;
	diff_plan(&c.plan, &actual, STALE_S, &changes);
	assert_int_equal(changes.n_sets, 1);
	assert_int_equal(changes.sets[0].kind, CHANGE_REPLACE);
	assert_non_null(changes_find_chain(&changes, "amber-OUT"));
	assert_non_null(changes_find_chain(&changes, "wild-example.com-tell"));
	assert_non_null(changes_find_chain(&changes, "wild-example.com-untell"));
	changes_free(&changes);
	set(&actual, TOLD)->size = GATE_SET_SIZE;
	set(&actual, TOLD)->dynamic = false;
	diff_plan(&c.plan, &actual, STALE_S, &changes);
	assert_int_equal(changes.n_sets, 1);
	assert_int_equal(changes.sets[0].kind, CHANGE_REPLACE);
	changes_free(&changes);
	actual_free(&actual);
	config_done(&c);
}

static void test_plans(void **state)
{
	struct config before, after;
	struct changes changes;

	(void)state;
	config_read(&before, GATED);
	config_compile(&before);
	config_read(&after, GATED);
	config_compile(&after);
	assert_true(diff_elements_only(&before.plan, &after.plan, &changes));
	assert_int_equal(changes.n_sets, 0);
	changes_free(&changes);
	config_done(&before);
	config_done(&after);
}

/* The chain that keeps the kernel translating open connections may be either. */
static void test_nat_stays(void **state)
{
	struct config gated, plain;
	struct actual actual;

	(void)state;
	config_read(&gated, GATED);
	config_compile(&gated);
	kernel_load(&gated.plan, &actual);
	config_read(&plain, RULES("", "{\"action\": \"drop\"}"));
	config_compile(&plain);
	assert_false(diff_keep_nat(&gated.plan, &actual));
	assert_true(diff_keep_nat(&plain.plan, &actual));
	assert_non_null(plan_find_chain(&plain.plan, "prerouting"));
	actual_free(&actual);
	config_done(&gated);
	config_done(&plain);
}

/* The kernel's tags say whose addresses it has. */
static void test_tags(void **state)
{
	const uint32_t now = 0x12345678, tags[] = { 0xaabbccdd, 0x01020304 };
	uint32_t marks[3] = { bswap_32(now), now };
	struct told_record record = { marks, 0 };

	(void)state;
	assert_int_equal(told_of(&record, now, tags, 2), TOLD_NOTHING);
	record.n = 2;
	assert_int_equal(told_of(&record, now, NULL, 0), TOLD_NOW);
	assert_int_equal(told_of(&record, now, tags, 2), TOLD_NOW);
	assert_int_equal(told_of(&record, tags[0], tags, 2), TOLD_OTHERS);
	assert_int_equal(told_of(&record, tags[0], &now, 1), TOLD_KNOWN);
	record.n = 3;
	marks[2] = tags[1];
	assert_int_equal(told_of(&record, now, tags, 1), TOLD_OTHERS);
	assert_int_equal(told_of(&record, now, tags, 2), TOLD_KNOWN);
	marks[2] = 0;
	assert_int_equal(told_of(&record, now, tags, 2), TOLD_OTHERS);
}

/* Tags are nobody's plan; a table of an older version has none. */
static void test_tagged(void **state)
{
	const uint32_t mark = 7;
	struct config c;
	struct actual actual;
	struct elem *elem;

	(void)state;
	config_read(&c, GATED);
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	elem = set_add_elem(set(&actual, TAGS_SET), NULL);
	memcpy(elem->key, &mark, sizeof(mark));
	memcpy(elem->last, &mark, sizeof(mark));
	actual_finish(&actual);
	expect_script(&c.plan, &actual, "");
	assert_false(told_is_untagged(&actual));
	set(&actual, TAGS_SET)->name = "older";
	actual_finish(&actual);
	assert_true(told_is_untagged(&actual));
	actual_free(&actual);
	config_done(&c);
}

/* Each chain of the plan has its fingerprint, within the room of a comment. */
static void test_fingerprints(void **state)
{
	struct config c;
	struct actual actual;
	const struct plan_set *prints;
	size_t n = 0;

	(void)state;
	config_read(&c, "{\"networks\": {\"amber\": {\"dns\": {\"private\": [\"10.0.0.0/8\"]}, "
			"\"egress\": [{\"to\": \"host\", \"host\": \"*.example.com\"}], "
			"\"host\": [{\"action\": \"drop\"}], \"nat\": [{\"match_dport\": 1, "
			"\"to_ip\": \"8.8.8.8\", \"to_port\": 1}]}}}");
	config_compile(&c);
	kernel_load(&c.plan, &actual);
	prints = plan_find_set(&c.plan, FINGERPRINT_SET);
	for (size_t i = 0; i < prints->n_elems; i++) {
		const char *comment = prints->elems[i].comment;

		assert_true(strlen(comment) <= COMMENT_MAX);
		for (const char *p = comment; (p = strchr(p, '=')); p++)
			n++;
	}
	assert_int_equal(n, c.plan.n_chains);
	actual_free(&actual);
	config_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements),     cmocka_unit_test(test_declaration),
		cmocka_unit_test(test_plans),	     cmocka_unit_test(test_nat_stays),
		cmocka_unit_test(test_fingerprints), cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tagged),
	};

	return cmocka_run_group_tests_name("diff_gate", tests, NULL, NULL);
}
