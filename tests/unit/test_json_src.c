/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dockside/json_src.h"

struct fixture {
	struct src src;
	struct json_tree tree;
	struct diags diags;
	bool good;
};

static void parse_bytes(struct fixture *f, const char *s, size_t len)
{
	*f = (struct fixture){
		.src = { .name = xstrdup("f"), .text = xmalloc(len + 1), .len = len }
	};
	memcpy(f->src.text, s, len);
	f->src.text[len] = '\0';
	f->good = json_parse(&f->src, &f->tree, &f->diags);
}

static void release(struct fixture *f)
{
	json_tree_free(&f->tree);
	diags_free(&f->diags);
	src_free(&f->src);
}

static void parse_good(struct fixture *f, const char *s)
{
	parse_bytes(f, s, strlen(s));
	if (!f->good)
		fail_msg("%s: %s", s, f->diags.n ? f->diags.items[0].message : "no message");
	assert_non_null(f->tree.root);
	assert_int_equal(f->diags.n, 0);
}

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

static void test_values(void **state)
{
	struct fixture f;
	const struct json_node *items;

	(void)state;
	parse_good(&f, " [null, true,false , 0, -0, -1, 9223372036854775807,"
		       "-9223372036854775808, \"\", \"x\", [], {}]\r\n\t");
	assert_int_equal(f.tree.root->kind, JSON_ARRAY);
	assert_int_equal(f.tree.root->u.children.n, 12);
	items = f.tree.root->u.children.items;
	assert_int_equal(items[0].kind, JSON_NULL);
	assert_int_equal(items[1].kind, JSON_BOOL);
	assert_true(items[1].u.boolean);
	assert_int_equal(items[2].kind, JSON_BOOL);
	assert_false(items[2].u.boolean);
	for (size_t i = 3; i < 8; i++)
		assert_int_equal(items[i].kind, JSON_INT);
	assert_int_equal(items[3].u.integer, 0);
	assert_int_equal(items[4].u.integer, 0);
	assert_int_equal(items[5].u.integer, -1);
	assert_true(items[6].u.integer == INT64_MAX);
	assert_true(items[7].u.integer == INT64_MIN);
	assert_int_equal(items[8].kind, JSON_STRING);
	assert_int_equal(items[8].u.string.len, 0);
	assert_string_equal(items[8].u.string.s, "");
	assert_string_equal(items[9].u.string.s, "x");
	assert_int_equal(items[10].kind, JSON_ARRAY);
	assert_int_equal(items[10].u.children.n, 0);
	assert_int_equal(items[11].kind, JSON_OBJECT);
	assert_int_equal(items[11].u.children.n, 0);
	release(&f);
}

static void test_scalar_roots(void **state)
{
	static const char *const texts[] = { "1",  "\"a\"", "true",	   "null",
					     "{}", "[]",    "// c\n1 // d" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct fixture f;

		parse_good(&f, texts[i]);
		assert_null(f.tree.root->parent);
		assert_null(f.tree.root->key);
		release(&f);
	}
}

static void test_strings(void **state)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{ "\"a b\"", "a b" },
		{ "\"\\\"\\\\\\/\"", "\"\\/" },
		{ "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\udc33\\uD83D\\uDC33\"", "\xf0\x9f\x90\xb3\xf0\x9f\x90\xb3" },
		{ "\"gr\xc3\xbc\xc3\x9f\xf0\x9f\x90\xb3\"", "gr\xc3\xbc\xc3\x9f\xf0\x9f\x90\xb3" },
		{ "\"\\u0020\\u007e\\u00a0\"", " ~\xc2\xa0" },
		{ "\"// no /* comment */\"", "// no /* comment */" },
		{ "\"'\"", "'" },
		{ "\"\\uffff\"", "\xef\xbf\xbf" },
		{ "\"\\\\u0000\"", "\\u0000" },
		/* json-c 0.18 refuses these two. */
		{ "\"it's \\\\ \xc3\xbcn\xc3\xaf\"", "it's \\ \xc3\xbcn\xc3\xaf" },
		{ "\"\\u0022\xe2\x82\xac\\/\xf0\x9f\x90\xb3\"", "\"\xe2\x82\xac/\xf0\x9f\x90\xb3" },
		{ "\"\\u07ff\\u0800\\ud7ff\\ue000\"",
		  "\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80" },
		{ "\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "\"\\\\\\\"\\\\\"", "\\\"\\" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;

		parse_good(&f, cases[i].json);
		assert_int_equal(f.tree.root->kind, JSON_STRING);
		assert_string_equal(f.tree.root->u.string.s, cases[i].want);
		assert_int_equal(f.tree.root->u.string.len, strlen(cases[i].want));
		release(&f);
	}
}

