/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket and its clients: those that leave, are slow, come in crowds or are somebody else; and
 * ours. Clients of other users and blocking ones are child processes.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "ctl_fixture.h"

#include "dockside/base/err.h"
#include "dockside/base/util.h"

#define NOBODY 65534

/* ---- clients that go away ---- */

static void test_gone(void **state)
{
	struct fixture *f = *state;

	f->later = true;
	for (size_t i = 1; i <= 100; i++) {
		int fd = open_client(f);

		put(f, fd, REFRESH, strlen(REFRESH));
		if (i % 2)
			shutdown(fd, SHUT_WR);
		wait_until(f, &f->n_requests, i);
		close(fd);
		wait_until(f, &f->n_gone, i);
		assert_null(f->pending);
	}
	assert_int_equal(ctl_connections(f->ctl), 0);
}

/* Sent and left: what was asked for is done all the same. */
static void test_fire_and_forget(void **state)
{
	struct fixture *f = *state;
	int fd = open_client(f);

	assert_int_equal(send(fd, REFRESH, strlen(REFRESH), MSG_NOSIGNAL), strlen(REFRESH));
	close(fd);
	wait_until(f, &f->n_requests, 1);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

static void test_gone_while_answering(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *text = answer_of(REQUEST_MAX - 1);
	char chunk[1000];
	int fd = open_client(f);

	f->answer = text;
	put(f, fd, STATUS, strlen(STATUS));
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 1); /* it does not fit into the socket */
	assert_int_equal(recv(fd, chunk, sizeof(chunk), 0), sizeof(chunk));
	close(fd);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
	assert_int_equal(f->n_gone, 0); /* it was answered */
}

static void test_close_while_pending(void **state)
{
	struct fixture *f = *state;
	int pending = open_client(f), answered = open_client(f), silent = open_client(f);
	cleanup(cleanup_free) char *answer = NULL;

	f->later = true;
	put(f, answered, STATUS, strlen(STATUS));
	wait_until(f, &f->n_requests, 1);
	ctl_answer_ok(f->pending, "at last");
	f->pending = NULL;
	put(f, pending, STATUS, strlen(STATUS));
	for (int i = 0; f->n_requests < 2 && i < LONG_ENOUGH_MS; i++)
		turn(f);
	ctl_close(f->ctl);
	assert_int_equal(f->n_gone, 1);
	answer = get(f, answered);
	assert_string_equal(answer, "{\"status\":\"ok\",\"message\":\"at last\"}\n");
	close(answered);
	close(pending);
	close(silent);
	open_server(f);
}

/* ---- time ---- */

static void test_slow_request(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *answer = NULL;
	int fd;

	ctl_set_timeout(f->ctl, SHORT_MS);
	fd = open_client(f);
	put(f, fd, "{\"action\"", 9);
	answer = get(f, fd);
	assert_string_equal(answer,
			    "{\"status\":\"error\",\"message\":\"no complete request within "
			    "150 ms: its object is not closed\",\"errors\":[]}\n");
	assert_int_equal(ctl_connections(f->ctl), 0);
	close(fd);
}

/* A drop now and then does not help: the time counts from the start. */
static void test_drip(void **state)
{
	struct fixture *f = *state;
	int fd, n = 0;

	ctl_set_timeout(f->ctl, SHORT_MS);
	fd = open_client(f);
	while (put(f, fd, " ", 1)) {
		usleep(5000);
		assert_true(++n < 2000);
	}
	close(fd);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

static void test_slow_reader(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *text = answer_of(REQUEST_MAX - 1);
	int fd = open_client(f);

	f->answer = text;
	put(f, fd, STATUS, strlen(STATUS));
	ctl_set_timeout(f->ctl, SHORT_MS);
	for (int i = 0; i < LONG_ENOUGH_MS && (f->n_requests == 0 || ctl_connections(f->ctl)); i++)
		turn(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
	close(fd);
}

/* Reads until there are so many bytes. */
static void read_until(struct fixture *f, int fd, struct buf *got, size_t len)
{
	static char chunk[65536];

	while (got->len < len) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0)
			buf_add(got, chunk, (size_t)n);
		turn(f);
	}
}

/* Each MiB of a text has the time anew: what is short for the first one is long for those that follow. */
static void test_slow_reader_of_text(void **state)
{
	struct fixture *f = *state;
	struct buf text = text_of(5 * REQUEST_MAX), got = { 0 };
	int fd = open_client(f);

	f->text = &text;
	ctl_set_timeout(f->ctl, 3000);
	put(f, fd, STATUS, strlen(STATUS));
	wait_until(f, &f->n_requests, 1);
	ctl_set_timeout(f->ctl, LONG_ENOUGH_MS);
	read_until(f, fd, &got, 2 * REQUEST_MAX);
	usleep(3100000);
	read_until(f, fd, &got, text.len);
	close(fd);
	settle(f);
	buf_free(&text);
	buf_free(&got);
}

