/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/suggest.h"
#include "dockside/base/util.h"

#define FFFD "\xef\xbf\xbd"
#define DOTS "\xe2\x80\xa6"

/* The place of what's first occurrence in src; the end of the text if it is not there. */
static struct loc at(const struct src *src, const char *what)
{
	const char *found = src->text ? strstr(src->text, what) : NULL;

	return (struct loc){
		.src = src,
		.off = found ? (size_t)(found - src->text) : src->len,
		.len = found ? strlen(what) : 0,
	};
}

static struct src text(char *s)
{
	static char name[] = "f.json";

	return (struct src){ .name = name, .text = s, .len = strlen(s) };
}

/* diags_print() must print want; frees diags. */
static void assert_printed(struct diags *diags, const char *want)
{
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	assert_non_null(out);
	diags_print(diags, out);
	fclose(out);
	assert_string_equal(got, want);
	free(got);
	diags_free(diags);
}

static void test_err_chain(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_errno(&err, EPERM, "table %s %s", "inet", "dockside"), -EPERM);
	assert_int_equal(err_prefix(&err, "load ruleset"), -EPERM);
	assert_int_equal(err_prefix(&err, "apply network %s", "ds-prod"), -EPERM);
	assert_int_equal(err.code, EPERM);
	assert_string_equal(err.text, "apply network ds-prod: load ruleset: table inet dockside: "
				      "Operation not permitted");
	/* A message made of the one that it replaces. */
	assert_int_equal(err_set(&err, EINVAL, "<%.13s>", err.text), -EINVAL);
	assert_string_equal(err.text, "<apply network>");
	err_free(&err);
	assert_null(err.text);
	assert_int_equal(err.code, 0);
	err_free(&err);
	err_free(NULL);
}

static void test_err_null(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EINVAL, "x"), -EINVAL);
	assert_int_equal(err_errno(NULL, EPERM, "x"), -EPERM);
	assert_int_equal(err_prefix(NULL, "x"), -EIO); /* never 0 */
}

static void test_src_free(void **state)
{
	struct src src = { .name = xstrdup("a"), .text = xstrdup("b"), .len = 1 };

	(void)state;
	src_free(&src);
	assert_null(src.name);
	assert_null(src.text);
	src_free(&src);
	src_free(NULL);
}

static void test_line_column(void **state)
{
	char s[] = "one\n\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xb3!\n\n\tx\xff"
		   "y\n";
	struct src src = text(s), none = { .name = NULL };
	static const struct {
		const char *what;
		unsigned line, column;
	} cases[] = {
		{ "one", 1, 1 },      { "ne", 1, 2 }, { "\n", 1, 4 },
		{ "\xc3\xbc", 2, 1 }, { "!", 2, 4 },  { "\tx", 4, 1 },
		{ "x", 4, 2 },	      { "y", 4, 4 },  { "none", 5, 1 },
	};
	unsigned line, column;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		loc_line_column(at(&src, cases[i].what), &line, &column);
		assert_int_equal(line, cases[i].line);
		assert_int_equal(column, cases[i].column);
	}
	loc_line_column((struct loc){ .src = &src, .off = 1000 }, &line, &column);
	assert_int_equal(line, 5);
	loc_line_column((struct loc){ .src = &none }, &line, &column);
	assert_int_equal(line, 0);
	loc_line_column((struct loc){ .src = NULL }, &line, &column);
	assert_int_equal(line, 0);
	assert_int_equal(column, 0);
}

static void test_print_full(void **state)
{
	char s[] = "{\n\t\"name\": 1,\n\t\"nmae\": 2\n}\n";
	struct src src = text(s);
	struct diags diags = { 0 };
	struct diag *diag = diag_add(&diags, SEVERITY_ERROR, at(&src, "\"nmae\""), "/nmae",
				     "unknown key \"%s\"", "nmae");

	(void)state;
	diag->hint = xstrdup("did you mean \"name\"?");
	diag->other = at(&src, "\"name\"");
	diag->other_message = xstrdup("first defined here");
	assert_printed(
		&diags,
		"f.json:3:2: error: unknown key \"nmae\"; did you mean \"name\"? (at /nmae)\n"
		"\t\"nmae\": 2\n"
		"\t^^^^^^\n"
		"f.json:2:2: note: first defined here\n"
		"\t\"name\": 1,\n"
		"\t^^^^^^\n");
}

