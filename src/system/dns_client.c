/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A query waits until a server has room for it (dns_pace.h). Then it goes through steps: the servers one after
 * the other, those that are left alone last, and all of them once more with twice the time. A step puts the
 * question to its server and waits for a while; then comes the next. An earlier server's answer counts as long as
 * the query lives, which is until the deadline: of late answers none is lost, and the first one wins.
 *
 * To each server a query has a socket of its own, connected, so that the kernel takes packets of just this address
 * and port; its own port is one that the kernel draws, and the id is random. Everything else is passed over and
 * changes nothing: a forger has to guess both. An answer that does not fit into a datagram is asked for again over TCP.
 *
 * A query that is done is freed at the end of dns_client_process(), as more events of it may be in the same bunch.
 */
#include "dns_client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dns_attempt.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define ROUNDS_MAX 3u
#define TRY_MIN_MS 10u
#define RETRY_MS 300u  /* after all servers have failed, before they are asked again */
#define NO_ROOM_MS 50u /* before it is tried again whether there is */
#define EVENTS_MAX 64

struct query {
	TAILQ_ENTRY(query) entry; /* among those asked, those waiting, or those done */
	struct dns_client *client;
	struct dns_name name;
	enum dns_type type;
	dns_result_fn fn;
	void *data;
	uint64_t until_ms;
	uint64_t next_ms; /* the next step */
	unsigned step;
	size_t order[DNS_SERVERS_MAX];
	enum dns_status failure; /* the last one */
	struct dns_attempt attempts[DNS_SERVERS_MAX];
};

TAILQ_HEAD(query_list, query);

struct dns_client {
	struct dns_peers servers;
	unsigned rounds;
	unsigned try_ms, timeout_ms;
	int epoll;
	struct query_list asked, waiting, done;
	uint64_t sockets_ms; /* none could be had; not before then */
	size_t n_waiting;
	struct dns_answer answer;
	uint8_t message[DNS_MESSAGE_MAX];
};

const char *dns_status_text(enum dns_status status)
{
	switch (status) {
	case DNS_ANSWERED:
		return NULL;
	case DNS_SILENCE:
		return "Timeout while contacting DNS servers";
	case DNS_UNREACHABLE:
		return "Could not contact DNS servers";
	case DNS_FAILURE:
		return "DNS server returned general failure";
	case DNS_REFUSAL:
		return "DNS server refused query";
	case DNS_NONSENSE:
		return "Misformatted DNS reply";
	case DNS_NOT_ASKED:
		return "not asked, as the DNS servers do not answer or refuse";
	}
	return NULL;
}

static struct dns_pace *pace_of(struct query *q, size_t server)
{
	return &q->client->servers.items[server].pace;
}

/* ------------------------------------------------------------------ attempts */

static void close_attempt(struct query *q, size_t server)
{
	if (dns_attempt_is_open(&q->attempts[server]))
		dns_pace_done(pace_of(q, server));
	dns_attempt_close(&q->attempts[server]);
}

static bool any_open(const struct query *q)
{
	for (size_t i = 0; i < q->client->servers.n; i++)
		if (dns_attempt_is_open(&q->attempts[i]))
			return true;
	return false;
}

static bool no_resources(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -ENOSPC ||
	       r == -EADDRNOTAVAIL;
}

static int open_attempt(struct query *q, size_t server)
{
	struct dns_client *client = q->client;
	int r = dns_attempt_open(&q->attempts[server], &client->servers.items[server],
				 client->epoll, &q->name, q->type);

	if (r == 0)
		dns_pace_asked(pace_of(q, server), monotonic_ms());
	return r;
}

/* ------------------------------------------------------------------ the end of a query */

static void finish(struct query *q, const struct dns_result *result)
{
	struct dns_client *client = q->client;

	for (size_t i = 0; i < client->servers.n; i++)
		close_attempt(q, i);
	TAILQ_REMOVE(&client->asked, q, entry);
	TAILQ_INSERT_TAIL(&client->done, q, entry);
	q->fn(q->data, result);
}

static void fail(struct query *q, enum dns_status status)
{
	finish(q, &(struct dns_result){ .status = status });
}

