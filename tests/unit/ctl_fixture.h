/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket for tests: server and clients in one process, the loop being run by hand.
 */
#ifndef CTL_FIXTURE_H
#define CTL_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/log.h"

#define STATUS "{\"action\":\"status\"}\n"
#define REFRESH "{\"action\":\"refresh\"}\n"
#define LONG_ENOUGH_MS 20000 /* for what has to happen, also under valgrind */
#define SHORT_MS 150 /* the server's patience where a test waits for its end, or asks within it */

struct fixture {
	char dir[32];
	char path[64];
	sd_event *event;
	struct ctl *ctl;
	/* These say what the handler shall do, and then what it has seen. */
	bool later;		     /* keep requests instead of answering */
	const char *answer;	     /* NULL: {"status":"ok"} */
	const struct buf *text;	     /* instead of an answer; or NULL */
	struct ctl_request *pending; /* the last one that was kept */
	size_t n_requests, n_gone;
	char action[32];
};

static inline void take_request(struct ctl_request *request, void *data)
{
	const struct request *r = ctl_request_get(request);
	struct fixture *f = data;

	f->n_requests++;
	snprintf(f->action, sizeof(f->action), "%s", request_action_name(r->action));
	if (f->later)
		f->pending = request;
	else if (f->text)
		ctl_answer_text(request, f->text);
	else if (f->answer)
		ctl_answer(request, f->answer);
	else
		ctl_answer_ok(request, NULL);
}

static inline void lose_request(struct ctl_request *request, void *data)
{
	struct fixture *f = data;

	f->n_gone++;
	if (f->pending == request)
		f->pending = NULL;
}

static const struct ctl_handler handler = { .request = take_request, .gone = lose_request };

static inline void open_server(struct fixture *f)
{
	struct err err = { 0 };

	if (ctl_open(f->event, f->path, &handler, f, &f->ctl, &err) < 0)
		fail_msg("%s", err.text);
	ctl_set_timeout(f->ctl, LONG_ENOUGH_MS);
}

static inline int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_ctl.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	assert_true(sd_event_new(&f->event) >= 0);
	open_server(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_close(f->ctl);
	sd_event_unref(f->event);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* One turn of the loop; waits a little if there is nothing to do. */
static inline void turn(struct fixture *f)
{
	assert_true(sd_event_run(f->event, 2000) >= 0);
}

/* Until there is nothing to do. */
static inline void settle(struct fixture *f)
{
	for (int idle = 0; idle < 3;) {
		int r = sd_event_run(f->event, 1000);

		assert_true(r >= 0);
		idle = r > 0 ? 0 : idle + 1;
	}
}

static inline void wait_until(struct fixture *f, const size_t *count, size_t value)
{
	for (int i = 0; i < LONG_ENOUGH_MS && *count != value; i++)
		turn(f);
	assert_int_equal(*count, value);
}

static inline int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static inline int open_client(struct fixture *f)
{
	int fd = try_connect(f->path);

	assert_true(fd >= 0);
	return fd;
}

/* Returns false when the server has hung up. */
static inline bool put(struct fixture *f, int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		turn(f);
	}
	return true;
}

/* Everything that the server says until it hangs up. */
static inline char *get(struct fixture *f, int fd)
{
	struct buf b = { 0 };
	char chunk[4096];

	for (int i = 0; i < LONG_ENOUGH_MS; i++) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return buf_steal(&b);
		if (n > 0)
			buf_add(&b, chunk, (size_t)n);
		else
			assert_int_equal(errno, EAGAIN);
		turn(f);
	}
	fail_msg("the server does not hang up");
	return NULL;
}

static inline char *ask_bytes(struct fixture *f, const char *data, size_t len)
{
	int fd = open_client(f);
	char *answer;

	put(f, fd, data, len);
	answer = get(f, fd);
	close(fd);
	settle(f);
	return answer;
}

static inline void assert_answer(struct fixture *f, const char *data, size_t len,
				 const char *expected)
{
	cleanup(cleanup_free) char *answer = ask_bytes(f, data, len);

	assert_string_equal(answer, expected);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

/* An error that says so; every answer is one line of JSON. */
static inline void assert_refused_bytes(struct fixture *f, const char *data, size_t len,
					const char *part)
{
	cleanup(cleanup_free) char *answer = ask_bytes(f, data, len);
	struct src src = { .text = xstrdup(answer), .len = strlen(answer) };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };

	if (!strstr(answer, "{\"status\":\"error\",\"message\":\"") || !strstr(answer, part))
		fail_msg("expected \"%s\", got %s", part, answer);
	assert_ptr_equal(strchr(answer, '\n'), answer + strlen(answer) - 1);
	assert_true(json_parse(&src, &tree, &diags));
	json_tree_free(&tree);
	src_free(&src);
	assert_int_equal(f->n_requests, 0);
	assert_int_equal(ctl_connections(f->ctl), 0);
}

static inline void assert_refused(struct fixture *f, const char *request, const char *part)
{
	assert_refused_bytes(f, request, strlen(request), part);
}

static inline size_t limit(void)
{
	return getuid() == 0 ? REQUEST_MAX : REQUEST_MAX_OTHERS;
}

/* A request of exactly len bytes without its line feed. */
static inline char *long_request(size_t len)
{
	struct buf b = { 0 };

	buf_puts(&b, "{\"action\":\"status\",\"_\":\"");
	while (b.len < len - 2)
		buf_putc(&b, 'x');
	buf_puts(&b, "\"}");
	return buf_steal(&b);
}

/* Makes a text of so many bytes. The caller frees it. */
static inline struct buf text_of(size_t len)
{
	struct buf text = { 0 };

	buf_reserve(&text, len);
	while (text.len < len)
		buf_putc(&text, text.len % 64 == 63 ? '\n' : (char)('a' + text.len / 64 % 26));
	return text;
}

static inline char *answer_of(size_t len)
{
	char *text = xmalloc(len + 1);

	memset(text, ' ', len);
	text[0] = '{';
	text[len - 1] = '}';
	text[len] = '\0';
	return text;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
