/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser finds the faults of a text, says where they are, and what is wrong. */
#include "json_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

/* "LINE:COL+LEN message; hint (pointer) | LINE:COL+LEN other\n" per diagnostic */
static char *summary(const struct diags *diags)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *d = &diags->items[i];
		unsigned line, column;

		loc_line_column(d->loc, &line, &column);
		buf_printf(&b, "%s%u:%u+%zu %s", i ? "\n" : "", line, column, d->loc.len,
			   d->message);
		if (d->hint)
			buf_printf(&b, "; %s", d->hint);
		buf_printf(&b, " (%s)", d->pointer);
		if (!d->other_message)
			continue;
		loc_line_column(d->other, &line, &column);
		buf_printf(&b, " | %u:%u+%zu %s", line, column, d->other.len, d->other_message);
	}
	return buf_steal(&b);
}

static void assert_faults(const char *s, size_t len, const char *want)
{
	struct fixture f;
	char *got;

	parse_bytes(&f, s, len);
	got = summary(&f.diags);
	if (strcmp(got, want) != 0)
		fail_msg("input: %s\n got: %s\nwant: %s", s, got, want);
	assert_false(f.good);
	free(got);
	release(&f);
}

struct fault_case {
	const char *s, *want;
};

static void assert_all(const struct fault_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_faults(cases[i].s, strlen(cases[i].s), cases[i].want);
}

static void test_structure_faults(void **state)
{
	static const struct fault_case cases[] = {
		{ "", "1:1+0 expected a value but the file is empty ()" },
		{ " \n// c\n", "3:1+0 expected a value but the file is empty ()" },
		{ "{", "1:2+0 expected a key in double quotes but found the end of the file () | "
		       "1:1+1 the \"{\" opened here" },
		{ "[",
		  "1:2+0 expected a value but found the end of the file (/0) | 1:1+1 the \"[\" "
		  "opened here" },
		{ "{\"a\": [1, 2\n", "2:1+0 expected \",\" or \"]\" but found the end of the file "
				     "(/a) | 1:7+1 the \"[\" opened here" },
		{ "{\"a\": 1", "1:8+0 expected \",\" or \"}\" but found the end of the file () | "
			       "1:1+1 the \"{\" opened here" },
		{ "{\"a\"", "1:5+0 expected \":\" after the key but found the end of the file () | "
			    "1:1+1 the \"{\" opened here" },
		{ "{\"a\":",
		  "1:6+0 expected a value but found the end of the file (/a) | 1:1+1 the "
		  "\"{\" opened here" },
		{ "{\"a\": [1, 2}",
		  "1:12+1 expected \",\" or \"]\" but found \"}\" (/a) | 1:7+1 the "
		  "\"[\" opened here" },
		{ "[{\"a\": 1]", "1:9+1 expected \",\" or \"}\" but found \"]\" (/0) | 1:2+1 the "
				 "\"{\" opened here" },
		{ "]", "1:1+1 expected a value but found \"]\" ()" },
		{ "{}\n}", "2:1+1 expected the end of the file but found \"}\" ()" },
		{ "{} x1 y", "1:4+2 expected the end of the file but found \"x1\" ()" },
		{ "{} \"s\"", "1:4+3 expected the end of the file but found the string \"s\" ()" },
		{ "1 2", "1:3+1 expected the end of the file but found \"2\" ()" },
		{ "[1 2]", "1:4+1 expected \",\" or \"]\" but found \"2\" ()" },
		{ "[1,,2]", "1:4+1 expected a value but found \",\" (/1)" },
		{ "[,1]", "1:2+1 expected a value but found \",\" (/0)" },
		{ "[,]", "1:2+1 expected a value but found \",\" (/0)" },
		{ "[1,,]", "1:4+1 expected a value but found \",\" (/1)" },
		{ "{,}", "1:2+1 expected a key in double quotes but found \",\" ()" },
		{ "{\"a\": 1,,}", "1:9+1 expected a key in double quotes but found \",\" ()" },
		{ "1,", "1:2+1 expected the end of the file but found \",\" ()" },
		{ "{\"a\": 1 \"b\": 2}", "1:9+3 expected \",\" or \"}\" but found the string \"b\" "
					 "()" },
		{ "{\"a\" 1}", "1:6+1 expected \":\" after the key but found \"1\" ()" },
		{ "{\"a\" = 1}", "1:6+1 expected \":\" after the key but found \"=\" ()" },
		{ "{\"a\": }",
		  "1:7+1 expected a value but found \"}\" (/a) | 1:1+1 the \"{\" opened "
		  "here" },
		{ "{a: 1}", "1:2+1 expected a key in double quotes but found \"a\" ()" },
		{ "{1: 1}", "1:2+1 expected a key in double quotes but found \"1\" ()" },
		{ "{'a b': 1}",
		  "1:2+5 expected a key in double quotes but found \"'a b'\"; strings "
		  "are written in double quotes ()" },
		{ "['a]", "1:2+3 expected a value but found \"'a]\"; strings are written in double "
			  "quotes (/0)" },
		{ "[\xc3\xbc]", "1:2+2 expected a value but found \"\xc3\xbc\" (/0)" },
		{ "\x1b", "1:1+1 expected a value but found \"\\x1b\" ()" },
		{ "[\xff",
		  "1:2+1 expected a value but found the byte 0xff, which is not UTF-8 (/0)" },
		{ "# c\n{}",
		  "1:1+1 expected a value but found \"#\"; comments are written // or /* "
		  "*/ ()" },
		{ "/ 1", "1:1+1 expected a value but found \"/\" ()" },
		{ "1 /", "1:3+1 expected the end of the file but found \"/\" ()" },
		{ "[1, /* x\n",
		  "1:5+2 expected \"*/\" but found the end of the file: the comment is "
		  "not closed ()" },
		{ "/*/", "1:1+2 expected \"*/\" but found the end of the file: the comment is not "
			 "closed ()" },
		{ "{} /*",
		  "1:4+2 expected \"*/\" but found the end of the file: the comment is not "
		  "closed ()" },
	};

	(void)state;
	assert_all(cases, ARRAY_SIZE(cases));
	assert_faults("[\0]", 3, "1:2+1 expected a value but found \"\\x00\" (/0)");
	assert_faults("1\0", 2, "1:2+1 expected the end of the file but found \"\\x00\" ()");
}

