/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"

static void test_values(void **state)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	(void)state;
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "a", "x\"\\\n\x7f\xc2\x85\xff/\xc3\xbc\x1b[0m");
	json_write_string(&out, "n\"\n", NULL);
	json_write_open(&out, "list", '[');
	json_write_open(&out, NULL, '[');
	json_write_close(&out, ']');
	json_write_int(&out, NULL, INT64_MIN);
	json_write_bool(&out, NULL, true);
	json_write_bool(&out, NULL, false);
	json_write_open(&out, NULL, '{');
	json_write_close(&out, '}');
	json_write_close(&out, ']');
	json_write_int(&out, "i", 7);
	json_write_close(&out, '}');
	assert_string_equal(buf_str(&b),
			    "{\"a\":\"x\\\"\\\\   \xef\xbf\xbd/\xc3\xbc [0m\",\"n\\\" \":null,"
			    "\"list\":[[],-9223372036854775808,true,false,{}],\"i\":7}");
	buf_free(&b);
}

/* Writes a text anew, pretty or not. */
static void rewrite(const char *text, struct buf *pretty, struct buf *plain)
{
	static const struct json_layout layout = { "\n", "", "  ", true };
	struct src src = { .text = xstrdup(text), .len = strlen(text) };
	struct json_writer out = { .b = plain };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };

	assert_true(json_parse(&src, &tree, &diags));
	json_write_block(pretty, tree.root, &layout);
	json_write_node(&out, NULL, tree.root);
	json_tree_free(&tree);
	src_free(&src);
}

static void assert_pretty(const char *text, const char *expected, const char *expected_plain)
{
	struct buf pretty = { 0 }, plain = { 0 }, again = { 0 }, again_plain = { 0 };

	rewrite(text, &pretty, &plain);
	assert_string_equal(buf_str(&pretty), expected);
	assert_string_equal(buf_str(&plain), expected_plain);
	rewrite(buf_str(&pretty), &again, &again_plain);
	assert_string_equal(buf_str(&again), expected);
	assert_string_equal(buf_str(&again_plain), expected_plain);
	buf_free(&pretty);
	buf_free(&plain);
	buf_free(&again);
	buf_free(&again_plain);
}

static void test_pretty(void **state)
{
	(void)state;
	assert_pretty("-0", "0", "0");
	assert_pretty("[]", "[]", "[]");
	assert_pretty("{ }", "{}", "{}");
	assert_pretty("[1]", "[1]", "[1]");
	assert_pretty("{\"b\":{},\"a\":[[null,true],{\"k\":\"\\u00fc\\\"\"}],\"c\":{\"d\":[]}}",
		      "{\n"
		      "  \"b\": {},\n"
		      "  \"a\": [\n"
		      "    [null, true],\n"
		      "    { \"k\": \"\xc3\xbc\\\"\" }\n"
		      "  ],\n"
		      "  \"c\": { \"d\": [] }\n"
		      "}",
		      "{\"b\":{},\"a\":[[null,true],{\"k\":\"\xc3\xbc\\\"\"}],\"c\":{\"d\":[]}}");
}

/* A list of n strings of ten bytes, as the member of an object. */
static char *list_of(size_t n, const char *first, const char *between, const char *last)
{
	struct buf b = { 0 };

	buf_puts(&b, first);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\"%08zu\"", i ? between : "", i);
	buf_puts(&b, last);
	return buf_steal(&b);
}

static void test_width(void **state)
{
	/* 2 + 5 + 1 + 8 * 10 + 7 * 2 + 1 = 103 > 100; with seven 91. */
	cleanup(cleanup_free) char *eight = list_of(8, "{\"k\":[", ",", "]}");
	cleanup(cleanup_free) char *eight_pretty =
		list_of(8, "{\n  \"k\": [\n    ", ",\n    ", "\n  ]\n}");
	cleanup(cleanup_free) char *seven = list_of(7, "{\"k\":[", ",", "]}");
	cleanup(cleanup_free) char *seven_pretty = list_of(7, "{ \"k\": [", ", ", "] }");

	(void)state;
	assert_pretty(eight, eight_pretty, eight);
	assert_pretty(seven, seven_pretty, seven);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