static void free_done(struct dns_client *client)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&client->done))) {
		TAILQ_REMOVE(&client->done, q, entry);
		free(q);
	}
}

/* ------------------------------------------------------------------ steps */

static unsigned count_steps(const struct dns_client *client)
{
	return client->rounds * (unsigned)client->servers.n;
}

static unsigned step_ms(const struct query *q)
{
	return q->client->try_ms << (q->step / q->client->servers.n);
}

/* Puts the question to a server, perhaps again. Returns 0 or -errno; -EBUSY: not now. */
static int put(struct query *q, size_t server, uint64_t now_ms)
{
	struct dns_attempt *a = &q->attempts[server];
	int r = 0;

	if (a->tcp.fd >= 0)
		return 0;
	if (a->udp.fd >= 0) {
		dns_pace_repeated(pace_of(q, server), now_ms);
		r = dns_attempt_repeat(a);
	} else if (dns_pace_room(pace_of(q, server), now_ms) == 0 ||
		   now_ms < q->client->sockets_ms) {
		return -EBUSY;
	} else {
		r = open_attempt(q, server);
	}
	if (no_resources(r)) {
		q->client->sockets_ms = now_ms + NO_ROOM_MS;
		return -EBUSY;
	}
	if (r == 0)
		a->asked_ms = now_ms;
	return r;
}

/* May finish the query. */
static void next_step(struct query *q, uint64_t now_ms)
{
	struct dns_client *client = q->client;

	for (; q->step < count_steps(client); q->step++) {
		size_t server = q->order[q->step % client->servers.n];
		int r;

		if (q->attempts[server].gone)
			continue;
		r = put(q, server, now_ms);
		if (r == -EBUSY && !any_open(q)) {
			q->next_ms = now_ms + NO_ROOM_MS;
			return;
		}
		if (r == 0 || r == -EBUSY) {
			q->next_ms = now_ms + step_ms(q);
			q->step++;
			return;
		}
		close_attempt(q, server);
		q->attempts[server].gone = true;
		q->failure = DNS_UNREACHABLE;
	}
	if (any_open(q))
		q->next_ms = UINT64_MAX;
	else
		fail(q, q->failure);
}

/* The time of the last step is up. */
static void on_step(struct query *q, uint64_t now_ms)
{
	size_t last = q->order[(q->step + q->client->servers.n - 1) % q->client->servers.n];
	const struct dns_attempt *a = &q->attempts[last];

	if (q->step > 0 && dns_attempt_is_open(a))
		dns_pace_outcome(pace_of(q, last), DNS_PACE_SILENT, a->asked_ms, now_ms);
	next_step(q, now_ms);
}

/* A server has failed: it is the next one's turn, or after a moment the next round's. */
static void on_failure(struct query *q, size_t server, enum dns_status why, uint64_t now_ms)
{
	size_t n = q->client->servers.n;
	bool is_last = server == q->order[(q->step + n - 1) % n], round_ends = q->step % n == 0;
	uint64_t at_ms = now_ms;

	close_attempt(q, server);
	q->failure = why;
	if (any_open(q) && (!is_last || round_ends))
		return; /* others are waited for */
	if (round_ends && q->step < count_steps(q->client) && why != DNS_UNREACHABLE)
		at_ms += RETRY_MS;
	if (q->next_ms > at_ms)
		q->next_ms = at_ms;
}

/* ------------------------------------------------------------------ answers */

static void ask_tcp(struct query *q, size_t server, uint64_t now_ms)
{
	struct dns_client *client = q->client;

	if (dns_attempt_use_tcp(&q->attempts[server], &client->servers.items[server], client->epoll,
				&q->name, q->type) < 0)
		on_failure(q, server, DNS_UNREACHABLE, now_ms);
}