static void test_print_places(void **state)
{
	char s[] = "a\n";
	static char unread_name[] = "unread.json";
	struct src src = text(s), unread = { .name = unread_name };
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_WARNING, at(&unread, ""), "", "cannot read: %s", "Gone");
	diag_add(&diags, SEVERITY_NOTE, at(&src, "none"), NULL, "end");
	diag_add(&diags, SEVERITY_ERROR, (struct loc){ .src = NULL }, "/x", "nowhere");
	diag_add(&diags, SEVERITY_NOTE, at(&src, "\n"), "", "line feed");
	assert_printed(&diags, "error: nowhere (at /x)\n"
			       "f.json:1:2: note: line feed\n"
			       "a\n"
			       " ^\n"
			       "f.json:2:1: note: end\n" /* an empty line is not shown */
			       "unread.json: warning: cannot read: Gone\n");
}

static void test_print_sorted(void **state)
{
	char s[] = "abc", t[] = "abc";
	static char other_name[] = "a.json";
	struct src src = text(s), other = { .name = other_name, .text = t, .len = 3 };
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_ERROR, at(&src, "c"), "", "4");
	diag_add(&diags, SEVERITY_ERROR, at(&src, "b"), "", "2");
	diag_add(&diags, SEVERITY_WARNING, at(&src, "b"), "", "3");
	diag_add(&diags, SEVERITY_ERROR, at(&other, "c"), "", "1");
	assert_printed(&diags, "a.json:1:3: error: 1\nabc\n  ^\n"
			       "f.json:1:2: error: 2\nabc\n ^\n"
			       "f.json:1:2: warning: 3\nabc\n ^\n"
			       "f.json:1:3: error: 4\nabc\n  ^\n");
}

static void test_print_multibyte(void **state)
{
	char s[] = "\t\"gr\xc3\xbc\xc3\x9f\xe2\x82\xac\":\t[\"\xf0\x9f\x90\xb3\xc3\xa9\", x]";
	struct src src = text(s);
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_ERROR, at(&src, "\"\xf0\x9f\x90\xb3\xc3\xa9\""), "/gr\xc3\xbc",
		 "whale");
	assert_printed(&diags,
		       "f.json:1:12: error: whale (at /gr\xc3\xbc)\n"
		       "\t\"gr\xc3\xbc\xc3\x9f\xe2\x82\xac\":\t[\"\xf0\x9f\x90\xb3\xc3\xa9\", x]\n"
		       "\t        \t ^^^^\n");
}

static void test_print_lines(void **state)
{
	char s[] = "ab\r\ncd ef\r\n\r\ngh";
	struct src src = text(s);
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_ERROR, at(&src, "b\r\ncd"), "", "across"); /* to the line's end */
	diag_add(&diags, SEVERITY_ERROR, at(&src, "ef"), "", "last");
	diag_add(&diags, SEVERITY_ERROR, at(&src, "\r\ngh"), "", "empty");
	diag_add(&diags, SEVERITY_ERROR, at(&src, "none"), "", "end");
	assert_printed(&diags, "f.json:1:2: error: across\nab\n ^\n"
			       "f.json:2:4: error: last\ncd ef\n   ^^\n"
			       "f.json:3:1: error: empty\n"
			       "f.json:4:3: error: end\ngh\n  ^\n");
}

