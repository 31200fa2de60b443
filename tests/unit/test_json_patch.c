/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts that are made to say something else, letter by letter. */
#include "json_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/json/json_patch.h"

static void assert_patch(const char *text, const char *wanted, const char *expected)
{
	struct fixture old, new, got;
	struct buf b = { 0 };

	parse_bytes(&old, text, strlen(text));
	parse_bytes(&new, wanted, strlen(wanted));
	assert_true(old.good && new.good);
	json_patch(&b, &old.src, old.tree.root, new.tree.root);
	assert_string_equal(buf_str(&b), expected);
	parse_bytes(&got, b.data, b.len);
	assert_true(got.good && json_equal(got.tree.root, new.tree.root));
	release(&got);
	release(&old);
	release(&new);
	buf_free(&b);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_patch(" // c\n{ \"a\" : [ 1,2 , ], /* d */ }\n// e", "{\"a\":[1,2]}",
		     " // c\n{ \"a\" : [ 1,2 , ], /* d */ }\n// e");
	/* The same words, and members in another order. */
	assert_patch("{\"\\u0061\": 1, \"b\": {\"x\": 1, \"y\": 2}}",
		     "{\"b\":{\"y\":2,\"x\":1},\"a\":1}",
		     "{\"\\u0061\": 1, \"b\": {\"x\": 1, \"y\": 2}}");
}

static void test_values(void **state)
{
	(void)state;
	assert_patch("{\"a\": 1, // one\n \"b\": true}", "{\"a\":2,\"b\":null}",
		     "{\"a\": 2, // one\n \"b\": null}");
	assert_patch("/* x */ \"a\" // y", "[1]", "/* x */ [1] // y");
	assert_patch("{\n\t\"a\": {},\n}", "{\"a\":{\"b\":[{\"c\":1},{\"d\":2}]}}",
		     "{\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t{ \"c\": 1 },\n\t\t\t{ \"d\": 2 }\n\t\t]\n"
		     "\t},\n}");
	/* In the file's way to write braces, and its line feeds. */
	assert_patch("[\r\n    {\"a\": 1}\r\n]\r\n", "[{\"a\":1},{\"b\":[{\"c\":1}]}]",
		     "[\r\n    {\"a\": 1},\r\n    {\r\n        \"b\": [\r\n            {\"c\": 1}"
		     "\r\n        ]\r\n    }\r\n]\r\n");
}

static void test_add_inline(void **state)
{
	(void)state;
	assert_patch("[1, 2]", "[1,2,3]", "[1, 2, 3]");
	assert_patch("[1, 2,]", "[1,2,3]", "[1, 2, 3,]");
	assert_patch("[1, 2]", "[0,1,3,4,2]", "[0, 1, 3, 4, 2]");
	assert_patch("[ 1 /* one */, 2 /* two */ ] // e", "[1,3,2,4]",
		     "[ 1 /* one */, 3, 2, 4 /* two */ ] // e");
	assert_patch("{\"a\": 1}", "{\"a\":1,\"b\":{\"c\":[{\"d\":2}]}}",
		     "{\"a\": 1, \"b\": {\"c\": [{\"d\": 2}]}}");
	assert_patch("[]", "[\"x\",\"y\"]", "[\"x\", \"y\"]");
	assert_patch("[ /* none */ ]", "[1,2]", "[ /* none */ 1, 2 ]");
	assert_patch("{\"a\": []}", "{\"a\":[{\"b\":1}]}", "{\"a\": [\n  {\"b\": 1}\n]}");
}

static void test_add_lines(void **state)
{
	(void)state;
	assert_patch("[\n   1, // one\n   2 // two\n]", "[1,3,2,4]",
		     "[\n   1, // one\n   3,\n   2, // two\n   4\n]");
	assert_patch("[\n   1,\n   2, // two\n]", "[1,2,4,5]",
		     "[\n   1,\n   2, // two\n   4,\n   5,\n]");
	/* The comment above an item stays with it. */
	assert_patch("[\n  1,\n\n  // the rest\n  2\n]", "[1,3,2]",
		     "[\n  1,\n  3,\n\n  // the rest\n  2\n]");
	assert_patch(
		"[ // list\n  // head\n\n  // the rest,\n  /* all of\n it */\n  2\n]", "[3,4,2]",
		"[ // list\n  // head\n\n  3,\n  4,\n  // the rest,\n  /* all of\n it */\n  2\n]");
	assert_patch("[\n  // head\n\n  2\n]", "[3,2]", "[\n  // head\n\n  3,\n  2\n]");
	assert_patch("[\n  1,\n  2 ]", "[1,2,3]", "[\n  1,\n  2,\n  3 ]");
	assert_patch("[\n  1,\n  2 /* two */ ]", "[1,2,3]", "[\n  1,\n  2, /* two */\n  3 ]");
	/* The first one behind the bracket. */
	assert_patch("[1, // one\n 2]", "[1,3,2]", "[1, // one\n 3,\n 2]");
	/* Several in a line. */
	assert_patch("[\n  1, 2,\n  3, 4\n]", "[1,9,2,8,3,4,7]", "[\n  1, 9, 2, 8,\n  3, 4, 7\n]");
	/* The comma first. */
	assert_patch("[ 1\n, 2\n, 3 ]", "[1,9,2,3,8]", "[ 1\n, 9, 2\n, 3, 8 ]");
	assert_patch("{\n  // none yet\n}", "{\"a\":1,\"b\":2}",
		     "{\n  // none yet\n  \"a\": 1,\n  \"b\": 2\n}");
	assert_patch("{\n  \"a\": [\n  ],\n}", "{\"a\":[1,2]}",
		     "{\n  \"a\": [\n    1,\n    2\n  ],\n}");
	assert_patch("{ // none yet\n}", "{\"a\":1}", "{ // none yet\n  \"a\": 1\n}");
	assert_patch("[\r\n  1 // one\r\n]", "[1,2]", "[\r\n  1, // one\r\n  2\r\n]");
}