/* A reply to just what was asked. May finish the query. */
static void on_reply(struct query *q, struct dns_endpoint *endpoint, const uint8_t *message,
		     size_t len, uint64_t now_ms)
{
	struct dns_client *client = q->client;
	struct dns_attempt *a = &q->attempts[endpoint->server];
	struct dns_pace *pace = pace_of(q, endpoint->server);
	struct dns_answer *answer = &client->answer;

	dns_answer_read(message, len, a->query, a->len, answer);
	switch (answer->verdict) {
	case DNS_ADDRESSES:
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		dns_pace_outcome(pace, DNS_PACE_ANSWERED, a->asked_ms, now_ms);
		finish(q, &(struct dns_result){ DNS_ANSWERED, answer, message, len });
		return;
	case DNS_TRUNCATED:
		if (!endpoint->tcp) {
			ask_tcp(q, endpoint->server, now_ms);
			return;
		}
		break;
	case DNS_SERVFAIL:
		dns_pace_outcome(pace, DNS_PACE_FAILED, a->asked_ms, now_ms);
		on_failure(q, endpoint->server, DNS_FAILURE, now_ms);
		return;
	case DNS_REFUSED:
		dns_pace_outcome(pace, DNS_PACE_REFUSED, a->asked_ms, now_ms);
		on_failure(q, endpoint->server, DNS_REFUSAL, now_ms);
		return;
	case DNS_USELESS:
		break;
	}
	on_failure(q, endpoint->server, DNS_NONSENSE, now_ms);
}

static void on_event(struct dns_endpoint *endpoint, uint64_t now_ms)
{
	struct query *q = endpoint->owner;
	struct dns_client *client = q->client;
	struct dns_attempt *a = &q->attempts[endpoint->server];
	ssize_t n;

	if (endpoint->fd < 0)
		return;
	n = dns_attempt_receive(a, endpoint, client->epoll, client->message);
	if (n > 0) {
		on_reply(q, endpoint, client->message, (size_t)n, now_ms);
	} else if (n < 0) {
		a->gone = !endpoint->tcp;
		on_failure(q, endpoint->server, DNS_UNREACHABLE, now_ms);
	}
}

/* ------------------------------------------------------------------ questions */

static unsigned room(const struct dns_client *client, uint64_t now_ms)
{
	return now_ms >= client->sockets_ms ? dns_peers_room(&client->servers, now_ms) : 0;
}

static uint64_t room_at(const struct dns_client *client)
{
	uint64_t at_ms = dns_peers_when(&client->servers, monotonic_ms());

	return at_ms > client->sockets_ms ? at_ms : client->sockets_ms;
}

static void take_waiting(struct dns_client *client, struct query *q)
{
	TAILQ_REMOVE(&client->waiting, q, entry);
	client->n_waiting--;
	TAILQ_INSERT_TAIL(&client->asked, q, entry);
}

/* As many as there is room for. */
static void start_waiting(struct dns_client *client)
{
	uint64_t now_ms = monotonic_ms();
	struct query *q;

	while ((q = TAILQ_FIRST(&client->waiting)) && room(client, now_ms) > 0) {
		uint64_t until_ms = now_ms + client->timeout_ms;

		take_waiting(client, q);
		if (until_ms < q->until_ms || q->until_ms == 0)
			q->until_ms = until_ms;
		dns_peers_order(&client->servers, now_ms, q->order);
		next_step(q, now_ms);
	}
	free_done(client);
}

/* No server had room for these before their time was up. */
static void fail_waiting(struct dns_client *client, uint64_t now_ms)
{
	struct query *q = TAILQ_FIRST(&client->waiting), *next;

	for (; q; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (q->until_ms == 0 || q->until_ms > now_ms)
			continue;
		take_waiting(client, q);
		fail(q, DNS_NOT_ASKED);
	}
}

void dns_client_ask(struct dns_client *client, const struct dns_name *name, enum dns_type type,
		    uint64_t until_ms, dns_result_fn fn, void *data)
{
	struct query *q = xcalloc(1, sizeof(*q));

	q->client = client;
	q->name = *name;
	q->type = type;
	q->until_ms = until_ms;
	q->failure = DNS_SILENCE;
	q->fn = fn;
	q->data = data;
	for (size_t i = 0; i < DNS_SERVERS_MAX; i++)
		dns_attempt_init(&q->attempts[i], q, i);
	TAILQ_INSERT_TAIL(&client->waiting, q, entry);
	client->n_waiting++;
}

/* ------------------------------------------------------------------ for event loops */

int dns_client_fd(const struct dns_client *client)
{
	return client->epoll;
}

