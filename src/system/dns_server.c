/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_server.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define DNS_PORT 53
#define SOCKET_ASKS_MIN 256u /* and as many again, by lot */
#define SOCKET_LIFE_MS 30000u
#define FAILURES_OK 2u /* lost packets are the network's way */
#define DOWN_MS 1000u
#define DOWN_MAX_MS 30000u
#define EDNS_SIZE \
	1232u /* no datagram of an answer is fragmented, for half of one is easily forged */
#define EDNS_LEN 11u

void dns_random_draw(struct dns_random *random, void *ret, size_t len)
{
	if (random->n < len) {
		if (getrandom(random->b, sizeof(random->b), 0) != (ssize_t)sizeof(random->b))
			abort(); /* without chance there is no safety */
		random->n = sizeof(random->b);
	}
	random->n -= len;
	memcpy(ret, random->b + random->n, len);
}

/* ------------------------------------------------------------------ sockets */

static size_t bucket_of(const struct dns_socket *socket, const uint8_t *message)
{
	return message[1] % ARRAY_SIZE(socket->tries);
}

static void close_socket(struct dns_socket *socket)
{
	if (socket->watch.fd >= 0)
		close(socket->watch.fd); /* leaves epoll with it */
	socket->watch.fd = -1;
	LIST_REMOVE(socket, entry);
	LIST_INSERT_HEAD(&socket->server->closed, socket, entry);
}

void dns_socket_retire(struct dns_socket *socket)
{
	if (socket->slot < DNS_SERVER_SOCKETS)
		socket->server->slots[socket->slot] = NULL;
	socket->slot = DNS_SERVER_SOCKETS;
	if (socket->n_open == 0 && socket->watch.fd >= 0)
		close_socket(socket);
}

void dns_server_sweep(struct dns_server *server)
{
	struct dns_socket *socket;

	while ((socket = LIST_FIRST(&server->closed))) {
		LIST_REMOVE(socket, entry);
		free(socket);
	}
}

static int connect_socket(struct dns_server *server, struct dns_socket *s)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &s->watch };

	s->watch.fd = socket(server->sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->watch.fd < 0)
		return -errno;
	if (connect(s->watch.fd, (const struct sockaddr *)&server->sa, server->sa_len) < 0 ||
	    epoll_ctl(server->epoll, EPOLL_CTL_ADD, s->watch.fd, &event) < 0)
		return -errno;
	return 0;
}

static int open_socket(struct dns_server *server, struct dns_random *random, size_t slot,
		       uint64_t now_ms, struct dns_socket **ret_socket)
{
	struct dns_socket *s = xcalloc(1, sizeof(*s));
	uint8_t more;
	int r;

	dns_random_draw(random, &more, sizeof(more));
	s->watch.kind = DNS_WATCH_UDP;
	s->server = server;
	s->slot = slot;
	s->n_left = SOCKET_ASKS_MIN + more;
	s->until_ms = now_ms + SOCKET_LIFE_MS;
	r = connect_socket(server, s);
	if (r < 0) {
		if (s->watch.fd >= 0)
			close(s->watch.fd);
		free(s);
		return r;
	}
	LIST_INSERT_HEAD(&server->sockets, s, entry);
	if (slot < DNS_SERVER_SOCKETS)
		server->slots[slot] = s;
	*ret_socket = s;
	return 0;
}

/* Any that is open, where no further one can be. */
static struct dns_socket *any_socket(const struct dns_server *server, size_t from)
{
	for (size_t i = 0; i < DNS_SERVER_SOCKETS; i++) {
		struct dns_socket *s = server->slots[(from + i) % DNS_SERVER_SOCKETS];

		if (s)
			return s;
	}
	return NULL;
}

static int pick_socket(struct dns_server *server, struct dns_random *random, uint64_t now_ms,
		       struct dns_socket **ret_socket)
{
	uint8_t lot;
	int r = 0;

	if (server->paced)
		return open_socket(server, random, DNS_SERVER_SOCKETS, now_ms, ret_socket);
	dns_random_draw(random, &lot, sizeof(lot));
	lot %= DNS_SERVER_SOCKETS;
	if (server->slots[lot] &&
	    (server->slots[lot]->n_left == 0 || now_ms >= server->slots[lot]->until_ms))
		dns_socket_retire(server->slots[lot]);
	if (!server->slots[lot])
		r = open_socket(server, random, lot, now_ms, ret_socket);
	*ret_socket = any_socket(server, lot);
	return *ret_socket ? 0 : r;
}

/* ------------------------------------------------------------------ questions */

static void mix_case(struct dns_random *random, uint8_t *name, size_t len)
{
	uint8_t lots[DNS_NAME_MAX / 8 + 1];

	dns_random_draw(random, lots, sizeof(lots));
	for (size_t i = 0; i < len; i++) /* lengths of labels are no letters */
		if (name[i] >= 'a' && name[i] <= 'z' && (lots[i / 8] >> i % 8 & 1))
			name[i] = (uint8_t)(name[i] - 'a' + 'A');
}

void dns_server_write(const struct dns_server *server, struct dns_random *random,
		      const struct dns_name *name, unsigned type, struct dns_try *try)
{
	static const uint8_t edns[EDNS_LEN] = {
		[2] = 41, [3] = EDNS_SIZE >> 8, [4] = EDNS_SIZE & 0xff
	};
	uint16_t id;

	dns_random_draw(random, &id, sizeof(id));
	try->len = dns_query_write(name, (enum dns_type)type, id, try->query);
	if (!server->no_case)
		mix_case(random, try->query + DNS_HEADER_SIZE, name->len);
	memcpy(try->query + try->len, edns, sizeof(edns));
	try->query[11] = !server->no_edns;
}

