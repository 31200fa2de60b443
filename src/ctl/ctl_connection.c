/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: a connection is in one of four states, each with its own interest in the
 * socket and its own deadline. Answers are only stored by ctl_answer(); all input and output happens
 * in on_io(), one bounded step per dispatch, so that nobody's flood holds up the loop and a handler
 * never has a request freed under its hands.
 */
#include "ctl_connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define CHUNK 65536
#define DISCARD_MAX (8u << 20) /* bytes past the limit that we are patient with */

/* ---- a connection's end ---- */

void ctl_connection_hang_up(struct ctl_request *c)
{
	struct ctl *ctl = c->ctl;

	if (c->state == STATE_PENDING && ctl->handler->gone)
		ctl->handler->gone(c, ctl->data);
	ctl->slots[c->slot] = NULL;
	ctl->n--;
	ctl->texts -= c->is_text ? c->out.len : 0;
	ctl->full = false;
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	close(c->fd);
	request_free(&c->request);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

void ctl_connection_drain(int fd)
{
	char chunk[CHUNK];

	for (int i = 0; i < 8 && recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0; i++)
		;
}

/* ---- answers ---- */

static bool watch(struct ctl_request *c, uint32_t events)
{
	return sd_event_source_set_io_events(c->io, events) >= 0;
}

static bool start_timer(struct ctl_request *c)
{
	return sd_event_source_set_time_relative(c->timer, c->ctl->timeout_ms * 1000ull) >= 0 &&
	       sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) >= 0;
}

static void store_answer(struct ctl_request *c, const char *json, const struct buf *text)
{
	assert(c->state == STATE_PENDING || c->state == STATE_READING); /* once */
	cleanup(cleanup_free) char *more =
		c->request.n_ignored > 0 ? ctl_add_ignored(json, &c->request) : NULL;

	/* The answer is worth more than the note. */
	buf_puts(&c->out, more && strlen(more) < REQUEST_MAX ? more : json);
	buf_putc(&c->out, '\n');
	if (text)
		buf_add(&c->out, text->data, text->len);
	c->state = STATE_WRITING;
	buf_free(&c->in);
	/* Should this fail, the client waits until it gives up or the socket closes. */
	if (!watch(c, EPOLLOUT) || !start_timer(c))
		log_warning("socket: event loop: cannot send an answer");
}

void ctl_answer(struct ctl_request *c, const char *json)
{
	if (strlen(json) < REQUEST_MAX)
		store_answer(c, json, NULL);
	else
		ctl_answer_error(c, "the answer is longer than an answer may be", NULL);
}

void ctl_answer_text(struct ctl_request *c, const struct buf *text)
{
	cleanup(cleanup_free) char *json =
		xasprintf("{\"status\":\"ok\",\"length\":%zu}", text->len);

	/* One alone may be longer, or it would never be answered. */
	if (c->peer.uid != 0 && c->ctl->texts > 0 && c->ctl->texts + text->len > CTL_TEXTS_MAX) {
		ctl_answer_error(c, "too many long answers wait to be read: try again later", NULL);
		return;
	}
	store_answer(c, json, text);
	c->is_text = c->peer.uid != 0;
	c->ctl->texts += c->is_text ? c->out.len : 0;
}

void ctl_answer_ok(struct ctl_request *request, const char *message)
{
	cleanup(cleanup_free) char *json = ctl_ok_json(message, NULL);

	ctl_answer(request, json);
}

void ctl_answer_error(struct ctl_request *c, const char *message, const struct diags *diags)
{
	cleanup(cleanup_free) char *json = ctl_error_json(message, diags);

	store_answer(c, json, NULL);
}