static void test_going_on(void **state)
{
	static const struct fault_case cases[] = {
		{ "\xef\xbb\xbf{\"a\": 1.5}",
		  "1:1+3 expected no byte order mark ()\n"
		  "1:8+3 expected a number without fraction or exponent "
		  "but found \"1.5\" (/a)" },
		{ "\xef\xbb\xbf", "1:1+3 expected no byte order mark ()\n"
				  "1:2+0 expected a value but the file is empty ()" },
		{ "[01, \"\\n\", tru, {\"k\":1,\"k\":2,},] 3",
		  "1:2+2 expected a number without leading zeros but found \"01\" (/0)\n"
		  "1:7+2 expected no control character in a string but found \"\\n\" (/1)\n"
		  "1:12+3 expected a value but found \"tru\"; did you mean \"true\"? (/2)\n"
		  "1:24+3 duplicate key \"k\" (/3/k) | 1:18+3 first defined here\n"
		  "1:34+1 expected the end of the file but found \"3\" ()" },
		{ "// \xff \xfe\n/* \xc3 */ [\"\xff\xfe\"]",
		  "1:4+1 expected UTF-8 but found the byte 0xff (offset 3) ()\n"
		  "2:4+1 expected UTF-8 but found the byte 0xc3 (offset 10) ()\n"
		  "2:11+1 expected UTF-8 but found the byte 0xff (offset 17) (/0)" },
	};

	(void)state;
	assert_all(cases, ARRAY_SIZE(cases));
}

