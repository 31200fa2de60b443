/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question at one name server, by the sockets that it takes. */
#ifndef DOCKSIDE_SYSTEM_DNS_ATTEMPT_H
#define DOCKSIDE_SYSTEM_DNS_ATTEMPT_H

#include <sys/types.h>

#include "dns_peers.h"
#include "dockside/system/dns_message.h"

#define DNS_MESSAGE_MAX 65535u

/* A socket that epoll watches. */
struct dns_endpoint {
	void *owner; /* the caller's */
	size_t server;
	int fd; /* -1: closed */
	bool tcp;
};

struct dns_attempt {
	struct dns_endpoint udp, tcp;
	uint8_t query[DNS_QUERY_MAX]; /* the message, of either */
	size_t len;
	uint64_t asked_ms; /* the caller's */
	bool gone;	   /* the caller's: nobody listens there */
	bool sent;	   /* over TCP */
	uint8_t *in;
	size_t n_in, size_in; /* over TCP; the length of two bytes goes before the message */
};

void dns_attempt_init(struct dns_attempt *attempt, void *owner, size_t server);
bool dns_attempt_is_open(const struct dns_attempt *attempt);
void dns_attempt_close(struct dns_attempt *attempt);

/* Each returns 0 or -errno: puts the question, with a new id, on a new socket; once more, as it is; or over TCP
 * instead. */
int dns_attempt_open(struct dns_attempt *attempt, const struct dns_peer *peer, int epoll,
		     const struct dns_name *name, enum dns_type type);
int dns_attempt_repeat(const struct dns_attempt *attempt);
int dns_attempt_use_tcp(struct dns_attempt *attempt, const struct dns_peer *peer, int epoll,
			const struct dns_name *name, enum dns_type type);

/* To be called when epoll reports a socket. Returns the length of a reply to just this question, 0
 * if there is none yet, or -errno if none will come from there. It passes over everything else that
 * comes. */
ssize_t dns_attempt_receive(struct dns_attempt *attempt, struct dns_endpoint *endpoint, int epoll,
			    uint8_t message[DNS_MESSAGE_MAX]);

#endif