size_t dns_try_length(const struct dns_try *try)
{
	return try->len + (dns_try_has_edns(try) ? EDNS_LEN : 0);
}

bool dns_try_has_edns(const struct dns_try *try)
{
	return try->query[11];
}

void dns_try_close(struct dns_try *try)
{
	struct dns_socket *socket = try->socket;

	if (!socket)
		return;
	LIST_REMOVE(try, entry);
	try->socket = NULL;
	socket->n_open--;
	if (socket->slot == DNS_SERVER_SOCKETS && socket->n_open == 0)
		close_socket(socket);
}

struct dns_try *dns_socket_find(const struct dns_socket *socket, const uint8_t *message, size_t len)
{
	struct dns_try *try;

	if (len < DNS_HEADER_SIZE)
		return NULL;
	LIST_FOREACH(try, &socket->tries[bucket_of(socket, message)], entry)
	if (memcmp(try->query, message, 2) == 0)
		return try;
	return NULL;
}

/* Lost datagrams are the network's way; only what says that nobody is there counts. */
static int send_query(const struct dns_socket *socket, const struct dns_try *try)
{
	if (send(socket->watch.fd, try->query, dns_try_length(try), MSG_NOSIGNAL) >= 0 ||
	    errno == EAGAIN || errno == ENOBUFS)
		return 0;
	return -errno;
}

int dns_server_send(struct dns_server *server, struct dns_random *random, struct dns_try *try,
		    uint64_t now_ms)
{
	struct dns_socket *socket = NULL;
	int r = pick_socket(server, random, now_ms, &socket);

	if (r < 0)
		return r;
	while (dns_socket_find(socket, try->query, DNS_HEADER_SIZE))
		dns_random_draw(random, try->query, 2);
	r = send_query(socket, try);
	if (r < 0) {
		dns_socket_retire(socket);
		return r;
	}
	try->socket = socket;
	LIST_INSERT_HEAD(&socket->tries[bucket_of(socket, try->query)], try, entry);
	socket->n_open++;
	socket->n_left -= socket->n_left > 0;
	return 0;
}

/* A server that does not know EDNS may say nothing. */
int dns_try_repeat(struct dns_try *try)
{
	try->query[11] = 0;
	return send_query(try->socket, try);
}

/* ------------------------------------------------------------------ health */

static void note_failure(struct dns_server *server, uint64_t now_ms)
{
	uint64_t ms = DOWN_MAX_MS;
	unsigned over;

	if (now_ms < server->down_until_ms || ++server->failures <= FAILURES_OK)
		return;
	over = server->failures - FAILURES_OK - 1;
	if (over < 5)
		ms = DOWN_MS << over;
	server->down_until_ms = now_ms + (ms < DOWN_MAX_MS ? ms : DOWN_MAX_MS);
}

void dns_server_broken(struct dns_server *server, const char *why, uint64_t now_ms)
{
	server->why = why;
	if (!server->paced)
		note_failure(server, now_ms);
}

void dns_server_outcome(struct dns_server *server, enum dns_pace_outcome outcome, const char *why,
			uint64_t asked_ms, uint64_t now_ms)
{
	server->why = why;
	if (server->paced) {
		dns_pace_outcome(&server->pace, outcome, asked_ms, now_ms);
		return;
	}
	switch (outcome) {
	case DNS_PACE_ANSWERED:
	case DNS_PACE_FAILED: /* of one name perhaps, so that it says nothing about the server */
		server->failures = 0;
		server->down_until_ms = 0;
		server->why = NULL;
		return;
	case DNS_PACE_REFUSED:
	case DNS_PACE_SILENT:
		note_failure(server, now_ms);
		return;
	}
}

bool dns_server_is_spared(const struct dns_server *server, uint64_t now_ms)
{
	return server->paced ? server->pace.pauses > 0 : now_ms < server->down_until_ms;
}

unsigned dns_server_room(const struct dns_server *server, uint64_t now_ms)
{
	if (server->paced)
		return dns_pace_room(&server->pace, now_ms);
	return dns_server_is_spared(server, now_ms) ? 0 : UINT_MAX;
}

/* ------------------------------------------------------------------ open and close */

static unsigned zone_index(const char *zone)
{
	uint64_t n;

	if (parse_uint(zone, strlen(zone), 1, UINT32_MAX, &n))
		return (unsigned)n;
	return if_nametoindex(zone);
}

void dns_server_init(struct dns_server *server, const struct dns_upstream_server *conf, bool paced,
		     int epoll)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&server->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&server->sa;
	char text[ADDR_STRLEN];

	*server = (struct dns_server){ .addr = conf->addr, .epoll = epoll, .paced = paced };
	if (conf->addr.family == FAMILY_IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(DNS_PORT);
		memcpy(&in->sin_addr, conf->addr.b, sizeof(in->sin_addr));
		server->sa_len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(DNS_PORT);
		memcpy(&in6->sin6_addr, conf->addr.b, sizeof(in6->sin6_addr));
		in6->sin6_scope_id = conf->zone[0] ? zone_index(conf->zone) : 0;
		server->sa_len = sizeof(*in6);
	}
	snprintf(server->text, sizeof(server->text), "%s%s%s", ipaddr_format(&conf->addr, text),
		 conf->zone[0] ? "%" : "", conf->zone);
	dns_pace_init(&server->pace);
}

void dns_server_free(struct dns_server *server)
{
	struct dns_socket *socket;

	while ((socket = LIST_FIRST(&server->sockets)))
		close_socket(socket);
	dns_server_sweep(server);
}