static void test_word_faults(void **state)
{
	static const struct {
		const char *s, *want, *hint;
	} cases[] = {
		{ "80.5", "a number without fraction or exponent", "" },
		{ "-0.0", "a number without fraction or exponent", "" },
		{ "1e3", "a number without fraction or exponent", "" },
		{ "1E+3", "a number without fraction or exponent", "" },
		{ "1.0e-3", "a number without fraction or exponent", "" },
		{ "1e400", "a number without fraction or exponent", "" },
		{ "012", "a number without leading zeros", "" },
		{ "-00", "a number without leading zeros", "" },
		{ "00.5", "a number without leading zeros", "" },
		{ "9223372036854775808",
		  "a number from -9223372036854775808 to 9223372036854775807", "" },
		{ "-9223372036854775809",
		  "a number from -9223372036854775808 to 9223372036854775807", "" },
		{ "18446744073709551616",
		  "a number from -9223372036854775808 to 9223372036854775807", "" },
		{ "99999999999999999999999",
		  "a number from -9223372036854775808 to 9223372036854775807", "" },
		{ "+1", "a value", "" },
		{ ".5", "a value", "" },
		{ "1.", "a value", "" },
		{ "1e", "a value", "" },
		{ "1e+", "a value", "" },
		{ "1.e5", "a value", "" },
		{ "1.5.5", "a value", "" },
		{ "-", "a value", "" },
		{ "--1", "a value", "" },
		{ "0x1F", "a value", "" },
		{ "80x", "a value", "" },
		{ "1_000", "a value", "" },
		{ "NaN", "a value", "" },
		{ "nan", "a value", "" },
		{ "-NaN", "a value", "" },
		{ "Infinity", "a value", "" },
		{ "-Infinity", "a value", "" },
		{ "inf", "a value", "" },
		{ "True", "a value", "; did you mean \"true\"?" },
		{ "FALSE", "a value", "" },
		{ "flase", "a value", "; did you mean \"false\"?" },
		{ "NULL", "a value", "" },
		{ "nul", "a value", "; did you mean \"null\"?" },
		{ "truefalse", "a value", "" },
		{ "undefined", "a value", "" },
		{ "tr\xc3\xbc"
		  "e",
		  "a value", "; did you mean \"true\"?" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(cleanup_free) char *s = xasprintf("[%s, 1]", cases[i].s);
		cleanup(cleanup_free) char *want =
			xasprintf("1:2+%zu expected %s but found \"%s\"%s (/0)", strlen(cases[i].s),
				  cases[i].want, cases[i].s, cases[i].hint);

		assert_faults(s, strlen(s), want);
	}
}

static void test_string_faults(void **state)
{
	static const struct fault_case cases[] = {
		{ "\"ab",
		  "1:1+3 expected '\"' but found the end of the file: the string is not closed "
		  "()" },
		{ "\"ab\\", "1:1+4 expected '\"' but found the end of the file: the string is not "
			    "closed ()" },
		{ "\"ab\\\"",
		  "1:1+5 expected '\"' but found the end of the file: the string is not "
		  "closed ()" },
		{ "{\"a\": \"b,\n}",
		  "1:7+3 expected '\"' but found the end of the line: the string "
		  "is not closed (/a)" },
		{ "{\"a: 1\r\n}",
		  "1:2+5 expected '\"' but found the end of the line: the string is "
		  "not closed ()" },
		{ "\"a\\\nb\"",
		  "1:1+3 expected '\"' but found the end of the line: the string is not "
		  "closed ()" },
		{ "\"a\tb\"", "1:3+1 expected no control character in a string but found \"\\x09\" "
			      "()" },
		{ "\"a\rb\"", "1:3+1 expected no control character in a string but found \"\\x0d\" "
			      "()" },
		{ "\"\x7f\"", "1:2+1 expected no control character in a string but found \"\\x7f\" "
			      "()" },
		{ "\"\xc2\x9b\"", "1:2+2 expected no control character in a string but found "
				  "\"\\xc2\\x9b\" ()" },
		{ "\"\\t\"",
		  "1:2+2 expected no control character in a string but found \"\\t\" ()" },
		{ "\"\\u0000\"", "1:2+6 expected no control character in a string but found "
				 "\"\\u0000\" ()" },
		{ "\"\\u001f\"", "1:2+6 expected no control character in a string but found "
				 "\"\\u001f\" ()" },
		{ "\"\\u007F\"", "1:2+6 expected no control character in a string but found "
				 "\"\\u007F\" ()" },
		{ "\"\\u009f\"", "1:2+6 expected no control character in a string but found "
				 "\"\\u009f\" ()" },
		{ "\"x\\ud800y\"", "1:3+6 expected a pair of surrogates in a string but found "
				   "\"\\ud800\" ()" },
		{ "\"\\udc00\"", "1:2+6 expected a pair of surrogates in a string but found "
				 "\"\\udc00\" ()" },
		{ "\"\\ud800\\u0041\"", "1:2+6 expected a pair of surrogates in a string but found "
					"\"\\ud800\" ()" },
		{ "\"\\udc00\\ud800\"", "1:2+6 expected a pair of surrogates in a string but found "
					"\"\\udc00\" ()" },
		{ "\"\\ud800\\ud800\\udc00\"",
		  "1:2+6 expected a pair of surrogates in a string but "
		  "found \"\\ud800\" ()" },
		{ "\"\\u12g4\"", "1:2+6 expected \\u and four hexadecimal digits in a string but "
				 "found \"\\u12g4\" ()" },
		{ "\"\\u12\"",
		  "1:2+4 expected \\u and four hexadecimal digits in a string but found "
		  "\"\\u12\" ()" },
		{ "\"\\u\"", "1:2+2 expected \\u and four hexadecimal digits in a string but found "
			     "\"\\u\" ()" },
		{ "\"\\x41\"", "1:2+2 expected \\\" \\\\ \\/ or \\uXXXX in a string but found "
			       "\"\\x\" ()" },
		{ "\"\\'\"",
		  "1:2+2 expected \\\" \\\\ \\/ or \\uXXXX in a string but found \"\\'\" "
		  "()" },
		{ "\"\\\xc3\xbc\"", "1:2+3 expected \\\" \\\\ \\/ or \\uXXXX in a string but found "
				    "\"\\\xc3\xbc\" ()" },
		{ "\"\xc3\xbc\xc3\"",
		  "1:3+1 expected UTF-8 but found the byte 0xc3 (offset 3) ()" },
		{ "\"\xed\xa0\x80\"",
		  "1:2+1 expected UTF-8 but found the byte 0xed (offset 1) ()" },
		{ "\"\xc0\x80\"", "1:2+1 expected UTF-8 but found the byte 0xc0 (offset 1) ()" },
		{ "{\"\\n\": 1}",
		  "1:3+2 expected no control character in a string but found \"\\n\" "
		  "()" },
		/* One fault per string. */
		{ "\"\\n\\q\xff\\u0000\"", "1:2+2 expected no control character in a string but "
					   "found \"\\n\" ()" },
	};

	(void)state;
	assert_all(cases, ARRAY_SIZE(cases));
	assert_faults("\"a\0b\"", 5,
		      "1:3+1 expected no control character in a string but found \"\\x00\" ()");
}

static void test_duplicates(void **state)
{
	static const struct fault_case cases[] = {
		{ "{\"a\": 1,\n \"a\": 2}",
		  "2:2+3 duplicate key \"a\" (/a) | 1:2+3 first defined here" },
		{ "{\"a\":1,\"b\":1,\"\\u0061\":1,\"a\":1}",
		  "1:14+8 duplicate key \"a\" (/a) | 1:2+3 first defined here\n"
		  "1:25+3 duplicate key \"a\" (/a) | 1:2+3 first defined here" },
		{ "{\"b\":1,\"a\":1,\"b\":1,\"a\":1}", /* in source order */
		  "1:14+3 duplicate key \"b\" (/b) | 1:2+3 first defined here\n"
		  "1:20+3 duplicate key \"a\" (/a) | 1:8+3 first defined here" },
		{ "[{\"x\": {\"/\": 1, \"/\": 2}, \"x\": 3}]",
		  "1:17+3 duplicate key \"/\" (/0/x/~1) | 1:9+3 first defined here\n"
		  "1:26+3 duplicate key \"x\" (/0/x) | 1:3+3 first defined here" },
		{ "{\"\": 1, \"\": 2}", "1:9+2 duplicate key \"\" (/) | 1:2+2 first defined here" },
	};
	struct fixture f;

	(void)state;
	assert_all(cases, ARRAY_SIZE(cases));
	parse_bytes(&f, "{\"a\":1,\"a\":2}", 13);
	assert_false(f.good);
	assert_non_null(f.tree.root); /* for further checks */
	assert_int_equal(json_get(f.tree.root, "a")->u.integer, 1);
	release(&f);
	parse_bytes(&f, "{\"a\":1,\"a\":2.5}", 15);
	assert_false(f.good);
	assert_null(f.tree.root);
	release(&f);
	/* Faulty keys stay different. */
	assert_faults("{\"a\\u0000b\":1,\"a\\u0000c\":2}", 27,
		      "1:4+6 expected no control character in a string but found \"\\u0000\" ()\n"
		      "1:17+6 expected no control character in a string but found \"\\u0000\" ()");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure_faults), cmocka_unit_test(test_going_on),
		cmocka_unit_test(test_word_faults),	 cmocka_unit_test(test_string_faults),
		cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
