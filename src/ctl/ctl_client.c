/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/clock.h"

#define RETRY_MS 20
#define CHUNK 65536

struct call {
	const char *path;
	int fd;
	unsigned timeout_ms;
	uint64_t deadline_ms;
};

static void start_time(struct call *call)
{
	call->deadline_ms = monotonic_ms() + call->timeout_ms;
}

/* Milliseconds until the deadline, 0 if it is over. */
static int left_ms(const struct call *call)
{
	uint64_t now_ms = monotonic_ms(), deadline_ms = call->deadline_ms;

	if (now_ms >= deadline_ms)
		return 0;
	return deadline_ms - now_ms > INT32_MAX ? INT32_MAX : (int)(deadline_ms - now_ms);
}

static int no_daemon(const struct call *call, int code, struct err *err)
{
	if (code == EACCES || code == EPERM)
		return err_errno(err, code, "%s: only root and the members of its group may use it",
				 call->path);
	return err_set(err, code, "no daemon answers at %s: %s: is dsfw-nft daemon running?",
		       call->path, strerror(code));
}

static int no_answer(const struct call *call, struct err *err)
{
	return err_set(err, ETIMEDOUT, "the daemon at %s does not answer in time", call->path);
}

/* A full backlog refuses at once, whatever the socket's flags: try again for as long as we may. */
static int open_connection(struct call *call, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(call->path);

	if (len == 0 || len >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "%s: a socket's path has 1 to %zu bytes",
			       call->path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, call->path, len + 1);
	call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (call->fd < 0)
		return err_errno(err, errno, "create a socket");
	while (connect(call->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return no_daemon(call, errno, err);
		if (left_ms(call) == 0)
			return no_answer(call, err);
		nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000l }, NULL);
	}
	return 0;
}

static int wait_for(const struct call *call, short events, struct err *err)
{
	struct pollfd p = { .fd = call->fd, .events = events };
	int r;

	do {
		r = poll(&p, 1, left_ms(call));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_errno(err, errno, "poll %s", call->path);
	return r == 0 ? no_answer(call, err) : 0;
}

/* A daemon that hangs up early has said why: what remains of the request is of no interest then. */
static int send_request(const struct call *call, const char *request, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = send(call->fd, request, len, MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0) {
			request += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			r = wait_for(call, POLLOUT, err);
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0;
		} else if (errno != EINTR) {
			r = err_errno(err, errno, "send to %s", call->path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Some of what the daemon sends. *ret_n is 0 at the end. */
static int receive(const struct call *call, char *chunk, size_t size, size_t *ret_n,
		   struct err *err)
{
	for (;;) {
		ssize_t n = recv(call->fd, chunk, size, 0);
		int r = 0;

		if (n >= 0 || errno == ECONNRESET) {
			*ret_n = n > 0 ? (size_t)n : 0;
			return 0;
		}
		if (errno == EAGAIN)
			r = wait_for(call, POLLIN, err);
		else if (errno != EINTR)
			r = err_errno(err, errno, "receive from %s", call->path);
		if (r < 0)
			return r;
	}
}

/* Until the line feed, or the end; then the text, if anybody takes it. */
static int read_answer(struct call *call, struct buf *answer,
		       int (*take)(void *data, const char *text, size_t len, struct err *err),
		       void *data, struct err *err)
{
	bool whole = false; /* the line */
	char chunk[CHUNK];

	for (;;) {
		const char *text = chunk;
		size_t n;
		int r = receive(call, chunk, sizeof(chunk), &n, err);

		if (r < 0)
			return r;
		if (n == 0 && answer->len == 0)
			return err_set(err, ECONNRESET,
				       "the daemon at %s hung up without an answer", call->path);
		if (n == 0)
			return 0;
		if (!whole) {
			const char *feed = memchr(chunk, '\n', n);

			whole = feed != NULL;
			text = feed ? feed + 1 : chunk + n;
			buf_add(answer, chunk, (size_t)((feed ? feed : text) - chunk));
		}
		if (answer->len > REQUEST_MAX)
			return err_set(err, EMSGSIZE, "the answer from %s is too long", call->path);
		if (whole && !take)
			return 0;
		n -= (size_t)(text - chunk);
		r = n > 0 ? take(data, text, n, err) : 0;
		if (r < 0)
			return r;
		if (whole)
			start_time(call);
	}
}

int ctl_call_text(const char *path, const char *request, unsigned timeout_ms,
		  int (*take)(void *data, const char *text, size_t len, struct err *err),
		  void *data, char **ret_answer, struct err *err)
{
	struct call call = { .path = path, .fd = -1, .timeout_ms = timeout_ms };
	cleanup(cleanup_free) char *line = xasprintf("%s\n", request);
	struct buf answer = { 0 };
	int r;

	start_time(&call);
	r = open_connection(&call, err);
	if (r >= 0)
		r = send_request(&call, line, strlen(line), err);
	if (r >= 0)
		r = read_answer(&call, &answer, take, data, err);
	if (call.fd >= 0)
		close(call.fd);
	if (r >= 0)
		*ret_answer = buf_steal(&answer);
	buf_free(&answer);
	return r;
}

int ctl_call(const char *path, const char *request, unsigned timeout_ms, char **ret_answer,
	     struct err *err)
{
	return ctl_call_text(path, request, timeout_ms, NULL, NULL, ret_answer, err);
}
