/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket: its file, requests whole and broken, answers.
 */
#include <fcntl.h>

#include "ctl_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

/* ---- the socket file ---- */

static void test_mode(void **state)
{
	struct fixture *f = *state;
	mode_t mask;
	struct stat st;

	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	ctl_close(f->ctl);
	assert_int_equal(lstat(f->path, &st), -1);
	mask = umask(0777);
	open_server(f);
	assert_int_equal(umask(mask), 0777);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
}

static void assert_cannot_open(struct fixture *f, const char *path, int code, const char *part)
{
	struct ctl *second = NULL;
	struct err err = { 0 };

	assert_int_equal(ctl_open(f->event, path, &handler, f, &second, &err), -code);
	if (!strstr(err.text, part))
		fail_msg("expected \"%s\", got %s", part, err.text);
	assert_null(second);
	err_free(&err);
}

static void test_in_use(void **state)
{
	struct fixture *f = *state;

	assert_cannot_open(f, f->path, EADDRINUSE, "is in use: is a dsfw-nft daemon running?");
	settle(f);
	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\"}\n");
}

/* Other users must not get at the socket before its own mode keeps them away. */
static void test_directory(void **state)
{
	struct fixture *f = *state;
	struct ctl *second = NULL;
	char dir[64], path[96];
	struct err err = { 0 };
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/dockside", f->dir);
	snprintf(path, sizeof(path), "%s/sock", dir);
	if (ctl_open(f->event, path, &handler, f, &second, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(lstat(path, &st), 0);
	ctl_close(second);
	assert_int_equal(rmdir(dir), 0);
}

static void test_in_the_way(void **state)
{
	struct fixture *f = *state;
	char path[128], long_path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/file", f->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_cannot_open(f, path, EEXIST, "it is not a socket");
	unlink(path);
	assert_int_equal(symlink(f->path, path), 0);
	assert_cannot_open(f, path, EEXIST, "it is not a socket");
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/none/sock", f->dir);
	assert_cannot_open(f, path, ENOENT, "create the socket's directory ");
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_cannot_open(f, long_path, ENAMETOOLONG, "a socket's path has 1 to 107 bytes");
	assert_cannot_open(f, "", ENAMETOOLONG, "a socket's path has");
}

static void test_stale(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ctl_close(f->ctl);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	open_server(f);
	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\"}\n");
}

/* Somebody else's socket file stays. */
static void test_replaced(void **state)
{
	struct fixture *f = *state;
	struct ctl *first = f->ctl;
	struct stat st;

	unlink(f->path);
	open_server(f);
	ctl_close(first);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\"}\n");
}

/* ---- requests ---- */

static void test_answer(void **state)
{
	struct fixture *f = *state;

	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\"}\n");
	assert_int_equal(f->n_requests, 1);
	assert_string_equal(f->action, "status");
}

static void test_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	const char text[] = " {\"_why\": \"\xc3\xbc // no comment\", /* one */ \"action\":\t"
			    "\"refresh\"}\r\n";
	int fd = open_client(f);
	cleanup(cleanup_free) char *answer = NULL;

	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		assert_true(put(f, fd, text + i, 1));
		settle(f);
		assert_int_equal(f->n_requests, i + 2 == sizeof(text));
	}
	answer = get(f, fd);
	close(fd);
	assert_string_equal(answer, "{\"status\":\"ok\"}\n");
	assert_string_equal(f->action, "refresh");
}

/* nc -N, socat: the end of input ends a request too, and the answer still comes. */
static void test_half_close(void **state)
{
	static const char *const requests[] = { STATUS, "{\"action\":\"status\"}" };
	struct fixture *f = *state;

	f->later = true;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		cleanup(cleanup_free) char *answer = NULL;
		int fd = open_client(f);

		put(f, fd, requests[i], strlen(requests[i]));
		shutdown(fd, SHUT_WR);
		settle(f);
		assert_int_equal(f->n_requests, i + 1);
		assert_int_equal(f->n_gone, 0);
		ctl_answer_ok(f->pending, "late");
		answer = get(f, fd);
		assert_string_equal(answer, "{\"status\":\"ok\",\"message\":\"late\"}\n");
		close(fd);
	}
}

static void test_says_nothing(void **state)
{
	struct fixture *f = *state;
	int fd = open_client(f);
	cleanup(cleanup_free) char *answer = NULL;

	shutdown(fd, SHUT_WR);
	answer = get(f, fd);
	assert_string_equal(answer, "");
	close(fd);
	fd = open_client(f);
	close(fd);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
	assert_refused(f, "\n", "the request is empty");
	assert_refused(f, " \t\r\n", "the request is empty");
}

