/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of names that the gate tells, their slots, and the gate's document. */
#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/json/json_parse.h"
#include "dockside/names/gate_document.h"
#include "dockside/names/resolved.h"

#define TWO                                                                   \
	"{\"networks\": [{\"name\": \"amber\", \"subnet\": \"10.5.0.0/24\"}," \
	" {\"name\": \"beige\", \"subnet\": \"10.6.0.0/24\"}]}"
#define IPSETS                                                                                    \
	"\"ipsets\": {\"web\": [\"b.example\", \"*.example.com\"], \"dead\": [\"bad.example\"], " \
	"\"lit\": [\"8.8.8.8\"]}"
#define AMBER_RULES                                                                            \
	"{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"proto\": \"tcp\", \"to\": \"ipset\", "    \
	"\"ipset\": \"web\"},"                                                                 \
	" {\"to\": \"host\", \"host\": \"one.example\"}, {\"to\": \"host\", \"host\": "        \
	"\"*.one.example\"},"                                                                  \
	" {\"to\": \"ipset\", \"ipset\": \"lit\"}, {\"action\": \"drop\", \"to\": \"ipset\", " \
	"\"ipset\": \"dead\"},"                                                                \
	" {\"action\": \"drop\"}"

static const struct gate_list *find(const struct gate_lists *lists, const char *prefix,
				    const char *name)
{
	for (size_t i = 0; i < lists->n; i++)
		if (strcmp(lists->items[i].prefix, prefix) == 0 &&
		    strcmp(lists->items[i].name, name) == 0)
			return &lists->items[i];
	return NULL;
}

static void test_lists(void **state)
{
	struct policy policy = { 0 };
	struct gate_lists lists;
	const struct network *amber, *beige;

	(void)state;
	policy_read(&policy, TWO,
		    "{" IPSETS ", \"networks\": {\"amber\": {\"dns\": {}, \"egress\": [" AMBER_RULES
		    "]}, \"beige\": {\"dns\": {\"stale\": 10}, \"egress\": [{\"to\": \"ipset\", "
		    "\"ipset\": \"web\"}]}}}");
	amber = &policy.networks[0];
	beige = &policy.networks[1];
	gate_lists_collect(&policy, &lists);
	assert_int_equal(lists.n, 3);
	assert_int_equal(find(&lists, "ipset-", "web")->n_networks, 2);
	assert_ptr_equal(find(&lists, "ipset-", "web")->networks[1], beige);
	assert_int_equal(find(&lists, "host-", "one.example")->n_networks, 1);
	assert_string_equal(find(&lists, "wild-", "one.example")->entry, "*.one.example");
	assert_ptr_equal(gate_lists_find(&lists, &policy, amber, &amber->egress[1]),
			 find(&lists, "ipset-", "web"));
	assert_null(gate_lists_find(&lists, &policy, amber, &amber->egress[4])); /* literals */
	assert_null(gate_lists_find(&lists, &policy, amber, &amber->egress[5])); /* it drops */
	assert_int_equal(gate_life_s(amber), 3900);
	assert_int_equal(gate_life_s(beige), 310);
	gate_lists_free(&lists);
	policy_free(&policy);
}

/* Nobody asks for names that are told; a rule that drops, and a network without a gate, have theirs looked up. */
static void test_not_polled(void **state)
{
	struct policy policy = { 0 };
	struct resolved resolved;

	(void)state;
	policy_read(&policy, TWO,
		    "{" IPSETS ", \"networks\": {\"amber\": {\"dns\": {}, \"egress\": [" AMBER_RULES
		    "]}}}");
	resolved_collect(&policy, &resolved);
	assert_int_equal(resolved.n, 1);
	assert_string_equal(resolved.items[0].name, "bad.example");
	resolved_free(&resolved);
	resolved_collect_all(&policy, &resolved);
	assert_int_equal(resolved.n, 1);
	resolved_free(&resolved);
	policy_free(&policy);

	memset(&policy, 0, sizeof(policy));
	policy_read(&policy, TWO,
		    "{\"networks\": {\"amber\": {\"dns\": {}, \"egress\": [{\"to\": \"host\", "
		    "\"host\": \"one.example\"}]}, \"beige\": {\"egress\": [{\"to\": \"host\", "
		    "\"host\": \"one.example\"}]}}}");
	resolved_collect(&policy, &resolved);
	assert_int_equal(resolved.n, 1);
	resolved_free(&resolved);
	policy_free(&policy);
}

/* A policy of so many names, each a list. */
static void read_many(struct policy *policy, size_t n)
{
	struct buf b = { 0 };

	memset(policy, 0, sizeof(*policy));
	buf_puts(&b, "{\"networks\": {\"amber\": {\"dns\": {}, \"egress\": [");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "{\"to\": \"host\", \"host\": \"n%zu.example\"},", i);
	buf_puts(&b, "{\"action\": \"drop\"}]}}}");
	policy_read(policy, TWO, buf_str(&b));
	buf_free(&b);
}

