/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request ends at the same place, however its bytes are cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/ctl_frame.h"
#include "dockside/base/buf.h"

#define NEVER SIZE_MAX

/* The offset of the line feed that ends it; NEVER: it goes on. */
static size_t end_of(const char *text, size_t step)
{
	struct ctl_frame frame = { 0 };
	size_t len = strlen(text), at;

	for (size_t i = 0; i < len; i += step)
		if (ctl_frame_feed(&frame, text + i, step < len - i ? step : len - i, &at))
			return i + at;
	return NEVER;
}

/* The request's text; what is behind it is "|" and the rest. NULL: there is no end. */
static void assert_end(const char *text, const char *rest)
{
	for (size_t step = 1; step <= strlen(text) + 1; step++) {
		size_t end = end_of(text, step);

		if (!rest && end == NEVER)
			continue;
		if (end == NEVER || !rest || strcmp(text + end + 1, rest) != 0)
			fail_msg("%s by %zu: ends at %zu", text, step, end);
	}
}

static void test_one_line(void **state)
{
	(void)state;
	assert_end("{\"action\": \"status\"}\n", "");
	assert_end(" \t\r{} \r\n\n", "\n");
	assert_end("{} {}\n{}\n", "{}\n");
	assert_end("{}", NULL);
	assert_end("\n{}\n", "{}\n");
	assert_end("GET / HTTP/1.1\r\n\r\n", "\r\n");
	assert_end("[\n]\n", "]\n");
	assert_end("/* x */ {\n}\n", "}\n");
}

static void test_several_lines(void **state)
{
	(void)state;
	assert_end("{\n  \"action\": \"status\"\n}\n", "");
	assert_end("{\n  \"a\": [\n    {\"b\": {}},\n    []\n  ]\n}\n\n", "\n");
	assert_end("{\"a\": \"}\\\"}\",\n\"b\\\\\": \"{[\"}\n", "");
	assert_end("{ // }\n}\n", "");
	assert_end("{ /* }\n\n** / */\n}\n", "");
	assert_end("{ /***/ } // {\n", "");
	assert_end("{\r\n\r\n}\r\n", "");
	assert_end("{\n", NULL);
	assert_end("{\"a\": [}\n", "");
	assert_end("{ /* }\n", NULL);
}

/* A text that no parser will take ends with its line, so that its sender hears so at once. */
static void test_faults(void **state)
{
	struct buf deep = { 0 };

	(void)state;
	assert_end("{\"a\n\"}\n", "\"}\n");
	assert_end("{\"a\\\n\"}\n", "\"}\n");
	assert_end("{\"a\": [1}]\n}\n", "}\n");
	assert_end("{]\n}\n", "}\n");
	assert_end("{ / }\n}\n", "}\n");
	assert_end("{/\n}\n", "}\n");
	buf_puts(&deep, "{\"a\": ");
	for (int i = 0; i < 1000; i++)
		buf_putc(&deep, '[');
	assert_end(buf_str(&deep), NULL);
	buf_puts(&deep, "\n]\n");
	assert_int_equal(end_of(buf_str(&deep), 7), strlen(buf_str(&deep)) - 3);
	buf_free(&deep);
}

static void test_is_open(void **state)
{
	struct ctl_frame frame = { 0 };
	size_t at;

	(void)state;
	assert_false(ctl_frame_is_open(&frame));
	assert_false(ctl_frame_feed(&frame, "{\n", 2, &at));
	assert_true(ctl_frame_is_open(&frame));
	assert_false(ctl_frame_feed(&frame, "}", 1, &at));
	assert_false(ctl_frame_is_open(&frame));
	assert_true(ctl_frame_feed(&frame, "\n", 1, &at));
	assert_false(ctl_frame_is_open(&frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_several_lines),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
