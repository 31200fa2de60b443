/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ipsets that have lost a name. */
#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/names/gate_lost.h"

#define NETWORKS "{\"networks\": [{\"name\": \"a\", \"subnet\": \"10.5.0.0/24\"}]}"
#define USES(dns, ipset)                                                                     \
	"\"networks\": {\"a\": {" dns "\"egress\": [{\"to\": \"ipset\", \"ipset\": \"" ipset \
	"\"}]}}}"
#define TWO(web, api)                                                                           \
	"{\"ipsets\": {\"web\": [" web "], \"api\": [" api                                      \
	"]}, \"networks\": {\"a\": {\"dns\": {}, "                                              \
	"\"egress\": [{\"to\": \"ipset\", \"ipset\": \"web\"}, {\"to\": \"ipset\", \"ipset\": " \
	"\"api\"}]}}}"

static void add(void *data, const char *ipset)
{
	buf_printf(data, "%s ", ipset ? ipset : "everything");
}

static void assert_lost_at(const char *networks_before, const char *before,
			   const char *networks_after, const char *after, const char *wanted)
{
	struct gate_past past = { 0 }, now = { 0 };
	struct policy policy = { 0 };
	struct buf lost = { 0 };

	policy_read(&policy, networks_before, before);
	gate_past_add(&past, &policy);
	policy_free(&policy);
	policy_read(&policy, networks_after, after);
	gate_past_add(&now, &policy);
	policy_free(&policy);
	gate_past_lost(&past, &now, add, &lost);
	assert_string_equal(buf_str(&lost), wanted);
	buf_free(&lost);
	gate_past_free(&past);
	gate_past_free(&now);
}

static void assert_lost(const char *before, const char *after, const char *wanted)
{
	assert_lost_at(NETWORKS, before, NETWORKS, after, wanted);
}

static void test_lost(void **state)
{
	(void)state;
	assert_lost(TWO("\"b.x\", \"*.c.x\"", "\"d.x\""),
		    TWO("\"*.c.x\", \"b.x\"", "\"d.x\", \"e.x\""), "");
	assert_lost(TWO("\"b.x\", \"*.c.x\"", "\"d.x\""), TWO("\"b.x\"", "\"d.x\""), "web ");
	assert_lost(TWO("\"b.x\", \"*.c.x\"", "\"d.x\""), TWO("\"*.c.x\"", "\"f.x\""), "api web ");
	/* A wildcard that still has the name does not make it the same list. */
	assert_lost(TWO("\"b.c.x\", \"*.c.x\"", "\"d.x\""), TWO("\"*.c.x\"", "\"d.x\""), "web ");
	assert_lost(TWO("\"b.x\"", "\"d.x\""), TWO("\"1.2.3.4\"", "\"d.x\""), "");
}

/* The sets of ipsets that no gate tells any more are gone with all that was in them. */
static void test_gone(void **state)
{
	(void)state;
	assert_lost("{\"ipsets\": {\"web\": [\"b.x\", \"c.x\"]}, " USES("\"dns\": {}, ", "web"),
		    "{\"ipsets\": {\"web\": [\"b.x\"]}, " USES("", "web"), "");
	assert_lost("{\"ipsets\": {\"web\": [\"b.x\"]}, " USES("", "web"),
		    "{\"ipsets\": {\"web\": [\"c.x\"]}, " USES("\"dns\": {}, ", "web"), "");
}

#define PRIVATE(range) "{\"ipsets\": {\"web\": [\"b.x\"]}, " USES("\"dns\": {" range "}, ", "web")

/* Nobody knows which addresses, of which names, were open by it. */
static void test_private(void **state)
{
	(void)state;
	assert_lost(PRIVATE("\"private\": [\"10.0.0.0/8\"]"), PRIVATE(""), "everything ");
	assert_lost(PRIVATE("\"private\": [\"10.0.0.0/8\"]"),
		    PRIVATE("\"private\": [\"10.1.0.0/16\"]"), "everything ");
	assert_lost(PRIVATE("\"private\": [\"10.0.0.0/8\"]"),
		    PRIVATE("\"private\": [\"10.0.0.0/8\", \"192.168.1.0/24\"]"), "");
	assert_lost(PRIVATE(""), PRIVATE("\"private\": [\"10.0.0.0/8\"]"), "");
}

