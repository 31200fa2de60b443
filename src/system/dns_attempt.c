/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "dockside/base/util.h"

#define DATAGRAMS_MAX 16 /* of one socket at a time */

void dns_attempt_init(struct dns_attempt *a, void *owner, size_t server)
{
	*a = (struct dns_attempt){ .udp = { owner, server, -1, false },
				   .tcp = { owner, server, -1, true } };
}

static void close_endpoint(struct dns_endpoint *endpoint)
{
	if (endpoint->fd >= 0)
		close(endpoint->fd); /* leaves epoll with it */
	endpoint->fd = -1;
}

bool dns_attempt_is_open(const struct dns_attempt *a)
{
	return a->udp.fd >= 0 || a->tcp.fd >= 0;
}

void dns_attempt_close(struct dns_attempt *a)
{
	close_endpoint(&a->udp);
	close_endpoint(&a->tcp);
	free(a->in);
	a->in = NULL;
	a->n_in = a->size_in = 0;
	a->sent = false;
}

static int watch(int epoll, struct dns_endpoint *endpoint, uint32_t events, int op)
{
	struct epoll_event event = { .events = events, .data.ptr = endpoint };

	return epoll_ctl(epoll, op, endpoint->fd, &event) < 0 ? -errno : 0;
}

/* Writes the question anew and opens a socket for it. Returns 0 or -errno. */
static int begin(struct dns_attempt *a, struct dns_endpoint *endpoint, const struct dns_peer *peer,
		 int epoll, const struct dns_name *name, enum dns_type type)
{
	uint16_t id;
	int r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	a->len = dns_query_write(name, type, id, a->query);
	r = dns_peer_connect(peer, endpoint->tcp);
	if (r < 0)
		return r;
	endpoint->fd = r;
	r = watch(epoll, endpoint, endpoint->tcp ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
	if (r < 0)
		close_endpoint(endpoint);
	return r;
}

/* Lost datagrams are the network's way; only what says that nobody is there counts. */
int dns_attempt_repeat(const struct dns_attempt *a)
{
	if (send(a->udp.fd, a->query, a->len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN ||
	    errno == ENOBUFS)
		return 0;
	return -errno;
}

int dns_attempt_open(struct dns_attempt *a, const struct dns_peer *peer, int epoll,
		     const struct dns_name *name, enum dns_type type)
{
	int r = begin(a, &a->udp, peer, epoll, name, type);

	if (r == 0)
		r = dns_attempt_repeat(a);
	if (r < 0)
		close_endpoint(&a->udp);
	return r;
}

int dns_attempt_use_tcp(struct dns_attempt *a, const struct dns_peer *peer, int epoll,
			const struct dns_name *name, enum dns_type type)
{
	int r = begin(a, &a->tcp, peer, epoll, name, type);

	if (r == 0)
		close_endpoint(&a->udp);
	return r;
}

/* ------------------------------------------------------------------ what comes */

static ssize_t receive_udp(const struct dns_attempt *a, uint8_t message[DNS_MESSAGE_MAX])
{
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		ssize_t n = recv(a->udp.fd, message, DNS_MESSAGE_MAX, 0);

		if (n < 0) /* or an ICMP error */
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (dns_is_reply_to(message, (size_t)n, a->query, a->len))
			return n;
	}
	return 0;
}

/* Connected, or not. Returns 0 or -errno. */
static int send_tcp(struct dns_attempt *a, int epoll)
{
	uint8_t out[2 + DNS_QUERY_MAX];
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(a->tcp.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	if (error != 0)
		return -error;
	out[0] = (uint8_t)(a->len >> 8);
	out[1] = (uint8_t)a->len;
	memcpy(out + 2, a->query, a->len);
	/* An empty send buffer takes that much at once. */
	if (send(a->tcp.fd, out, 2 + a->len, MSG_NOSIGNAL) != (ssize_t)(2 + a->len))
		return -EPIPE;
	a->sent = true;
	a->size_in = 2;
	a->in = xmalloc(a->size_in);
	return watch(epoll, &a->tcp, EPOLLIN, EPOLL_CTL_MOD);
}

static ssize_t receive_tcp(struct dns_attempt *a, uint8_t message[DNS_MESSAGE_MAX])
{
	ssize_t n = recv(a->tcp.fd, a->in + a->n_in, a->size_in - a->n_in, 0);
	size_t len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	a->n_in += (size_t)n;
	if (a->n_in < a->size_in)
		return 0;
	if (a->size_in == 2) {
		a->size_in += (size_t)a->in[0] << 8 | a->in[1];
		a->in = xreallocarray(a->in, a->size_in, 1);
		return a->size_in > 2 ? 0 : -EBADMSG;
	}
	len = a->size_in - 2;
	if (!dns_is_reply_to(a->in + 2, len, a->query, a->len))
		return -EBADMSG;
	memcpy(message, a->in + 2, len);
	return (ssize_t)len;
}

ssize_t dns_attempt_receive(struct dns_attempt *a, struct dns_endpoint *endpoint, int epoll,
			    uint8_t message[DNS_MESSAGE_MAX])
{
	if (!endpoint->tcp)
		return receive_udp(a, message);
	return a->sent ? receive_tcp(a, message) : send_tcp(a, epoll);
}