static void test_comma_at_end(void **state)
{
	static const struct {
		const char *json;
		size_t n;
	} cases[] = {
		{ "[1,]", 1 },	     { "[1, 2 , ]", 2 },	   { "{\"a\": 1,\n}", 1 },
		{ "[[1,],{},]", 2 }, { "[1 /* x */, // y\n]", 1 }, { "{\"a\":[],\"b\":{},}", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;

		parse_good(&f, cases[i].json);
		assert_int_equal(f.tree.root->u.children.n, cases[i].n);
		release(&f);
	}
}

static void assert_loc(struct loc loc, const char *want)
{
	assert_int_equal(loc.len, strlen(want));
	assert_memory_equal(loc.src->text + loc.off, want, loc.len);
}

static void test_locations(void **state)
{
	struct fixture f;
	const struct json_node *a, *b, *c;
	char *pointer;

	(void)state;
	parse_good(&f, "{ // one\n \"a\" /* k */ : [1, {\"~/\": \"x\\\\y\"}],\n\"\\u0062\":\t-5}");
	assert_loc(f.tree.root->loc, f.src.text);
	a = json_get(f.tree.root, "a");
	b = json_get(f.tree.root, "b");
	assert_non_null(a);
	assert_non_null(b);
	assert_null(json_get(f.tree.root, "c"));
	assert_loc(a->loc, "[1, {\"~/\": \"x\\\\y\"}]");
	assert_loc(a->key_loc, "\"a\"");
	assert_loc(b->key_loc, "\"\\u0062\"");
	assert_loc(b->loc, "-5");
	assert_int_equal(a->index, 0);
	assert_int_equal(b->index, 1);
	assert_ptr_equal(a->parent, f.tree.root);
	c = json_get(&a->u.children.items[1], "~/");
	assert_loc(c->loc, "\"x\\\\y\"");
	assert_ptr_equal(c->parent, &a->u.children.items[1]);
	assert_ptr_equal(c->parent->parent, a);
	assert_null(c->parent->key);
	pointer = json_pointer(c);
	assert_string_equal(pointer, "/a/1/~0~1");
	free(pointer);
	pointer = json_pointer(f.tree.root);
	assert_string_equal(pointer, "");
	free(pointer);
	release(&f);
}

static void test_comments(void **state)
{
	static const char *const texts[] = {
		"/**/1",     "//\n1",	       "1//",		"1/* */",
		"/***/1",    "/* // */1",      "// /*\n1",	"/*/*/1",
		"/* \" */1", "// \xc3\xbc\n1", "[1/**/,//\n2]", "{\"a\"/**/:/**/1/**/}",
		"[/**/]",    "{//\r\n}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct fixture f;

		parse_good(&f, texts[i]);
		release(&f);
	}
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

static void test_printed(void **state)
{
	static const char s[] =
		"{\n\t\"gr\xc3\xbc\xc3\x9f\": \"\xe2\x82\xac\", \"gr\xc3\xbc\\u00df\": 1\n}\n";
	struct fixture f;
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	(void)state;
	parse_bytes(&f, s, strlen(s));
	diags_print(&f.diags, out);
	fclose(out);
	assert_string_equal(
		got,
		"f:2:15: error: duplicate key \"gr\xc3\xbc\xc3\x9f\" (at /gr\xc3\xbc\xc3\x9f)\n"
		"\t\"gr\xc3\xbc\xc3\x9f\": \"\xe2\x82\xac\", \"gr\xc3\xbc\\u00df\": 1\n"
		"\t             ^^^^^^^^^^^\n"
		"f:2:2: note: first defined here\n"
		"\t\"gr\xc3\xbc\xc3\x9f\": \"\xe2\x82\xac\", \"gr\xc3\xbc\\u00df\": 1\n"
		"\t^^^^^^\n");
	free(got);
	release(&f);
}

static void assert_unreadable(const char *path, const char *want)
{
	struct diags diags = { 0 };
	struct src src;
	struct json_tree tree = { 0 };
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	assert_false(src_read(path, &src, &diags));
	assert_null(src.text);
	assert_false(json_parse(&src, &tree, &diags)); /* adds nothing */
	assert_int_equal(diags.n, 1);
	diags_print(&diags, out);
	fclose(out);
	assert_string_equal(got, want);
	free(got);
	diags_free(&diags);
	src_free(&src);
}

static void test_src_read(void **state)
{
	char path[] = "/tmp/test_json_src.XXXXXX";
	int fd = mkstemp(path);
	cleanup(cleanup_free) char *large =
		xasprintf("%s: error: cannot read: larger than 16777216 bytes\n", path);
	cleanup(cleanup_free) char *gone =
		xasprintf("%s: error: cannot read: No such file or directory\n", path);
	struct diags diags = { 0 };
	struct src src;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{}\n", 3), 3);
	assert_true(src_read(path, &src, &diags));
	assert_string_equal(src.name, path);
	assert_string_equal(src.text, "{}\n");
	assert_int_equal(src.len, 3);
	assert_int_equal(diags.n, 0);
	src_free(&src);
	assert_int_equal(ftruncate(fd, JSON_SIZE_MAX + 1), 0);
	assert_unreadable(path, large);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_unreadable(path, gone);
	assert_unreadable("/", "/: error: cannot read: Is a directory\n");
	assert_unreadable("/dev/null", "/dev/null: error: cannot read: not a regular file\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	      cmocka_unit_test(test_scalar_roots),
		cmocka_unit_test(test_strings),	      cmocka_unit_test(test_locations),
		cmocka_unit_test(test_comments),      cmocka_unit_test(test_structure_faults),
		cmocka_unit_test(test_going_on),      cmocka_unit_test(test_word_faults),
		cmocka_unit_test(test_string_faults), cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_printed),	      cmocka_unit_test(test_src_read),
		cmocka_unit_test(test_comma_at_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
