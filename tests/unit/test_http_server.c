/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, and connections over socket pairs, without a network: clients that are slow, garble or leave, and the text
 * that they share. tests/netns/daemon_http.sh has the rest.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/http_connection.h"
#include "dockside/base/util.h"

#define GET "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
#define TURNS 20000

static struct http_patience patient = { 20000, 20000, 20000, 20000 };

struct fixture {
	struct http http;
	struct http_patience patience;
	size_t text_len; /* of the text that the next who asks gets */
	size_t n_made;
};

static void make(const void *data, struct buf *b)
{
	struct fixture *f = (struct fixture *)(uintptr_t)data;
	char block[4096];

	memset(block, 'x', sizeof(block));
	f->n_made++;
	while (b->len < f->text_len) {
		size_t left = f->text_len - b->len;

		buf_add(b, block, left < sizeof(block) ? left : sizeof(block));
	}
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->patience = patient;
	f->http = (struct http){ .fd = -1, .patience = &f->patience, .make = make, .data = f };
	f->text_len = 10;
	assert_true(sd_event_new(&f->http.event) >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (f->http.slots[i])
			http_connection_hang_up(f->http.slots[i]);
	http_texts_free(&f->http.texts);
	assert_int_equal(f->http.texts.bytes, 0);
	sd_event_unref(f->http.event);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	assert_true(sd_event_run(f->http.event, 1000) >= 0);
}

static int connect_client(struct fixture *f)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	http_connection_add(&f->http, fds[0]);
	return fds[1];
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Until the server has said all. */
static char *hear(struct fixture *f, int fd)
{
	struct buf b = { 0 };
	char chunk[65536];

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return buf_steal(&b);
		if (n > 0)
			buf_add(&b, chunk, (size_t)n);
		turn(f);
	}
	fail_msg("no end after %s", buf_str(&b));
	return NULL;
}

static char *ask(struct fixture *f, const char *text)
{
	int fd = connect_client(f);
	char *answer;

	say(fd, text);
	answer = hear(f, fd);
	close(fd);
	for (int i = 0; i < TURNS && f->http.n > 0; i++)
		turn(f);
	assert_int_equal(f->http.n, 0);
	return answer;
}

static void assert_answer(struct fixture *f, const char *text, const char *wanted)
{
	cleanup(cleanup_free) char *answer = ask(f, text);

	assert_string_equal(answer, wanted);
}

static void test_answers(void **state)
{
	assert_answer(
		*state, GET,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: 10\r\nConnection: close\r\n\r\nxxxxxxxxxx");
	assert_answer(
		*state, "HEAD /metrics HTTP/1.0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: 10\r\nConnection: close\r\n\r\n");
	assert_answer(
		*state, "POST /metrics HTTP/1.0\r\n\r\n",
		"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 54\r\nConnection: close\r\nAllow: GET, HEAD\r\n\r\n"
		"405 Method Not Allowed: dsfw-nft answers GET /metrics\n");
	assert_answer(*state, "HEAD / HTTP/1.0\r\n\r\n",
		      "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
		      "Content-Length: 45\r\nConnection: close\r\n\r\n");
}

/* All who ask within a moment get the same text, which is made once. */
static void test_shared(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		cleanup(cleanup_free) char *answer = ask(f, GET);

		f->http.texts.until_ms = UINT64_MAX;
		assert_non_null(strstr(answer, "\r\n\r\nxxxxxxxxxx"));
	}
	assert_int_equal(f->n_made, 1);
	f->http.texts.until_ms = 0;
	free(ask(f, GET));
	assert_int_equal(f->n_made, 2);
}

