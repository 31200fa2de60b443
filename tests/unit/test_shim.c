/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/table/nft_text.h"
#include "dockside/table/shim.h"

#define MARK 0x10000000u
#define JUDGED                                                                               \
	"add rule ip filter DOCKSIDE-DISPATCH meta mark & 0x10000000 == 0x10000000 counter " \
	"return comment \"judged by table inet dockside\"\n"
#define DROP(bridge)                                                                        \
	"add rule ip filter DOCKSIDE-DISPATCH iifname \"" bridge "\" counter drop comment " \
	"\"not judged: is table inet dockside there?\"\n"
#define JUMP "insert rule ip filter DOCKER-USER counter jump DOCKSIDE-DISPATCH\n"

/* A plan that dispatches these bridges. */
static void plan_make(struct plan *plan, const char *const *bridges, size_t n)
{
	struct plan_set *set;

	*plan = (struct plan){ .options = { .mark_bit = MARK } };
	set = plan_add_set(plan, MAP_DISPATCH, "dispatch", NULL);
	for (size_t i = 0; i < n; i++) {
		struct elem *elem = set_add_elem(set, NULL);

		memcpy(elem->key, bridges[i], strlen(bridges[i]));
		memcpy(elem->last, elem->key, sizeof(elem->key));
	}
	plan_finish(plan);
}

static struct shim_rule *add(struct shim_kernel *actual, enum shim_table table, const char *chain,
			     uint64_t handle, enum shim_verdict verdict, const char *target)
{
	struct shim_chain *to = shim_find_chain(actual, table, chain);
	struct shim_rule *rule;

	if (!to)
		to = shim_add_chain(actual, table, chain);
	rule = shim_add_rule(to);
	rule->handle = handle;
	rule->verdict = verdict;
	rule->target = target;
	return rule;
}

/* The kernel holds these rules after an installation for ds-a and ds-b. */
static void installed(struct shim_kernel *actual)
{
	struct shim_rule *rule;
	struct shim_chain *forward;

	*actual = (struct shim_kernel){ 0 };
	forward = shim_add_chain(actual, SHIM_FILTER4, "FORWARD");
	forward->base = true;
	add(actual, SHIM_FILTER4, "FORWARD", 1, SHIM_JUMP, "DOCKER-USER");
	add(actual, SHIM_FILTER4, "DOCKER-USER", 2, SHIM_JUMP, SHIM_CHAIN);
	add(actual, SHIM_FILTER4, "DOCKER-USER", 3, SHIM_RETURN, NULL);
	rule = add(actual, SHIM_FILTER4, SHIM_CHAIN, 4, SHIM_RETURN, NULL);
	rule->has_mark = true;
	rule->mark_mask = rule->mark_value = MARK;
	add(actual, SHIM_FILTER4, SHIM_CHAIN, 5, SHIM_DROP, NULL)->iifname = "ds-a";
	add(actual, SHIM_FILTER4, SHIM_CHAIN, 6, SHIM_DROP, NULL)->iifname = "ds-b";
}

static struct shim_rule *rule_at(struct shim_kernel *actual, const char *chain, size_t i)
{
	return &shim_find_chain(actual, SHIM_FILTER4, chain)->rules[i];
}

static void expect_changes(const struct shim_changes *changes, const char *wanted)
{
	struct script script = { 0 };

	nft_text_shim(changes, &script);
	assert_string_equal(buf_str(&script.text), wanted);
	script_free(&script);
}

static void expect(struct shim_kernel *actual, const char *wanted)
{
	static const char *const bridges[] = { "ds-b", "ds-a" };
	struct shim_changes changes;
	struct plan plan;

	plan_make(&plan, bridges, ARRAY_SIZE(bridges));
	shim_diff(&plan, actual, false, &changes);
	expect_changes(&changes, wanted);
	shim_changes_free(&changes);
	plan_free(&plan);
	shim_kernel_free(actual);
}

static void test_no_docker(void **state)
{
	struct shim_kernel actual = { 0 };

	(void)state;
	expect(&actual, "");
	/* Docker has not made its chain: neither do we. */
	add(&actual, SHIM_FILTER4, "FORWARD", 1, SHIM_ACCEPT, NULL);
	expect(&actual, "");
}

static void test_first_time(void **state)
{
	struct shim_kernel actual = { 0 };

	(void)state;
	add(&actual, SHIM_FILTER4, "DOCKER-USER", 3, SHIM_RETURN, NULL);
	expect(&actual,
	       "add chain ip filter DOCKSIDE-DISPATCH\n" JUDGED DROP("ds-a") DROP("ds-b") JUMP);
}

