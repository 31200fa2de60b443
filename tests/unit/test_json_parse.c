/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>

#include "json_fixture.h"

#include "dockside/base/diag.h"
#include "dockside/base/util.h"

static void parse_good(struct fixture *f, const char *s)
{
	parse_bytes(f, s, strlen(s));
	if (!f->good)
		fail_msg("%s: %s", s, f->diags.n ? f->diags.items[0].message : "no message");
	assert_non_null(f->tree.root);
	assert_int_equal(f->diags.n, 0);
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

	assert_false(src_read(path, NULL, &src, &diags));
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
	assert_true(src_read(path, NULL, &src, &diags));
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
		cmocka_unit_test(test_values),	  cmocka_unit_test(test_scalar_roots),
		cmocka_unit_test(test_strings),	  cmocka_unit_test(test_comma_at_end),
		cmocka_unit_test(test_locations), cmocka_unit_test(test_comments),
		cmocka_unit_test(test_printed),	  cmocka_unit_test(test_src_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
