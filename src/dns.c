/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Two c-ares channels: one that reads /etc/hosts alone, asked first and done
 * at once, so that we know which names are static; and one that asks DNS alone. A name is one
 * question to the latter: c-ares sends A and AAAA together, and goes through resolv.conf's search
 * domains for both together, so that addresses of two different names never mix.
 *
 * All names are asked "at once", but a resolver is not flooded: of the names that wait for an
 * answer, at most AT_ONCE may be younger than PATIENCE_MS. Slow names thus hold up the others for
 * that long and no longer. Everything ends at the deadline.
 */
#include "dockside/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "dockside/util.h"

#define AT_ONCE 64
#define PATIENCE_MS 500
#define ADDRS_MAX 256 /* addresses that we take from one name */
#define TRIES 2	      /* of each server; the second waits twice as long */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- answers ------------------------------------------------------------------------------ */

static bool addr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *ret_addr)
{
	struct ipaddr addr = { 0 };

	if (sa->sa_family == AF_INET) {
		addr.family = FAMILY_IPV4;
		memcpy(addr.b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *in6 =
			&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(in6))
			return false; /* no packet has such an address */
		addr.family = FAMILY_IPV6;
		memcpy(addr.b, in6, 16);
	} else {
		return false;
	}
	*ret_addr = addr;
	return true;
}

static void host_take(struct host *host, enum host_state state, const struct ares_addrinfo *info)
{
	struct ipaddr addrs[ADDRS_MAX];
	size_t n = 0;
	int ttl = INT32_MAX;

	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		if (n == ADDRS_MAX || !addr_from_sockaddr(node->ai_addr, &addrs[n]))
			continue;
		n++;
		if (node->ai_ttl < ttl)
			ttl = node->ai_ttl;
	}
	for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
		if (cname->ttl < ttl)
			ttl = cname->ttl;
	host_set(host, state, addrs, n);
	host->ttl = state == HOST_DNS && host->n_addrs > 0 && ttl > 0 ? (unsigned)ttl : 0;
}

static void host_fail(struct host *host, char *error)
{
	host_set(host, HOST_FAILED, NULL, 0);
	free(host->error);
	host->error = error;
}

/* ---- the channel -------------------------------------------------------------------------- */

static int channel_error(struct err *err, int status)
{
	return err_set(err, status == ARES_ENOMEM ? ENOMEM : EIO, "start the resolver: %s",
		       ares_strerror(status));
}

/* Names in, callbacks out: whoever has an event loop needs no more than this and sockets. */
static void ask(ares_channel channel, const char *name, ares_addrinfo_callback callback, void *arg)
{
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, /* the sort would connect to each address */
		.ai_family = AF_UNSPEC,
	};

	ares_getaddrinfo(channel, name, NULL, &hints, callback, arg);
}

static void on_static(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	(void)timeouts;
	if (status == ARES_SUCCESS)
		host_take(arg, HOST_STATIC, info);
	ares_freeaddrinfo(info);
}

static unsigned count_servers(ares_channel channel)
{
	struct ares_addr_port_node *servers = NULL;
	unsigned n = 0;

	if (ares_get_servers_ports(channel, &servers) == ARES_SUCCESS)
		for (const struct ares_addr_port_node *s = servers; s; s = s->next)
			n++;
	ares_free_data(servers);
	return n > 0 ? n : 1;
}

/* A literal must not reach c-ares, which would ask DNS for it and mix in what it hears (1.18.1,
 * AF_UNSPEC). The policy has none among its names; this is for other callers. */
static bool take_literal(struct host *host)
{
	struct ipaddr addr = { 0 };

	if (inet_pton(AF_INET, host->name, addr.b) == 1)
		addr.family = FAMILY_IPV4;
	else if (inet_pton(AF_INET6, host->name, addr.b) == 1)
		addr.family = FAMILY_IPV6;
	else
		return false;
	host_set(host, HOST_STATIC, &addr, 1);
	return true;
}

/* Answers what needs no DNS, and tells how many servers resolv.conf names. */
static int resolve_static(struct hosts *hosts, unsigned *ret_servers, struct err *err)
{
	char lookups[] = "f";
	struct ares_options options = { .lookups = lookups };
	ares_channel channel;
	int status = ares_init_options(&channel, &options, ARES_OPT_LOOKUPS);

	if (status != ARES_SUCCESS)
		return channel_error(err, status);
	for (size_t i = 0; i < hosts->n; i++) {
		struct host *host = &hosts->items[i];
		if (host->state == HOST_UNASKED && !take_literal(host))
			ask(channel, host->name, on_static, host);
	}
	*ret_servers = count_servers(channel);
	ares_destroy(channel);
	return 0;
}

/* ---- DNS ---------------------------------------------------------------------------------- */

struct question {
	struct host *host;
	struct resolver *resolver;
	uint64_t asked; /* ms */
	bool answered;
};

