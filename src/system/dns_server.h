/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One name server: how it fares, and the sockets by which it is asked.
 *
 * A question of the gate goes out by one of DNS_SERVER_SOCKETS connected sockets, drawn by lot; each gives way to a new
 * one, with another port, after some hundred questions. A question of a paced client has a socket of its own. With the
 * port, the id and the case of the letters a forger has to guess some 40 bits and more, and only while the question is
 * open.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_SERVER_H
#define DOCKSIDE_SYSTEM_DNS_SERVER_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "dns_pace.h"
#include "dockside/base/addr.h"
#include "dockside/system/dns_message.h"
#include "dockside/system/dns_upstream.h"

#define DNS_SERVER_SOCKETS 64u
#define DNS_SERVER_QUERY_MAX (DNS_QUERY_MAX + 11u) /* with EDNS */

enum dns_watch_kind {
	DNS_WATCH_UDP, /* a struct dns_socket */
	DNS_WATCH_TCP, /* a struct dns_tcp */
};

/* epoll's data points to this. */
struct dns_watch {
	enum dns_watch_kind kind;
	int fd; /* -1: closed */
};

struct dns_server;

/* One question on one socket of a server. */
struct dns_try {
	LIST_ENTRY(dns_try) entry; /* among those of the socket with a like id */
	void *owner;		   /* the caller's */
	struct dns_server *server;
	struct dns_socket *socket; /* NULL: not open */
	size_t len;		   /* of the query, without EDNS */
	uint8_t query[DNS_SERVER_QUERY_MAX];
};

LIST_HEAD(dns_try_list, dns_try);

struct dns_socket {
	struct dns_watch watch;
	struct dns_server *server;
	LIST_ENTRY(dns_socket) entry; /* among the server's */
	size_t slot;		      /* DNS_SERVER_SOCKETS: no further question */
	unsigned n_open, n_left;      /* tries that wait; questions until it retires */
	uint64_t until_ms;	      /* then it retires, too */
	struct dns_try_list tries[16];
};

LIST_HEAD(dns_socket_list, dns_socket);

/* Random bytes, drawn in bulk. Zero-initialise. */
struct dns_random {
	uint8_t b[256]; /* the kernel gives as many without interruption */
	size_t n;	/* left */
};

void dns_random_draw(struct dns_random *random, void *ret, size_t len);

struct dns_server {
	struct ipaddr addr;
	char text[ADDR_STRLEN + DNS_ZONE_MAX + 1];
	struct sockaddr_storage sa;
	socklen_t sa_len;
	int epoll;
	struct dns_socket *slots[DNS_SERVER_SOCKETS];
	struct dns_socket_list sockets;
	struct dns_socket_list closed; /* until the end of this round of events */
	unsigned n_tcp;		       /* questions over TCP */
	unsigned edns_lost;	       /* answers in a row that came only without EDNS */
	bool no_edns;		       /* it does not know it */
	bool no_case; /* it does not keep the letters' case, and cannot be asked over TCP */
	bool paced;
	struct dns_pace pace;	/* if it is */
	unsigned failures;	/* else: in a row */
	uint64_t down_until_ms; /* else: others are asked first */
	const char *why;	/* of the last failure */
};

void dns_server_init(struct dns_server *server, const struct dns_upstream_server *conf, bool paced,
		     int epoll);
void dns_server_free(struct dns_server *server);

/* Writes a question, the letters of the name in mixed case and with a random id, for UDP or TCP. */
void dns_server_write(const struct dns_server *server, struct dns_random *random,
		      const struct dns_name *name, unsigned type, struct dns_try *try);
/* Each returns 0 or -errno: puts it; puts it once more, as it is but without EDNS. */
int dns_server_send(struct dns_server *server, struct dns_random *random, struct dns_try *try,
		    uint64_t now_ms);
int dns_try_repeat(struct dns_try *try);
/* It waits for nothing any more. */
void dns_try_close(struct dns_try *try);
/* The bytes of the query, with EDNS if it has that. */
size_t dns_try_length(const struct dns_try *try);
bool dns_try_has_edns(const struct dns_try *try);

/* The try on a socket that a message answers, by its id alone; NULL if there is none. */
struct dns_try *dns_socket_find(const struct dns_socket *socket, const uint8_t *message,
				size_t len);
/* Sockets that were closed are freed: no event of this round points to them any more. */
void dns_server_sweep(struct dns_server *server);
/* Nobody listens, or the socket has broken: it takes no further question. */
void dns_socket_retire(struct dns_socket *socket);

/* ---- health ---- */

/* The outcome of a question that was put at asked_ms. why: borrowed for good; NULL for DNS_PACE_ANSWERED. */
void dns_server_outcome(struct dns_server *server, enum dns_pace_outcome outcome, const char *why,
			uint64_t asked_ms, uint64_t now_ms);
/* It cannot be reached, or makes no sense. */
void dns_server_broken(struct dns_server *server, const char *why, uint64_t now_ms);
/* Whether others are asked first. */
bool dns_server_is_spared(const struct dns_server *server, uint64_t now_ms);
/* Counts the questions that it may be asked now. */
unsigned dns_server_room(const struct dns_server *server, uint64_t now_ms);

#endif
