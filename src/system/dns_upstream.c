/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A question goes through steps: each puts it to the server that fares best among those that were tried least, and
 * waits twice as long as the step before. A server that fails, refuses or cannot be reached ends its step at once. An
 * earlier server's answer counts as long as the question is open.
 *
 * A reply counts if it comes on the socket of a try (so from the server's address and port 53), with the try's id and
 * with its question byte for byte, the letters' mixed case included; anything else changes nothing. Some servers do
 * not keep the case: whoever sends the right id and letters is asked over TCP, where nobody forges, as after a
 * truncated reply.
 *
 * All questions of one step wait equally long, so that each step's list is in the order of time.
 */
#include "dockside/system/dns_upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dns_server.h"
#include "dns_tcp.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define STEPS 3u
#define TRIES_MAX 6u /* with those that failed at once */
#define EVENTS_MAX 64
#define DATAGRAMS 8u /* of one socket at a time */
#define DATAGRAM_MAX 4096u
#define TCP_MAX 64u /* questions over TCP at a time */

#define TEXT_SILENT "it does not answer"

struct question {
	TAILQ_ENTRY(question) entry; /* among those of its step, or those that are done */
	struct dns_upstream *upstream;
	struct dns_name name;
	unsigned type;
	dns_upstream_fn fn;
	void *data;
	unsigned step, n_tries;
	uint64_t next_ms;
	enum dns_upstream_status failure; /* the last one */
	struct dns_try tries[TRIES_MAX];
	struct dns_tcp tcp;
};

TAILQ_HEAD(question_list, question);

struct dns_upstream {
	struct dns_server servers[DNS_UPSTREAM_SERVERS_MAX];
	size_t n_servers;
	int epoll;
	unsigned step_ms; /* of the first one */
	struct question_list steps[STEPS], done;
	size_t n_open, n_tcp;
	struct dns_random random;
	struct dns_answer answer;
	uint8_t datagrams[DATAGRAMS][DATAGRAM_MAX];
};

const char *dns_upstream_status_text(enum dns_upstream_status status)
{
	switch (status) {
	case DNS_UPSTREAM_ANSWERED:
		return NULL;
	case DNS_UPSTREAM_SILENCE:
		return "Timeout while contacting DNS servers";
	case DNS_UPSTREAM_UNREACHABLE:
		return "Could not contact DNS servers";
	case DNS_UPSTREAM_FAILURE:
		return "DNS server returned general failure";
	case DNS_UPSTREAM_REFUSAL:
		return "DNS server refused query";
	case DNS_UPSTREAM_NONSENSE:
		return "Misformatted DNS reply";
	}
	return NULL;
}

/* ------------------------------------------------------------------ the end of a question */

static void close_tcp(struct question *q)
{
	if (dns_tcp_is_open(&q->tcp))
		q->upstream->n_tcp--;
	dns_tcp_close(&q->tcp);
}

static void close_tries(struct question *q)
{
	for (unsigned i = 0; i < q->n_tries; i++)
		dns_try_close(&q->tries[i]);
	close_tcp(q);
}

/* Freed at the end of the round: more events of it may be in the same bunch. */
static void finish(struct question *q, const struct dns_upstream_result *result)
{
	struct dns_upstream *u = q->upstream;

	TAILQ_REMOVE(&u->steps[q->step], q, entry);
	TAILQ_INSERT_TAIL(&u->done, q, entry);
	u->n_open--;
	q->fn(q->data, result); /* whose message may be in the connection */
	close_tries(q);
}

static void fail(struct question *q, enum dns_upstream_status status)
{
	finish(q, &(struct dns_upstream_result){ .status = status });
}

static void free_done(struct dns_upstream *u)
{
	struct question *q;

	while ((q = TAILQ_FIRST(&u->done))) {
		TAILQ_REMOVE(&u->done, q, entry);
		free(q);
	}
	for (size_t i = 0; i < u->n_servers; i++)
		dns_server_sweep(&u->servers[i]);
}

/* ------------------------------------------------------------------ steps */

static unsigned times_tried(const struct question *q, const struct dns_server *server)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n_tries; i++)
		n += q->tries[i].server == server;
	return n;
}

/* Those that were asked least, and of them the first that fares well. */
static struct dns_server *next_server(const struct question *q, bool again, uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;
	unsigned best_score = UINT32_MAX;
	struct dns_server *best = NULL;

	for (size_t i = 0; i < u->n_servers; i++) {
		unsigned tried = times_tried(q, &u->servers[i]);
		unsigned score = 2 * tried + !dns_server_is_up(&u->servers[i], now_ms);

		if (score < best_score && (again || tried == 0)) {
			best = &u->servers[i];
			best_score = score;
		}
	}
	return best;
}

