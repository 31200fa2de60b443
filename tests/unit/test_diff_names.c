/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets and NAT maps of names against what the kernel holds of them, and what a daemon made of that. */
#include "diff_fixture.h"

#include "dockside/base/util.h"

#define NAMES                                          \
	RULES("\"s\": [\"a.example\", \"b.example\"]", \
	      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}")

/* One address of a.example in the kernel; then the configuration is asked again. */
static void names_case(enum resolved_state now, const char *address, uint64_t timeout_ms,
		       const char *firewall, const char *wanted)
{
	struct config before, after;
	struct actual actual;

	config_read(&before, NAMES);
	answer(&before, "a.example", RESOLVED_DNS, "198.51.100.1");
	answer(&before, "b.example", RESOLVED_FAILED, NULL);
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	set(&actual, "ipset-s-v4")->elems[0].timeout_ms = timeout_ms;
	config_read(&after, firewall);
	if (resolved_find(&after.resolved, "a.example"))
		answer(&after, "a.example", now, address);
	config_compile(&after);
	expect_script(&after.plan, &actual, wanted);
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

static void test_names(void **state)
{
	static const char gone[] = "add element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
				   "delete element inet dockside ipset-s-v4 { 198.51.100.1 }\n";
	cleanup(cleanup_free) char *aged =
		xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
			  "\t198.51.100.1 timeout 300000ms comment \"a.example\",\n"
			  "\t198.51.100.7 comment \"a.example\" }\n",
			  gone);
	cleanup(cleanup_free) char *again = xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
						      "\t198.51.100.7 comment \"a.example\" }\n",
						      gone);
	cleanup(cleanup_free) char *permanent =
		xasprintf("%sadd element inet dockside ipset-s-v4 {\n"
			  "\t198.51.100.1 comment \"a.example\" }\n",
			  gone);

	(void)state;
	names_case(RESOLVED_DNS, "198.51.100.1", 0, NAMES, "");
	/* An outage, or nobody asked: kept, and kept for good where it was running out. */
	names_case(RESOLVED_FAILED, NULL, 0, NAMES, "");
	names_case(RESOLVED_UNASKED, NULL, 0, NAMES, "");
	names_case(RESOLVED_FAILED, NULL, 5000, NAMES, permanent);
	names_case(RESOLVED_DNS, "198.51.100.1", 5000, NAMES, permanent);
	/* DNS returns another address: the old one ages, once. */
	names_case(RESOLVED_DNS, "198.51.100.7", 0, NAMES, aged);
	names_case(RESOLVED_DNS, "198.51.100.7", 5000, NAMES,
		   "add element inet dockside ipset-s-v4 {\n"
		   "\t198.51.100.7 comment \"a.example\" }\n");
	/* /etc/hosts has no grace. */
	names_case(RESOLVED_STATIC, "198.51.100.7", 0, NAMES, again);
	/* Nor has a member that left the configuration. */
	names_case(RESOLVED_DNS, NULL, 0,
		   RULES("\"s\": [\"b.example\"]",
			 "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"),
		   gone);
}

/* A comment has room for 128 bytes; longer names that begin alike are not each other. */
static void test_long_names(void **state)
{
	char a[200], b[200], comment[COMMENT_MAX + 1] = "", both[COMMENT_MAX + 1] = "";
	struct elem elem = { .comment = comment };

	(void)state;
	memset(a, 'x', sizeof(a));
	for (size_t i = 50; i < sizeof(a); i += 50)
		a[i] = '.';
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(b));
	b[sizeof(b) - 2] = 'y';
	comment_add_name(comment, a);
	assert_int_equal(strlen(comment), COMMENT_MAX);
	assert_true(elem_is_of(&elem, a));
	assert_false(elem_is_of(&elem, b));
	b[COMMENT_MAX] = '\0'; /* which fits */
	assert_false(elem_is_of(&elem, b));
	comment_add_name(both, "a.example");
	comment_add_name(both, a);
	comment_add_name(both, "b.example");
	assert_string_equal(both, "a.example b.example");
}

/* IPv4 answers, IPv6 does not, or the name has none any more. */
static void test_one_family(void **state)
{
	struct config before, after;
	struct actual actual;

	(void)state;
	config_read(&before, NAMES);
	answer(&before, "b.example", RESOLVED_FAILED, NULL);
	answer_family(&before, "a.example", FAMILY_IPV4, RESOLVED_DNS, "198.51.100.1");
	answer_family(&before, "a.example", FAMILY_IPV6, RESOLVED_DNS, "2001:db8::1");
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, NAMES);
	answer_family(&after, "a.example", FAMILY_IPV4, RESOLVED_DNS, "198.51.100.1");
	answer_family(&after, "a.example", FAMILY_IPV6, RESOLVED_FAILED, NULL);
	config_compile(&after);
	expect_script(&after.plan, &actual, "");
	answer_family(&after, "a.example", FAMILY_IPV6, RESOLVED_DNS, NULL);
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &actual,
		      "add element inet dockside ipset-s-v6 { 2001:db8::1 }\n"
		      "delete element inet dockside ipset-s-v6 { 2001:db8::1 }\n"
		      "add element inet dockside ipset-s-v6 {\n"
		      "\t2001:db8::1 timeout 300000ms comment \"a.example\" }\n");
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

