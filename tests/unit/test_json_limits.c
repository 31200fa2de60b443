/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deep, long and many: json_parse.c takes linear time and stops where it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

struct fixture {
	struct src src;
	struct json_tree tree;
	struct diags diags;
};

/* Parses s in time that quadratic work could not keep to. */
static void parse(struct fixture *f, const char *s, size_t errors)
{
	clock_t start = clock();
	bool good;

	*f = (struct fixture){
		.src = { .name = xstrdup("f"), .text = xstrdup(s), .len = strlen(s) },
	};
	good = json_parse(&f->src, &f->tree, &f->diags);
	assert_true((clock() - start) / CLOCKS_PER_SEC < 60);
	assert_int_equal(f->diags.count[SEVERITY_ERROR], errors);
	assert_int_equal(good, errors == 0);
}

static void release(struct fixture *f)
{
	json_tree_free(&f->tree);
	diags_free(&f->diags);
	src_free(&f->src);
}

static void assert_quick(const char *s, size_t errors)
{
	struct fixture f;

	parse(&f, s, errors);
	release(&f);
}

static void assert_fault(const char *s, size_t off, const char *message, const char *pointer)
{
	struct fixture f;

	parse(&f, s, 1);
	assert_int_equal(f.diags.items[0].loc.off, off);
	assert_string_equal(f.diags.items[0].message, message);
	assert_string_equal(f.diags.items[0].pointer, pointer);
	assert_null(f.tree.root);
	release(&f);
}

static char *repeat(const char *first, const char *s, size_t n, const char *last)
{
	struct buf b = { 0 };

	buf_puts(&b, first);
	while (n--)
		buf_puts(&b, s);
	buf_puts(&b, last);
	return buf_steal(&b);
}

static void test_depth_allowed(void **state)
{
	cleanup(cleanup_free) char *open = repeat("", "[", JSON_DEPTH_MAX, "");
	cleanup(cleanup_free) char *good = repeat(open, "]", JSON_DEPTH_MAX, "");
	const struct json_node *node;
	struct fixture f;
	char *pointer;

	(void)state;
	parse(&f, good, 0);
	for (node = f.tree.root; node->u.children.n; node = node->u.children.items)
		assert_ptr_equal(node->u.children.items->parent, node);
	pointer = json_pointer(node);
	assert_int_equal(strlen(pointer), 2 * (JSON_DEPTH_MAX - 1));
	free(pointer);
	release(&f);
}

static void test_depth_refused(void **state)
{
	static const char message[] = "expected at most 32 levels of nesting";
	cleanup(cleanup_free) char *open = repeat("", "[", JSON_DEPTH_MAX + 1, "");
	cleanup(cleanup_free) char *one_more = repeat(open, "]", JSON_DEPTH_MAX + 1, "");
	cleanup(cleanup_free) char *arrays = repeat("", "[", 10000, "");
	cleanup(cleanup_free) char *objects = repeat("", "{\"a\":", 3000000, "1");
	cleanup(cleanup_free) char *indices = repeat("", "/0", JSON_DEPTH_MAX, "");
	cleanup(cleanup_free) char *keys = repeat("", "/a", JSON_DEPTH_MAX, "");

	(void)state;
	assert_fault(one_more, 32, message, indices);
	assert_fault(arrays, 32, message, indices);
	assert_fault(objects, (size_t)5 * 32, message, keys);
}

static void test_many_keys(void **state)
{
	cleanup(buf_free) struct buf keys = { 0 };
	cleanup(cleanup_free) char *same = repeat("{\"k\":1", ",\"k\":1", 200000, "}");
	cleanup(cleanup_free) char *long_key = repeat("{\"", "k", 4000000, "\":{\"a\":1");
	cleanup(cleanup_free) char *under_long = repeat(long_key, ",\"a\":1", 100000, "}}");

	(void)state;
	for (unsigned i = 0; i < 1000000; i++)
		buf_printf(&keys, "%s\"%x\":1", i ? "," : "{", i * 2654435761u);
	buf_putc(&keys, '}');
	assert_quick(buf_str(&keys), 0);
	assert_quick(same, 200000);
	/* A pointer of 4 MB for each of 100,000 faults would be too much. */
	assert_quick(under_long, 100000);
}

static void test_many_tokens(void **state)
{
	cleanup(cleanup_free) char *words = repeat("[x", ",x", 200000, "]");
	cleanup(cleanup_free) char *strings = repeat("[\"\\ud800\"", ",\"\\ud800\"", 100000, "]");
	cleanup(cleanup_free) char *digits = repeat("", "9", 4000000, "");
	cleanup(cleanup_free) char *stars = repeat("/", "*/", 2000000, "");
	cleanup(cleanup_free) char *comments = repeat("", "/**/", 1000000, "1");
	cleanup(cleanup_free) char *quote = repeat("\"", "\\u00e9", 1000000, "\"");

	(void)state;
	assert_quick(words, 200001);
	assert_quick(strings, 100001);
	assert_quick(digits, 1);
	assert_quick(stars, 1);
	assert_quick(comments, 0);
	assert_quick(quote, 0);
}

static void test_limits(void **state)
{
	cleanup(cleanup_free) char *values = repeat("[1", ",1", JSON_VALUES_MAX - 2, "]");
	cleanup(cleanup_free) char *too_many = repeat("[1", ",1", JSON_VALUES_MAX - 1, "]");
	cleanup(cleanup_free) char *bytes = repeat("", " ", JSON_SIZE_MAX - 1, "1");
	cleanup(cleanup_free) char *too_large = repeat("", " ", JSON_SIZE_MAX, "1");

	(void)state;
	assert_quick(values, 0);
	assert_fault(too_many, 2 * JSON_VALUES_MAX - 1,
		     "expected at most 2097152 values in one file", "/2097151");
	assert_quick(bytes, 0);
	assert_fault(too_large, JSON_SIZE_MAX, "expected at most 16777216 bytes", "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_allowed), cmocka_unit_test(test_depth_refused),
		cmocka_unit_test(test_many_keys),     cmocka_unit_test(test_many_tokens),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