/* ---- many ---- */

static void test_full(void **state)
{
	struct fixture *f = *state;
	int fds[CTL_CONNECTIONS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open_client(f);
		settle(f);
	}
	assert_int_equal(ctl_connections(f->ctl), CTL_CONNECTIONS_MAX);
	for (int i = 0; i < 3; i++) {
		cleanup(cleanup_free) char *answer = NULL;
		int fd = open_client(f);

		if (i == 2)
			send(fd, STATUS, strlen(STATUS), MSG_NOSIGNAL);
		answer = get(f, fd);
		assert_string_equal(answer, "{\"status\":\"error\",\"message\":\"too many "
					    "connections: try again later\",\"errors\":[]}\n");
		close(fd);
	}
	assert_int_equal(ctl_connections(f->ctl), CTL_CONNECTIONS_MAX);
	close(fds[7]);
	settle(f);
	fds[7] = open_client(f);
	put(f, fds[7], STATUS, strlen(STATUS));
	free(get(f, fds[7]));
	assert_int_equal(f->n_requests, 1);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

static void test_interleaved(void **state)
{
	struct fixture *f = *state;
	int fds[CTL_CONNECTIONS_MAX];
	size_t done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = open_client(f);
	for (size_t k = 0; k < strlen(STATUS); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			assert_int_equal(send(fds[i], &STATUS[k], 1, MSG_NOSIGNAL), 1);
		turn(f);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cleanup(cleanup_free) char *answer = get(f, fds[i]);

		done += strcmp(answer, "{\"status\":\"ok\"}\n") == 0;
		close(fds[i]);
	}
	assert_int_equal(done, CTL_CONNECTIONS_MAX);
	assert_int_equal(f->n_requests, CTL_CONNECTIONS_MAX);
}

/* ---- other users ---- */

/* Runs a client in a child process of the given user; returns what it says with its exit status. */
static int in_child(struct fixture *f, uid_t uid, int (*run)(const char *path))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (uid != getuid() && (setgid(uid) < 0 || setuid(uid) < 0))
			_exit(100);
		_exit(run(f->path));
	}
	for (int i = 0; i < LONG_ENOUGH_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
		turn(f);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 102;
}

static bool let_others_in(struct fixture *f)
{
	if (getuid() != 0)
		return false;
	return chmod(f->dir, 0755) == 0 && chmod(f->path, 0666) == 0;
}

static bool call_says(const char *path, const char *request, const char *part)
{
	cleanup(cleanup_free) char *answer = NULL;

	return ctl_call(path, request, LONG_ENOUGH_MS, &answer, NULL) == 0 &&
	       strstr(answer, part) != NULL;
}

static int run_nobody(const char *path)
{
	cleanup(cleanup_free) char *request = long_request(REQUEST_MAX_OTHERS + 1);

	if (!call_says(path, "{\"action\":\"status\"}", "\"ok\""))
		return 1;
	if (!call_says(path, "{\"action\":\"refresh\"}", "\"ok\""))
		return 2;
	if (!call_says(path, "{\"action\":\"reload\"}", "reload needs root; you are uid 65534"))
		return 3;
	if (!call_says(path, "{\"action\":\"remove-ipset\",\"name\":7}", "remove-ipset needs root"))
		return 4;
	return call_says(path, request, "a request may have 4096 bytes: who is not root") ? 0 : 5;
}

static void test_not_root(void **state)
{
	struct fixture *f = *state;

	if (!let_others_in(f))
		skip();
	assert_int_equal(in_child(f, NOBODY, run_nobody), 0);
	assert_int_equal(f->n_requests, 2);
}

/* Takes all connections, and holds them until it is killed. */
static pid_t hold_connections(struct fixture *f)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		_exit(1);
	for (int i = 0; i < 2 * CTL_CONNECTIONS_MAX; i++)
		while (try_connect(f->path) == -EAGAIN)
			usleep(1000);
	for (;;)
		pause();
}

/* Two clients wait, and nothing but their first byte is read. */
static int run_greedy(const char *path)
{
	for (int i = 0; i < 2; i++) {
		int fd = try_connect(path);
		char first;

		fcntl(fd, F_SETFL, 0);
		if (send(fd, STATUS, strlen(STATUS), MSG_NOSIGNAL) < 0 ||
		    recv(fd, &first, 1, 0) != 1)
			return 1;
	}
	return call_says(path, "{\"action\":\"status\"}", "too many long answers wait") ? 0 : 2;
}

/* Long answers that wait are bounded for other users; not once they are gone, and not for root. */
static void test_texts_that_wait(void **state)
{
	struct fixture *f = *state;
	struct buf text = text_of(CTL_TEXTS_MAX / 2 - 100);

	if (!let_others_in(f))
		skip();
	f->text = &text;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(in_child(f, 65534, run_greedy), 0);
		settle(f);
		assert_int_equal(ctl_connections(f->ctl), 0);
	}
	assert_int_equal(in_child(f, 0, run_greedy), 2);
	buf_free(&text);
}

