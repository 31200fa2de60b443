/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A question goes through steps: the servers one after the other, those that are left alone last, and all of them again
 * in further rounds, each with twice the time of the one before. A step puts the question to its server and waits for a
 * while; then comes the next. A server that fails, refuses or cannot be reached ends its step at once. An earlier
 * server's answer counts as long as the question is open, which is until its deadline: of late answers none is
 * lost, and the first one wins.
 *
 * A reply counts if it comes on the socket of an attempt (so from the server's address and port 53), with its id and
 * its question byte for byte, the letters' mixed case included; anything else changes nothing. Some servers do
 * not keep the case: whoever sends the right id and letters is asked over TCP, where nobody forges, as after a
 * truncated reply.
 *
 * A question that is done is freed at the end of dns_upstream_process(), as more events of it may be in the same bunch.
 */
#include "dockside/system/dns_upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dns_attempt.h"
#include "dns_servers.h"
#include "dockside/base/err.h"
#include "dockside/base/heap.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define RETRY_MS 300u  /* after all servers have failed, before they are asked again */
#define NO_ROOM_MS 50u /* before it is tried again whether there is */
#define EVENTS_MAX 64
#define DATAGRAMS 8u /* of one socket at a time */
#define DATAGRAM_MAX 4096u

#define NO_TCP "it cannot be asked over TCP"

struct question {
	struct heap_node timer;
	TAILQ_ENTRY(question) entry; /* among those that are done */
	struct dns_upstream *upstream;
	struct dns_asked asked;
	dns_upstream_fn fn;
	void *data;
	uint64_t until_ms, next_ms; /* the deadline, the next step */
	unsigned step;
	enum dns_upstream_status failure; /* the last one */
	uint8_t order[DNS_UPSTREAM_SERVERS_MAX];
	bool gone[DNS_UPSTREAM_SERVERS_MAX]; /* not to be asked again */
	struct dns_attempt attempts[];	     /* at each server */
};

TAILQ_HEAD(question_list, question);

struct dns_upstream {
	struct dns_servers servers;
	bool paced;
	unsigned timeout_ms;
	int epoll;
	struct heap timers; /* the open questions */
	struct question_list done;
	uint64_t sockets_ms; /* none could be had; not before then */
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
	case DNS_UPSTREAM_NOT_ASKED:
		return "not asked, as the DNS servers do not answer or refuse";
	}
	return NULL;
}

/* ------------------------------------------------------------------ the end of a question */

static bool any_open(const struct question *q)
{
	for (size_t i = 0; i < q->upstream->servers.n; i++)
		if (dns_attempt_is_open(&q->attempts[i]))
			return true;
	return false;
}

static void close_question(struct question *q)
{
	for (size_t i = 0; i < q->upstream->servers.n; i++)
		dns_attempt_close(&q->attempts[i]);
	heap_remove(&q->upstream->timers, &q->timer);
}

static void finish(struct question *q, const struct dns_upstream_result *result)
{
	heap_remove(&q->upstream->timers, &q->timer);
	TAILQ_INSERT_TAIL(&q->upstream->done, q, entry);
	q->fn(q->data, result); /* whose message may be in a connection */
	close_question(q);
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
	for (size_t i = 0; i < u->servers.n; i++)
		dns_server_sweep(&u->servers.items[i]);
}

/* ------------------------------------------------------------------ steps */

static unsigned count_steps(const struct dns_upstream *u)
{
	return u->servers.rounds * (unsigned)u->servers.n;
}

static unsigned step_ms(const struct question *q)
{
	return q->upstream->servers.try_ms << (q->step / q->upstream->servers.n);
}

static void set_next(struct question *q, uint64_t next_ms)
{
	q->next_ms = next_ms;
	heap_put(&q->upstream->timers, &q->timer, next_ms < q->until_ms ? next_ms : q->until_ms);
}

static bool no_resources(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -ENOSPC ||
	       r == -EAGAIN;
}

/* Puts the question to a server, perhaps again. Returns 0 or -errno; -EBUSY: not now. */
static int put(struct question *q, size_t server, uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;
	struct dns_attempt *a = &q->attempts[server];
	int r;

	if (now_ms < u->sockets_ms && !dns_attempt_is_open(a))
		return -EBUSY;
	r = dns_attempt_put(a, &q->asked, &u->random, now_ms);
	if (no_resources(r)) {
		u->sockets_ms = now_ms + NO_ROOM_MS;
		return -EBUSY;
	}
	return r;
}

