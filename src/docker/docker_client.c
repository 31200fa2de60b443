/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. libcurl's multi interface with sockets of its own in an epoll set of ours, so
 * that an event loop has one descriptor to watch. Each request has a connection of its own: on a
 * Unix socket they cost nothing, and a request never goes to a connection that a restart of
 * Docker has left behind.
 *
 * Nobody may call libcurl from its own callbacks. So these only collect data, and docker_process()
 * hands it over later.
 */
#include "dockside/docker/docker_client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "curl_calls.h"
#include "docker_outcome.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

#define CONNECT_MS 2000L
#define HEADERS_MAX (64u << 10)	     /* bytes */
#define STREAM_MAX (4u << 20)	     /* bytes of events that wait to be handed over */
#define FAILURE_BODY_MAX (64u << 10) /* bytes of a refusal to follow */
#define EVENTS_MAX 16
/* {"type":["network"]} */
#define EVENTS_PATH "/events?filters=%7B%22type%22%3A%5B%22network%22%5D%7D"

struct transfer {
	struct transfer *next;
	CURL *easy;
	struct curl_slist *headers;
	const char *what; /* for messages: "list the networks"; static */
	char *post;
	struct err trouble; /* it has failed before libcurl was asked; code 0: it has not */
	bool due;	    /* and that is to be said now */
	struct buf body;
	size_t header_bytes;
	unsigned timeout_ms;
	bool too_big;
	bool version; /* the answer tells the API version */
	docker_answer_fn fn;
	void *data;
	/* of the stream of events: */
	const struct docker_events *events;
	uint64_t open_by_ms; /* UINT64_MAX once it is open */
	bool opened;	     /* its headers are here */
};

struct docker {
	char *path;
	docker_clock_fn now_ms;
	CURLM *multi; /* NULL: there was no Docker to ask yet */
	int epoll;
	unsigned api;	  /* 1.api; 0: not known yet */
	uint64_t wake_ms; /* libcurl wants to be called then; UINT64_MAX: no */
	struct transfer *transfers;
	struct transfer *stream; /* among them */
	bool closing;
};

/* ---- what libcurl calls ---- */

static curl_socket_t on_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)data;
	(void)purpose;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static long http_status(const struct transfer *t)
{
	long status = 0;

	curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static int connect_errno(const struct transfer *t)
{
	long code = 0;

	curl.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &code);
	return (int)code;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t len = size * n;

	t->header_bytes += len;
	if (t->header_bytes > HEADERS_MAX) {
		t->too_big = true;
		return 0;
	}
	/* An empty line ends them. */
	if (t->events && len > 0 && (data[0] == '\r' || data[0] == '\n') &&
	    docker_is_success(http_status(t)))
		t->opened = true;
	return len;
}

