/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All input and output is one bounded step per event, so that no client holds up the loop. */
#include "http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define MIB (1u << 20)
#define DRAIN_MAX MIB /* bytes that we are patient with */
#define TYPE "text/plain; version=0.0.4; charset=utf-8"

void http_connection_hang_up(struct http_connection *c)
{
	struct http *http = c->http;

	http->slots[c->slot] = NULL;
	http->n--;
	if (http->io) /* there is room for one that waits */
		sd_event_source_set_enabled(http->io, SD_EVENT_ON);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	close(c->fd);
	buf_free(&c->head);
	if (c->text)
		http_text_drop(c->text);
	free(c);
}

/* A failure is the lack of some resource: the client goes. */
static void enter(struct http_connection *c, enum http_state state, uint32_t events, unsigned ms)
{
	c->state = state;
	c->moved_ms = monotonic_ms();
	if (sd_event_source_set_io_events(c->io, events) < 0 ||
	    sd_event_source_set_time_relative(c->timer, ms * 1000ull) < 0 ||
	    sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) < 0)
		http_connection_hang_up(c);
}

/* ------------------------------------------------------------------ answers */

static const char *reason(enum http_status status)
{
	switch (status) {
	case HTTP_UNFINISHED:
		break;
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_BAD_METHOD:
		return "Method Not Allowed";
	case HTTP_TIMEOUT:
		return "Request Timeout";
	case HTTP_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_BUSY:
		return "Service Unavailable";
	case HTTP_BAD_VERSION:
		return "HTTP Version Not Supported";
	}
	abort();
}

static void put_head(struct http_connection *c, enum http_status status, const char *type,
		     size_t len)
{
	buf_printf(&c->head,
		   "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Connection: close\r\n%s\r\n",
		   (int)status, reason(status), type, len,
		   status == HTTP_BAD_METHOD ? "Allow: GET, HEAD\r\n" : "");
}

static void answer(struct http_connection *c, enum http_status status, bool head)
{
	struct http *http = c->http;
	struct http_text *text = NULL;

	if (status == HTTP_OK) {
		text = http_texts_take(&http->texts, http->make, http->data);
		status = text ? HTTP_OK : HTTP_BUSY;
	}
	if (text) {
		put_head(c, status, TYPE, text->b.len);
		c->text = text;
		if (head) {
			http_text_drop(text);
			c->text = NULL;
		}
	} else {
		cleanup(cleanup_free) char *body = xasprintf(
			"%d %s: dsfw-nft answers GET /metrics\n", (int)status, reason(status));

		put_head(c, status, "text/plain; charset=utf-8", strlen(body));
		if (!head)
			buf_puts(&c->head, body);
	}
	enter(c, HTTP_WRITING, EPOLLOUT, http->patience->answer);
}

static ssize_t send_some(const struct http_connection *c)
{
	const struct buf *text = c->text ? &c->text->b : NULL;
	size_t head = c->sent < c->head.len ? c->sent : c->head.len, at = c->sent - head;
	struct iovec parts[] = {
		{ c->head.data + head, c->head.len - head },
		{ text ? text->data + at : NULL, text ? text->len - at : 0 },
	};
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };

	return sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void write_answer(struct http_connection *c)
{
	size_t len = c->head.len + (c->text ? c->text->b.len : 0), before = c->sent / MIB;
	ssize_t n = send_some(c);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			http_connection_hang_up(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < len) {
		if (c->sent / MIB > before)
			enter(c, HTTP_WRITING, EPOLLOUT, c->http->patience->answer);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	if (c->text)
		http_text_drop(c->text);
	c->text = NULL;
	enter(c, HTTP_DRAINING, EPOLLIN, c->http->patience->rest);
}

/* ------------------------------------------------------------------ requests */

static void read_request(struct http_connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);
	enum http_status status;
	bool head;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->n_in == 0)) { /* came, said nothing and left */
		http_connection_hang_up(c);
		return;
	}
	c->n_in += (size_t)n;
	status = http_request_judge(c->in, c->n_in, &head);
	if (status == HTTP_UNFINISHED && n == 0)
		status = HTTP_BAD_REQUEST;
	if (status != HTTP_UNFINISHED)
		answer(c, status, head);
}

static void discard_input(struct http_connection *c)
{
	char chunk[16384];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->drained += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->drained > DRAIN_MAX)
		http_connection_hang_up(c);
}

/* ------------------------------------------------------------------ events */

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct http_connection *c = data;

	(void)source;
	(void)fd;
	(void)revents;
	switch (c->state) {
	case HTTP_READING:
		read_request(c);
		break;
	case HTTP_WRITING:
		write_answer(c);
		break;
	case HTTP_DRAINING:
		discard_input(c);
		break;
	}
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct http_connection *c = data;

	(void)source;
	(void)usec;
	if (c->state == HTTP_READING)
		answer(c, HTTP_TIMEOUT, false);
	else
		http_connection_hang_up(c);
	return 0;
}

static int add_sources(struct http_connection *c)
{
	struct http *http = c->http;
	int r = sd_event_add_io(http->event, &c->io, c->fd, EPOLLIN, on_io, c);

	if (r >= 0)
		r = sd_event_source_set_priority(c->io, HTTP_PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(http->event, &c->timer, CLOCK_MONOTONIC,
					       http->patience->request * 1000ull, HTTP_ACCURACY_US,
					       on_timer, c);
	/* A loop that was busy for long has both: what has come is read before its time is over. */
	return r < 0 ? r : sd_event_source_set_priority(c->timer, HTTP_PRIORITY + 1);
}

void http_connection_add(struct http *http, int fd)
{
	struct http_connection *c = xcalloc(1, sizeof(*c));

	c->http = http;
	c->fd = fd;
	c->moved_ms = monotonic_ms();
	while (http->slots[c->slot])
		c->slot++;
	http->slots[c->slot] = c;
	http->n++;
	if (add_sources(c) < 0)
		http_connection_hang_up(c);
}