/*
 * Whether an error of the network means that a server is not asked again. Anybody can forge ICMP errors, to all ports of a
 * server that has many questions at a socket, and not an answer. So the gate asks it again in the later rounds, by another
 * socket: a forger has to hit each round.
 */
static bool gives_up(const struct dns_upstream *u)
{
	return u->paced;
}

/* False: there is nothing left to wait for. */
static bool next_step(struct question *q, uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;

	for (; q->step < count_steps(u); q->step++) {
		size_t server = q->order[q->step % u->servers.n];
		int r;

		if (q->gone[server])
			continue;
		r = put(q, server, now_ms);
		if (r == -EBUSY && !any_open(q)) {
			set_next(q, now_ms + NO_ROOM_MS);
			return true;
		}
		if (r == 0 || r == -EBUSY) {
			set_next(q, now_ms + step_ms(q));
			q->step++;
			return true;
		}
		dns_attempt_close(&q->attempts[server]);
		if (q->step < u->servers.n) /* the next rounds come at once: it is one failure */
			dns_server_broken(&u->servers.items[server], strerrordesc_np(-r), now_ms);
		q->gone[server] = gives_up(u);
		q->failure = DNS_UPSTREAM_UNREACHABLE;
	}
	set_next(q, UINT64_MAX);
	return any_open(q);
}

/* The number of the server that was asked last. */
static size_t last_asked(const struct question *q)
{
	size_t n = q->upstream->servers.n;

	return q->order[(q->step + n - 1) % n];
}

/* The time of the last step is up. */
static bool on_step(struct question *q, uint64_t now_ms)
{
	struct dns_attempt *last = &q->attempts[last_asked(q)];

	if (q->step > 0 && dns_attempt_is_open(last)) {
		dns_server_outcome(last->server, DNS_PACE_SILENT, "it does not answer",
				   last->asked_ms, now_ms);
		dns_attempt_give_up_case(last);
	}
	return next_step(q, now_ms);
}

static void run_timers(struct dns_upstream *u, uint64_t now_ms)
{
	struct question *q;

	while ((q = (struct question *)heap_first(&u->timers)) && q->timer.key <= now_ms) {
		if (q->until_ms <= now_ms)
			fail(q, any_open(q) ? DNS_UPSTREAM_SILENCE : q->failure);
		else if (!on_step(q, now_ms))
			fail(q, q->failure);
	}
}

/* A server has failed: it is the next one's turn, or after a moment the next round's. */
static void on_failure(struct question *q, struct dns_attempt *a, enum dns_upstream_status why,
		       uint64_t now_ms)
{
	struct dns_upstream *u = q->upstream;
	size_t server = (size_t)(a - q->attempts);
	bool is_last = server == last_asked(q), round_ends = q->step % u->servers.n == 0;
	uint64_t at_ms = now_ms;

	dns_attempt_close(a);
	q->failure = why;
	if (!u->paced)
		q->gone[server] = true;
	if (any_open(q) && (!is_last || round_ends))
		return; /* others are waited for */
	if (u->paced && round_ends && q->step < count_steps(u) && why != DNS_UPSTREAM_UNREACHABLE)
		at_ms += RETRY_MS;
	if (q->next_ms > at_ms)
		set_next(q, at_ms);
}

/* Nothing will come from there. */
static void on_broken(struct question *q, struct dns_attempt *a, const char *why,
		      enum dns_upstream_status status, uint64_t now_ms)
{
	dns_server_broken(a->server, why, now_ms);
	on_failure(q, a, status, now_ms);
}

/* ------------------------------------------------------------------ answers */

/* An error that says nothing about the server. */
static bool is_our_limit(int r)
{
	return r == -EBUSY || no_resources(r);
}