static ssize_t send_some(const struct ctl_request *c)
{
	return send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void write_answer(struct ctl_request *c)
{
	size_t before = c->sent / REQUEST_MAX;
	ssize_t n = send_some(c);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ctl_connection_hang_up(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->out.len) {
		if (c->sent / REQUEST_MAX > before && !start_timer(c))
			ctl_connection_hang_up(c);
		return;
	}
	if (!c->unfinished) {
		ctl_connection_drain(c->fd);
		ctl_connection_hang_up(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = STATE_DRAINING;
	if (!watch(c, EPOLLIN))
		ctl_connection_hang_up(c);
}

/* ---- requests ---- */

static size_t request_limit(const struct ctl_request *c)
{
	return c->peer.uid == 0 ? REQUEST_MAX : REQUEST_MAX_OTHERS;
}

static void refuse(struct ctl_request *c, const char *message, const struct diags *diags)
{
	cleanup(cleanup_free) char *summary = message ? NULL : ctl_sum_up(diags);

	if (ctl_log_may(&c->ctl->log, c->peer.uid))
		log_warning("socket: refused a request of uid %u, pid %d: %s", c->peer.uid,
			    c->peer.pid, message ? message : summary);
	ctl_answer_error(c, message, diags);
}

static enum log_level level_of(const struct ctl_request *c)
{
	return request_only_reads(c->request.action) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static void log_request(const struct ctl_request *c)
{
	const char *name = request_string(&c->request, "name");
	struct buf found = { 0 };

	/* A client that follows refusals asks all the time: the first time will do. */
	if (c->request.action == REQUEST_DENIED && request_field(&c->request, "after"))
		return;
	if (!log_wants(level_of(c)) || !ctl_log_may(&c->ctl->log, c->peer.uid))
		return;
	if (name) {
		buf_putc(&found, ' ');
		quote_found(&found, name, strlen(name));
	}
	log_at(level_of(c), "socket: %s%s, asked by uid %u, pid %d",
	       request_action_name(c->request.action), buf_str(&found), c->peer.uid, c->peer.pid);
	buf_free(&found);
}

static void handle(struct ctl_request *c, size_t len)
{
	struct diags diags = { 0 };

	c->request.src = (struct src){
		.name = xstrdup(REQUEST_FILE),
		.len = len,
	};
	c->request.src.text = buf_steal(&c->in);
	c->request.src.text[len] = '\0';
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (!request_parse(&c->request, c->peer.uid, &diags)) {
		refuse(c, NULL, &diags);
	} else if (!watch(c, 0)) { /* EPOLLHUP comes anyway */
		refuse(c, "event loop: out of resources", NULL);
	} else {
		log_request(c);
		c->state = STATE_PENDING;
		c->ctl->handler->request(c, c->ctl->data);
	}
	diags_free(&diags);
}

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", s[i]) || s[i] == '\0')
			return false;
	return true;
}

/* Looks whether the input, the last n bytes of which are new, is a whole request. */
static void judge_input(struct ctl_request *c, size_t n, bool end)
{
	size_t len = c->in.len, at;
	bool feed = n > 0 && ctl_frame_feed(&c->frame, c->in.data + len - n, n, &at);

	if (feed)
		len = len - n + at;

	if (len > request_limit(c)) {
		cleanup(cleanup_free) char *message = xasprintf(
			"a request may have %zu bytes%s", request_limit(c),
			c->peer.uid == 0 ? "" : ": who is not root can ask for nothing longer");

		c->unfinished = !end;
		refuse(c, message, NULL);
	} else if (feed && !is_blank(c->in.data + len, c->in.len - len)) {
		refuse(c,
		       "one request per connection, an object and a line feed: there is more "
		       "behind its end",
		       NULL);
	} else if ((feed || end) && is_blank(buf_str(&c->in), len)) {
		if (feed)
			refuse(c, "the request is empty", NULL);
		else
			ctl_connection_hang_up(c); /* came, said nothing and left */
	} else if (feed || end) {
		handle(c, len);
	}
}

static void read_input(struct ctl_request *c)
{
	char chunk[CHUNK];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ctl_connection_hang_up(c);
		return;
	}
	buf_add(&c->in, chunk, (size_t)n);
	judge_input(c, (size_t)n, n == 0);
}

static void discard_input(struct ctl_request *c)
{
	char chunk[CHUNK];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->discarded += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->discarded > DISCARD_MAX)
		ctl_connection_hang_up(c);
}

/* ---- events of a connection ---- */

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct ctl_request *c = data;

	(void)source;
	(void)fd;
	switch (c->state) {
	case STATE_READING:
		read_input(c);
		break;
	case STATE_PENDING:
		if (!(revents & (EPOLLHUP | EPOLLERR)))
			break;
		if (log_wants(level_of(c)) && ctl_log_may(&c->ctl->log, c->peer.uid))
			log_at(level_of(c), "socket: uid %u, pid %d left before %s was answered",
			       c->peer.uid, c->peer.pid, request_action_name(c->request.action));
		ctl_connection_hang_up(c);
		break;
	case STATE_WRITING:
		write_answer(c);
		break;
	case STATE_DRAINING:
		discard_input(c);
		break;
	}
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct ctl_request *c = data;

	(void)source;
	(void)usec;
	if (c->state == STATE_READING) {
		cleanup(cleanup_free) char *message =
			xasprintf("no complete request within %u ms%s", c->ctl->timeout_ms,
				  ctl_frame_is_open(&c->frame) ? ": its object is not closed"
							       : ": its line feed is missing");

		refuse(c, message, NULL);
	} else {
		ctl_connection_hang_up(c);
	}
	return 0;
}

/* ---- its beginning, and its end with the server ---- */

static int add_sources(struct ctl_request *c)
{
	struct ctl *ctl = c->ctl;
	int r = sd_event_add_io(ctl->event, &c->io, c->fd, EPOLLIN, on_io, c);

	if (r >= 0)
		r = sd_event_source_set_priority(c->io, CTL_PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(ctl->event, &c->timer, CLOCK_MONOTONIC,
					       ctl->timeout_ms * 1000ull, CTL_ACCURACY_US, on_timer,
					       c);
	return r < 0 ? r : sd_event_source_set_priority(c->timer, CTL_PRIORITY);
}

void ctl_connection_add(struct ctl *ctl, int fd, const struct ucred *peer)
{
	struct ctl_request *c = xcalloc(1, sizeof(*c));
	int r;

	c->ctl = ctl;
	c->fd = fd;
	c->peer = *peer;
	c->serial = ctl->serial++;
	while (ctl->slots[c->slot])
		c->slot++;
	ctl->slots[c->slot] = c;
	ctl->n++;
	r = add_sources(c);
	if (r < 0) {
		log_warning("socket: event loop: %s", strerror(-r));
		ctl_connection_hang_up(c);
	}
}

void ctl_connection_end(struct ctl_request *c)
{
	if (c->state == STATE_WRITING) {
		send_some(c);
		ctl_connection_drain(c->fd);
	}
	ctl_connection_hang_up(c);
}

const struct request *ctl_request_get(const struct ctl_request *c)
{
	return &c->request;
}
