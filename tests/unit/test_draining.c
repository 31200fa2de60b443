/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks that the files no longer have: kept as documents, merged again, ordinary from there on. */
#include <errno.h>
#include <string.h>

#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/policy/draining.h"
#include "dockside/table/compile.h"
#include "dockside/table/nft_text.h"

#define AMBER "{\"name\": \"Amber\", \"subnet\": \"192.0.2.0/24\", \"dockside_ip\": \"192.0.2.9\"}"
#define CORAL "{\"name\": \"coral\", \"subnet\": \"198.51.100.0/24\"}"
#define NETWORKS(list) "{\"networks\": [" list "]}"
#define SET_RULE(set) "{\"to\": \"ipset\", \"ipset\": \"" set "\", \"proto\": \"tcp\"}, {\"_\": 1}"
#define DROP "{\"action\": \"drop\"}"
#define RULES                                                                                   \
	"{\"ipsets\": {\"a\": [\"10.1.0.0/16\"], \"b\": [\"h.example\", \"10.2.0.1\"]}, "       \
	"\"networks\": {\"Amber\": {\"egress\": [" SET_RULE(                                    \
		"b") ", " DROP "], "                                                            \
		     "\"host\": [{\"proto\": \"tcp\", \"ports\": [80]}], "                      \
		     "\"nat\": [{\"match_dport\": 1, \"to_host\": \"n.example\", \"to_port\": " \
		     "2}]}, "                                                                   \
		     "\"coral\": {\"egress\": [" SET_RULE("a") ", " DROP "]}}}"

#define GATED_RULES                                                                          \
	"{\"ipsets\": {\"a\": [\"10.1.0.0/16\"], \"b\": [\"h.example\", \"*.example.com\", " \
	"\"8.8.8.8\"]}, "                                                                    \
	"\"networks\": {\"Amber\": {\"dns\": {\"names\": [\"x.example\"], \"private\": "     \
	"[\"10.0.0.0/8\"], \"stale\": 7}, \"egress\": [" SET_RULE(                           \
		"b") ", " DROP "]}, "                                                        \
		     "\"coral\": {\"egress\": [" SET_RULE("a") ", " DROP "]}}}"

static const char *const amber[] = { "amber" }, *const both[] = { "amber", "coral" };
static const struct draining_docs none = { 0 };

static struct draining_docs docs_of(const char *networks, const char *rules,
				    const char *const *bridges, size_t n)
{
	struct draining_docs docs;
	struct policy policy = { 0 };

	policy_read(&policy, networks, rules);
	draining_docs_make(&none, &policy, bridges, n, &docs);
	policy_free(&policy);
	return docs;
}

static void compile(const struct policy *policy, struct resolved *resolved, struct plan *plan)
{
	static const struct plan_options options = { .mark_bit = 0x10000000, .log_group = 20 };

	*resolved = (struct resolved){ 0 };
	resolved_collect(policy, resolved);
	compile_policy(policy, resolved, &options, plan);
	nft_text_hash(plan);
}

/* After a restart: rules, sets and names are those of before, to the byte; only the dispatch is marked. */
static void same_rules(const char *rules)
{
	struct draining_docs docs = docs_of(NETWORKS(AMBER ", " CORAL), rules, both, 2);
	struct resolved resolved_before, resolved_after;
	struct plan plan_before, plan_after;
	struct policy before = { 0 }, after = { 0 };
	struct buf text = { 0 };

	draining_docs_write(&docs, &text);
	draining_docs_free(&docs);
	assert_int_equal(draining_docs_read(buf_str(&text), text.len, &docs, NULL), 0);
	policy_read(&before, NETWORKS(AMBER ", " CORAL), rules);
	policy_read(&after, NETWORKS(""), "{}");
	assert_int_equal(draining_merge(&after, &docs, NULL), 0);
	assert_int_equal(after.n_networks, 2);
	assert_int_equal(after.n_draining, 2);
	assert_string_equal(after.networks[0].name, "Amber");
	assert_true(after.networks[0].draining);
	assert_null(after.networks[0].loc.src);
	assert_null(after.networks[0].egress[0].loc.src);
	assert_int_equal(after.networks[0].egress[1].index, 2); /* as in the file */
	compile(&before, &resolved_before, &plan_before);
	compile(&after, &resolved_after, &plan_after);
	assert_int_equal(resolved_after.n, resolved_before.n);
	assert_int_equal(plan_after.n_chains, plan_before.n_chains);
	assert_int_equal(plan_after.n_sets, plan_before.n_sets);
	for (size_t i = 0; i < plan_after.n_chains; i++) {
		assert_string_equal(plan_after.chains_by_name[i]->name,
				    plan_before.chains_by_name[i]->name);
		assert_int_equal(plan_after.chains_by_name[i]->hash,
				 plan_before.chains_by_name[i]->hash);
	}
	assert_string_equal(plan_find_set(&plan_after, "dispatch")->elems[0].comment, "draining");
	assert_null(plan_find_set(&plan_before, "dispatch")->elems[0].comment);
	plan_free(&plan_before);
	plan_free(&plan_after);
	resolved_free(&resolved_before);
	resolved_free(&resolved_after);
	policy_free(&before);
	policy_free(&after);
	draining_docs_free(&docs);
	buf_free(&text);
}

