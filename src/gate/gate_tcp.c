/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection has one question under way at a time: the next is read when its answer has been written, so that a client
 * that does not read holds one answer. One that asks for too long, says nothing, or sends what is no question, is closed.
 */
#include "gate_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/system/clock.h"
#include "gate_loop.h"
#include "gate_message.h"

#define LISTENERS_MAX 2u
#define BACKLOG 128
#define IN_MAX 1024u /* bytes of a question, and its length */
#define ACCEPTS_MAX 32

struct client {
	struct gate_watch watch;
	struct gate_tcp *tcp;
	struct gate_net *net;
	struct gate_client id;
	uint64_t begun_ms, active_ms;
	unsigned n_questions;
	bool asked; /* an answer is under way */
	size_t n_in, n_out, out_at;
	uint8_t in[IN_MAX];
	uint8_t *out;
};

struct listener {
	struct gate_watch watch;
	struct gate_tcp *tcp;
	sa_family_t family;
};

struct gate_tcp {
	struct gate_desk *desk;
	int epoll;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners, n_clients;
	struct client *clients[GATE_TCP_CLIENTS_MAX];
	struct client *gone[2 * GATE_TCP_CLIENTS_MAX]; /* freed after this round */
	size_t n_gone;
	uint64_t serials;
};

/* ------------------------------------------------------------------ the end of a connection */

void gate_tcp_sweep(struct gate_tcp *tcp)
{
	while (tcp->n_gone > 0)
		free(tcp->gone[--tcp->n_gone]);
}

/* Events of this round may still point to it. */
static void drop(struct client *c)
{
	struct gate_tcp *tcp = c->tcp;

	close(c->watch.fd);
	c->watch.fd = -1;
	c->net->n_tcp--;
	c->net->received += c->n_questions == 0; /* gate_desk_ask() counts questions */
	tcp->clients[c->id.slot] = NULL;
	tcp->n_clients--;
	free(c->out);
	c->out = NULL;
	tcp->gone[tcp->n_gone++] = c;
}

/* ------------------------------------------------------------------ out */

/* False: it is closed. */
static bool write_out(struct client *c)
{
	while (c->out_at < c->n_out) {
		ssize_t n = send(c->watch.fd, c->out + c->out_at, c->n_out - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    gate_loop_watch(c->tcp->epoll, &c->watch, EPOLLOUT) == 0)
			return true;
		if (n < 0) {
			drop(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->n_out = c->out_at = 0;
	c->asked = false;
	return true;
}

void gate_tcp_reply(struct gate_tcp *tcp, const struct gate_client *client, const uint8_t *reply,
		    size_t len)
{
	struct client *c = tcp->clients[client->slot];

	if (!c || c->id.serial != client->serial || c->out)
		return;
	c->out = xmalloc(2 + len);
	c->out[0] = (uint8_t)(len >> 8);
	c->out[1] = (uint8_t)len;
	memcpy(c->out + 2, reply, len);
	c->n_out = 2 + len;
	c->out_at = 0;
	c->active_ms = monotonic_ms();
	/* Room to write makes an event at once, for a question that has been read already. */
	if (write_out(c) && !c->asked &&
	    gate_loop_watch(tcp->epoll, &c->watch, c->n_in > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0)
		drop(c);
}

/* ------------------------------------------------------------------ in */

/* Asks the first whole question that was read. False: it is closed, or there is none, or it waits for its answer. */
static bool ask_next(struct client *c, uint64_t now_ms)
{
	uint64_t serial = c->id.serial;
	struct gate_tcp *tcp = c->tcp;
	uint32_t slot = c->id.slot;
	uint8_t question[IN_MAX];
	size_t len;

	if (c->n_in < 2)
		return false;
	len = (size_t)c->in[0] << 8 | c->in[1];
	if (len < DNS_HEADER_SIZE || len > IN_MAX - 2 || c->n_questions == GATE_TCP_QUESTIONS_MAX) {
		drop(c);
		return false;
	}
	if (c->n_in < 2 + len)
		return false;
	memcpy(question, c->in + 2, len);
	c->n_in -= 2 + len;
	memmove(c->in, c->in + 2 + len, c->n_in);
	c->n_questions++;
	c->asked = true;
	c->active_ms = now_ms;
	gate_desk_counts(tcp->desk)->tcp++;
	if (!gate_desk_ask(tcp->desk, &c->id, question, len, now_ms)) {
		drop(c);
		return false;
	}
	/* The answer may have been written, and that may have failed. */
	c = tcp->clients[slot];
	return c && c->id.serial == serial && !c->asked;
}

static void read_in(struct client *c)
{
	ssize_t n = recv(c->watch.fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);
	uint64_t now_ms = monotonic_ms();

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->n_in += (size_t)n;
	while (ask_next(c, now_ms))
		;
	/* Nothing is read while an answer is under way. */
	if (c->watch.fd >= 0 && c->asked && !c->out)
		gate_loop_watch(c->tcp->epoll, &c->watch, 0);
}

static void on_client(void *data, uint32_t events)
{
	struct client *c = data;

	if (events & (EPOLLERR | EPOLLHUP)) {
		drop(c);
		return;
	}
	if (c->out && !write_out(c))
		return;
	if (c->asked)
		return;
	while (ask_next(c, monotonic_ms()))
		;
	if (c->watch.fd < 0 || c->asked)
		return;
	if (gate_loop_watch(c->tcp->epoll, &c->watch, EPOLLIN) < 0)
		drop(c);
	else if (events & EPOLLIN)
		read_in(c);
}

/* ------------------------------------------------------------------ new clients */

/* The interface that the connection's first packet came in by. Returns 0 if the kernel does not say. */
static unsigned interface_of(int fd, sa_family_t family)
{
	union {
		char b[256];
		struct cmsghdr align;
	} control = { .b = { 0 } };
	socklen_t len = sizeof(control.b);
	struct msghdr msg = { .msg_control = control.b };
	int level = family == AF_INET ? SOL_IP : SOL_IPV6;
	struct cmsghdr *cmsg;

	if (getsockopt(fd, level, family == AF_INET ? IP_PKTOPTIONS : IPV6_2292PKTOPTIONS,
		       control.b, &len) < 0)
		return 0;
	msg.msg_controllen = len;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		struct in6_pktinfo info6;
		struct in_pktinfo info;

		if (cmsg->cmsg_level == SOL_IP && cmsg->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			return (unsigned)info.ipi_ifindex;
		}
		if (cmsg->cmsg_level == SOL_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(cmsg), sizeof(info6));
			return info6.ipi6_ifindex;
		}
	}
	return 0;
}

static struct ipaddr address_of(const struct sockaddr_storage *from)
{
	struct ipaddr addr = { .family = FAMILY_IPV4 };

	ipaddr_from_sockaddr((const struct sockaddr *)from, &addr);
	return addr;
}

/* The one that has been silent for longest makes way. */
static void make_room(struct gate_tcp *tcp)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < GATE_TCP_CLIENTS_MAX; i++) {
		struct client *c = tcp->clients[i];

		if (c && (!oldest || c->active_ms < oldest->active_ms))
			oldest = c;
	}
	if (oldest && tcp->n_clients == GATE_TCP_CLIENTS_MAX && tcp->n_gone < GATE_TCP_CLIENTS_MAX)
		drop(oldest);
}

