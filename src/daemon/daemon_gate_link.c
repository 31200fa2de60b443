/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The gate parses what strangers send it, so that one day it may be theirs: whatever it sends costs us no more than
 * MESSAGES_PER_S, after which its socket fills up, and it loses reports. It is given the policy whenever it comes, so that
 * it may not come and go as often as it likes. Others cannot connect: SO_PEERCRED says who is there, and a second process
 * is turned away as long as the first one lives.
 */
#include "daemon_gate_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/ctl/gate_peer.h"
#include "dockside/system/log.h"

#define MESSAGES_PER_S 1000u
#define MESSAGES_PER_TURN 64u
#define ACCEPT_MAX 16  /* in one turn */
#define TOLD_MS 60000u /* a stranger has one line a minute */
/* A gate may come so many times, and once more each second. */
#define COMINGS_MAX 10u

struct daemon_gate_link {
	struct loop *loop;
	const char *path;
	const struct daemon_gate_handler *handler;
	struct stat st; /* of the socket's file */
	sd_event_source *listener, *io, *resume;
	int fd; /* to the gate, or -1 */
	pid_t pid;
	uint64_t second_ms; /* when the count of messages began */
	unsigned n_messages;
	uint64_t told_until_ms;
	uint64_t comings_ms; /* a second for each time that it came, unless these are over */
};

/* ------------------------------------------------------------------ the gate */

static void hang_up(struct daemon_gate_link *k)
{
	sd_event_source_disable_unref(k->io);
	k->io = NULL;
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static void hear(struct daemon_gate_link *k, char *text, size_t len)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };

	if (gate_peer_parse(text, len, &tree))
		k->handler->said(k->handler->data, tree.root);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_gate_link *k = data;

	(void)source;
	(void)usec;
	if (k->io)
		sd_event_source_set_enabled(k->io, SD_EVENT_ON);
	return 0;
}

/* Whether it may send another message now; if not, it is heard again when the second is over. */
static bool has_time(struct daemon_gate_link *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (now_ms >= k->second_ms + 1000) {
		k->second_ms = now_ms;
		k->n_messages = 0;
	}
	if (k->n_messages++ < MESSAGES_PER_S)
		return true;
	sd_event_source_set_enabled(k->io, SD_EVENT_OFF);
	loop_arm(k->loop, &k->resume, k->second_ms + 1000, on_resume, k);
	return false;
}

static int on_gate(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	static char text[GATE_PEER_MESSAGE_MAX + 1];
	struct daemon_gate_link *k = data;

	(void)source;
	(void)revents;
	for (unsigned i = 0; i < MESSAGES_PER_TURN && has_time(k); i++) {
		/* MSG_TRUNC: how long it was. */
		ssize_t n = recv(fd, text, GATE_PEER_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			hang_up(k);
			k->handler->went(k->handler->data);
			break;
		}
		if ((size_t)n <= GATE_PEER_MESSAGE_MAX)
			hear(k, text, (size_t)n);
	}
	return 0;
}

int daemon_gate_link_give(struct daemon_gate_link *k, int fd, int64_t serial, bool retell)
{
	return k->fd < 0 ? -ENOTCONN : gate_peer_give(k->fd, fd, serial, retell);
}

/* ------------------------------------------------------------------ who it is */

/* Anybody can try: one line a minute says so. */
static void turn_away(struct daemon_gate_link *k, int fd, const struct ucred *peer, const char *why)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	close(fd);
	if (now_ms < k->told_until_ms)
		return;
	k->told_until_ms = now_ms + TOLD_MS;
	log_warning("%s: turned away uid %u, pid %d: %s", k->path, peer->uid, peer->pid, why);
}

/* Whether it has not come too often; counts it. */
static bool may_come(struct daemon_gate_link *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (k->comings_ms < now_ms)
		k->comings_ms = now_ms;
	if (k->comings_ms - now_ms >= 1000u * COMINGS_MAX)
		return false;
	k->comings_ms += 1000;
	return true;
}

static void greet(struct daemon_gate_link *k, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		close(fd);
		return;
	}
	if (!k->handler->may(k->handler->data, peer.uid)) {
		turn_away(k, fd, &peer, "it does not run as the DNS gate's user");
		return;
	}
	if (k->fd >= 0) {
		turn_away(k, fd, &peer, "a DNS gate is connected already");
		return;
	}
	if (!may_come(k)) {
		turn_away(k, fd, &peer, "the DNS gate comes and goes too often");
		return;
	}
	if (sd_event_add_io(loop_event(k->loop), &k->io, fd, EPOLLIN, on_gate, k) < 0) {
		close(fd);
		return;
	}
	k->fd = fd;
	k->pid = peer.pid;
	k->handler->came(k->handler->data, peer.pid);
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *data)
{
	struct daemon_gate_link *k = data;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		greet(k, fd);
	}
	return 0;
}

/* ------------------------------------------------------------------ start and stop */

int daemon_gate_link_open(struct loop *loop, const char *path,
			  const struct daemon_gate_handler *handler,
			  struct daemon_gate_link **ret_link, struct err *err)
{
	struct daemon_gate_link *k;
	struct stat st;
	int fd = gate_peer_listen(path, &st, err), r;

	if (fd < 0)
		return fd;
	k = xcalloc(1, sizeof(*k));
	k->loop = loop;
	k->path = path;
	k->handler = handler;
	k->st = st;
	k->fd = -1;
	r = sd_event_add_io(loop_event(loop), &k->listener, fd, EPOLLIN, on_connection, k);
	if (r < 0) {
		close(fd);
		daemon_gate_link_close(k);
		return err_errno(err, -r, "watch the DNS gate's socket");
	}
	sd_event_source_set_io_fd_own(k->listener, true);
	*ret_link = k;
	return 0;
}

void daemon_gate_link_close(struct daemon_gate_link *k)
{
	if (!k)
		return;
	hang_up(k);
	sd_event_source_disable_unref(k->resume);
	sd_event_source_disable_unref(k->listener);
	gate_peer_unlink(k->path, &k->st);
	free(k);
}