static void test_same_rules(void **state)
{
	(void)state;
	same_rules(RULES);
	same_rules(GATED_RULES);
}

/* The files win: a network of theirs with that bridge, and an ipset of theirs with that name. */
static void test_clash(void **state)
{
	struct draining_docs docs = docs_of(NETWORKS(AMBER ", " CORAL), RULES, both, 2);
	struct policy policy = { 0 };

	(void)state;
	policy_read(&policy, NETWORKS("{\"name\": \"coral\", \"subnet\": \"192.0.2.0/25\"}"),
		    "{\"ipsets\": {\"b\": [\"10.9.0.0/16\"]}}");
	assert_int_equal(draining_merge(&policy, &docs, NULL), 0);
	assert_int_equal(policy.n_networks, 2);
	assert_false(policy.networks[0].draining);
	assert_int_equal(policy.networks[0].n_egress, 0);
	assert_string_equal(policy.networks[1].bridge, "amber");
	assert_int_equal(policy.networks[1].egress[0].ipset, 0);
	assert_int_equal(policy.ipsets[0].n_hostnames, 0);
	/* Once more: in place of those that it has. */
	assert_int_equal(draining_merge(&policy, &docs, NULL), 0);
	assert_int_equal(policy.n_networks, 2);
	assert_int_equal(draining_merge(&policy, &none, NULL), 0);
	assert_int_equal(policy.n_networks, 1);
	assert_int_equal(policy.n_ipsets, 1);
	assert_int_equal(policy.n_draining + policy.n_draining_ipsets, 0);
	policy_free(&policy);
	draining_docs_free(&docs);
}

/* Two that the files never had together; the one that is kept is as it was when it was removed. */
static void test_one_after_the_other(void **state)
{
	struct draining_docs first = docs_of(NETWORKS(AMBER),
					     "{\"ipsets\": {\"b\": [\"h.example\", \"10.2.0.1\"]}, "
					     "\"networks\": {\"Amber\": "
					     "{\"egress\": [" SET_RULE("b") "]}}}",
					     amber, 1),
			     second;
	struct policy policy = { 0 };

	(void)state;
	policy_read(&policy, NETWORKS("{\"name\": \"coral\", \"subnet\": \"192.0.2.0/24\"}"),
		    "{\"ipsets\": {\"b\": [\"10.9.0.0/16\"]}, \"networks\": {\"coral\": "
		    "{\"egress\": [" SET_RULE("b") "]}}}");
	draining_docs_make(&first, &policy, both, 2, &second);
	policy_free(&policy);
	policy_read(&policy, NETWORKS(""), "{}");
	assert_int_equal(draining_merge(&policy, &second, NULL), 0);
	assert_int_equal(policy.n_networks, 2);
	assert_int_equal(policy.n_ipsets, 1);
	assert_int_equal(policy.ipsets[0].n_hostnames, 1); /* the first one's */
	assert_int_equal(second.n_closed, 0);
	draining_docs_free(&first);
	draining_docs_make(&second, NULL, both + 1, 1, &first);
	assert_null(strstr(first.network, "Amber"));
	assert_non_null(strstr(first.network, "coral"));
	policy_free(&policy);
	draining_docs_free(&first);
	draining_docs_free(&second);
}

/*
 * One that was moved, and is removed once more while containers are at the place from before; and the files have a third
 * one of that name. Each has a name of its own, as all that is said of a network goes by its name.
 */