static void test_both_families(void **state)
{
	struct shim_kernel actual;

	(void)state;
	installed(&actual);
	shim_add_chain(&actual, SHIM_FILTER6, "DOCKER-USER");
	for (size_t i = 0; i < 3; i++) {
		struct shim_rule *rule =
			add(&actual, SHIM_FILTER6, SHIM_CHAIN, 10 + i, SHIM_DROP, NULL);

		*rule = *rule_at(&actual, SHIM_CHAIN, i);
	}
	expect(&actual, "insert rule ip6 filter DOCKER-USER counter jump DOCKSIDE-DISPATCH\n");
}

static void test_nothing_to_do(void **state)
{
	struct shim_kernel actual;

	(void)state;
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 0)->comment = "somebody's";
	expect(&actual, "");
}

/* Each of these is a rule that would not do what ours does. */
static void test_our_chain_differs(void **state)
{
	static const char again[] =
		"flush chain ip filter DOCKSIDE-DISPATCH\n" JUDGED DROP("ds-a") DROP("ds-b");
	struct shim_kernel actual;

	(void)state;
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 0)->mark_value = 0;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 0)->mark_mask |= 1;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 0)->has_mark = false;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 0)->verdict = SHIM_ACCEPT;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 1)->iifname = "ds-c";
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 1)->iifname = NULL;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 2)->other = true;
	expect(&actual, again);
	installed(&actual);
	rule_at(&actual, SHIM_CHAIN, 2)->verdict = SHIM_RETURN;
	expect(&actual, again);
	installed(&actual);
	add(&actual, SHIM_FILTER4, SHIM_CHAIN, 9, SHIM_RETURN, NULL);
	expect(&actual, again);
}

static void test_jump(void **state)
{
	struct shim_kernel actual;

	(void)state;
	/* After somebody's rule, conditional, or only from FORWARD: none of these will do. */
	installed(&actual);
	rule_at(&actual, "DOCKER-USER", 0)->verdict = SHIM_ACCEPT;
	*rule_at(&actual, "DOCKER-USER", 1) =
		(struct shim_rule){ .handle = 3, .verdict = SHIM_JUMP, .target = SHIM_CHAIN };
	expect(&actual, "delete rule ip filter DOCKER-USER handle 3\n" JUMP);
	installed(&actual);
	rule_at(&actual, "DOCKER-USER", 0)->iifname = "ds-a";
	expect(&actual, "delete rule ip filter DOCKER-USER handle 2\n" JUMP);
	installed(&actual);
	rule_at(&actual, "FORWARD", 0)->target = SHIM_CHAIN;
	expect(&actual, "delete rule ip filter FORWARD handle 1\n");
}

static void test_no_networks(void **state)
{
	struct shim_changes changes;
	struct shim_kernel actual;
	struct plan plan;

	(void)state;
	installed(&actual);
	plan_make(&plan, NULL, 0);
	shim_diff(&plan, &actual, false, &changes);
	expect_changes(&changes, "flush chain ip filter DOCKSIDE-DISPATCH\n"
				 "delete rule ip filter DOCKER-USER handle 2\n"
				 "delete chain ip filter DOCKSIDE-DISPATCH\n");
	shim_changes_free(&changes);
	plan_free(&plan);
	shim_kernel_free(&actual);
}

/* The old chains jump to each other, and one has the name that ours has. */
static void test_takeover(void **state)
{
	struct shim_kernel actual = { 0 };

	(void)state;
	add(&actual, SHIM_FILTER4, "DOCKER-USER", 3, SHIM_JUMP, SHIM_CHAIN)->iifname = "ds-a";
	add(&actual, SHIM_FILTER4, SHIM_CHAIN, 4, SHIM_JUMP, "DOCKSIDE-ds-a-OUT");
	add(&actual, SHIM_FILTER4, "DOCKSIDE-ds-a-OUT", 5, SHIM_JUMP, "DOCKSIDE-ds-a-ING");
	add(&actual, SHIM_FILTER4, "DOCKSIDE-ds-a-ING", 6, SHIM_DROP, NULL);
	add(&actual, SHIM_NAT4, "PREROUTING", 7, SHIM_JUMP, "DOCKSIDE-ds-a-NAT")->iifname = "ds-a";
	shim_add_chain(&actual, SHIM_NAT4, "DOCKSIDE-ds-a-NAT");
	expect(&actual,
	       "flush chain ip filter DOCKSIDE-ds-a-OUT\n"
	       "flush chain ip filter DOCKSIDE-ds-a-ING\n"
	       "flush chain ip nat DOCKSIDE-ds-a-NAT\n"
	       "flush chain ip filter DOCKSIDE-DISPATCH\n"
	       "delete rule ip nat PREROUTING handle 7\n"
	       "delete rule ip filter DOCKER-USER handle 3\n"
	       "delete chain ip filter DOCKSIDE-ds-a-OUT\n"
	       "delete chain ip filter DOCKSIDE-ds-a-ING\n"
	       "delete chain ip nat DOCKSIDE-ds-a-NAT\n" JUDGED DROP("ds-a") DROP("ds-b") JUMP);
}

