/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: a connection is in one of four states, each with its own interest in the
 * socket and its own deadline. Answers are only stored by ctl_answer(); all input and output happens
 * in on_io(), one bounded step per dispatch, so that nobody's flood holds up the loop and a handler
 * never has a request freed under its hands.
 */
#include "dockside/ctl/ctl_server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ctl_frame.h"
#include "ctl_log.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define CHUNK 65536
#define ACCEPT_MAX 512	       /* connections at once */
#define DISCARD_MAX (8u << 20) /* bytes past the limit that we are patient with */
#define PAUSE_US 500000	       /* without descriptors or memory for another connection */
#define ACCURACY_US 50000
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

enum state {
	STATE_READING,	/* until the line feed, the end, or too much of it */
	STATE_PENDING,	/* the handler has it; we only watch for the client's leaving */
	STATE_WRITING,	/* the answer */
	STATE_DRAINING, /* answered before the client had finished: it reads only then */
};

struct ctl_request {
	struct ctl *ctl;
	size_t slot;
	enum state state;
	int fd;
	sd_event_source *io, *timer;
	struct ucred peer;
	uint64_t serial; /* counts connections: the smallest is the oldest */
	struct buf in;
	struct ctl_frame frame;
	size_t discarded;
	bool unfinished; /* the client is still sending */
	struct request request;
	struct buf out;
	size_t sent;
	bool is_text; /* it counts for ctl->texts */
};

struct ctl {
	sd_event *event;
	const struct ctl_handler *handler;
	void *data;
	int fd;
	char *path;
	struct stat st; /* of the socket file */
	sd_event_source *io, *resume;
	struct ctl_log_writer log;
	struct ctl_request *slots[CTL_CONNECTIONS_MAX];
	size_t n;
	uint64_t serial;
	size_t texts; /* bytes that wait for users other than root */
	unsigned timeout_ms;
	bool full; /* and said so */
};

/* ---- a connection's end ---- */

static void request_close(struct ctl_request *c)
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

/* Unread input would make the client's read fail before it has seen the answer. */
static void drain_some(int fd)
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
			request_close(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->out.len) {
		if (c->sent / REQUEST_MAX > before && !start_timer(c))
			request_close(c);
		return;
	}
	if (!c->unfinished) {
		drain_some(c->fd);
		request_close(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = STATE_DRAINING;
	if (!watch(c, EPOLLIN))
		request_close(c);
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
			request_close(c); /* came, said nothing and left */
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
			request_close(c);
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
		request_close(c);
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
		request_close(c);
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
		request_close(c);
	}
	return 0;
}

/* ---- new connections ---- */

/* Without a connection: one try has to do. */
static void turn_away(int fd, const char *message)
{
	cleanup(cleanup_free) char *line =
		xasprintf("{\"status\":\"error\",\"message\":\"%s\",\"errors\":[]}\n", message);

	send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	drain_some(fd);
	close(fd);
}

/* Root is not locked out by the others: the oldest of their connections makes way for it. */
static bool displace(struct ctl *ctl)
{
	struct ctl_request *oldest = NULL;

	for (size_t i = 0; i < CTL_CONNECTIONS_MAX; i++) {
		struct ctl_request *c = ctl->slots[i];

		if (c && c->peer.uid != 0 && (!oldest || c->serial < oldest->serial))
			oldest = c;
	}
	if (!oldest)
		return false;
	if (ctl_log_may(&ctl->log, oldest->peer.uid))
		log_warning("socket: too many connections: hung up on uid %u, pid %d",
			    oldest->peer.uid, oldest->peer.pid);
	request_close(oldest);
	return true;
}

static bool has_room(struct ctl *ctl, const struct ucred *peer)
{
	if (ctl->n < CTL_CONNECTIONS_MAX || (peer->uid == 0 && displace(ctl)))
		return true;
	if (!ctl->full && ctl_log_may(&ctl->log, peer->uid)) /* once, not at each that follows */
		log_warning("socket: too many connections: turned away uid %u, pid %d", peer->uid,
			    peer->pid);
	ctl->full = true;
	return false;
}

static int add_sources(struct ctl_request *c)
{
	struct ctl *ctl = c->ctl;
	int r = sd_event_add_io(ctl->event, &c->io, c->fd, EPOLLIN, on_io, c);

	if (r >= 0)
		r = sd_event_source_set_priority(c->io, PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(ctl->event, &c->timer, CLOCK_MONOTONIC,
					       ctl->timeout_ms * 1000ull, ACCURACY_US, on_timer, c);
	return r < 0 ? r : sd_event_source_set_priority(c->timer, PRIORITY);
}

static void add_connection(struct ctl *ctl, int fd, const struct ucred *peer)
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
		request_close(c);
	}
}