struct resolver {
	ares_channel channel;
	struct pollfd *fds; /* the sockets that c-ares has open */
	size_t n_fds, cap_fds;
	struct question *questions;
	size_t n;
	size_t oldest; /* those before it are answered or older than PATIENCE_MS */
	size_t next;   /* those from here on have not been asked */
	size_t n_answered;
	unsigned timeout_ms;
};

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	size_t i = 0;

	while (i < r->n_fds && r->fds[i].fd != fd)
		i++;
	if (!readable && !writable) {
		if (i < r->n_fds)
			r->fds[i] = r->fds[--r->n_fds];
		return;
	}
	if (i == r->n_fds) {
		r->fds = array_grow(r->fds, &r->cap_fds, r->n_fds, sizeof(*r->fds));
		r->fds[r->n_fds++].fd = fd;
	}
	r->fds[i].events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;

	(void)timeouts;
	q->answered = true;
	q->resolver->n_answered++;
	if (status == ARES_SUCCESS)
		host_take(q->host, HOST_DNS, info);
	else if (status == ARES_ECANCELLED)
		host_fail(q->host, xasprintf("no answer within %u ms", q->resolver->timeout_ms));
	else
		host_fail(q->host, xstrdup(ares_strerror(status)));
	ares_freeaddrinfo(info);
}

static int resolver_open(struct resolver *r, unsigned servers, struct err *err)
{
	char lookups[] = "b";
	/* Every server gets TRIES tries, of t and 2t, in 4/5 of the time that there is. */
	unsigned try_ms = r->timeout_ms / 15 * 4 / servers;
	struct ares_options options = {
		.flags = ARES_FLAG_NOALIASES, /* $HOSTALIASES is not the policy */
		.lookups = lookups,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = r,
		.timeout = try_ms > 10 ? (int)try_ms : 10,
		.tries = TRIES,
	};
	int status = ares_init_options(&r->channel, &options,
				       ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
					       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);

	return status == ARES_SUCCESS ? 0 : channel_error(err, status);
}

/* Asks as many more names as the resolver may be burdened with. */
static void ask_more(struct resolver *r, uint64_t now)
{
	size_t waiting = 0;

	while (r->oldest < r->next && (r->questions[r->oldest].answered ||
				       now >= r->questions[r->oldest].asked + PATIENCE_MS))
		r->oldest++;
	for (size_t i = r->oldest; i < r->next; i++)
		waiting += !r->questions[i].answered;
	while (r->next < r->n && waiting < AT_ONCE) {
		struct question *q = &r->questions[r->next++];
		q->asked = now;
		ask(r->channel, q->host->name, on_answer, q);
		waiting += !q->answered;
	}
}

/* Milliseconds until there is something to do without an answer having come. */
static int patience(const struct resolver *r, uint64_t now, uint64_t deadline)
{
	uint64_t until = deadline;
	struct timeval tv, *t = ares_timeout(r->channel, NULL, &tv);

	if (t) {
		uint64_t retry = now + (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1;
		if (retry < until)
			until = retry;
	}
	if (r->next < r->n && r->oldest < r->next &&
	    r->questions[r->oldest].asked + PATIENCE_MS < until)
		until = r->questions[r->oldest].asked + PATIENCE_MS;
	return until > now ? (int)(until - now) : 0;
}

/* c-ares opens and closes sockets while it works through them: hence the copy. */
static int wait_and_process(struct resolver *r, int timeout)
{
	size_t n = r->n_fds;
	cleanup(cleanup_free) struct pollfd *fds = xcalloc(n + 1, sizeof(*fds));

	if (n > 0)
		memcpy(fds, r->fds, n * sizeof(*fds));
	if (poll(fds, n, timeout) < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < n; i++) {
		bool readable = fds[i].revents & (POLLIN | POLLERR | POLLHUP);
		bool writable = fds[i].revents & POLLOUT;
		if (readable || writable)
			ares_process_fd(r->channel, readable ? fds[i].fd : ARES_SOCKET_BAD,
					writable ? fds[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
	return 0;
}

static int resolver_run(struct resolver *r, uint64_t deadline)
{
	int status = 0;

	for (;;) {
		uint64_t now = now_ms();
		if (now >= deadline)
			break;
		ask_more(r, now);
		if (r->n_answered == r->n)
			break;
		status = wait_and_process(r, patience(r, now, deadline));
		if (status < 0)
			break;
	}
	ares_cancel(r->channel);
	for (size_t i = r->next; i < r->n; i++)
		on_answer(&r->questions[i], ARES_ECANCELLED, 0, NULL);
	return status;
}

static int resolve_dns(struct hosts *hosts, unsigned timeout_ms, uint64_t deadline,
		       unsigned servers, struct err *err)
{
	struct resolver r = { .timeout_ms = timeout_ms };
	int status;

	r.questions = xcalloc(hosts->n, sizeof(*r.questions));
	for (size_t i = 0; i < hosts->n; i++)
		if (hosts->items[i].state == HOST_UNASKED)
			r.questions[r.n++] =
				(struct question){ .host = &hosts->items[i], .resolver = &r };
	status = r.n > 0 ? resolver_open(&r, servers, err) : 0;
	if (status == 0 && r.n > 0) {
		status = resolver_run(&r, deadline);
		ares_destroy(r.channel);
		if (status < 0)
			err_errno(err, -status, "wait for DNS");
	}
	free(r.questions);
	free(r.fds);
	return status;
}

int dns_resolve_all(struct hosts *hosts, unsigned timeout_ms, struct err *err)
{
	uint64_t deadline = now_ms() + timeout_ms;
	unsigned servers = 1;
	int r;

	if (hosts->n == 0)
		return 0;
	r = ares_library_init(ARES_LIB_INIT_ALL);
	if (r != ARES_SUCCESS)
		return channel_error(err, r);
	r = resolve_static(hosts, &servers, err);
	if (r == 0)
		r = resolve_dns(hosts, timeout_ms, deadline, servers, err);
	ares_library_cleanup();
	return r;
}