static void test_print_safe(void **state)
{
	/* Escape sequences, C1 controls, a right-to-left override, DEL, invalid bytes. */
	char s[] = "a\x1b[31m\x7f\xc2\x9b\xe2\x80\xae\xff\xc3X";
	struct src src = text(s);
	static char name[] = "f\n.json";
	struct diags diags = { 0 };
	struct diag *diag;

	(void)state;
	src.name = name;
	diag = diag_add(&diags, SEVERITY_ERROR, at(&src, "X"), "/\x1b", "m\x1b\n");
	diag->hint = xstrdup("h\x08");
	diag->other = at(&src, "X");
	diag->other_message = xstrdup("o\r");
	assert_printed(&diags,
		       "f" FFFD ".json:1:12: error: m" FFFD FFFD "; h" FFFD " (at /" FFFD ")\n"
		       "a" FFFD "[31m" FFFD FFFD FFFD FFFD FFFD "X\n"
		       "           ^\n"
		       "f" FFFD ".json:1:12: note: o" FFFD "\n"
		       "a" FFFD "[31m" FFFD FFFD FFFD FFFD FFFD "X\n"
		       "           ^\n");
}

static char *repeat(const char *s, size_t n)
{
	struct buf b = { 0 };

	while (n--)
		buf_puts(&b, s);
	return buf_steal(&b);
}

static void test_print_long_line(void **state)
{
	cleanup(cleanup_free) char *u = repeat("\xc3\xbc", 1000), *u60 = repeat("\xc3\xbc", 60);
	cleanup(cleanup_free) char *blanks = repeat(" ", 61), *z = repeat("z", 500);
	cleanup(cleanup_free) char *carets = repeat("^", 100), *z100 = repeat("z", 100);
	cleanup(cleanup_free) char *carets160 = repeat("^", 160), *u160 = repeat("\xc3\xbc", 160);
	cleanup(cleanup_free) char *s = xasprintf("%s%s\n%s", u, z, u);
	cleanup(cleanup_free) char *want =
		xasprintf("f.json:1:1: error: begin\n"
			  "%s" DOTS "\n%s\n"
			  "f.json:1:1001: error: middle (at /a)\n" DOTS "%s%s" DOTS "\n%s%s\n"
			  "f.json:2:1001: error: end\n" DOTS "%s\n%s^\n",
			  u160, carets160, u60, z100, blanks, carets, u60, blanks);
	struct src src = text(s);
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_ERROR, at(&src, u), "", "begin");
	diag_add(&diags, SEVERITY_ERROR, at(&src, z), "/a", "middle");
	diag_add(&diags, SEVERITY_ERROR, at(&src, "none"), "", "end");
	assert_printed(&diags, want);
}

static void test_print_long_pointer(void **state)
{
	cleanup(cleanup_free) char *k = repeat("k", 300), *k199 = repeat("k", 199);
	cleanup(cleanup_free) char *pointer = xasprintf("/%s", k);
	cleanup(cleanup_free) char *want = xasprintf("error: x (at /%s" DOTS ")\n", k199);
	struct diags diags = { 0 };

	(void)state;
	diag_add(&diags, SEVERITY_ERROR, (struct loc){ .src = NULL }, pointer, "x");
	assert_printed(&diags, want);
}

static void test_too_many(void **state)
{
	struct diags diags = { 0 };
	cleanup(buf_free) struct buf want = { 0 };

	(void)state;
	for (int i = 0; i < 23; i++) {
		struct diag *diag = diag_add(&diags, SEVERITY_ERROR, (struct loc){ .src = NULL },
					     "/p", "e%d", i);

		assert_non_null(diag);
		diag->hint = xstrdup("h"); /* not leaked past DIAGS_MAX either */
		diag->other_message = xstrdup("o");
		if (i < DIAGS_MAX)
			buf_printf(&want, "error: e%d; h (at /p)\nnote: o\n", i);
	}
	for (int i = 0; i < 21; i++)
		diag_add(&diags, SEVERITY_WARNING, (struct loc){ .src = NULL }, "", "w%d", i);
	for (int i = 0; i < 20; i++)
		buf_printf(&want, "warning: w%d\n", i);
	diag_add(&diags, SEVERITY_NOTE, (struct loc){ .src = NULL }, "", "n");
	buf_puts(&want, "note: n\n" DOTS " and 3 more errors\n" DOTS " and 1 more warning\n");
	assert_int_equal(diags.n, 41);
	assert_int_equal(diags.count[SEVERITY_ERROR], 23);
	assert_int_equal(diags.count[SEVERITY_WARNING], 21);
	assert_int_equal(diags.count[SEVERITY_NOTE], 1);
	assert_printed(&diags, buf_str(&want));
	assert_int_equal(diags.count[SEVERITY_ERROR], 0);
	diags_free(NULL);
}