static void renew(struct question *q, struct dns_attempt *a, uint64_t now_ms)
{
	int r = dns_attempt_renew(a, &q->asked, &q->upstream->random, now_ms);

	if (is_our_limit(r))
		on_failure(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
	else if (r < 0)
		on_broken(q, a, strerrordesc_np(-r), DNS_UPSTREAM_UNREACHABLE, now_ms);
}

static void on_tcp_failure(struct question *q, struct dns_attempt *a, uint64_t now_ms)
{
	if (dns_attempt_give_up_case(a))
		renew(q, a, now_ms);
	else
		on_broken(q, a, NO_TCP, DNS_UPSTREAM_UNREACHABLE, now_ms);
}

static void use_tcp(struct question *q, struct dns_attempt *a, bool for_case, uint64_t now_ms)
{
	int r;

	a->for_case = for_case;
	r = dns_attempt_use_tcp(a);
	if (is_our_limit(r))
		on_failure(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
	else if (r < 0)
		on_tcp_failure(q, a, now_ms);
}

/* A reply that is no answer. */
static void on_useless(struct question *q, struct dns_attempt *a, const uint8_t *message,
		       uint64_t now_ms)
{
	unsigned rcode = message[3] & 0xfu;

	if ((rcode == DNS_RCODE_FORMERR || rcode == DNS_RCODE_NOTIMP) &&
	    dns_try_has_edns(&a->try)) {
		a->server->no_edns = true;
		renew(q, a, now_ms);
		return;
	}
	on_broken(q, a, "its answer makes no sense", DNS_UPSTREAM_NONSENSE, now_ms);
}

static void on_answer(struct question *q, struct dns_attempt *a, const uint8_t *message, size_t len,
		      uint64_t now_ms)
{
	dns_server_outcome(a->server, DNS_PACE_ANSWERED, NULL, a->asked_ms, now_ms);
	dns_attempt_learn_edns(a, message);
	finish(q, &(struct dns_upstream_result){ DNS_UPSTREAM_ANSWERED, &q->upstream->answer,
						 message, len, a->try.len });
}

/* A reply to just what was asked. May finish the question. */
static void on_reply(struct question *q, struct dns_attempt *a, const uint8_t *message, size_t len,
		     bool tcp, uint64_t now_ms)
{
	struct dns_answer *answer = &q->upstream->answer;

	dns_answer_read(message, len, a->try.query, a->try.len, answer);
	switch (answer->verdict) {
	case DNS_ADDRESSES:
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		on_answer(q, a, message, len, now_ms);
		return;
	case DNS_TRUNCATED:
		if (tcp)
			break;
		use_tcp(q, a, false, now_ms);
		return;
	case DNS_SERVFAIL:
		dns_server_outcome(a->server, DNS_PACE_FAILED, "it fails", a->asked_ms, now_ms);
		on_failure(q, a, DNS_UPSTREAM_FAILURE, now_ms);
		return;
	case DNS_REFUSED:
		dns_server_outcome(a->server, DNS_PACE_REFUSED, "it refuses", a->asked_ms, now_ms);
		on_failure(q, a, DNS_UPSTREAM_REFUSAL, now_ms);
		return;
	case DNS_USELESS:
		break;
	}
	on_useless(q, a, message, now_ms);
}

/* ------------------------------------------------------------------ what comes by UDP */

static void on_datagram(struct dns_socket *socket, uint8_t *message, size_t len, bool cut,
			uint64_t now_ms)
{
	struct dns_try *try = dns_socket_find(socket, message, len);
	struct dns_attempt *a;

	if (!try)
		return;
	a = try->owner;
	if (cut)
		message[2] |= 2; /* we have not read all of it */
	if (dns_is_reply_to(message, len, try->query, try->len))
		on_reply(a->owner, a, message, len, false, now_ms);
	else if (dns_attempt_is_almost(a, message, len))
		use_tcp(a->owner, a, true, now_ms);
}

/* An error of the network, one failure of the server: all that were asked there go on. */
static void on_socket_error(struct dns_socket *socket, int error, uint64_t now_ms)
{
	struct dns_try *try;

	if (socket->n_open > 0)
		dns_server_broken(socket->server, strerrordesc_np(error), now_ms);
	dns_socket_retire(socket);
	for (size_t i = 0; i < ARRAY_SIZE(socket->tries); i++)
		while ((try = LIST_FIRST(&socket->tries[i]))) {
			struct dns_attempt *a = try->owner;
			struct question *q = a->owner;

			on_failure(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
			q->gone[a - q->attempts] = gives_up(q->upstream);
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
	struct dns_attempt *a = tcp->owner;
	const uint8_t *message = NULL;
	ssize_t n;

	if (!dns_tcp_is_open(tcp))
		return;
	n = dns_tcp_process(tcp, &message);
	if (n > 0 && (dns_is_reply_to(message, (size_t)n, a->try.query, a->try.len) ||
		      dns_attempt_is_almost(a, message, (size_t)n)))
		on_reply(a->owner, a, message, (size_t)n, true, now_ms);
	else if (n != 0)
		on_tcp_failure(a->owner, a, now_ms);
}

/* ------------------------------------------------------------------ questions */

int dns_upstream_ask(struct dns_upstream *u, const struct dns_name *name, unsigned type,
		     uint64_t until_ms, dns_upstream_fn fn, void *data)
{
	uint64_t now_ms = monotonic_ms();
	struct question *q;

	if (u->timers.n >= DNS_UPSTREAM_OPEN_MAX)
		return -EBUSY;
	q = xcalloc(1, sizeof(*q) + u->servers.n * sizeof(q->attempts[0]));
	q->upstream = u;
	q->asked = (struct dns_asked){ *name, type };
	q->fn = fn;
	q->data = data;
	q->failure = DNS_UPSTREAM_SILENCE;
	q->until_ms = now_ms + u->timeout_ms;
	if (until_ms != 0 && until_ms < q->until_ms)
		q->until_ms = until_ms;
	dns_servers_order(&u->servers, now_ms, q->order);
	for (size_t i = 0; i < u->servers.n; i++)
		dns_attempt_init(&q->attempts[i], &u->servers.items[i], q);
	if (next_step(q, now_ms))
		return 0;
	close_question(q);
	free(q);
	return -EHOSTUNREACH;
}

unsigned dns_upstream_room(const struct dns_upstream *u, uint64_t now_ms)
{
	return now_ms >= u->sockets_ms ? dns_servers_room(&u->servers, now_ms) : 0;
}

uint64_t dns_upstream_room_at(const struct dns_upstream *u, uint64_t now_ms)
{
	uint64_t at_ms = dns_servers_when(&u->servers, now_ms);

	return at_ms > u->sockets_ms ? at_ms : u->sockets_ms;
}

bool dns_upstream_scarce(const struct dns_upstream *u, uint64_t now_ms)
{
	return dns_servers_scarce(&u->servers, now_ms);
}

void dns_upstream_trouble(const struct dns_upstream *u, struct buf *ret_text)
{
	dns_servers_trouble(&u->servers, ret_text);
}

/* ------------------------------------------------------------------ for event loops */

int dns_upstream_fd(const struct dns_upstream *u)
{
	return u->epoll;
}

int dns_upstream_wait_ms(const struct dns_upstream *u, uint64_t now_ms)
{
	const struct heap_node *first = heap_first(&u->timers);

	if (!first)
		return -1;
	return first->key > now_ms ? (int)(first->key - now_ms) : 0;
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
	const struct dns_server *server = &u->servers.items[i];

	if (i >= u->servers.n)
		return false;
	*ret_health = (struct dns_upstream_health){
		.addr = server->addr,
		.ok = !server->why,
		.why = server->why,
	};
	return true;
}

/* ------------------------------------------------------------------ open and close */

void dns_upstream_configure(struct dns_upstream *u, const struct dns_upstream_conf *conf)
{
	struct question *q;

	if (dns_servers_have(&u->servers, conf))
		return;
	while ((q = (struct question *)heap_first(&u->timers)))
		fail(q, DNS_UPSTREAM_UNREACHABLE);
	free_done(u);
	dns_servers_free(&u->servers);
	dns_servers_init(&u->servers, conf, u->paced, u->timeout_ms, u->epoll);
}

void dns_upstream_forget(struct dns_upstream *u)
{
	struct question *q;

	while ((q = (struct question *)heap_first(&u->timers))) {
		close_question(q);
		TAILQ_INSERT_TAIL(&u->done, q, entry);
	}
	free_done(u);
	dns_servers_free(&u->servers);
}

int dns_upstream_open(bool paced, unsigned timeout_ms, struct dns_upstream **ret_upstream,
		      struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct dns_upstream *u;

	static_assert(offsetof(struct dns_socket, watch) == 0, "a watch is its socket");
	static_assert(offsetof(struct dns_tcp, watch) == 0, "a watch is its connection");
	static_assert(offsetof(struct question, timer) == 0, "a timer is its question");
	if (fd < 0)
		return err_errno(err, errno, "epoll_create1");
	u = xcalloc(1, sizeof(*u));
	u->epoll = fd;
	u->paced = paced;
	u->timeout_ms = timeout_ms;
	TAILQ_INIT(&u->done);
	*ret_upstream = u;
	return 0;
}

void dns_upstream_close(struct dns_upstream *u)
{
	if (!u)
		return;
	dns_upstream_forget(u);
	heap_free(&u->timers);
	close(u->epoll);
	free(u);
}