static void test_remove(void **state)
{
	(void)state;
	assert_patch("[1, 2, 3]", "[1,3]", "[1, 3]");
	assert_patch("[1, 2, 3]", "[2,3]", "[2, 3]");
	assert_patch("[1, 2, 3]", "[1,2]", "[1, 2]");
	assert_patch("[1, 2, 3]", "[1]", "[1]");
	assert_patch("[1, 2, 3]", "[3]", "[3]");
	assert_patch("[1, 2, 3]", "[]", "[]");
	assert_patch("[1, 2, 3,]", "[1,2]", "[1, 2,]");
	assert_patch("[ 1, 2 ]", "[]", "[ ]");
	assert_patch("[ 1, 2 ]", "[9]", "[ 9 ]");
	assert_patch("[ 1, 2, 3 ]", "[9,3]", "[ 9, 3 ]");
	assert_patch("[1, /* two */ 2 /* too */, 3]", "[1,3]", "[1, /* two */ /* too */ 3]");
	assert_patch(
		"[\n  // head\n  1, // one\n  // two\n  2, // two\n  // three\n  3 // three\n]",
		"[1,3]", "[\n  // head\n  1, // one\n  // two\n  // three\n  3 // three\n]");
	/* No comma behind what is the last one now, unless there was one behind the last. */
	assert_patch("[\n  1, // one\n  2 // two\n]", "[1]", "[\n  1 // one\n]");
	assert_patch("[\n  1, // one\n  2, // two\n]", "[1]", "[\n  1, // one\n]");
	assert_patch("[\n  1,\n  2\n  // end\n]", "[]", "[\n  // end\n]");
	assert_patch("[\n  1, 2,\n  3, 4 // both\n]", "[1,2,4]", "[\n  1, 2,\n  4 // both\n]");
	assert_patch("[\n  1, 2,\n  3, 4 // both\n]", "[1,2,3]", "[\n  1, 2,\n  3 // both\n]");
	assert_patch("[ 1\n, 2\n, 3 ]", "[1,3]", "[ 1\n,\n 3 ]");
	assert_patch("{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"c\":3,\"a\":1}", "{\"a\": 1, \"c\": 3}");
	assert_patch("[\r\n  1, // one\r\n  2 // two\r\n]", "[1]", "[\r\n  1 // one\r\n]");
}

/* An item that has changed is changed where it stands. */
static void test_items(void **state)
{
	(void)state;
	assert_patch("[\n  {\"p\": [1], \"x\": 1}, // a\n  {\"p\": [2]} // b\n]",
		     "[{\"p\":[1,3],\"x\":1},{\"p\":[2]}]",
		     "[\n  {\"p\": [1, 3], \"x\": 1}, // a\n  {\"p\": [2]} // b\n]");
	assert_patch("[\n  {\"name\": \"a\"}, // a\n  {\"name\": \"b\", \"v\": 1}, // b\n]",
		     "[{\"name\":\"b\",\"v\":2}]", "[\n  {\"name\": \"b\", \"v\": 2}, // b\n]");
	/* One that moved is taken out and written again. */
	assert_patch("[1, 2, 3]", "[3,1,2]", "[3, 1, 2]");
	assert_patch("[1, 1, 2, 1]", "[1,2,1,1]", "[1, 2, 1, 1]");
}

/* A copy of an item is that item, whatever it has become. */
static void test_copies(void **state)
{
	static const char text[] = "[\n  {\"a\": 1}, // a\n  {\"b\": 2} // b\n]";
	struct fixture old, copy, new;
	struct buf b = { 0 };

	(void)state;
	parse_bytes(&old, text, strlen(text));
	parse_bytes(&new, "[{\"b\":2,\"c\":3}]", 15);
	assert_true(old.good && new.good);
	copy = old;
	copy.tree = (struct json_tree){ 0 };
	assert_true(json_parse(&old.src, &copy.tree, &copy.diags));
	copy.tree.root->u.children.n = 1;
	copy.tree.root->u.children.items[0].loc = old.tree.root->u.children.items[1].loc;
	copy.tree.root->u.children.items[0].u = new.tree.root->u.children.items[0].u;
	json_patch(&b, &old.src, old.tree.root, copy.tree.root);
	assert_string_equal(buf_str(&b), "[\n  {\"b\": 2, \"c\": 3} // b\n]");
	json_tree_free(&copy.tree);
	release(&old);
	release(&new);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	   cmocka_unit_test(test_values),
		cmocka_unit_test(test_add_inline), cmocka_unit_test(test_add_lines),
		cmocka_unit_test(test_remove),	   cmocka_unit_test(test_items),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