/* Puts the question to one server or another, as long as there are tries left. again: perhaps to one that was
 * asked before. Returns 0 or -errno. */
static int put(struct question *q, bool again, uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;
	int r = -EHOSTUNREACH;

	while (q->n_tries < TRIES_MAX && r < 0) {
		struct dns_server *server = next_server(q, again, now_ms);
		struct dns_try *try = &q->tries[q->n_tries];

		if (!server)
			return r;
		q->n_tries++;
		try->owner = q;
		dns_server_write(server, &u->random, &q->name, q->type, try);
		r = dns_server_send(server, &u->random, try, now_ms);
		try->server = server;
		if (r < 0)
			dns_server_failed(server, strerrordesc_np(-r), now_ms);
	}
	return r;
}

static void enter_step(struct question *q, unsigned step, uint64_t now_ms)
{
	TAILQ_REMOVE(&q->upstream->steps[q->step], q, entry);
	q->step = step;
	q->next_ms = now_ms + ((uint64_t)q->upstream->step_ms << step);
	TAILQ_INSERT_TAIL(&q->upstream->steps[step], q, entry);
}

static bool any_open(const struct question *q)
{
	for (unsigned i = 0; i < q->n_tries; i++)
		if (q->tries[i].socket)
			return true;
	return dns_tcp_is_open(&q->tcp);
}

/* May finish the question. */
static void next_step(struct question *q, bool again, uint64_t now_ms)
{
	unsigned step = q->step + 1 < STEPS ? q->step + 1 : q->step;

	if (put(q, again, now_ms) == 0)
		enter_step(q, step, now_ms);
	else if (any_open(q))
		enter_step(q, STEPS - 1, now_ms); /* the last wait for those that were asked */
	else
		fail(q, q->failure);
}

/* A server has said no, or nobody is there. again: it may be asked once more. May finish the question. */
static void on_failure(struct question *q, struct dns_server *server, const char *why,
		       enum dns_upstream_status status, bool again, uint64_t now_ms)
{
	dns_server_failed(server, why, now_ms);
	q->failure = status;
	next_step(q, again, now_ms);
}

/* The time of its step is up. */
static void on_time(struct question *q, uint64_t now_ms)
{
	struct dns_try *last = &q->tries[q->n_tries - 1];

	if (last->socket)
		dns_server_failed(last->server, TEXT_SILENT, now_ms);
	if (q->step + 1 == STEPS)
		fail(q, any_open(q) ? DNS_UPSTREAM_SILENCE : q->failure);
	else
		next_step(q, true, now_ms);
}

static void run_timers(struct dns_upstream *u, uint64_t now_ms)
{
	struct question *q;

	/* The last step first: a question is moved on only once. */
	for (size_t i = STEPS; i-- > 0;)
		while ((q = TAILQ_FIRST(&u->steps[i])) && q->next_ms <= now_ms)
			on_time(q, now_ms);
}

/* ------------------------------------------------------------------ answers */

static void use_tcp(struct question *q, struct dns_try *try, uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;

	dns_try_close(try);
	if (dns_tcp_is_open(&q->tcp))
		return;
	if (u->n_tcp >= TCP_MAX || dns_tcp_open(&q->tcp, try, q) < 0) {
		on_failure(q, try->server, "it cannot be asked over TCP", DNS_UPSTREAM_UNREACHABLE,
			   false, now_ms);
		return;
	}
	u->n_tcp++;
}

/* Without EDNS from now on. */
static void ask_plainly(struct question *q, struct dns_try *try, uint64_t now_ms)
{
	dns_try_close(try);
	try->server->no_edns = true;
	next_step(q, true, now_ms);
}

/* A reply to just this try. May finish the question. */
static void on_reply(struct question *q, struct dns_try *try, const uint8_t *message, size_t len,
		     bool tcp, uint64_t now_ms)
{
	struct dns_answer *answer = &q->upstream->answer;
	enum dns_upstream_status status = DNS_UPSTREAM_NONSENSE;
	const char *why = "its answer makes no sense";
	unsigned rcode = message[3] & 0xfu;

	dns_answer_read(message, len, try->query, try->len, answer);
	if (answer->verdict == DNS_USELESS && (rcode == 1 || rcode == 4) &&
	    dns_try_length(try) > try->len) {
		ask_plainly(q, try, now_ms);
		return;
	}
	switch (answer->verdict) {
	case DNS_ADDRESSES:
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		dns_server_answered(try->server);
		finish(q, &(struct dns_upstream_result){ DNS_UPSTREAM_ANSWERED, answer, message,
							 len, try->len });
		return;
	case DNS_TRUNCATED:
		if (!tcp) {
			use_tcp(q, try, now_ms);
			return;
		}
		break;
	case DNS_SERVFAIL: /* of one name perhaps, so that it says nothing about the server */
		dns_server_answered(try->server);
		status = DNS_UPSTREAM_FAILURE;
		why = NULL;
		break;
	case DNS_REFUSED:
		status = DNS_UPSTREAM_REFUSAL;
		why = "it refuses";
		break;
	case DNS_USELESS:
		break;
	}
	dns_try_close(try);
	close_tcp(q);
	if (why) {
		on_failure(q, try->server, why, status, false, now_ms);
	} else {
		q->failure = status;
		next_step(q, false, now_ms);
	}
}

