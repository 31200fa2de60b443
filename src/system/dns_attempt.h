/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question at one name server: over UDP, then perhaps over TCP. A question that is put again is the same message on
 * the same socket, so that an answer to the first one counts, but without EDNS.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_ATTEMPT_H
#define DOCKSIDE_SYSTEM_DNS_ATTEMPT_H

#include "dns_server.h"
#include "dns_tcp.h"

/* A question. */
struct dns_asked {
	struct dns_name name;
	unsigned type;
};

/* Members are to be read. */
struct dns_attempt {
	void *owner; /* the caller's */
	struct dns_server *server;
	struct dns_try try;
	struct dns_tcp tcp;
	uint64_t asked_ms;
	bool under_way; /* the server's pace counts it */
	bool for_case;	/* it went over TCP as the server did not keep the letters' case */
};

void dns_attempt_init(struct dns_attempt *attempt, struct dns_server *server, void *owner);
bool dns_attempt_is_open(const struct dns_attempt *attempt);
void dns_attempt_close(struct dns_attempt *attempt);

/* Each returns 0 or -errno. Puts the question, or puts it again; -EBUSY: the server has no room for it now. */
int dns_attempt_put(struct dns_attempt *attempt, const struct dns_asked *asked,
		    struct dns_random *random, uint64_t now_ms);
/* Puts it anew, as the server is known to want it by now. */
int dns_attempt_renew(struct dns_attempt *attempt, const struct dns_asked *asked,
		      struct dns_random *random, uint64_t now_ms);
/* Asks over TCP instead. Returns 0 or -errno; -EBUSY: the server has too many connections of ours. */
int dns_attempt_use_tcp(struct dns_attempt *attempt);

/* Whether a message with the question's id has its letters, too, though perhaps in another case. */
bool dns_attempt_is_almost(const struct dns_attempt *attempt, const uint8_t *message, size_t len);
/* The server has not answered over TCP. Returns whether to put the question anew, in lower case: it does not keep
 * the letters' case, and whoever has a socket for each question can do without that. */
bool dns_attempt_give_up_case(struct dns_attempt *attempt);
/* A usable answer has come: notes whether the server takes EDNS. */
void dns_attempt_learn_edns(const struct dns_attempt *attempt, const uint8_t *message);

#endif
