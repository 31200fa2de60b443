/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/table/rule_text.h"

static void same_as_kernel(const char *ours, const char *actual, bool same)
{
	struct rule_texts a = { 0 }, b = { 0 };

	rule_texts_add(&a, ours, strlen(ours));
	rule_texts_add_kernel(&b, actual, strlen(actual));
	if (rule_texts_equal(&a, &b) != same)
		fail_msg("%s: ours\n%s\nkernel, made plain\n%s", same ? "differ" : "equal",
			 a.items[0], b.items[0]);
	rule_texts_free(&a);
	rule_texts_free(&b);
}

static void test_kernel_says_more(void **state)
{
	(void)state;
	same_as_kernel("  [ meta load iifname => reg 1 ]\n  [ lookup reg 1 set a dreg 0 ]",
		       "  [ meta load iifname => reg 1 ]\n  [ lookup reg 1 set a dreg 0 0x0 ]",
		       true);
	same_as_kernel("  [ lookup reg 1 set a ]\n  [ counter pkts 0 bytes 0 ]",
		       "  [ lookup reg 1 set a 0x0 ]\n  [ counter pkts 0 bytes 0 ]", true);
	same_as_kernel("  [ nat dnat ip addr_min reg 1 proto_min reg 9 ]",
		       "  [ nat dnat ip addr_min reg 1 addr_max reg 1 proto_min reg 9 "
		       "proto_max reg 9 flags 0x3 ]",
		       true);
	same_as_kernel("  [ redir proto_min reg 1 flags 0x2 ]",
		       "  [ redir proto_min reg 1 proto_max reg 1 flags 0x2 ]", true);
	same_as_kernel("  [ dynset delete reg_key 1 set a ]",
		       "  [ dynset delete reg_key 1 set a timeout 0ms ]", true);
	same_as_kernel("  [ dynset add reg_key 1 set a ]",
		       "  [ dynset add reg_key 1 set a timeout 0ms ]", true);
}

static void test_kernel_says_other(void **state)
{
	(void)state;
	/* An inverted lookup, NAT to a range, persistent NAT. */
	same_as_kernel("  [ lookup reg 1 set a ]", "  [ lookup reg 1 set a 0x1 ]", false);
	same_as_kernel("  [ nat dnat ip addr_min reg 1 proto_min reg 9 ]",
		       "  [ nat dnat ip addr_min reg 1 addr_max reg 2 proto_min reg 9 "
		       "proto_max reg 9 flags 0x3 ]",
		       false);
	same_as_kernel("  [ nat dnat ip addr_min reg 1 proto_min reg 9 ]",
		       "  [ nat dnat ip addr_min reg 1 addr_max reg 1 proto_min reg 9 "
		       "proto_max reg 9 flags 0xb ]",
		       false);
	same_as_kernel("  [ redir proto_min reg 1 flags 0x2 ]",
		       "  [ redir proto_min reg 1 proto_max reg 2 flags 0x2 ]", false);
	same_as_kernel("  [ redir proto_min reg 1 flags 0x2 ]",
		       "  [ redir proto_min reg 1 proto_max reg 1 flags 0x6 ]", false);
	same_as_kernel("  [ dynset delete reg_key 1 set a ]",
		       "  [ dynset delete reg_key 1 set a timeout 1ms ]", false);
	same_as_kernel("  [ dynset update reg_key 1 set a ]",
		       "  [ dynset update reg_key 1 set a timeout 0ms ]", false);
	same_as_kernel("  [ immediate reg 0 drop ]", "  [ immediate reg 0 accept ]", false);
	same_as_kernel("  [ immediate reg 0 drop ]",
		       "  [ immediate reg 0 drop ]\n  userdata = { x }", false);
}

static void test_number_of_rules(void **state)
{
	struct rule_texts a = { 0 }, b = { 0 };

	(void)state;
	rule_texts_add(&a, "x", 1);
	assert_false(rule_texts_equal(&a, &b));
	rule_texts_add(&b, "x", 1);
	assert_true(rule_texts_equal(&a, &b));
	rule_texts_add(&b, "x", 1);
	assert_false(rule_texts_equal(&a, &b));
	rule_texts_free(&a);
	rule_texts_free(&b);
}

static void test_length(void **state)
{
	(void)state;
	assert_int_equal(rule_text_length("  [ a ]\n  userdata = { }\ninet x"), 24);
	assert_int_equal(rule_text_length("  [ a ]\n\ninet x"), 7);
	assert_int_equal(rule_text_length("inet x"), 0);
	assert_int_equal(rule_text_length(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_says_more),
		cmocka_unit_test(test_kernel_says_other),
		cmocka_unit_test(test_number_of_rules),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests_name("rule_text", tests, NULL, NULL);
}