static void greet(struct ctl *ctl, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		log_warning("socket: peer credentials: %s", strerror(errno));
		close(fd);
	} else if (!has_room(ctl, &peer)) {
		turn_away(fd, "too many connections: try again later");
	} else {
		add_connection(ctl, fd, &peer);
	}
}

static int on_resume(sd_event_source *source, uint64_t usec, void *data)
{
	struct ctl *ctl = data;

	(void)source;
	(void)usec;
	sd_event_source_set_enabled(ctl->io, SD_EVENT_ON);
	return 0;
}

/* A connection that cannot be accepted stays in the queue, and the loop would spin on it. */
static void pause_accepting(struct ctl *ctl, int code)
{
	log_warning("socket: accept: %s", strerror(code));
	if (sd_event_source_set_time_relative(ctl->resume, PAUSE_US) >= 0 &&
	    sd_event_source_set_enabled(ctl->resume, SD_EVENT_ONESHOT) >= 0)
		sd_event_source_set_enabled(ctl->io, SD_EVENT_OFF);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct ctl *ctl = data;

	(void)source;
	(void)revents;
	/* Turning many away costs less than one answer: who is behind them need not wait for those. */
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0) {
			greet(ctl, client);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(ctl, errno);
		break;
	}
	return 0;
}

/* ---- the whole ---- */

static int add_listener(struct ctl *ctl, struct err *err)
{
	int r = sd_event_add_io(ctl->event, &ctl->io, ctl->fd, EPOLLIN, on_connection, ctl);

	if (r >= 0)
		r = sd_event_source_set_priority(ctl->io, PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(ctl->event, &ctl->resume, CLOCK_MONOTONIC, PAUSE_US,
					       ACCURACY_US, on_resume, ctl);
	if (r >= 0)
		r = sd_event_source_set_enabled(ctl->resume, SD_EVENT_OFF);
	if (r >= 0)
		r = ctl_log_writer_open(&ctl->log, ctl->event);
	return r < 0 ? err_errno(err, -r, "event loop") : 0;
}

int ctl_open(sd_event *event, const char *path, const struct ctl_handler *handler, void *data,
	     struct ctl **ret_ctl, struct err *err)
{
	struct stat st;
	struct ctl *ctl;
	int fd = ctl_listen(path, &st, err), r;

	if (fd < 0) {
		err_prefix(err, "socket");
		return fd;
	}
	ctl = xcalloc(1, sizeof(*ctl));
	ctl->event = sd_event_ref(event);
	ctl->handler = handler;
	ctl->data = data;
	ctl->fd = fd;
	ctl->path = xstrdup(path);
	ctl->st = st;
	ctl->timeout_ms = CTL_TIMEOUT_MS;
	r = add_listener(ctl, err);
	if (r < 0) {
		ctl_close(ctl);
		err_prefix(err, "socket");
		return r;
	}
	*ret_ctl = ctl;
	return 0;
}

void ctl_close(struct ctl *ctl)
{
	struct stat st;

	if (!ctl)
		return;
	for (size_t i = 0; i < CTL_CONNECTIONS_MAX; i++) {
		struct ctl_request *c = ctl->slots[i];

		if (!c)
			continue;
		if (c->state == STATE_WRITING) {
			send_some(c);
			drain_some(c->fd);
		}
		request_close(c);
	}
	sd_event_source_disable_unref(ctl->io);
	sd_event_source_disable_unref(ctl->resume);
	ctl_log_writer_close(&ctl->log);
	close(ctl->fd);
	if (lstat(ctl->path, &st) == 0 && st.st_dev == ctl->st.st_dev &&
	    st.st_ino == ctl->st.st_ino)
		unlink(ctl->path);
	sd_event_unref(ctl->event);
	free(ctl->path);
	free(ctl);
}

void ctl_set_timeout(struct ctl *ctl, unsigned timeout_ms)
{
	ctl->timeout_ms = timeout_ms;
}

size_t ctl_connections(const struct ctl *ctl)
{
	return ctl->n;
}

const struct request *ctl_request_get(const struct ctl_request *c)
{
	return &c->request;
}
