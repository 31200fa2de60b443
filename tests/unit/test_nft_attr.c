/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ends of intervals, as the kernel gives them, to ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "dockside/base/buf.h"
#include "dockside/table/nft_text.h"
#include "kernel/nft_attr.h"

/* "1.2.3.4" or, for the end of an interval, "!1.2.3.4". */
static void add_end(struct interval_reader *reader, const char *text)
{
	bool end = text[0] == '!';
	struct elem elem = { 0 };
	struct ipaddr addr;

	text += end;
	assert_true(ipaddr_parse(text, strlen(text), &addr));
	memcpy(elem.key, addr.b, sizeof(addr.b));
	memcpy(elem.last, addr.b, sizeof(addr.b));
	interval_add(reader, &elem, end);
}

static void expect_ranges(enum set_type type, const char *const *ends, const char *wanted)
{
	struct plan_set set = { .type = type, .interval = true };
	struct interval_reader reader = { 0 };
	struct buf b = { 0 };

	for (; *ends; ends++)
		add_end(&reader, *ends);
	interval_finish(&reader, &set);
	for (size_t i = 0; i < set.n_elems; i++) {
		buf_puts(&b, i > 0 ? " " : "");
		nft_text_elem(&b, type, &set.elems[i]);
	}
	assert_string_equal(buf_str(&b), wanted);
	interval_free(&reader);
	buf_free(&b);
	free(set.elems);
}

#define ENDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_intervals(void **state)
{
	(void)state;
	/* nft closes what is below the first range, too. */
	expect_ranges(SET_IPV4, ENDS("!0.0.0.0", "10.0.0.0", "!11.0.0.0"), "10.0.0.0/8");
	/* In any order. */
	expect_ranges(SET_IPV4, ENDS("!203.0.114.0", "203.0.113.0", "!192.0.2.8", "192.0.2.4"),
		      "192.0.2.4/30 203.0.113.0/24");
	/* Touching ranges share an end, or have none between them. */
	expect_ranges(SET_IPV4, ENDS("10.0.0.0", "!10.128.0.0", "10.128.0.0", "!11.0.0.0"),
		      "10.0.0.0/9 10.128.0.0/9");
	expect_ranges(SET_IPV4, ENDS("10.0.0.0", "10.128.0.0", "!11.0.0.0"),
		      "10.0.0.0/9 10.128.0.0/9");
	/* Up to the last address there is no end. */
	expect_ranges(SET_IPV4, ENDS("128.0.0.0"), "128.0.0.0/1");
	expect_ranges(SET_IPV4, ENDS("0.0.0.0"), "0.0.0.0/0");
	expect_ranges(SET_IPV4, ENDS("192.0.2.3", "!192.0.2.7"), "192.0.2.3-192.0.2.6");
	expect_ranges(SET_IPV4, ENDS("192.0.2.3", "!192.0.2.4"), "192.0.2.3");
	expect_ranges(SET_IPV4, ENDS("192.0.2.255", "!192.0.3.0"), "192.0.2.255");
	expect_ranges(SET_IPV6, ENDS("2001:db8::", "!2001:db9::"), "2001:db8::/32");
	expect_ranges(SET_IPV4, ENDS("!0.0.0.0"), "");
}

static void put_expression(struct nlmsghdr *nlh, const char *name, uint64_t bytes, uint64_t packets)
{
	struct nlattr *item = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, item);
}

/* The first counter of a rule, wherever it stands. */
static void test_rule_counter(void **state)
{
	struct actual_rule rule = { .packets = 5, .bytes = 6 };
	char buf[1024] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *list;
	struct attrs a;

	(void)state;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	a = attrs_of_message(nlh);
	rule_counter(&a, &rule);
	assert_int_equal(rule.packets, 5);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	put_expression(nlh, "quota", 1, 2);
	put_expression(nlh, "counter", UINT64_MAX, 1ull << 40);
	put_expression(nlh, "counter", 3, 4);
	mnl_attr_nest_end(nlh, list);
	a = attrs_of_message(nlh);
	rule_counter(&a, &rule);
	assert_true(rule.bytes == UINT64_MAX && rule.packets == 1ull << 40);
}

static void test_object_words(void **state)
{
	(void)state;
	assert_string_equal(object_word(2), "quota");
	assert_null(object_word(6)); /* a tunnel: nft 1.0.6 has no word for it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_object_words),
		cmocka_unit_test(test_rule_counter),
	};

	return cmocka_run_group_tests_name("nft_attr", tests, NULL, NULL);
}
