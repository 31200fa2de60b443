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
 * and port; its own port is one that the kernel draws, and the id is random. Whatever else comes is passed over and
 * changes nothing: a forger has to guess both. What does not fit into a datagram is asked for again over TCP.
 *
 * A query that is done is freed at the end of dns_client_process(), as more events of it may be in the same bunch.
 */
#include "dockside/dns_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/clock.h"
#include "dockside/dns_pace.h"
#include "dockside/util.h"

#define DNS_PORT 53
#define ROUNDS_MAX 3u
#define TRY_MIN_MS 10u
#define RETRY_MS 300u  /* after all servers have failed, before they are asked again */
#define NO_ROOM_MS 50u /* before it is tried again whether there is */
#define EVENTS_MAX 64
#define DATAGRAMS_MAX 16 /* of one socket at a time */
#define MESSAGE_MAX 65535u

struct server {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char text[ADDR_STRLEN + DNS_ZONE_MAX + 1];
	struct dns_pace pace;
};

/* What epoll knows. */
struct endpoint {
	struct query *query;
	size_t server;
	int fd; /* -1: closed */
	bool tcp;
};

/* A query at one server. */
struct attempt {
	struct endpoint udp, tcp;
	uint8_t query[DNS_QUERY_MAX]; /* the message, of either */
	size_t len;
	uint64_t asked_ms;
	bool gone; /* nobody listens there */
	bool sent; /* over TCP */
	uint8_t *in;
	size_t n_in, size_in; /* over TCP; the length of two bytes goes before the message */
};

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
	struct attempt attempts[DNS_SERVERS_MAX];
};

TAILQ_HEAD(query_list, query);

struct dns_client {
	struct server servers[DNS_SERVERS_MAX];
	size_t n_servers;
	unsigned rounds;
	unsigned try_ms, timeout_ms;
	int epoll;
	struct query_list asked, waiting, done;
	uint64_t sockets_ms; /* none could be had; not before then */
	size_t n_waiting;
	struct dns_answer answer;
	uint8_t message[MESSAGE_MAX];
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
	return &q->client->servers[server].pace;
}

/* ------------------------------------------------------------------ sockets */

static void close_endpoint(struct endpoint *endpoint)
{
	if (endpoint->fd >= 0)
		close(endpoint->fd); /* leaves epoll with it */
	endpoint->fd = -1;
}

static bool is_open(const struct attempt *a)
{
	return a->udp.fd >= 0 || a->tcp.fd >= 0;
}

static void close_attempt(struct query *q, size_t server)
{
	struct attempt *a = &q->attempts[server];

	if (is_open(a))
		dns_pace_done(pace_of(q, server));
	close_endpoint(&a->udp);
	close_endpoint(&a->tcp);
	free(a->in);
	a->in = NULL;
	a->n_in = a->size_in = 0;
	a->sent = false;
}

static bool any_open(const struct query *q)
{
	for (size_t i = 0; i < q->client->n_servers; i++)
		if (is_open(&q->attempts[i]))
			return true;
	return false;
}

static int watch(struct dns_client *client, struct endpoint *endpoint, uint32_t events, int op)
{
	struct epoll_event event = { .events = events, .data.ptr = endpoint };

	return epoll_ctl(client->epoll, op, endpoint->fd, &event) < 0 ? -errno : 0;
}