static bool body_fits(const struct transfer *t, const char *data, size_t len)
{
	const char *last;
	size_t line;

	if (!t->events)
		return len <= DOCKER_ANSWER_MAX - t->body.len;
	if (!t->opened)
		return len <= FAILURE_BODY_MAX - t->body.len;
	last = memrchr(data, '\n', len);
	line = last ? (size_t)(data + len - last) : len + t->body.len;
	return line <= DOCKER_LINE_MAX && len <= STREAM_MAX - t->body.len;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;
	size_t len = size * n;

	if (!body_fits(t, data, len)) {
		t->too_big = true;
		return 0;
	}
	buf_add(&t->body, data, len);
	return len;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct epoll_event event = { .data.fd = fd };
	struct docker *docker = data;

	(void)easy;
	(void)socket_data;
	if (what & CURL_POLL_IN)
		event.events |= (uint32_t)EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= (uint32_t)EPOLLOUT;
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(docker->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(docker->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		epoll_ctl(docker->epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
	struct docker *docker = data;

	(void)multi;
	docker->wake_ms = timeout_ms < 0 ? UINT64_MAX : docker->now_ms() + (uint64_t)timeout_ms;
	return 0;
}

/* ---- what came of it ---- */

static void learn_version(struct docker *docker, struct docker_answer *answer)
{
	struct docker_about about = { 0 };

	if (docker_parse_about(answer->body, answer->len, &about, &answer->error) >= 0)
		docker->api = about.api;
	docker_about_free(&about);
}

static void prefix_error(const struct docker *docker, const struct transfer *t, struct err *err)
{
	if (err->code == 0)
		return;
	err_prefix(err, "Docker at %s", docker->path);
	err_prefix(err, "%s", t->what);
}

static void unlink_transfer(struct docker *docker, struct transfer *t)
{
	struct transfer **at = &docker->transfers;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (docker->stream == t)
		docker->stream = NULL;
}

static void free_transfer(struct docker *docker, struct transfer *t)
{
	if (t->easy) {
		curl.multi_remove_handle(docker->multi, t->easy);
		curl.easy_cleanup(t->easy);
	}
	if (t->headers)
		curl.slist_free_all(t->headers);
	err_free(&t->trouble);
	buf_free(&t->body);
	free(t->post);
	free(t);
}

static void give_answer(struct docker *docker, struct transfer *t, struct docker_answer *answer)
{
	unlink_transfer(docker, t);
	prefix_error(docker, t, &answer->error);
	if (t->events)
		t->events->end(t->data, answer);
	else
		t->fn(t->data, answer);
	err_free(&answer->error);
	free_transfer(docker, t);
}

static void finish(struct docker *docker, struct transfer *t, CURLcode result)
{
	long status = http_status(t);
	const struct docker_outcome outcome = {
		.result = result,
		.connect_errno = connect_errno(t),
		.status = status,
		.timeout_s = t->timeout_ms / 1000,
		.too_big = t->too_big,
		.stream = t->opened,
		.body = buf_str(&t->body),
		.len = t->body.len,
	};
	struct docker_answer answer = {
		.http = (unsigned)status,
		.body = outcome.body,
		.len = outcome.len,
	};

	if (docker_outcome_judge(&outcome, &answer.error) >= 0 && t->version)
		learn_version(docker, &answer);
	give_answer(docker, t, &answer);
}

static void fail(struct docker *docker, struct transfer *t, int code, const char *text)
{
	struct docker_answer answer = { .body = "" };

	err_set(&answer.error, code, "%s", text);
	give_answer(docker, t, &answer);
}

/* ---- requests ---- */

static void set_options(struct docker *docker, struct transfer *t, const char *method,
			const char *path)
{
	cleanup(cleanup_free) char *url =
		docker->api && !t->version ? xasprintf("http://docker/v1.%u%s", docker->api, path)
					   : xasprintf("http://docker%s", path);
	CURL *easy = t->easy;

	t->headers = curl.slist_append(NULL, "Expect:");
	t->headers = curl.slist_append(t->headers, "Accept: application/json");
	if (t->post) {
		t->headers = curl.slist_append(t->headers, "Content-Type: application/json");
		curl.easy_setopt(easy, CURLOPT_POSTFIELDS, t->post);
	} else if (strcmp(method, "GET") != 0) {
		curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	}
	curl.easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
	curl.easy_setopt(easy, CURLOPT_URL, url);
	curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, docker->path);
	curl.easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl.easy_setopt(easy, CURLOPT_USERAGENT, "dsfw-nft/" PACKAGE_VERSION);
	curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl.easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, t->events ? 0L : (long)t->timeout_ms);
	curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* Nothing of the environment's, nothing of the other side's choosing. */
	curl.easy_setopt(easy, CURLOPT_PROXY, "");
	curl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl.easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

/* body may be NULL. */
static struct transfer *request(struct docker *docker, const char *path, const char *body,
				unsigned timeout_ms, const char *what)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->what = what;
	t->timeout_ms = timeout_ms;
	t->post = body ? xstrdup(body) : NULL;
	t->version = strcmp(path, "/version") == 0;
	t->open_by_ms = UINT64_MAX;
	t->next = docker->transfers;
	docker->transfers = t;
	return t;
}

/* libcurl is for those who have Docker. */
static int load(struct docker *docker, struct err *err)
{
	int r;

	if (docker->multi)
		return 0;
	if (access(docker->path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return docker_no_socket(err);
	r = curl_calls_load(err);
	if (r < 0)
		return r;
	/* No TLS on a Unix socket. */
	if (curl.global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return err_set(err, ENOMEM, "start libcurl");
	docker->multi = curl.multi_init();
	if (!docker->multi)
		abort(); /* out of memory */
	curl.multi_setopt(docker->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl.multi_setopt(docker->multi, CURLMOPT_SOCKETDATA, docker);
	curl.multi_setopt(docker->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl.multi_setopt(docker->multi, CURLMOPT_TIMERDATA, docker);
	return 0;
}

static void start(struct docker *docker, struct transfer *t, const char *method, const char *path)
{
	if (load(docker, &t->trouble) < 0) {
		docker->wake_ms = docker->now_ms();
		return;
	}
	t->easy = curl.easy_init();
	if (!t->easy)
		abort(); /* out of memory */
	set_options(docker, t, method, path);
	/* Out of memory is the only thing that can be wrong. */
	if (curl.multi_add_handle(docker->multi, t->easy) != CURLM_OK)
		abort();
}

void docker_ask(struct docker *docker, const char *method, const char *path, const char *body,
		unsigned timeout_ms, const char *what, docker_answer_fn fn, void *data)
{
	struct transfer *t;

	if (docker->closing)
		return;
	t = request(docker, path, body, timeout_ms, what);
	t->fn = fn;
	t->data = data;
	start(docker, t, method, path);
}

void docker_follow(struct docker *docker, const struct docker_events *handler, void *data)
{
	struct transfer *t;

	if (docker->closing)
		return;
	assert(!docker->stream);
	t = request(docker, EVENTS_PATH, NULL, DOCKER_ASK_MS, "follow its events");
	t->events = handler;
	t->data = data;
	t->open_by_ms = docker->now_ms() + DOCKER_ASK_MS;
	docker->stream = t;
	start(docker, t, "GET", EVENTS_PATH);
}

void docker_unfollow(struct docker *docker)
{
	struct transfer *t = docker->stream;

	if (!t)
		return;
	unlink_transfer(docker, t);
	free_transfer(docker, t);
}

/* ---- for event loops ---- */

int docker_open(const char *path, docker_clock_fn now_ms, struct docker **ret_docker,
		struct err *err)
{
	struct docker *docker = xcalloc(1, sizeof(*docker));

	docker->path = xstrdup(path);
	docker->now_ms = now_ms;
	docker->wake_ms = UINT64_MAX;
	docker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (docker->epoll < 0) {
		int r = err_errno(err, errno, "epoll_create1");

		docker_close(docker);
		return r;
	}
	*ret_docker = docker;
	return 0;
}

void docker_close(struct docker *docker)
{
	if (!docker)
		return;
	docker->closing = true;
	while (docker->transfers)
		fail(docker, docker->transfers, ECANCELED, "we are stopping");
	if (docker->multi) {
		curl.multi_cleanup(docker->multi);
		curl.global_cleanup();
	}
	if (docker->epoll >= 0)
		close(docker->epoll);
	free(docker->path);
	free(docker);
}

int docker_fd(const struct docker *docker)
{
	return docker->epoll;
}

int docker_wait_ms(const struct docker *docker)
{
	uint64_t now = docker->now_ms(), at = docker->wake_ms;

	if (docker->stream && docker->stream->open_by_ms < at)
		at = docker->stream->open_by_ms;
	if (at == UINT64_MAX)
		return -1;
	return at <= now ? 0 : (int)(at - now);
}

/* Hands over the whole lines that have come; the handler may end the stream. */
static void hand_over_lines(struct docker *docker, struct transfer *t)
{
	struct buf lines = t->body;
	size_t from = 0;

	t->body = (struct buf){ 0 };
	for (char *end; docker->stream == t && from < lines.len &&
			(end = memchr(lines.data + from, '\n', lines.len - from));
	     from = (size_t)(end - lines.data) + 1) {
		size_t len = (size_t)(end - lines.data) - from;

		if (len > 1) /* else a blank line, perhaps with a carriage return */
			t->events->line(t->data, lines.data + from, len);
	}
	if (docker->stream == t && from < lines.len)
		buf_add(&t->body, lines.data + from, lines.len - from);
	buf_free(&lines);
}

static void process_stream(struct docker *docker)
{
	struct transfer *t = docker->stream;

	if (!t)
		return;
	if (t->opened && t->open_by_ms != UINT64_MAX) {
		t->open_by_ms = UINT64_MAX;
		t->events->opened(t->data);
	}
	if (docker->stream == t && t->opened)
		hand_over_lines(docker, t);
	if (docker->stream == t && docker->now_ms() >= t->open_by_ms)
		fail(docker, t, ETIMEDOUT, "no answer in time: it hangs or is overloaded");
}

/* Those that libcurl was never asked for. Others that they begin when they end have their turn later, as with libcurl. */
static void end_failed(struct docker *docker)
{
	struct transfer *t;

	for (t = docker->transfers; t; t = t->next)
		t->due = t->trouble.code != 0;
	do {
		for (t = docker->transfers; t && !t->due; t = t->next)
			;
		if (t) {
			struct docker_answer answer = { .body = "", .error = t->trouble };

			t->trouble = (struct err){ 0 };
			give_answer(docker, t, &answer);
		}
	} while (t);
}

static void process_curl(struct docker *docker, bool is_time)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(docker->epoll, events, EVENTS_MAX, 0), running, left;
	CURLMsg *message;

	for (int i = 0; i < n; i++) {
		int mask = 0;

		if (events[i].events & (uint32_t)EPOLLIN)
			mask |= CURL_CSELECT_IN;
		if (events[i].events & (uint32_t)EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		if (events[i].events & (uint32_t)(EPOLLERR | EPOLLHUP))
			mask |= CURL_CSELECT_ERR;
		curl.multi_socket_action(docker->multi, events[i].data.fd, mask, &running);
	}
	if (is_time)
		curl.multi_socket_action(docker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	process_stream(docker);
	while ((message = curl.multi_info_read(docker->multi, &left))) {
		struct transfer *t = NULL;
		char *private_data = NULL;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
		memcpy(&t, &private_data, sizeof(t));
		finish(docker, t, result);
	}
}

void docker_process(struct docker *docker)
{
	bool is_time = docker->now_ms() >= docker->wake_ms;

	if (is_time)
		docker->wake_ms = UINT64_MAX;
	end_failed(docker);
	if (docker->multi)
		process_curl(docker, is_time);
}

/* ---- all at once ---- */

static bool anything_asked(const struct docker *docker)
{
	for (const struct transfer *t = docker->transfers; t; t = t->next)
		if (t != docker->stream)
			return true;
	return false;
}

int docker_wait(struct docker *docker, struct err *err)
{
	while (anything_asked(docker)) {
		struct pollfd pollfd = { .fd = docker->epoll, .events = POLLIN };

		if (poll(&pollfd, 1, docker_wait_ms(docker)) < 0 && errno != EINTR)
			return err_errno(err, errno, "wait for Docker");
		docker_process(docker);
	}
	return 0;
}