static void test_garbage(void **state)
{
	struct fixture *f = *state;
	struct buf deep = { 0 };

	assert_refused(f, "GET / HTTP/1.1\r\n\r\n", "expected a value but found");
	assert_refused(f, "[]\n", "a request must be an object, found an empty list");
	assert_refused(f, "null\n", "a request must be an object, found null");
	assert_refused(f, "{}\n", "\\\"action\\\" is missing");
	assert_refused(f, "{\"action\":7}\n", "must be the name of an action, found the number 7");
	assert_refused(f, "{\"action\":\"statsu\"}\n", "did you mean \\\"status\\\"?");
	assert_refused(f, "{\"action\":\"status\",\"action\":\"reload\"}\n", "duplicate key");
	assert_refused(f, "{\"action\":\"set-ipset\",\"nmae\":1,\"hostnames\":[]}\n",
		       "\\\"name\\\" is missing");
	assert_refused(f, "{\"action\":\"sta\\u0000tus\"}\n", "control character");
	assert_refused(f, "\xff\xfe\n", "not UTF-8");
	assert_refused_bytes(f, "{\"action\":\"status\0\"}\n", 21, "control character");
	assert_refused_bytes(f, "\0\0\0\n", 4, "expected a value");
	buf_puts(&deep, "{\"action\":\"status\",\"_\":");
	for (int i = 0; i < 1000; i++)
		buf_putc(&deep, '[');
	buf_putc(&deep, '\n');
	assert_refused(f, buf_str(&deep), "levels of nesting");
	buf_free(&deep);
}

/* The object may go on in the next line: only the end of its time, or of the input, is the end. */
static void test_unclosed(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;
	int fd;

	ctl_set_timeout(f->ctl, SHORT_MS);
	assert_refused(f, "{\"action\":\"status\"\n", "ms: its object is not closed");
	assert_refused(f, "[]", "ms: its line feed is missing");
	ctl_set_timeout(f->ctl, LONG_ENOUGH_MS);
	fd = open_client(f);
	put(f, fd, "{\"action\":\"status\"\n", 19);
	shutdown(fd, SHUT_WR);
	answer = get(f, fd);
	close(fd);
	assert_non_null(strstr(answer, "the end of the file"));
}

/* As people write it into a file. */
static void test_several_lines(void **state)
{
	static const char text[] = "{\n  \"action\": \"status\", // }\n  \"_\": {\n    \"[\": "
				   "\"}\"\n  }\n}\n";
	struct fixture *f = *state;
	int fd;

	assert_answer(f, text, strlen(text), "{\"status\":\"ok\"}\n");
	for (size_t i = 0; i <= strlen(text); i++) {
		cleanup(cleanup_free) char *answer = NULL;

		fd = open_client(f);
		put(f, fd, text, i);
		settle(f);
		put(f, fd, text + i, strlen(text) - i);
		answer = get(f, fd);
		close(fd);
		assert_string_equal(answer, "{\"status\":\"ok\"}\n");
	}
}

/* Members that the action does not know: the answer names them, a bad one, too. */
static void test_ignored(void **state)
{
	static const char request[] = "{\"action\":\"status\",\"nmae\":1,\"_x\":2,\"comment\":3,"
				      "\"acton\":null}\n";
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;
	struct buf b = { 0 };

	assert_answer(f, request, strlen(request),
		      "{\"status\":\"ok\",\"ignored\":[\"nmae\",\"acton\"],\"note\":\"status does "
		      "not know, and ignored, \\\"nmae\\\", \\\"acton\\\" (did you mean "
		      "\\\"action\\\"?)\"}\n");
	f->n_requests = 0;
	assert_refused(f, "{\"action\":\"set-ipset\",\"nmae\":1,\"hostnames\":[]}\n",
		       "\"ignored\":[\"nmae\"]");
	buf_puts(&b, "{\"action\":\"status\"");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, ",\"k%d\":0", i);
	buf_puts(&b, "}\n");
	answer = ask_bytes(f, b.data, b.len);
	assert_non_null(strstr(answer, "\"k9\"],\"note\""));
	assert_non_null(strstr(answer, " and 90 more\"}"));
	buf_free(&b);
}

static void test_two_requests(void **state)
{
	struct fixture *f = *state;
	const char line_feeds[] = STATUS "\n\r\n ";

	assert_refused(f, STATUS STATUS, "one request per connection");
	assert_refused_bytes(f, STATUS "\0", strlen(STATUS) + 1, "one request per connection");
	assert_answer(f, line_feeds, strlen(line_feeds), "{\"status\":\"ok\"}\n");
}

/* The server does not read a second request that comes later. */
static void test_second_request_later(void **state)
{
	struct fixture *f = *state;
	int fd = open_client(f);
	cleanup(cleanup_free) char *answer = NULL;

	f->later = true;
	put(f, fd, STATUS, strlen(STATUS));
	settle(f);
	put(f, fd, REFRESH, strlen(REFRESH));
	settle(f);
	assert_int_equal(f->n_requests, 1);
	ctl_answer_ok(f->pending, NULL);
	answer = get(f, fd);
	assert_string_equal(answer, "{\"status\":\"ok\"}\n");
	assert_int_equal(f->n_requests, 1);
	close(fd);
}

static void test_longest(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *request = long_request(limit());
	cleanup(cleanup_free) char *line = xasprintf("%s\n", request);

	assert_answer(f, line, strlen(line), "{\"status\":\"ok\"}\n");
}

static void test_too_long(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *request = long_request(limit() + 1);
	cleanup(cleanup_free) char *line = xasprintf("%s\n", request);

	assert_refused(f, line, "a request may have");
}

