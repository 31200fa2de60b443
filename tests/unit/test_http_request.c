/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads of HTTP requests, each given whole, cut anywhere, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/http_request.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"

#define HOST "Host: a\r\n"

struct row {
	const char *text;
	enum http_status status;
	bool head;
};

/* A copy of the exact size, so that a sanitizer sees a read behind its end. */
static enum http_status judge(const char *text, size_t len, bool *ret_head)
{
	cleanup(cleanup_free) char *copy = xmalloc(len ? len : 1);

	memcpy(copy, text, len);
	return http_request_judge(copy, len, ret_head);
}

static void check(const struct row *row)
{
	size_t len = strlen(row->text);
	enum http_status status;
	bool head;

	status = judge(row->text, len, &head);
	if (status != row->status || head != row->head)
		fail_msg("%s: got %d, wanted %d", row->text, (int)status, (int)row->status);
	/* Nothing is good before it is whole. */
	for (size_t i = 0; i < len; i++)
		assert_true(judge(row->text, i, &head) != HTTP_OK);
}

static void check_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i]);
}

static void test_answered(void **state)
{
	static const struct row rows[] = {
		{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, false },
		{ "GET /metrics HTTP/1.0\r\n\r\n", HTTP_OK, false },
		{ "GET /metrics HTTP/1.0\r\n" HOST "\r\n", HTTP_OK, false },
		{ "HEAD /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, true },
		{ "GET /metrics?a=b&c HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, false },
		{ "GET /metrics? HTTP/1.1\r\n" HOST "\r\n", HTTP_OK, false },
		{ "GET /metrics HTTP/1.2\r\n" HOST "\r\n", HTTP_OK, false },
		/* as Prometheus asks */
		{ "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9853\r\nUser-Agent: "
		  "Prometheus/2.42.0\r\n"
		  "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n"
		  "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
		  HTTP_OK, false },
		{ "GET /metrics HTTP/1.1\r\nhost:a\r\nA:\r\nB: \t x y\xc3\xa9 \r\n\r\n", HTTP_OK,
		  false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", HTTP_OK, false },
	};
	static const char more[] = "GET /metrics HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n";
	bool head;

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
	/* Nobody looks at the rest. */
	assert_int_equal(judge(more, strlen(more), &head), HTTP_OK);
}

static void test_elsewhere(void **state)
{
	static const struct row rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "GET /metrics/ HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "GET /Metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "GET /metric HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "GET /%6detrics HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "GET /../metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "HEAD / HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, true },
		{ "POST / HTTP/1.1\r\n" HOST "\r\n", HTTP_NOT_FOUND, false },
		{ "POST /metrics HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", HTTP_BAD_METHOD,
		  false },
		{ "DELETE /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_METHOD, false },
		{ "get /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_METHOD, false },
		{ "GETT /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_METHOD, false },
		{ "GET /metrics HTTP/2.0\r\n" HOST "\r\n", HTTP_BAD_VERSION, false },
		{ "PRI * HTTP/2.0\r\n\r\n", HTTP_BAD_REQUEST, false },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void test_refused(void **state)
{
	static const struct row rows[] = {
		{ "\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET  /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics  HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1 \r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ " GET /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics http/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/11\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.x\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET http://a/metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET * HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metr\xc3\xaf"
		  "cs HTTP/1.1\r\n" HOST "\r\n",
		  HTTP_BAD_REQUEST, false },
		{ "G\tT /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "G(T /metrics HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		/* fields */
		{ "GET /metrics HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.0\r\n" HOST HOST "\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "no colon\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST ": x\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "A : x\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST " folded: x\r\n\r\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n\tA: x\r\n" HOST "\r\n", HTTP_BAD_REQUEST, false },
		/* a body */
		{ "GET /metrics HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n", HTTP_BAD_REQUEST,
		  false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", HTTP_BAD_REQUEST,
		  false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
		  HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
		  HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
		  HTTP_BAD_REQUEST, false },
		/* bytes: at once, whether more follows or not */
		{ "GET /metrics HTTP/1.1\n", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\rX", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\nA: \x01", HTTP_BAD_REQUEST, false },
		{ "GET /metrics HTTP/1.1\r\nA: \x7f", HTTP_BAD_REQUEST, false },
		{ "\x16\x03\x01\x02", HTTP_BAD_REQUEST, false }, /* TLS */
		{ "\n", HTTP_BAD_REQUEST, false },
	};
	bool head;

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
	assert_int_equal(judge("GET /metrics\0", 13, &head), HTTP_BAD_REQUEST);
}

static void test_unfinished(void **state)
{
	static const struct row rows[] = {
		{ "", HTTP_UNFINISHED, false },
		{ "G", HTTP_UNFINISHED, false },
		{ "GET /metrics HTTP/1.1\r", HTTP_UNFINISHED, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "\r", HTTP_UNFINISHED, false },
		{ "hello", HTTP_UNFINISHED, false },
	};

	(void)state;
	check_all(rows, ARRAY_SIZE(rows));
}

static void test_limit(void **state)
{
	struct buf b = { 0 };
	bool head;

	(void)state;
	buf_puts(&b, "GET /metrics HTTP/1.1\r\n" HOST "A: ");
	while (b.len < HTTP_REQUEST_MAX - 4)
		buf_putc(&b, 'a');
	assert_int_equal(judge(b.data, b.len, &head), HTTP_UNFINISHED);
	buf_puts(&b, "\r\n\r\n");
	assert_int_equal(b.len, HTTP_REQUEST_MAX);
	assert_int_equal(judge(b.data, b.len, &head), HTTP_OK);
	b.data[HTTP_REQUEST_MAX - 4] = 'a';
	b.len = HTTP_REQUEST_MAX - 3;
	buf_puts(&b, "\r\n\r\n");
	assert_int_equal(judge(b.data, b.len, &head), HTTP_TOO_LARGE);
	memset(b.data, 'a', b.len);
	assert_int_equal(judge(b.data, HTTP_REQUEST_MAX, &head), HTTP_UNFINISHED);
	assert_int_equal(judge(b.data, HTTP_REQUEST_MAX + 1, &head), HTTP_TOO_LARGE);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered), cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("http_request", tests, NULL, NULL);
}