static void test_slots(void **state)
{
	enum { MANY = 3000 };
	bool *taken = xcalloc(GATE_SLOTS + 1, sizeof(*taken));
	struct gate_lists few, many;
	struct policy small, large;
	size_t moved = 0;

	(void)state;
	read_many(&large, MANY);
	gate_lists_collect(&large, &many);
	assert_int_equal(many.n, MANY);
	assert_false(many.too_many);
	for (size_t i = 0; i < many.n; i++) {
		assert_true(many.items[i].slot >= 1 && many.items[i].slot <= GATE_SLOTS);
		assert_false(taken[many.items[i].slot]);
		taken[many.items[i].slot] = true;
	}
	/* With fewer lists those that are left have the slots that they had, but for accidents. */
	read_many(&small, 100);
	gate_lists_collect(&small, &few);
	for (size_t i = 0; i < few.n; i++)
		moved += find(&many, "host-", few.items[i].name)->slot != few.items[i].slot;
	assert_true(moved < 30);
	gate_lists_free(&few);
	gate_lists_free(&many);
	policy_free(&small);
	policy_free(&large);
	free(taken);
}

static void test_too_many(void **state)
{
	struct gate_lists lists;
	struct policy policy;

	(void)state;
	read_many(&policy, GATE_SLOTS + 1);
	gate_lists_collect(&policy, &lists);
	assert_true(lists.too_many);
	gate_lists_free(&lists);
	policy_free(&policy);
}

static char *document(const char *network, const char *firewall)
{
	struct ipaddr host = { FAMILY_IPV4, { 192, 0, 2, 9 } };
	struct policy policy = { 0 };
	struct buf b = { 0 };

	policy_read(&policy, network, firewall);
	gate_document_write(&policy, 0, &host, 1, &b, NULL);
	policy_free(&policy);
	return buf_steal(&b);
}

#define HAS(text, part)                                      \
	do {                                                 \
		if (!strstr(text, part))                     \
			fail_msg("no %s in %s", part, text); \
	} while (0)

#define ONE(dns, top)                                                                            \
	"{" top                                                                                  \
	"\"ipsets\": {\"web\": [\"b.example\", \"*.example.com\", \"8.8.8.8\"]}, \"networks\": " \
	"{\"amber\": {\"dns\": {" dns                                                            \
	"}, \"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\"}]}}}"

/* Nobody has made it yet, and its bridge has no name. */
static void test_unplaced(void **state)
{
	char *text = document("{\"networks\": [{\"name\": \"chart\", \"external\": true}]}",
			      "{\"networks\": {\"chart\": {\"dns\": {}, \"egress\": [{\"to\": "
			      "\"host\", \"host\": \"b.example\"}]}}}");

	(void)state;
	HAS(text, "\"networks\":[]");
	free(text);
}

static void test_document(void **state)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	char *plain = document(TWO, ONE("", "")), *again = document(TWO, ONE("", ""));
	char *other = document(TWO, ONE("\"names\": [\"x.example\"]", "\"dns\": {\"upstream\": "
								      "[\"192.0.2.1\"]}, "));
	struct src src = text_src("document", plain);
	struct diags diags = { 0 };

	(void)state;
	assert_true(json_parse(&src, &tree, &diags));
	assert_string_equal(plain, again);
	HAS(plain, "\"upstream\":[\"192.0.2.9\"]");
	HAS(plain, "\"set\":\"ipset-web\"");
	HAS(plain, "\"names\":[\"b.example\",\"*.example.com\"]");
	HAS(plain, "\"lists\":[0],\"ipv6\":false,\"life\":3900");
	HAS(other, "\"upstream\":[\"192.0.2.1\"]");
	HAS(other, "{\"slot\":0,\"names\":[\"x.example\"]}");
	HAS(other, "\"lists\":[0,1]");
	/* "generation":" and sixteen digits */
	assert_memory_equal(plain, other, strlen("{\"version\":1,\"generation\":\""));
	assert_memory_not_equal(plain + 28, other + 28, 16);
	diags_free(&diags);
	src_free(&src);
	free(plain);
	free(again);
	free(other);
}

/* Networks that share a list have room for their part of its set. */
static void test_room(void **state)
{
	struct buf networks = { 0 }, rules = { 0 };
	char *text;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		buf_printf(&networks, "%s{\"name\": \"n%zu\", \"subnet\": \"10.1.%zu.0/24\"}",
			   i ? ", " : "{\"networks\": [", i, i);
		buf_printf(&rules,
			   "%s\"n%zu\": {\"dns\": {}, \"egress\": [{\"to\": \"host\", \"host\": "
			   "\"*.example.com\"}]}",
			   i ? ", " : "{\"networks\": {", i);
	}
	buf_puts(&networks, "]}");
	buf_puts(&rules, "}}");
	text = document(buf_str(&networks), buf_str(&rules));
	HAS(text, "\"size\":16384,");
	assert_null(strstr(text, "\"size\":65536"));
	free(text);
	buf_free(&networks);
	buf_free(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),	 cmocka_unit_test(test_not_polled),
		cmocka_unit_test(test_slots),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_unplaced), cmocka_unit_test(test_document),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("gate_lists", tests, NULL, NULL);
}