static void test_namesakes(void **state)
{
	static const char *const bridges[] = { "b1", "b2" };
	static const char *const names[] = { "coral", "coral.b1", "coral.b2" };
	struct draining_docs first = docs_of(
		NETWORKS("{\"name\": \"coral\", \"bridge\": \"b1\", \"subnet\": \"192.0.2.0/24\"}"),
		"{\"networks\": {\"coral\": {\"egress\": [" DROP "]}}}", bridges, 1);
	struct draining_docs second, again;
	struct policy policy = { 0 };
	struct buf text = { 0 };

	(void)state;
	policy_read(&policy,
		    NETWORKS("{\"name\": \"coral\", \"bridge\": \"b2\", \"subnet\": "
			     "\"198.51.100.0/24\"}"),
		    "{\"networks\": {\"coral\": {\"host\": [" DROP "]}}}");
	draining_docs_make(&first, &policy, bridges, 2, &second);
	policy_free(&policy);
	draining_docs_write(&second, &text);
	assert_int_equal(draining_docs_read(buf_str(&text), text.len, &again, NULL), 0);
	policy_read(&policy, NETWORKS(CORAL), "{}");
	assert_int_equal(draining_merge(&policy, &again, NULL), 0);
	assert_int_equal(policy.n_networks, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(policy.networks[i].name, names[i]);
		assert_string_equal(policy.networks[i].stem, names[i]);
	}
	assert_string_equal(policy.networks[1].bridge, "b1");
	assert_int_equal(policy.networks[1].n_egress, 1);
	assert_string_equal(policy.networks[2].bridge, "b2");
	assert_int_equal(policy.networks[2].n_host_rules, 1);
	assert_false(policy.networks[1].closed || policy.networks[2].closed);
	policy_free(&policy);
	draining_docs_free(&first);
	draining_docs_free(&second);
	draining_docs_free(&again);
	buf_free(&text);
}

/* Nobody knows its policy: everything is refused, and that is kept, too. */
static void test_closed(void **state)
{
	struct draining_docs docs = docs_of(NETWORKS(CORAL), "{}", both, 2), again;
	struct buf text = { 0 };
	struct policy policy = { 0 };

	(void)state;
	assert_int_equal(docs.n_closed, 1);
	draining_docs_write(&docs, &text);
	assert_int_equal(draining_docs_read(buf_str(&text), text.len, &again, NULL), 0);
	policy_read(&policy, NETWORKS(""), "{}");
	assert_int_equal(draining_merge(&policy, &again, NULL), 0);
	assert_int_equal(policy.n_networks, 2);
	assert_string_equal(policy.networks[1].name, "amber");
	assert_true(network_managed(&policy.networks[1]));
	assert_true(network_denies(&policy.networks[1]));
	assert_int_equal(policy.networks[1].n_host_rules, 1);
	policy_free(&policy);
	draining_docs_free(&docs);
	draining_docs_free(&again);
	buf_free(&text);
}

/* More than half of what our parser takes. */
static void put_long(struct buf *rules, const char *network)
{
	buf_printf(rules, "{\"ipsets\": {\"%s\": [\"10.0.0.1\"", network);
	while (rules->len < JSON_SIZE_MAX / 2 + 100000)
		buf_puts(rules, ",\"10.0.0.1\"");
	buf_printf(rules, "]}, \"networks\": {\"%s\": {\"egress\": [" SET_RULE("%s") "]}}}",
		   network, network);
}

/* A network that would make them longer than a file that we read is closed; the rest stays. */
static void test_too_long(void **state)
{
	struct draining_docs first, second;
	struct policy policy = { 0 };
	struct buf rules = { 0 };

	(void)state;
	put_long(&rules, "Amber");
	first = docs_of(NETWORKS(AMBER), buf_str(&rules), amber, 1);
	assert_int_equal(first.n_closed, 0);
	buf_reset(&rules);
	put_long(&rules, "coral");
	policy_read(&policy, NETWORKS(CORAL), buf_str(&rules));
	draining_docs_make(&first, &policy, both, 2, &second);
	assert_int_equal(second.n_closed, 1);
	assert_string_equal(second.closed[0], "coral");
	assert_non_null(strstr(second.network, "Amber"));
	buf_reset(&rules);
	draining_docs_write(&second, &rules);
	assert_true(rules.len < JSON_SIZE_MAX);
	policy_free(&policy);
	draining_docs_free(&first);
	draining_docs_free(&second);
	buf_free(&rules);
}

static void assert_refused(const char *text)
{
	struct draining_docs docs;
	struct err err = { 0 };

	if (draining_docs_read(text, strlen(text), &docs, &err) != -EBADMSG)
		fail_msg("taken: %s", text);
	err_free(&err);
}

/* It is refused even if its checksum is right. */
static void test_not_ours(void **state)
{
	(void)state;
	assert_refused("");
	assert_refused("[]");
	assert_refused("{}");
	assert_refused("{\"closed\": [1]}");
	assert_refused("{\"closed\": [\"\"]}");
	assert_refused("{\"closed\": [\"longer-than-a-bridge\"]}");
	assert_refused("{\"closed\": [], \"network-config\": " NETWORKS(AMBER) "}");
	assert_refused("{\"closed\": [], \"network-config\": {\"networks\": 1}, "
		       "\"firewall-config\": {}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_rules),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_namesakes),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