/* Two names share an address; one of them cannot be asked any more. */
static void test_shared_address(void **state)
{
	struct config before, after;
	struct actual actual;

	(void)state;
	config_read(&before, NAMES);
	answer(&before, "a.example", RESOLVED_DNS, "198.51.100.1");
	answer(&before, "b.example", RESOLVED_DNS, "198.51.100.1");
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, NAMES);
	answer(&after, "a.example", RESOLVED_FAILED, NULL);
	answer(&after, "b.example", RESOLVED_DNS, "198.51.100.1");
	config_compile(&after);
	expect_script(&after.plan, &actual, "");
	/* It is the silent name's still when the other has gone elsewhere. */
	answer(&after, "b.example", RESOLVED_DNS, "198.51.100.7");
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &actual,
		      "add element inet dockside ipset-s-v4 {\n"
		      "\t198.51.100.7 comment \"b.example\" }\n");
	/* Once that one answers, the address is its alone. */
	answer(&after, "a.example", RESOLVED_DNS, "198.51.100.1");
	plan_free(&after.plan);
	config_compile(&after);
	expect_script(&after.plan, &actual,
		      "add element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
		      "delete element inet dockside ipset-s-v4 { 198.51.100.1 }\n"
		      "add element inet dockside ipset-s-v4 {\n"
		      "\t198.51.100.1 comment \"a.example\",\n"
		      "\t198.51.100.7 comment \"b.example\" }\n");
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

static void nat_case(const char *first, enum resolved_state now, const char *second,
		     const char *firewall, const char *wanted)
{
	struct config before, after;
	struct actual actual;

	config_read(&before, NAT("3307"));
	answer(&before, "db.example", RESOLVED_DNS, first);
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_read(&after, firewall);
	answer(&after, "db.example", now, second);
	config_compile(&after);
	expect_script(&after.plan, &actual, wanted);
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

static void test_nat_names(void **state)
{
	(void)state;
	nat_case("198.51.100.1", RESOLVED_DNS, "198.51.100.1", NAT("3307"), "");
	nat_case("198.51.100.1", RESOLVED_FAILED, NULL, NAT("3307"), "");
	nat_case("198.51.100.1", RESOLVED_DNS, "198.51.100.2", NAT("3307"),
		 "delete element inet dockside amber-nat4 { tcp . 3306 }\n"
		 "add element inet dockside amber-nat4 {\n"
		 "\ttcp . 3306 comment \"db.example: nat[0]\" : 198.51.100.2 . 3307 }\n");
	/* The address of an unanswered name is not kept for a rule with another port. */
	nat_case("198.51.100.1", RESOLVED_FAILED, NULL, NAT("3308"),
		 "delete element inet dockside amber-nat4 { tcp . 3306 }\n");
}

/* The kernel as a daemon has filled it, whose elements all run out after some time. */
static void beside_daemon(const char *firewall, const char *const held[2],
			  const char *const answers[2], const char *wanted)
{
	static const char *const names[] = { "a.example", "b.example" };
	struct config before, after;
	struct actual actual;

	config_read(&before, firewall);
	config_read(&after, firewall);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		answer(&before, names[i], RESOLVED_DNS, held[i]);
		answer(&after, names[i], answers[i] ? RESOLVED_DNS : RESOLVED_FAILED, answers[i]);
	}
	before.resolved.timeout_s = 300;
	config_compile(&before);
	kernel_load(&before.plan, &actual);
	config_compile(&after);
	after.plan.beside_daemon = true;
	expect_script(&after.plan, &actual, wanted);
	actual_free(&actual);
	config_done(&after);
	config_done(&before);
}

#define PAIR(a, b) ((const char *const[]){ a, b })

/* A daemon decides how long the addresses of names live, but not which ones there are. */
static void test_beside_daemon(void **state)
{
	static const char missing[] = "add element inet dockside ipset-s-v4 {\n"
				      "\t198.51.100.7 comment \"b.example\" }\n";
	struct config c;
	struct actual actual;

	(void)state;
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"),
		      PAIR("198.51.100.1", "198.51.100.2"), "");
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"), PAIR("198.51.100.1", NULL), "");
	/* An address that the name no longer has ages, also if another name has it as well. */
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.2"),
		      PAIR("198.51.100.1", "198.51.100.7"), missing);
	beside_daemon(NAMES, PAIR("198.51.100.1", "198.51.100.1"),
		      PAIR("198.51.100.1", "198.51.100.7"), missing);

	/* No daemon gives a time to a literal, or to an address that no name has. */
	config_read(&c, RULES("\"s\": [\"a.example\", \"10.0.0.1\"]",
			      "{\"to\": \"ipset\", \"ipset\": \"s\"}, {\"action\": \"drop\"}"));
	config_compile(&c);
	c.plan.beside_daemon = true;
	kernel_load(&c.plan, &actual);
	set(&actual, "ipset-s-v4")->elems[0].timeout_ms = 5000;
	*set_add_elem(set(&actual, "ipset-s-v4"), NULL) = (struct elem){ .key = { 192, 0, 2, 9 },
									 .last = { 192, 0, 2, 9 },
									 .timeout_ms = 5000 };
	expect_script(&c.plan, &actual,
		      "add element inet dockside ipset-s-v4 { 10.0.0.1 }\n"
		      "delete element inet dockside ipset-s-v4 { 10.0.0.1 }\n"
		      "add element inet dockside ipset-s-v4 { 192.0.2.9 }\n"
		      "delete element inet dockside ipset-s-v4 { 192.0.2.9 }\n"
		      "add element inet dockside ipset-s-v4 {\n\t10.0.0.1 }\n");
	actual_free(&actual);
	config_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_one_family), cmocka_unit_test(test_shared_address),
		cmocka_unit_test(test_nat_names),  cmocka_unit_test(test_beside_daemon),
	};

	return cmocka_run_group_tests_name("diff_names", tests, NULL, NULL);
}