#define AT(bridge)                                                \
	"{\"networks\": [{\"name\": \"a\", \"bridge\": \"" bridge \
	"\", \"subnet\": \"10.5.0.0/24\"}]}"

/* The bridge that it had may be another network's now. */
static void test_private_moves(void **state)
{
	(void)state;
	assert_lost_at(AT("one"), PRIVATE("\"private\": [\"10.0.0.0/8\"]"), AT("two"),
		       PRIVATE("\"private\": [\"10.0.0.0/8\"]"), "everything ");
	assert_lost_at(AT("one"), PRIVATE(""), AT("two"), PRIVATE(""), "");
}

/* The same names make the same hash, however often they were added, and in whatever order they were written. */
static void test_hash(void **state)
{
	struct gate_past a = { 0 }, b = { 0 };
	struct policy policy = { 0 };

	(void)state;
	policy_read(&policy, NETWORKS, TWO("\"b.x\", \"*.c.x\"", "\"d.x\""));
	gate_past_add(&a, &policy);
	gate_past_add(&a, &policy);
	policy_free(&policy);
	policy_read(&policy, NETWORKS, TWO("\"*.c.x\", \"b.x\"", "\"d.x\""));
	gate_past_add(&b, &policy);
	policy_free(&policy);
	assert_true(gate_past_hash(&a) == gate_past_hash(&b));
	policy_read(&policy, NETWORKS, PRIVATE("\"private\": [\"10.0.0.0/8\"]"));
	gate_past_add(&b, &policy);
	policy_free(&policy);
	assert_true(gate_past_hash(&a) != gate_past_hash(&b));
	gate_past_free(&a);
	gate_past_free(&b);
}

/* The set keeps each name until it is freed. */
static void test_union(void **state)
{
	struct gate_past past = { 0 }, now = { 0 };
	struct buf lost = { 0 };
	struct policy policy = { 0 };

	(void)state;
	policy_read(&policy, NETWORKS, TWO("\"b.x\", \"c.x\"", "\"d.x\""));
	gate_past_add(&past, &policy);
	policy_free(&policy);
	policy_read(&policy, NETWORKS, TWO("\"b.x\"", "\"e.x\", \"d.x\""));
	gate_past_add(&past, &policy);
	gate_past_add(&now, &policy);
	policy_free(&policy);
	gate_past_lost(&past, &now, add, &lost);
	assert_string_equal(buf_str(&lost), "web ");
	assert_true(gate_past_hash(&past) != gate_past_hash(&now));
	buf_free(&lost);
	gate_past_free(&past);
	gate_past_free(&now);
}

#define ALSO(more)                                                                   \
	"{\"ipsets\": {\"web\": [\"b.x\"], \"app-1859\": [\"c.x\"]}, \"networks\": " \
	"{\"a\": {\"dns\": {}, \"egress\": [" more "{\"to\": \"ipset\", \"ipset\": \"web\"}]}}}"

/* Both have the same hash, and the first by name gets the slot: a gate that goes by the policy before tells web's addresses
 * for the other one. */
static void test_slot_moves(void **state)
{
	static const char plain[] = ALSO("");
	static const char both[] = ALSO("{\"to\": \"ipset\", \"ipset\": \"app-1859\"}, ");
	struct gate_past past = { 0 };
	struct policy policy = { 0 };

	(void)state;
	assert_lost(plain, both, "everything ");
	assert_lost(both, plain, "everything ");
	assert_lost(both, both, "");
	policy_read(&policy, NETWORKS, both);
	gate_past_add(&past, &policy);
	policy_free(&policy);
	assert_false(gate_past_moved(&past, &past));
	policy_read(&policy, NETWORKS, plain);
	gate_past_add(&past, &policy);
	policy_free(&policy);
	assert_true(gate_past_moved(&past, &past));
	gate_past_free(&past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost),	   cmocka_unit_test(test_gone),
		cmocka_unit_test(test_private),	   cmocka_unit_test(test_private_moves),
		cmocka_unit_test(test_hash),	   cmocka_unit_test(test_union),
		cmocka_unit_test(test_slot_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