static uint32_t free_slot(const struct gate_tcp *tcp)
{
	uint32_t slot = 0;

	while (slot < GATE_TCP_CLIENTS_MAX && tcp->clients[slot])
		slot++;
	return slot;
}

/* False: it is not one whom we serve. */
static bool add_client(struct gate_tcp *tcp, int fd, sa_family_t family,
		       const struct sockaddr_storage *from)
{
	uint64_t now_ms = monotonic_ms();
	unsigned ifindex = interface_of(fd, family);
	struct gate_net *net = gate_desk_net(tcp->desk, ifindex, now_ms);
	struct client *c;
	uint32_t slot;

	if (!net)
		return false;
	if (net->n_tcp >= GATE_NET_TCP_MAX) {
		net->received++;
		return false;
	}
	make_room(tcp);
	slot = free_slot(tcp);
	if (slot == GATE_TCP_CLIENTS_MAX || tcp->n_gone + tcp->n_clients >= ARRAY_SIZE(tcp->gone))
		return false;
	c = xcalloc(1, sizeof(*c));
	c->watch = (struct gate_watch){ fd, on_client, c };
	c->tcp = tcp;
	c->net = net;
	c->id = (struct gate_client){ .tcp = true,
				      .ifindex = ifindex,
				      .addr = address_of(from),
				      .slot = slot,
				      .serial = ++tcp->serials };
	c->begun_ms = c->active_ms = now_ms;
	if (gate_loop_watch(tcp->epoll, &c->watch, EPOLLIN) < 0) {
		free(c);
		return false;
	}
	tcp->clients[slot] = c;
	tcp->n_clients++;
	net->n_tcp++;
	return true;
}

static void on_listener(void *data, uint32_t events)
{
	struct listener *listener = data;

	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(from);
		int fd = accept4(listener->watch.fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return;
		if (!add_client(listener->tcp, fd, listener->family, &from))
			close(fd);
	}
}

/* ------------------------------------------------------------------ open and close */

int gate_tcp_listen(struct gate_tcp *tcp, int fd, sa_family_t family, struct err *err)
{
	struct listener *l = &tcp->listeners[tcp->n_listeners];
	int one = 1, r;

	if (tcp->n_listeners == LISTENERS_MAX)
		return err_set(err, EINVAL, "more than two TCP sockets");
	if (setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		       family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one)) < 0)
		return err_errno(err, errno, "TCP socket: IP_PKTINFO");
	if (listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "TCP socket: listen");
	*l = (struct listener){ { fd, on_listener, l }, tcp, family };
	r = gate_loop_watch(tcp->epoll, &l->watch, EPOLLIN);
	if (r < 0)
		return err_errno(err, -r, "TCP socket: epoll");
	tcp->n_listeners++;
	return 0;
}

struct gate_tcp *gate_tcp_new(struct gate_desk *desk, int epoll)
{
	struct gate_tcp *tcp = xcalloc(1, sizeof(*tcp));

	tcp->desk = desk;
	tcp->epoll = epoll;
	return tcp;
}

void gate_tcp_stop(struct gate_tcp *tcp)
{
	for (size_t i = 0; i < tcp->n_listeners; i++) {
		close(tcp->listeners[i].watch.fd);
		tcp->listeners[i].watch.fd = -1;
	}
	tcp->n_listeners = 0;
}

void gate_tcp_free(struct gate_tcp *tcp)
{
	if (!tcp)
		return;
	gate_tcp_stop(tcp);
	gate_tcp_sweep(tcp);
	for (size_t i = 0; i < GATE_TCP_CLIENTS_MAX; i++)
		if (tcp->clients[i])
			drop(tcp->clients[i]);
	gate_tcp_sweep(tcp);
	free(tcp);
}

void gate_tcp_tick(struct gate_tcp *tcp, uint64_t now_ms)
{
	for (size_t i = 0; i < GATE_TCP_CLIENTS_MAX; i++) {
		struct client *c = tcp->clients[i];

		if (c && (now_ms - c->active_ms >= GATE_TCP_IDLE_MS ||
			  now_ms - c->begun_ms >= GATE_TCP_LIFE_MS))
			drop(c);
	}
}
