/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/util.h"

void dns_tcp_init(struct dns_tcp *tcp)
{
	*tcp = (struct dns_tcp){ .watch = { DNS_WATCH_TCP, -1 } };
}

bool dns_tcp_is_open(const struct dns_tcp *tcp)
{
	return tcp->watch.fd >= 0;
}

void dns_tcp_close(struct dns_tcp *tcp)
{
	if (tcp->watch.fd >= 0)
		close(tcp->watch.fd); /* leaves epoll with it */
	free(tcp->in);
	dns_tcp_init(tcp);
}

static int watch(struct dns_tcp *tcp, uint32_t events, int op)
{
	struct epoll_event event = { .events = events, .data.ptr = &tcp->watch };

	return epoll_ctl(tcp->try->server->epoll, op, tcp->watch.fd, &event) < 0 ? -errno : 0;
}

int dns_tcp_open(struct dns_tcp *tcp, struct dns_try *try, void *owner)
{
	const struct dns_server *server = try->server;
	int fd = socket(server->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	dns_tcp_init(tcp);
	tcp->watch.fd = fd;
	tcp->try = try;
	tcp->owner = owner;
	if (connect(fd, (const struct sockaddr *)&server->sa, server->sa_len) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	else
		r = watch(tcp, EPOLLOUT, EPOLL_CTL_ADD);
	if (r < 0)
		dns_tcp_close(tcp);
	return r;
}

/* Connected, or not. Returns 0 or -errno. */
static int put(struct dns_tcp *tcp)
{
	uint8_t out[2 + DNS_SERVER_QUERY_MAX];
	size_t len = dns_try_length(tcp->try);
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(tcp->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	if (error != 0)
		return -error;
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	memcpy(out + 2, tcp->try->query, len);
	/* An empty send buffer takes that much at once. */
	if (send(tcp->watch.fd, out, 2 + len, MSG_NOSIGNAL) != (ssize_t)(2 + len))
		return -EPIPE;
	tcp->sent = true;
	tcp->size_in = 2;
	tcp->in = xmalloc(tcp->size_in);
	return watch(tcp, EPOLLIN, EPOLL_CTL_MOD);
}

static ssize_t take(struct dns_tcp *tcp, const uint8_t **ret_message)
{
	ssize_t n = recv(tcp->watch.fd, tcp->in + tcp->n_in, tcp->size_in - tcp->n_in, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	tcp->n_in += (size_t)n;
	if (tcp->n_in < tcp->size_in)
		return 0;
	if (tcp->size_in == 2) {
		tcp->size_in += (size_t)tcp->in[0] << 8 | tcp->in[1];
		tcp->in = xreallocarray(tcp->in, tcp->size_in, 1);
		return tcp->size_in >= 2 + DNS_HEADER_SIZE ? 0 : -EBADMSG;
	}
	*ret_message = tcp->in + 2;
	return (ssize_t)tcp->size_in - 2;
}

ssize_t dns_tcp_process(struct dns_tcp *tcp, const uint8_t **ret_message)
{
	return tcp->sent ? take(tcp, ret_message) : put(tcp);
}