static void test_print_none(void **state)
{
	struct diags diags = { 0 };

	(void)state;
	assert_printed(&diags, "");
}

static void test_quote_found(void **state)
{
	static const char forty[] = "0123456789012345678901234567890123456789";
	static const struct {
		const char *s;
		size_t len;
		const char *want;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "80x", 3, "\"80x\"" },
		{ "a\"b\\", 4, "\"a\"b\\\"" },
		{ "\0\x1b\n\x7f", 4, "\"\\x00\\x1b\\x0a\\x7f\"" },
		{ "\xc2\x9b", 2, "\"\\xc2\\x9b\"" },
		{ "\xc3\xbc\xff\xc3", 4, "\"\xc3\xbc\\xff\\xc3\"" },
		{ "\xe2\x80\xae", 3, "\"\\xe2\\x80\\xae\"" },
		{ forty, 40, "\"0123456789012345678901234567890123456789\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(buf_free) struct buf b = { 0 };

		quote_found(&b, cases[i].s, cases[i].len);
		assert_string_equal(buf_str(&b), cases[i].want);
	}
	{
		cleanup(buf_free) struct buf b = { 0 };
		cleanup(cleanup_free) char *s = repeat("\xc3\xbc", 41), *u = repeat("\xc3\xbc", 40);
		cleanup(cleanup_free) char *want = xasprintf("found \"%s" DOTS "\"", u);

		buf_puts(&b, "found ");
		quote_found(&b, s, strlen(s));
		assert_string_equal(buf_str(&b), want);
	}
}

static void test_nearest_word(void **state)
{
	static const char *const words[] = { "name",	    "subnet",  "subnet6",
					     "gateway_ip",  "to",      "dockside_mac",
					     "match_dport", "to_host", "teardown",
					     "learn" };
	static const struct {
		const char *s, *want;
	} cases[] = {
		{ "name", "name" },
		{ "nmae", "name" }, /* a swap is one change */
		{ "names", "name" },
		{ "Name", "name" },
		{ "nome", "name" },
		{ "nemo", "name" }, /* two changes for four letters, no more */
		{ "nixx", NULL },
		{ "subnets", "subnet" }, /* the first of equals */
		{ "subnett6", "subnet6" },
		{ "sub_net6", "subnet6" },
		{ "gateway", "gateway_ip" }, /* three away, two allowed, but its beginning */
		{ "match", "match_dport" },
		{ "mat", "match_dport" },
		{ "mac", NULL },	 /* no beginning */
		{ "sub", NULL },	 /* of two */
		{ "teard", "teardown" }, /* and not the two changes to "learn" */
		{ "gatewayip", "gateway_ip" },
		{ "docksidemca", "dockside_mac" },
		{ "x", NULL },
		{ "t", "to" },
		{ "", NULL },
		{ "something_else_entirely", NULL },
	};
	cleanup(cleanup_free) char *huge = repeat("name", 1000000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = nearest_word(cases[i].s, words, ARRAY_SIZE(words));

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("%s: got %s", cases[i].s, got ? got : "none");
	}
	assert_null(nearest_word("name", words, 0));
	assert_null(nearest_word(huge, words, ARRAY_SIZE(words)));
	assert_null(nearest_word("name", (const char *const *)&huge, 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_chain),	cmocka_unit_test(test_err_null),
		cmocka_unit_test(test_src_free),	cmocka_unit_test(test_line_column),
		cmocka_unit_test(test_print_full),	cmocka_unit_test(test_print_places),
		cmocka_unit_test(test_print_sorted),	cmocka_unit_test(test_print_multibyte),
		cmocka_unit_test(test_print_lines),	cmocka_unit_test(test_print_safe),
		cmocka_unit_test(test_print_long_line), cmocka_unit_test(test_print_long_pointer),
		cmocka_unit_test(test_too_many),	cmocka_unit_test(test_print_none),
		cmocka_unit_test(test_quote_found),	cmocka_unit_test(test_nearest_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