static enum shim_forward forward(struct shim_kernel *actual, enum forward_policy policy,
				 enum shim_table table, bool was_accept)
{
	static const char *const bridges[] = { "ds-a" };
	struct shim_changes changes;
	enum shim_forward result;
	struct plan plan;

	plan_make(&plan, bridges, 1);
	plan.options.forward_policy = policy;
	shim_diff(&plan, actual, was_accept ? 1u << table : 0, &changes);
	result = changes.forward[table];
	assert_int_equal(changes.forward[table == SHIM_FILTER4 ? SHIM_FILTER6 : SHIM_FILTER4],
			 FORWARD_LEAVE);
	shim_changes_free(&changes);
	plan_free(&plan);
	return result;
}

static void test_forward_policy(void **state)
{
	struct shim_changes changes;
	struct shim_kernel actual;

	(void)state;
	installed(&actual);
	shim_find_chain(&actual, SHIM_FILTER4, "FORWARD")->accepts = true;
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER4, false), FORWARD_DROP);
	assert_int_equal(forward(&actual, FORWARD_POLICY_ALLOW_ACCEPT, SHIM_FILTER4, false),
			 FORWARD_LEAVE);
	shim_find_chain(&actual, SHIM_FILTER4, "FORWARD")->accepts = false;
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER4, false), FORWARD_LEAVE);
	/* It was we who made it DROP, and somebody has flushed DOCKER-USER. */
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER4, true), FORWARD_ACCEPT);
	shim_diff_teardown(&actual, 0, &changes);
	assert_int_equal(changes.forward[SHIM_FILTER4], FORWARD_LEAVE);
	shim_changes_free(&changes);
	add(&actual, SHIM_FILTER4, "DOCKER-USER", 8, SHIM_ACCEPT, NULL)->comment =
		SHIM_FORWARD_COMMENT;
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER4, true), FORWARD_LEAVE);
	shim_diff_teardown(&actual, 0, &changes);
	assert_int_equal(changes.forward[SHIM_FILTER4], FORWARD_RESTORE);
	shim_changes_free(&changes);
	shim_kernel_free(&actual);
}

/* As Docker up to 22 has it: without DOCKER-USER, and with it later. */
static void test_forward_policy6(void **state)
{
	struct shim_changes changes;
	struct shim_kernel actual;
	struct shim_chain *chain;

	(void)state;
	installed(&actual);
	chain = shim_add_chain(&actual, SHIM_FILTER6, "FORWARD");
	chain->base = chain->accepts = true;
	/* Docker's networks have no other rules there: they live by the policy. */
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER6, false), FORWARD_LEAVE);
	shim_add_chain(&actual, SHIM_FILTER6, "DOCKER");
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER6, false), FORWARD_DROP);
	assert_int_equal(forward(&actual, FORWARD_POLICY_ALLOW_ACCEPT, SHIM_FILTER6, false),
			 FORWARD_LEAVE);
	shim_find_chain(&actual, SHIM_FILTER6, "FORWARD")->accepts = false;
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER6, true), FORWARD_LEAVE);
	shim_diff_teardown(&actual, 1u << SHIM_FILTER6, &changes);
	assert_int_equal(changes.forward[SHIM_FILTER6], FORWARD_RESTORE);
	assert_int_equal(changes.forward[SHIM_FILTER4], FORWARD_LEAVE);
	shim_changes_free(&changes);
	shim_add_chain(&actual, SHIM_FILTER6, "DOCKER-USER");
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER6, true), FORWARD_ACCEPT);
	add(&actual, SHIM_FILTER6, "DOCKER-USER", 8, SHIM_ACCEPT, NULL)->comment =
		SHIM_FORWARD_COMMENT;
	assert_int_equal(forward(&actual, FORWARD_POLICY_DROP, SHIM_FILTER6, true), FORWARD_LEAVE);
	shim_diff_teardown(&actual, 0, &changes);
	assert_int_equal(changes.forward[SHIM_FILTER6], FORWARD_RESTORE);
	shim_changes_free(&changes);
	shim_kernel_free(&actual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_docker),	  cmocka_unit_test(test_first_time),
		cmocka_unit_test(test_both_families),	  cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_our_chain_differs), cmocka_unit_test(test_jump),
		cmocka_unit_test(test_no_networks),	  cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_forward_policy),	  cmocka_unit_test(test_forward_policy6),
	};

	return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
