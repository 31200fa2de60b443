/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket itself: it accepts connections, of which each is ctl_connection.c's from then on. */
#include "dockside/ctl/ctl_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ctl_connection.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define ACCEPT_MAX 512	/* connections at once */
#define PAUSE_US 500000 /* without descriptors or memory for another connection */

/* ---- new connections ---- */

/* Without a connection: one try has to do. */
static void turn_away(int fd, const char *message)
{
	cleanup(cleanup_free) char *line =
		xasprintf("{\"status\":\"error\",\"message\":\"%s\",\"errors\":[]}\n", message);

	send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	ctl_connection_drain(fd);
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
	ctl_connection_hang_up(oldest);
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
		ctl_connection_add(ctl, fd, &peer);
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
		r = sd_event_source_set_priority(ctl->io, CTL_PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(ctl->event, &ctl->resume, CLOCK_MONOTONIC, PAUSE_US,
					       CTL_ACCURACY_US, on_resume, ctl);
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
	for (size_t i = 0; i < CTL_CONNECTIONS_MAX; i++)
		if (ctl->slots[i])
			ctl_connection_end(ctl->slots[i]);
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