static int ms_until(uint64_t at_ms)
{
	uint64_t now_ms = monotonic_ms();

	if (at_ms == UINT64_MAX)
		return -1;
	return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

int dns_client_wait_ms(const struct dns_client *client)
{
	uint64_t at_ms = UINT64_MAX;
	const struct query *q;

	for (q = TAILQ_FIRST(&client->asked); q; q = TAILQ_NEXT(q, entry)) {
		if (q->next_ms < at_ms)
			at_ms = q->next_ms;
		if (q->until_ms < at_ms)
			at_ms = q->until_ms;
	}
	for (q = TAILQ_FIRST(&client->waiting); q; q = TAILQ_NEXT(q, entry))
		if (q->until_ms != 0 && q->until_ms < at_ms)
			at_ms = q->until_ms;
	if (!TAILQ_EMPTY(&client->waiting) && room_at(client) < at_ms)
		at_ms = room_at(client);
	return ms_until(at_ms);
}

static void run_timers(struct dns_client *client, uint64_t now_ms)
{
	struct query *q = TAILQ_FIRST(&client->asked), *next;

	for (; q; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (q->until_ms <= now_ms)
			fail(q, any_open(q) ? DNS_SILENCE : q->failure);
		else if (q->next_ms <= now_ms)
			on_step(q, now_ms);
	}
}

void dns_client_process(struct dns_client *client)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t now_ms = monotonic_ms();
	int n = epoll_wait(client->epoll, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++)
		on_event(events[i].data.ptr, now_ms);
	run_timers(client, now_ms);
	fail_waiting(client, now_ms);
	free_done(client);
	start_waiting(client);
}

unsigned dns_client_room(const struct dns_client *client)
{
	unsigned n = room(client, monotonic_ms());

	return n > client->n_waiting ? n - (unsigned)client->n_waiting : 0;
}

int dns_client_room_ms(const struct dns_client *client)
{
	return ms_until(room_at(client));
}

bool dns_client_scarce(const struct dns_client *client)
{
	return dns_peers_scarce(&client->servers, monotonic_ms());
}

void dns_client_trouble(const struct dns_client *client, struct buf *ret_text)
{
	dns_peers_trouble(&client->servers, ret_text);
}

/* ------------------------------------------------------------------ open and close */

/* All rounds, each of twice the time of the one before, take 4/5 of the time that there is: others wait no
 * longer than the whole of it, and the last tries want to be answered. */
static void plan_tries(struct dns_client *client, const struct dns_conf *conf)
{
	unsigned shares;

	client->rounds = conf->attempts < ROUNDS_MAX ? conf->attempts : ROUNDS_MAX;
	shares = ((1u << client->rounds) - 1) * (unsigned)client->servers.n;
	assert(shares > 0);
	client->try_ms = client->timeout_ms / shares;
	if (client->try_ms > 1000 * conf->timeout_s)
		client->try_ms = 1000 * conf->timeout_s;
	if (client->try_ms < TRY_MIN_MS)
		client->try_ms = TRY_MIN_MS;
}

static void free_list(struct query_list *list)
{
	struct query *q;

	while ((q = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, q, entry);
		for (size_t i = 0; i < q->client->servers.n; i++)
			close_attempt(q, i);
		free(q);
	}
}

static void free_queries(struct dns_client *client)
{
	free_list(&client->asked);
	free_list(&client->waiting);
	free_list(&client->done);
	client->n_waiting = 0;
}

void dns_client_configure(struct dns_client *client, const struct dns_conf *conf)
{
	free_queries(client);
	dns_peers_init(&client->servers, conf);
	plan_tries(client, conf);
}

int dns_client_open(const struct dns_conf *conf, unsigned timeout_ms,
		    struct dns_client **ret_client, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct dns_client *client;

	if (fd < 0)
		return err_errno(err, errno, "epoll_create1");
	client = xcalloc(1, sizeof(*client));
	client->epoll = fd;
	client->timeout_ms = timeout_ms / 5 * 4;
	TAILQ_INIT(&client->asked);
	TAILQ_INIT(&client->waiting);
	TAILQ_INIT(&client->done);
	dns_client_configure(client, conf);
	*ret_client = client;
	return 0;
}

void dns_client_close(struct dns_client *client)
{
	if (!client)
		return;
	free_queries(client);
	close(client->epoll);
	free(client);
}