/* Sent in full before the client reads: it still gets its answer, up to a point. */
static void test_no_line_feed(void **state)
{
	struct fixture *f = *state;
	size_t len = limit() + 3000000;
	cleanup(cleanup_free) char *text = xmalloc(len);
	cleanup(cleanup_free) char *answer = NULL;
	int fd = open_client(f);

	memset(text, '[', len);
	assert_true(put(f, fd, text, len));
	shutdown(fd, SHUT_WR);
	answer = get(f, fd);
	assert_non_null(strstr(answer, "a request may have"));
	close(fd);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

static void test_flood(void **state)
{
	struct fixture *f = *state;
	char chunk[65536];
	int fd = open_client(f);
	size_t sent = 0;

	memset(chunk, ' ', sizeof(chunk));
	while (sent < 64u << 20 && put(f, fd, chunk, sizeof(chunk)))
		sent += sizeof(chunk);
	assert_true(sent < 16u << 20);
	close(fd);
	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\"}\n");
}

/* ---- answers ---- */

static void test_answer_later(void **state)
{
	struct fixture *f = *state;
	int fd = open_client(f);
	cleanup(cleanup_free) char *answer = NULL;

	/* The handler's time does not count. */
	ctl_set_timeout(f->ctl, SHORT_MS);
	f->later = true;
	put(f, fd, STATUS, strlen(STATUS));
	wait_until(f, &f->n_requests, 1);
	usleep(3 * SHORT_MS * 1000);
	settle(f);
	usleep(3 * SHORT_MS * 1000);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 1);
	ctl_set_timeout(f->ctl, LONG_ENOUGH_MS);
	ctl_answer_error(f->pending, "no", NULL);
	answer = get(f, fd);
	assert_string_equal(answer, "{\"status\":\"error\",\"message\":\"no\",\"errors\":[]}\n");
	close(fd);
}

static void test_longest_answer(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *text = answer_of(REQUEST_MAX - 1);
	cleanup(cleanup_free) char *line = xasprintf("%s\n", text);

	f->answer = text;
	assert_answer(f, STATUS, strlen(STATUS), line);
}

/* A text may be longer than any answer; line feeds are part of it. */
static void test_text(void **state)
{
	struct fixture *f = *state;
	struct buf text = text_of(3 * REQUEST_MAX + 17);
	cleanup(cleanup_free) char *whole =
		xasprintf("{\"status\":\"ok\",\"length\":%zu}\n%s", text.len, text.data);

	f->text = &text;
	assert_answer(f, STATUS, strlen(STATUS), whole);
	buf_reset(&text);
	assert_answer(f, STATUS, strlen(STATUS), "{\"status\":\"ok\",\"length\":0}\n");
	buf_free(&text);
}

static void test_answer_too_long(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *text = answer_of(REQUEST_MAX);

	f->answer = text;
	assert_answer(f, STATUS, strlen(STATUS),
		      "{\"status\":\"error\",\"message\":\"the answer is longer than an answer may "
		      "be\",\"errors\":[]}\n");
}

static void test_error_answer(void **state)
{
	struct fixture *f = *state;
	struct src src = { .name = (char *)"f.json", .text = (char *)"{\n \"x\"}", .len = 7 };
	struct diags diags = { 0 };
	struct diag *diag;
	char *json;

	(void)f;
	diag = diag_add(&diags, SEVERITY_ERROR, (struct loc){ &src, 3, 3 }, "/x", "bad \"%s\"\n",
			"x\x1b");
	diag->hint = xstrdup("good?");
	diag_add(&diags, SEVERITY_WARNING, (struct loc){ 0 }, "", "odd");
	json = ctl_error_json(NULL, &diags);
	assert_string_equal(json, "{\"status\":\"error\",\"message\":\"bad \\\"x \\\" ; good?\","
				  "\"errors\":[{\"message\":\"bad \\\"x \\\" \",\"hint\":\"good?\","
				  "\"pointer\":\"/x\",\"file\":\"f.json\",\"line\":2,\"column\":2}"
				  "]}");
	free(json);
	diag_add(&diags, SEVERITY_ERROR, (struct loc){ 0 }, "", "worse");
	json = ctl_error_json(NULL, &diags);
	assert_non_null(strstr(json, "(and 1 more error)"));
	free(json);
	diags_free(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mode),	  TEST(test_in_use),
		TEST(test_directory),	  TEST(test_in_the_way),
		TEST(test_stale),	  TEST(test_replaced),
		TEST(test_answer),	  TEST(test_byte_by_byte),
		TEST(test_half_close),	  TEST(test_says_nothing),
		TEST(test_garbage),	  TEST(test_unclosed),
		TEST(test_several_lines), TEST(test_ignored),
		TEST(test_two_requests),  TEST(test_second_request_later),
		TEST(test_longest),	  TEST(test_too_long),
		TEST(test_no_line_feed),  TEST(test_flood),
		TEST(test_answer_later),  TEST(test_longest_answer),
		TEST(test_text),	  TEST(test_answer_too_long),
		TEST(test_error_answer),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