/* ------------------------------------------------------------------ what comes by UDP */

/* The right letters, in another case. */
static bool is_almost_reply(const uint8_t *message, size_t len, const struct dns_try *try)
{
	struct dns_reader r = { message, len, DNS_HEADER_SIZE };
	struct dns_reader q = { try->query, try->len, DNS_HEADER_SIZE };
	struct dns_name name, wanted;

	return len >= try->len && (message[2] & 0x80) && dns_read_name(&r, &name) &&
	       dns_read_name(&q, &wanted) && r.at == q.at && dns_name_equal(&name, &wanted) &&
	       memcmp(message + r.at, try->query + q.at, 4) == 0;
}

static void on_datagram(struct dns_socket *socket, uint8_t *message, size_t len, bool cut,
			uint64_t now_ms)
{
	struct dns_try *try = dns_socket_find(socket, message, len);

	if (!try)
		return;
	if (cut)
		message[2] |= 2; /* we have not read all of it */
	if (dns_is_reply_to(message, len, try->query, try->len))
		on_reply(try->owner, try, message, len, false, now_ms);
	else if (is_almost_reply(message, len, try))
		use_tcp(try->owner, try, now_ms);
}

/* An error of the network: all that were asked there go on. Anybody can forge ICMP errors to all ports, and no answer. So
 * the same server is asked again, too, by another socket: where nobody listens, that fails soon. */
static void on_socket_error(struct dns_socket *socket, int error, uint64_t now_ms)
{
	struct dns_server *server = socket->server;
	struct dns_try *try;

	dns_socket_retire(socket);
	for (size_t i = 0; i < ARRAY_SIZE(socket->tries); i++)
		while ((try = LIST_FIRST(&socket->tries[i]))) {
			struct question *q = try->owner;

			dns_try_close(try);
			on_failure(q, server, strerrordesc_np(error), DNS_UPSTREAM_UNREACHABLE,
				   true, now_ms);
		}
}