/* Clients that do not read hold their texts; there is a limit to it. */
static void test_texts_limit(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL, *later = NULL;
	int fds[4], fd;

	f->text_len = 20u << 20;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_client(f);
		say(fds[i], GET);
		for (int k = 0; k < 10; k++)
			turn(f);
		f->http.texts.until_ms = 0;
	}
	assert_int_equal(f->n_made, ARRAY_SIZE(fds));
	fd = connect_client(f);
	say(fd, GET);
	answer = hear(f, fd);
	close(fd);
	assert_non_null(strstr(answer, "503 Service Unavailable"));
	assert_int_equal(f->n_made, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	for (int i = 0; i < TURNS && f->http.n > 0; i++)
		turn(f);
	later = ask(f, GET);
	assert_non_null(strstr(later, "200 OK"));
}

/* A whole long text, to one who reads. */
static void test_long_text(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;

	f->text_len = 5000000;
	answer = ask(f, GET);
	assert_int_equal(strlen(strstr(answer, "\r\n\r\n")), 4 + f->text_len);
}

/* Byte by byte, with a pause after each. */
static void test_bytes(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;
	int fd = connect_client(f);

	for (size_t i = 0; i < strlen(GET); i++) {
		assert_int_equal(send(fd, &GET[i], 1, MSG_NOSIGNAL), 1);
		turn(f);
	}
	answer = hear(f, fd);
	assert_non_null(strstr(answer, "200 OK"));
	close(fd);
}

static void test_silent(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;
	int fd;

	f->patience.request = f->patience.rest = 50;
	fd = connect_client(f);
	say(fd, "GET /me");
	answer = hear(f, fd);
	assert_non_null(strstr(answer, "408 Request Timeout"));
	/* It does not hang up either: then we do. */
	for (int i = 0; i < TURNS && f->http.n > 0; i++)
		turn(f);
	assert_int_equal(f->http.n, 0);
	close(fd);
}

static void test_never_reads(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->text_len = 5000000;
	f->patience.answer = 50;
	fd = connect_client(f);
	say(fd, GET);
	for (int i = 0; i < TURNS && f->http.n > 0; i++)
		turn(f);
	assert_int_equal(f->n_made, 1);
	assert_int_equal(f->http.n, 0);
	close(fd);
}

/* It has an answer all the same, which the rest of what it sends does not destroy. */
static void test_garbage(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL, *text = xcalloc(40001, 1);
	int fd = connect_client(f);

	memset(text, 'a', 40000);
	say(fd, text);
	answer = hear(f, fd);
	assert_non_null(strstr(answer, "431 Request Header Fields Too Large"));
	close(fd);
}

static void test_gone(void **state)
{
	static const char *const said[] = { "", "G", GET };
	struct fixture *f = *state;

	for (size_t i = 0; i < 3 * ARRAY_SIZE(said); i++) {
		int fd = connect_client(f);

		say(fd, said[i % ARRAY_SIZE(said)]);
		if (i > ARRAY_SIZE(said))
			turn(f);
		close(fd);
		for (int k = 0; k < TURNS && f->http.n > 0; k++)
			turn(f);
		assert_int_equal(f->http.n, 0);
	}
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
	static const char *const good[] = { "127.0.0.1:9853", "0.0.0.0:1", "[::1]:65535",
					    "[2001:db8::1]:80", "[::]:9853" };
	static const char *const bad[] = {
		"",
		"9853",
		":9853",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:x",
		"127.0.0.1:080",
		"[127.0.0.1]:80",
		"::1:9853",
		"[::1]",
		"[::1:9853",
		"::1]:9853",
		"[]:80",
		"localhost:9853",
		"127.1:80",
		"*:80",
		"[fe80::1%lo]:1",
		"224.0.0.1:80",
		"[ff02::1]:80",
		"[:80",
		"]:80",
		"[::1] :80",
	};
	struct http_address address;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup(cleanup_free) char *text = NULL;

		assert_true(http_address_parse(good[i], &address));
		text = http_address_format(&address);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (http_address_parse(bad[i], &address))
			fail_msg("%s was taken", bad[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),	TEST(test_shared),
		TEST(test_texts_limit), TEST(test_long_text),
		TEST(test_bytes),	TEST(test_silent),
		TEST(test_never_reads), TEST(test_garbage),
		TEST(test_gone),	cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
