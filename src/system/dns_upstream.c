/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A reply counts if it comes on the socket of an attempt (so from the server's address and port 53), with its id and
 * its question byte for byte, the letters' mixed case included; anything else changes nothing. Some servers do
 * not keep the case: whoever sends the right id and letters is asked over TCP, where nobody forges, as after a
 * truncated reply.
 */
#include "dockside/system/dns_upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dns_question.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define EVENTS_MAX 64
#define DATAGRAMS 8u /* of one socket at a time */
#define DATAGRAM_MAX 4096u

#define NO_TCP "it cannot be asked over TCP"

struct dns_upstream {
	struct dns_questions questions;
	unsigned timeout_ms;
	int epoll;
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

/* Nothing will come from there. */
static void on_broken(struct dns_question *q, struct dns_attempt *a, const char *why,
		      enum dns_upstream_status status, uint64_t now_ms)
{
	dns_server_broken(a->server, why, now_ms);
	dns_question_failed(q, a, status, now_ms);
}

/* ------------------------------------------------------------------ answers */

/* An error that says nothing about the server. */
static bool is_our_limit(int r)
{
	return r == -EBUSY || dns_no_resources(r);
}

static void renew(struct dns_question *q, struct dns_attempt *a, uint64_t now_ms)
{
	int r = dns_attempt_renew(a, &q->asked, &q->all->random, now_ms);

	if (is_our_limit(r))
		dns_question_failed(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
	else if (r < 0)
		on_broken(q, a, strerrordesc_np(-r), DNS_UPSTREAM_UNREACHABLE, now_ms);
}

static void on_tcp_failure(struct dns_question *q, struct dns_attempt *a, uint64_t now_ms)
{
	if (dns_attempt_give_up_case(a))
		renew(q, a, now_ms);
	else
		on_broken(q, a, NO_TCP, DNS_UPSTREAM_UNREACHABLE, now_ms);
}

static void use_tcp(struct dns_question *q, struct dns_attempt *a, bool for_case, uint64_t now_ms)
{
	int r;

	a->for_case = for_case;
	r = dns_attempt_use_tcp(a);
	if (is_our_limit(r))
		dns_question_failed(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
	else if (r < 0)
		on_tcp_failure(q, a, now_ms);
}

/* A reply that is no answer. */
static void on_useless(struct dns_question *q, struct dns_attempt *a, const uint8_t *message,
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

static void on_answer(struct dns_question *q, struct dns_attempt *a, const uint8_t *message,
		      size_t len, uint64_t now_ms)
{
	dns_server_outcome(a->server, DNS_PACE_ANSWERED, NULL, a->asked_ms, now_ms);
	dns_attempt_learn_edns(a, message);
	dns_question_finish(q,
			    &(struct dns_upstream_result){ DNS_UPSTREAM_ANSWERED, &q->all->answer,
							   message, len, a->try.len });
}

/* A reply to just what was asked. May finish the question. */
static void on_reply(struct dns_question *q, struct dns_attempt *a, const uint8_t *message,
		     size_t len, bool tcp, uint64_t now_ms)
{
	struct dns_answer *answer = &q->all->answer;

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
		dns_question_failed(q, a, DNS_UPSTREAM_FAILURE, now_ms);
		return;
	case DNS_REFUSED:
		dns_server_outcome(a->server, DNS_PACE_REFUSED, "it refuses", a->asked_ms, now_ms);
		dns_question_failed(q, a, DNS_UPSTREAM_REFUSAL, now_ms);
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
			struct dns_question *q = a->owner;

			dns_question_failed(q, a, DNS_UPSTREAM_UNREACHABLE, now_ms);
			q->gone[a - q->attempts] = dns_questions_give_up(q->all);
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
	struct dns_question *q;

	if (u->questions.timers.n >= DNS_UPSTREAM_OPEN_MAX)
		return -EBUSY;
	q = xcalloc(1, sizeof(*q) + u->questions.servers.n * sizeof(q->attempts[0]));
	q->all = &u->questions;
	q->asked = (struct dns_asked){ *name, type };
	q->fn = fn;
	q->data = data;
	q->failure = DNS_UPSTREAM_SILENCE;
	q->until_ms = now_ms + u->timeout_ms;
	if (until_ms != 0 && until_ms < q->until_ms)
		q->until_ms = until_ms;
	dns_servers_order(&u->questions.servers, now_ms, q->order);
	for (size_t i = 0; i < u->questions.servers.n; i++)
		dns_attempt_init(&q->attempts[i], &u->questions.servers.items[i], q);
	if (dns_question_step(q, now_ms))
		return 0;
	dns_question_close(q);
	free(q);
	return -EHOSTUNREACH;
}

unsigned dns_upstream_room(const struct dns_upstream *u, uint64_t now_ms)
{
	return now_ms >= u->questions.sockets_ms ? dns_servers_room(&u->questions.servers, now_ms)
						 : 0;
}

uint64_t dns_upstream_room_at(const struct dns_upstream *u, uint64_t now_ms)
{
	uint64_t at_ms = dns_servers_when(&u->questions.servers, now_ms);

	return at_ms > u->questions.sockets_ms ? at_ms : u->questions.sockets_ms;
}

bool dns_upstream_scarce(const struct dns_upstream *u, uint64_t now_ms)
{
	return dns_servers_scarce(&u->questions.servers, now_ms);
}

void dns_upstream_trouble(const struct dns_upstream *u, struct buf *ret_text)
{
	dns_servers_trouble(&u->questions.servers, ret_text);
}

/* ------------------------------------------------------------------ for event loops */

int dns_upstream_fd(const struct dns_upstream *u)
{
	return u->epoll;
}

int dns_upstream_wait_ms(const struct dns_upstream *u, uint64_t now_ms)
{
	const struct heap_node *first = heap_first(&u->questions.timers);

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
	dns_questions_time(&u->questions, now_ms);
	dns_questions_sweep(&u->questions);
}

bool dns_upstream_health(const struct dns_upstream *u, size_t i,
			 struct dns_upstream_health *ret_health)
{
	const struct dns_server *server = &u->questions.servers.items[i];

	if (i >= u->questions.servers.n)
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
	struct dns_question *q;

	if (dns_servers_have(&u->questions.servers, conf))
		return;
	while ((q = (struct dns_question *)heap_first(&u->questions.timers)))
		dns_question_fail(q, DNS_UPSTREAM_UNREACHABLE);
	dns_questions_sweep(&u->questions);
	dns_servers_free(&u->questions.servers);
	dns_servers_init(&u->questions.servers, conf, u->questions.paced, u->timeout_ms, u->epoll);
}

void dns_upstream_forget(struct dns_upstream *u)
{
	struct dns_question *q;

	while ((q = (struct dns_question *)heap_first(&u->questions.timers))) {
		dns_question_close(q);
		TAILQ_INSERT_TAIL(&u->questions.done, q, entry);
	}
	dns_questions_sweep(&u->questions);
	dns_servers_free(&u->questions.servers);
}

int dns_upstream_open(bool paced, unsigned timeout_ms, struct dns_upstream **ret_upstream,
		      struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct dns_upstream *u;

	static_assert(offsetof(struct dns_socket, watch) == 0, "a watch is its socket");
	static_assert(offsetof(struct dns_tcp, watch) == 0, "a watch is its connection");
	static_assert(offsetof(struct dns_question, timer) == 0, "a timer is its question");
	if (fd < 0)
		return err_errno(err, errno, "epoll_create1");
	u = xcalloc(1, sizeof(*u));
	u->epoll = fd;
	u->questions.paced = paced;
	u->timeout_ms = timeout_ms;
	TAILQ_INIT(&u->questions.done);
	*ret_upstream = u;
	return 0;
}

void dns_upstream_close(struct dns_upstream *u)
{
	if (!u)
		return;
	dns_upstream_forget(u);
	heap_free(&u->questions.timers);
	close(u->epoll);
	free(u);
}
