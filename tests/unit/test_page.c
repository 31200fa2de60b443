/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and tables for a screen: nothing is wider than it, and nothing in a text moves its cursor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/page.h"
#include "dockside/base/util.h"

static void assert_line(const char *text, size_t width, const char *expected)
{
	struct buf b = { 0 };
	struct page_line line = { .b = &b, .term = { .width = width } };

	page_put(&line, TERM_PLAIN, text);
	assert_string_equal(buf_str(&b), expected);
	assert_int_equal(page_columns(expected), line.used);
	assert_true(width == 0 || line.used <= width);
	/* Nothing comes behind a text that is cut. */
	page_put(&line, TERM_PLAIN, "more than there is room for");
	assert_true(width == 0 || line.used <= width);
	buf_free(&b);
}

static void test_cut(void **state)
{
	(void)state;
	assert_line("hello", 0, "hello");
	assert_line("hello", 5, "hello");
	assert_line("hello", 4, "hel…");
	assert_line("hello", 1, "…");
	assert_line("", 4, "");
	assert_line("h\xc3\xa9llo", 5, "h\xc3\xa9llo");
	assert_line("h\xc3\xa9llo", 3, "h\xc3\xa9…");
	/* two columns each */
	assert_line("\xe4\xb8\xad\xe6\x96\x87", 4, "\xe4\xb8\xad\xe6\x96\x87");
	assert_line("\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad…");
	assert_line("\xe4\xb8\xad\xe6\x96\x87", 2, "…");
	assert_line("a\xf0\x9f\x98\x80", 3, "a\xf0\x9f\x98\x80");
}

static void test_escapes(void **state)
{
	(void)state;
	assert_line("a\033[2Jb", 0, "a\\x1b[2Jb");
	assert_line("a\r\nb\tc\x7f", 0, "a\\x0d\\x0ab\\x09c\\x7f");
	assert_line("\xc2\x9b"
		    "2J",
		    0, "\\xc2\\x9b2J"); /* C1: a terminal may take it for ESC [ */
	assert_line("\xe2\x80\xae"
		    "abc",
		    0, "\\xe2\\x80\\xaeabc");	    /* right to left */
	assert_line("e\xcc\x81", 0, "e\\xcc\\x81"); /* combines with the e */
	assert_line("\xd7\xa9", 0, "\\xd7\\xa9");
	assert_line("\xff\xc3(", 0, "\\xff\\xc3(");
	assert_line("\xc3", 0, "\\xc3");
	/* An escape is not cut in its middle. */
	assert_line("ab\033cd", 5, "ab…");
	assert_line("ab\033", 6, "ab\\x1b");
}

static void test_colour(void **state)
{
	struct buf b = { 0 };
	struct page_line line = { .b = &b, .term = { 10, true } };

	(void)state;
	page_put(&line, TERM_BAD, "ALARM");
	page_pad(&line, 7);
	page_put(&line, TERM_GOOD, "too long");
	assert_string_equal(buf_str(&b), "\033[1;31mALARM\033[0m  \033[32mto…\033[0m");
	assert_int_equal(line.used, 10);
	buf_free(&b);
}

static void join(void *data, const char *line)
{
	buf_printf(data, "%s|", line);
}

static void assert_wrapped(const char *text, size_t width, size_t max, const char *expected)
{
	struct buf b = { 0 };

	page_wrap(text, width, max, join, &b);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void test_wrap(void **state)
{
	(void)state;
	assert_wrapped("the network is open", 0, 3, "the network is open|");
	assert_wrapped("the network is open", 11, 3, "the network|is open|");
	assert_wrapped("the network is open", 12, 3, "the network|is open|");
	assert_wrapped("the network is open", 7, 3, "the|network|is open|");
	assert_wrapped("the network is open", 7, 2, "the|network is open|");
	assert_wrapped("abcdefgh ij", 4, 9, "abcd|efgh|ij|");
	assert_wrapped("abc", 4, 3, "abc|");
	assert_wrapped("", 4, 3, "");
	assert_wrapped("\xe4\xb8\xad", 1, 3, "\xe4\xb8\xad|");
	assert_wrapped("ab\033cd", 4, 9, "ab|\033|cd|");
}

static const struct page_column columns[] = {
	{ .title = "NAME" },
	{ .title = "N", .right = true, .drop = 1 },
	{ .title = "TO", .brief = 1 },
};

static void assert_table(size_t width, const char *expected)
{
	struct page_table table = { .columns = columns, .n_columns = ARRAY_SIZE(columns) };
	struct buf b = { 0 };

	page_add(&table, TERM_PLAIN, xstrdup("alpha"), NULL);
	page_add(&table, TERM_PLAIN, xstrdup("1"), NULL);
	page_add(&table, TERM_PLAIN, xstrdup("db.example (192.0.2.1)"), xstrdup("db.example"));
	page_add(&table, TERM_PLAIN, xstrdup("b"), NULL);
	page_add(&table, TERM_PLAIN, xstrdup("1000"), NULL);
	page_add(&table, TERM_PLAIN, xstrdup("a.b (::1)"), xstrdup("a.b"));
	page_table_put(&table, &(const struct term){ .width = width }, &b);
	assert_string_equal(buf_str(&b), expected);
	page_table_free(&table);
	buf_free(&b);
}

static void test_table(void **state)
{
	(void)state;
	assert_table(0, "NAME      N  TO\n"
			"alpha     1  db.example (192.0.2.1)\n"
			"b      1000  a.b (::1)\n");
	assert_table(35, "NAME      N  TO\n"
			 "alpha     1  db.example (192.0.2.1)\n"
			 "b      1000  a.b (::1)\n");
	/* brief where it has to be */
	assert_table(30, "NAME      N  TO\n"
			 "alpha     1  db.example\n"
			 "b      1000  a.b (::1)\n");
	/* without a column */
	assert_table(20, "NAME   TO\n"
			 "alpha  db.example\n"
			 "b      a.b (::1)\n");
	assert_table(15, "NAME   TO\n"
			 "alpha  db.exam…\n"
			 "b      a.b\n");
	assert_table(5, "NAME\nalpha\nb\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),    cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_colour), cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