/* Connected, or about to be. Returns 0 or -errno. */
static int open_endpoint(struct query *q, struct endpoint *endpoint)
{
	const struct server *server = &q->client->servers[endpoint->server];
	int type = (endpoint->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int r = 0;

	endpoint->fd = socket(server->addr.ss_family, type, 0);
	if (endpoint->fd < 0)
		return -errno;
	if (connect(endpoint->fd, (const struct sockaddr *)&server->addr, server->addr_len) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	if (r == 0)
		r = watch(q->client, endpoint, endpoint->tcp ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
	if (r < 0)
		close_endpoint(endpoint);
	return r;
}

static bool no_resources(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -ENOSPC ||
	       r == -EADDRNOTAVAIL;
}

static int write_query(struct query *q, struct attempt *a)
{
	uint16_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	a->len = dns_query_write(&q->name, q->type, id, a->query);
	return 0;
}

/* Lost datagrams are the network's way; only what says that nobody is there counts. */
static int send_query(const struct attempt *a)
{
	if (send(a->udp.fd, a->query, a->len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN ||
	    errno == ENOBUFS)
		return 0;
	return -errno;
}

static int open_attempt(struct query *q, size_t server)
{
	struct attempt *a = &q->attempts[server];
	int r = write_query(q, a);

	if (r == 0)
		r = open_endpoint(q, &a->udp);
	if (r < 0)
		return r;
	r = send_query(a);
	if (r < 0)
		close_endpoint(&a->udp);
	else
		dns_pace_asked(pace_of(q, server), monotonic_ms());
	return r;
}

/* ------------------------------------------------------------------ the end of a query */

static void finish(struct query *q, const struct dns_result *result)
{
	struct dns_client *client = q->client;

	for (size_t i = 0; i < client->n_servers; i++)
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
	return client->rounds * (unsigned)client->n_servers;
}

static unsigned step_ms(const struct query *q)
{
	return q->client->try_ms << (q->step / q->client->n_servers);
}

/* Puts the question to a server, perhaps again. Returns 0 or -errno; -EBUSY: not now. */
static int put(struct query *q, size_t server, uint64_t now_ms)
{
	struct attempt *a = &q->attempts[server];
	int r = 0;

	if (a->tcp.fd >= 0)
		return 0;
	if (a->udp.fd >= 0) {
		dns_pace_repeated(pace_of(q, server), now_ms);
		r = send_query(a);
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
		size_t server = q->order[q->step % client->n_servers];
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
	size_t last = q->order[(q->step + q->client->n_servers - 1) % q->client->n_servers];
	const struct attempt *a = &q->attempts[last];

	if (q->step > 0 && is_open(a))
		dns_pace_outcome(pace_of(q, last), DNS_PACE_SILENT, a->asked_ms, now_ms);
	next_step(q, now_ms);
}

/* A server is of no use: the next one's turn, or after a moment the next round's. */
static void on_failure(struct query *q, size_t server, enum dns_status why, uint64_t now_ms)
{
	size_t n = q->client->n_servers;
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
	struct attempt *a = &q->attempts[server];
	int r = write_query(q, a);

	if (r == 0)
		r = open_endpoint(q, &a->tcp);
	if (r == 0)
		close_endpoint(&a->udp);
	else
		on_failure(q, server, DNS_UNREACHABLE, now_ms);
}

/* A reply to just what was asked. May finish the query. */
static void on_reply(struct query *q, struct endpoint *endpoint, const uint8_t *message, size_t len,
		     uint64_t now_ms)
{
	struct dns_client *client = q->client;
	struct attempt *a = &q->attempts[endpoint->server];
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

static void on_datagrams(struct query *q, struct endpoint *endpoint, uint64_t now_ms)
{
	struct dns_client *client = q->client;
	struct attempt *a = &q->attempts[endpoint->server];

	for (int i = 0; i < DATAGRAMS_MAX && endpoint->fd >= 0; i++) {
		ssize_t n = recv(endpoint->fd, client->message, sizeof(client->message), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* an ICMP error */
			a->gone = true;
			on_failure(q, endpoint->server, DNS_UNREACHABLE, now_ms);
			return;
		}
		if (dns_is_reply_to(client->message, (size_t)n, a->query, a->len))
			on_reply(q, endpoint, client->message, (size_t)n, now_ms);
	}
}

/* Connected, or not. */
static bool send_tcp(struct query *q, struct endpoint *endpoint)
{
	struct attempt *a = &q->attempts[endpoint->server];
	uint8_t out[2 + DNS_QUERY_MAX];
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(endpoint->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
		return false;
	out[0] = (uint8_t)(a->len >> 8);
	out[1] = (uint8_t)a->len;
	memcpy(out + 2, a->query, a->len);
	/* An empty send buffer takes that much at once. */
	if (send(endpoint->fd, out, 2 + a->len, MSG_NOSIGNAL) != (ssize_t)(2 + a->len))
		return false;
	a->sent = true;
	a->size_in = 2;
	a->in = xmalloc(a->size_in);
	return watch(q->client, endpoint, EPOLLIN, EPOLL_CTL_MOD) == 0;
}

/* Returns false where the connection is of no use any more. */
static bool receive_tcp(struct query *q, struct endpoint *endpoint, uint64_t now_ms)
{
	struct attempt *a = &q->attempts[endpoint->server];
	ssize_t n = recv(endpoint->fd, a->in + a->n_in, a->size_in - a->n_in, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	a->n_in += (size_t)n;
	if (a->n_in < a->size_in)
		return true;
	if (a->size_in == 2) {
		a->size_in += (size_t)a->in[0] << 8 | a->in[1];
		a->in = xreallocarray(a->in, a->size_in, 1);
		return a->size_in > 2;
	}
	if (!dns_is_reply_to(a->in + 2, a->size_in - 2, a->query, a->len))
		return false;
	memcpy(q->client->message, a->in + 2, a->size_in - 2);
	on_reply(q, endpoint, q->client->message, a->size_in - 2, now_ms);
	return true;
}

static void on_event(struct endpoint *endpoint, uint64_t now_ms)
{
	struct query *q = endpoint->query;

	if (endpoint->fd < 0)
		return;
	if (!endpoint->tcp)
		on_datagrams(q, endpoint, now_ms);
	else if (!(q->attempts[endpoint->server].sent ? receive_tcp(q, endpoint, now_ms)
						      : send_tcp(q, endpoint)))
		on_failure(q, endpoint->server, DNS_UNREACHABLE, now_ms);
}

/* ------------------------------------------------------------------ questions */

/* The first one of resolv.conf that is not left alone; others are for when that fails: where they know
 * other names, its word counts, and not who has most time. NULL: all are left alone. */
static const struct server *preferred(const struct dns_client *client, uint64_t now_ms)
{
	for (size_t i = 0; i < client->n_servers; i++) {
		const struct dns_pace *pace = &client->servers[i].pace;

		if (pace->pauses == 0 || dns_pace_room(pace, now_ms) > 0)
			return &client->servers[i];
	}
	return NULL;
}

static void choose_order(struct query *q, uint64_t now_ms)
{
	const struct dns_client *client = q->client;
	const struct server *first = preferred(client, now_ms);
	size_t n = 0;

	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < client->n_servers; i++) {
			const struct server *server = &client->servers[i];
			int wanted = server == first ? 0 : server->pace.pauses == 0 ? 1 : 2;

			if (wanted == turn)
				q->order[n++] = i;
		}
	}
}

static unsigned room(const struct dns_client *client, uint64_t now_ms)
{
	const struct server *server = preferred(client, now_ms);

	return server && now_ms >= client->sockets_ms ? dns_pace_room(&server->pace, now_ms) : 0;
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
		choose_order(q, now_ms);
		next_step(q, now_ms);
	}
	free_done(client);
}

/* Those that nobody has had room for until it was too late. */
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
	for (size_t i = 0; i < DNS_SERVERS_MAX; i++) {
		q->attempts[i].udp = (struct endpoint){ q, i, -1, false };
		q->attempts[i].tcp = (struct endpoint){ q, i, -1, true };
	}
	TAILQ_INSERT_TAIL(&client->waiting, q, entry);
	client->n_waiting++;
}

/* ------------------------------------------------------------------ for event loops */

int dns_client_fd(const struct dns_client *client)
{
	return client->epoll;
}

static uint64_t room_ms(const struct dns_client *client)
{
	const struct server *server = preferred(client, monotonic_ms());
	uint64_t at_ms = server ? dns_pace_when(&server->pace) : UINT64_MAX;

	for (size_t i = 0; !server && i < client->n_servers; i++) {
		uint64_t when_ms = dns_pace_when(&client->servers[i].pace);

		if (when_ms < at_ms)
			at_ms = when_ms;
	}
	return at_ms > client->sockets_ms ? at_ms : client->sockets_ms;
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

	TAILQ_FOREACH(q, &client->asked, entry)
	{
		if (q->next_ms < at_ms)
			at_ms = q->next_ms;
		if (q->until_ms < at_ms)
			at_ms = q->until_ms;
	}
	TAILQ_FOREACH(q, &client->waiting, entry)
	if (q->until_ms != 0 && q->until_ms < at_ms)
		at_ms = q->until_ms;
	if (!TAILQ_EMPTY(&client->waiting) && room_ms(client) < at_ms)
		at_ms = room_ms(client);
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
	return ms_until(room_ms(client));
}

bool dns_client_scarce(const struct dns_client *client)
{
	const struct server *server = preferred(client, monotonic_ms());

	return !server || dns_pace_scarce(&server->pace);
}

void dns_client_trouble(const struct dns_client *client, struct buf *ret_text)
{
	buf_reset(ret_text);
	for (size_t i = 0; i < client->n_servers; i++) {
		const struct server *server = &client->servers[i];

		if (!dns_pace_scarce(&server->pace))
			continue;
		if (ret_text->len > 0)
			buf_puts(ret_text, "; ");
		if (server->pace.pauses > 0)
			buf_printf(ret_text, "name server %s %s, and is asked now and then only",
				   server->text, server->pace.silent ? "is silent" : "refuses");
		else
			buf_printf(ret_text,
				   "name server %s limits questions, and is asked %u a minute",
				   server->text, server->pace.per_minute);
	}
}

/* ------------------------------------------------------------------ open and close */

static unsigned zone_index(const char *zone)
{
	uint64_t n;

	if (parse_uint(zone, strlen(zone), 1, UINT32_MAX, &n))
		return (unsigned)n;
	return if_nametoindex(zone);
}

static void init_server(struct server *server, const struct dns_server *conf)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&server->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&server->addr;
	char text[ADDR_STRLEN];

	*server = (struct server){ .addr_len = 0 };

	if (conf->addr.family == FAMILY_IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(DNS_PORT);
		memcpy(&in->sin_addr, conf->addr.b, sizeof(in->sin_addr));
		server->addr_len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(DNS_PORT);
		memcpy(&in6->sin6_addr, conf->addr.b, sizeof(in6->sin6_addr));
		in6->sin6_scope_id = conf->zone[0] ? zone_index(conf->zone) : 0;
		server->addr_len = sizeof(*in6);
	}
	snprintf(server->text, sizeof(server->text), "%s%s%s", ipaddr_format(&conf->addr, text),
		 conf->zone[0] ? "%" : "", conf->zone);
	dns_pace_init(&server->pace);
}

/* All rounds, each of twice the time of the one before, take 4/5 of the time that there is: others wait no
 * longer than the whole of it, and the last tries want to be answered. */
static void plan_tries(struct dns_client *client, const struct dns_conf *conf)
{
	unsigned shares;

	client->rounds = conf->attempts < ROUNDS_MAX ? conf->attempts : ROUNDS_MAX;
	shares = ((1u << client->rounds) - 1) * (unsigned)client->n_servers;
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
		for (size_t i = 0; i < q->client->n_servers; i++)
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
	client->n_servers = conf->n_servers;
	for (size_t i = 0; i < conf->n_servers; i++)
		init_server(&client->servers[i], &conf->servers[i]);
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