static int run_one(const char *path)
{
	return call_says(path, "{\"action\":\"status\"}", "\"length\":") ? 0 : 1;
}

/* One text that is longer than all that may wait is answered all the same, once none waits. */
static void test_one_long_text(void **state)
{
	struct fixture *f = *state;
	struct buf text = text_of(CTL_TEXTS_MAX + 1);

	if (!let_others_in(f))
		skip();
	f->text = &text;
	assert_int_equal(in_child(f, 65534, run_one), 0);
	buf_free(&text);
}

static void test_root_is_not_locked_out(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	if (!let_others_in(f))
		skip();
	pid = hold_connections(f);
	for (int i = 0; i < LONG_ENOUGH_MS && ctl_connections(f->ctl) < CTL_CONNECTIONS_MAX; i++)
		turn(f);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), CTL_CONNECTIONS_MAX);
	for (size_t i = 1; i <= 3; i++) {
		int fd = open_client(f);
		cleanup(cleanup_free) char *answer = NULL;

		put(f, fd, STATUS, strlen(STATUS));
		answer = get(f, fd);
		assert_string_equal(answer, "{\"status\":\"ok\"}\n");
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	settle(f);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

/* ---- the client ---- */

static int run_call(const char *path)
{
	return call_says(path, "{\"action\":\"status\"}", "{\"status\":\"ok\"}") ? 0 : 1;
}

static int run_long_calls(const char *path)
{
	cleanup(cleanup_free) char *request = long_request(limit() + 2000000);
	cleanup(cleanup_free) char *answer = NULL;

	if (ctl_call(path, "{\"action\":\"status\"}", LONG_ENOUGH_MS, &answer, NULL) < 0 ||
	    strlen(answer) != REQUEST_MAX - 1)
		return 1;
	return call_says(path, request, "a request may have") ? 0 : 2;
}

static void test_call(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *text = answer_of(REQUEST_MAX - 1);

	assert_int_equal(in_child(f, getuid(), run_call), 0);
	f->answer = text;
	assert_int_equal(in_child(f, getuid(), run_long_calls), 0);
}

static int take_some(void *data, const char *text, size_t len, struct err *err)
{
	struct buf *got = data;

	buf_add(got, text, len);
	return got->len > 2 * REQUEST_MAX ? err_set(err, EFBIG, "enough") : 0;
}

/* The line and the text, or as much of it as is wanted. */
static int run_call_text(const char *path)
{
	cleanup(cleanup_free) char *line = NULL, *line2 = NULL;
	struct buf got = { 0 }, expected = text_of(2 * REQUEST_MAX);
	struct err err = { 0 };

	if (ctl_call_text(path, "{\"action\":\"status\"}", LONG_ENOUGH_MS, take_some, &got, &line,
			  NULL) < 0 ||
	    strcmp(line, "{\"status\":\"ok\",\"length\":2097152}") != 0)
		return 1;
	if (got.len != expected.len || memcmp(got.data, expected.data, got.len) != 0)
		return 2;
	if (ctl_call_text(path, "{\"action\":\"status\"}", LONG_ENOUGH_MS, take_some, &got, &line2,
			  &err) != -EFBIG)
		return 3;
	return strcmp(err.text, "enough") == 0 ? 0 : 4;
}

static void test_call_text(void **state)
{
	struct fixture *f = *state;
	struct buf text = text_of(2 * REQUEST_MAX);

	f->text = &text;
	assert_int_equal(in_child(f, getuid(), run_call_text), 0);
	buf_free(&text);
}

static void assert_call_fails(const char *path, int code, const char *part)
{
	char *answer = NULL;
	struct err err = { 0 };

	assert_int_equal(ctl_call(path, "{}", SHORT_MS, &answer, &err), -code);
	if (!strstr(err.text, part))
		fail_msg("expected \"%s\", got %s", part, err.text);
	err_free(&err);
}

static void test_call_fails(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_call_fails(f->path, ETIMEDOUT, "does not answer in time"); /* nobody runs the loop */
	settle(f);
	ctl_close(f->ctl);
	assert_call_fails(f->path, ENOENT,
			  ": No such file or directory: is dsfw-nft daemon running?");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_call_fails(f->path, ECONNREFUSED, "no daemon answers at /tmp/");
	close(fd);
	open_server(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gone),
		TEST(test_fire_and_forget),
		TEST(test_gone_while_answering),
		TEST(test_close_while_pending),
		TEST(test_slow_request),
		TEST(test_drip),
		TEST(test_slow_reader),
		TEST(test_slow_reader_of_text),
		TEST(test_full),
		TEST(test_interleaved),
		TEST(test_not_root),
		TEST(test_texts_that_wait),
		TEST(test_one_long_text),
		TEST(test_root_is_not_locked_out),
		TEST(test_call),
		TEST(test_call_text),
		TEST(test_call_fails),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