static void on_udp(struct dns_upstream *u, struct dns_socket *socket, uint64_t now_ms)
{
	struct mmsghdr messages[DATAGRAMS] = { 0 };
	struct iovec parts[DATAGRAMS];
	int n;

	if (socket->watch.fd < 0)
		return;
	for (size_t i = 0; i < DATAGRAMS; i++) {
		parts[i] = (struct iovec){ u->datagrams[i], DATAGRAM_MAX };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(socket->watch.fd, messages, DATAGRAMS, 0, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		on_socket_error(socket, errno, now_ms);
	for (int i = 0; i < n && socket->watch.fd >= 0; i++)
		on_datagram(socket, u->datagrams[i], messages[i].msg_len,
			    messages[i].msg_hdr.msg_flags & MSG_TRUNC, now_ms);
}

/* ------------------------------------------------------------------ what comes by TCP */

static void on_tcp(struct dns_tcp *tcp, uint64_t now_ms)
{
	struct question *q = tcp->owner;
	const uint8_t *message = NULL;
	struct dns_try *try = tcp->try;
	ssize_t n;

	if (!dns_tcp_is_open(tcp))
		return;
	n = dns_tcp_process(tcp, &message);
	if (n > 0 &&
	    (dns_is_reply_to(message, (size_t)n, try->query, try->len) ||
	     (memcmp(message, try->query, 2) == 0 && is_almost_reply(message, (size_t)n, try)))) {
		on_reply(q, try, message, (size_t)n, true, now_ms);
	} else if (n != 0) {
		close_tcp(q);
		on_failure(q, try->server, "it cannot be asked over TCP", DNS_UPSTREAM_UNREACHABLE,
			   false, now_ms);
	}
}

/* ------------------------------------------------------------------ questions */

int dns_upstream_ask(struct dns_upstream *u, const struct dns_name *name, unsigned type,
		     dns_upstream_fn fn, void *data)
{
	uint64_t now_ms = monotonic_ms();
	struct question *q;
	int r;

	if (u->n_open >= DNS_UPSTREAM_OPEN_MAX)
		return -EBUSY;
	q = xcalloc(1, sizeof(*q));
	q->upstream = u;
	q->name = *name;
	q->type = type;
	q->fn = fn;
	q->data = data;
	q->failure = DNS_UPSTREAM_UNREACHABLE;
	dns_tcp_init(&q->tcp);
	r = put(q, false, now_ms);
	if (r < 0) {
		free(q);
		return r;
	}
	TAILQ_INSERT_TAIL(&u->steps[0], q, entry);
	enter_step(q, 0, now_ms);
	u->n_open++;
	return 0;
}

size_t dns_upstream_n_open(const struct dns_upstream *u)
{
	return u->n_open;
}

/* ------------------------------------------------------------------ for event loops */

int dns_upstream_fd(const struct dns_upstream *u)
{
	return u->epoll;
}

int dns_upstream_wait_ms(const struct dns_upstream *u, uint64_t now_ms)
{
	uint64_t at_ms = UINT64_MAX;

	for (size_t i = 0; i < STEPS; i++) {
		const struct question *q = TAILQ_FIRST(&u->steps[i]);

		if (q && q->next_ms < at_ms)
			at_ms = q->next_ms;
	}
	if (at_ms == UINT64_MAX)
		return -1;
	return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

void dns_upstream_process(struct dns_upstream *u)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t now_ms = monotonic_ms();
	int n = epoll_wait(u->epoll, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		struct dns_watch *watch = events[i].data.ptr;

		switch (watch->kind) {
		case DNS_WATCH_UDP:
			on_udp(u, (struct dns_socket *)watch, now_ms);
			break;
		case DNS_WATCH_TCP:
			on_tcp((struct dns_tcp *)watch, now_ms);
			break;
		}
	}
	run_timers(u, now_ms);
	free_done(u);
}

bool dns_upstream_health(const struct dns_upstream *u, size_t i,
			 struct dns_upstream_health *ret_health)
{
	const struct dns_server *server = &u->servers[i];

	if (i >= u->n_servers)
		return false;
	*ret_health = (struct dns_upstream_health){
		.addr = server->addr,
		.ok = !server->why,
		.why = server->why,
	};
	return true;
}

/* ------------------------------------------------------------------ open and close */

static void fail_all(struct dns_upstream *u)
{
	struct question *q;

	for (size_t i = 0; i < STEPS; i++)
		while ((q = TAILQ_FIRST(&u->steps[i])))
			fail(q, DNS_UPSTREAM_UNREACHABLE);
}

static bool is_configured(const struct dns_upstream *u, const struct ipaddr *servers, size_t n)
{
	if (u->n_servers != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ipaddr_cmp(&u->servers[i].addr, &servers[i]) != 0)
			return false;
	return true;
}

static void free_servers(struct dns_upstream *u)
{
	for (size_t i = 0; i < u->n_servers; i++)
		dns_server_free(&u->servers[i]);
	u->n_servers = 0;
}

void dns_upstream_configure(struct dns_upstream *u, const struct ipaddr *servers, size_t n)
{
	if (n > DNS_UPSTREAM_SERVERS_MAX)
		n = DNS_UPSTREAM_SERVERS_MAX;
	if (is_configured(u, servers, n))
		return;
	fail_all(u);
	free_done(u);
	free_servers(u);
	for (size_t i = 0; i < n; i++)
		dns_server_init(&u->servers[i], &servers[i], u->epoll);
	u->n_servers = n;
}

int dns_upstream_open(unsigned timeout_ms, struct dns_upstream **ret_upstream, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct dns_upstream *u;

	static_assert(offsetof(struct dns_socket, watch) == 0, "a watch is its socket");
	static_assert(offsetof(struct dns_tcp, watch) == 0, "a watch is its connection");
	if (fd < 0)
		return err_errno(err, errno, "epoll_create1");
	u = xcalloc(1, sizeof(*u));
	u->epoll = fd;
	u->step_ms = timeout_ms / ((1u << STEPS) - 1);
	TAILQ_INIT(&u->done);
	for (size_t i = 0; i < STEPS; i++)
		TAILQ_INIT(&u->steps[i]);
	*ret_upstream = u;
	return 0;
}

void dns_upstream_close(struct dns_upstream *u)
{
	struct question *q;

	if (!u)
		return;
	for (size_t i = 0; i < STEPS; i++)
		while ((q = TAILQ_FIRST(&u->steps[i]))) {
			close_tries(q);
			TAILQ_REMOVE(&u->steps[i], q, entry);
			TAILQ_INSERT_TAIL(&u->done, q, entry);
		}
	free_done(u);
	free_servers(u);
	close(u->epoll);
	free(u);
}
