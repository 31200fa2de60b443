/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DNS client, the only one: asks recursive name servers for one name and type at a time, and never blocks. (name,
 * type) in, the first usable answer of a server out. Knows neither /etc/hosts nor search domains, nor any event loop.
 *
 * Its owner is the gate, where somebody waits for each answer, or the daemon, whose questions can wait: such a client is
 * paced. It asks a server no more than dns_pace.h allows, has a socket for each question, and goes on asking where all
 * servers have failed. dns_queue.h keeps its questions until there is room.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_UPSTREAM_H
#define DOCKSIDE_SYSTEM_DNS_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/base/err.h"
#include "dockside/system/dns_message.h"

#define DNS_UPSTREAM_SERVERS_MAX 8u
#define DNS_ZONE_MAX 15u	    /* an interface's name, or its number */
#define DNS_UPSTREAM_OPEN_MAX 4096u /* questions at a time */

struct buf;
struct dns_upstream;

struct dns_upstream_server {
	struct ipaddr addr;
	char zone[DNS_ZONE_MAX + 1]; /* "eth0" of fe80::1%eth0; empty: none */
};

struct dns_upstream_conf {
	struct dns_upstream_server servers[DNS_UPSTREAM_SERVERS_MAX];
	size_t n_servers;
	unsigned
		rounds; /* how many times each is asked, at most; 0: as many as there is time for */
	unsigned try_ms; /* how long the first round waits for each, at most; 0: as there is time */
};

enum dns_upstream_status {
	DNS_UPSTREAM_ANSWERED,
	DNS_UPSTREAM_SILENCE,	  /* no answer within the time */
	DNS_UPSTREAM_UNREACHABLE, /* no server can be reached */
	DNS_UPSTREAM_FAILURE,	  /* SERVFAIL */
	DNS_UPSTREAM_REFUSAL,	  /* REFUSED */
	DNS_UPSTREAM_NONSENSE,	  /* the reply makes no sense */
	DNS_UPSTREAM_NOT_ASKED, /* there was no room for it, as the servers are left alone: see dns_queue.h */
};

/* For messages: why there is no answer; NULL for DNS_UPSTREAM_ANSWERED. */
const char *dns_upstream_status_text(enum dns_upstream_status status);

/* Everything is borrowed, and NULL or 0 unless DNS_UPSTREAM_ANSWERED. */
struct dns_upstream_result {
	enum dns_upstream_status status;
	const struct dns_answer *answer; /* DNS_ADDRESSES, DNS_NO_DATA or DNS_NO_NAME */
	const uint8_t *message;		 /* the whole of it; its question is ours */
	size_t len, question_end;	 /* where the answer section begins */
};

/* May ask more; must not configure or close the client. */
typedef void (*dns_upstream_fn)(void *data, const struct dns_upstream_result *result);

/* timeout_ms: within which a question gets an answer or fails. Returns 0 or -errno. */
int dns_upstream_open(bool paced, unsigned timeout_ms, struct dns_upstream **ret_upstream,
		      struct err *err);
/* Questions that are open get no answer any more. */
void dns_upstream_close(struct dns_upstream *upstream);
/* The servers from now on, the first being asked before the second while it answers. If they are others than before,
 * open questions fail at once. */
void dns_upstream_configure(struct dns_upstream *upstream, const struct dns_upstream_conf *conf);
/* Questions that are open get no answer any more, and the client has no servers. Like dns_upstream_configure(), it is
 * not to be called from dns_upstream_fn. */
void dns_upstream_forget(struct dns_upstream *upstream);

/* until_ms: of monotonic_ms(), when it fails at the latest; 0: as soon as the time-out has passed. Returns 0; or -errno, if
 * the question could not be put to any server: fn is not called then. Never calls fn before it returns. */
int dns_upstream_ask(struct dns_upstream *upstream, const struct dns_name *name, unsigned type,
		     uint64_t until_ms, dns_upstream_fn fn, void *data);

/* A descriptor that is readable when dns_upstream_process() has something to do, and how long to wait for
 * that at most, in milliseconds; -1: for ever. */
int dns_upstream_fd(const struct dns_upstream *upstream);
int dns_upstream_wait_ms(const struct dns_upstream *upstream, uint64_t now_ms);
void dns_upstream_process(struct dns_upstream *upstream);

/* For a paced client: how many questions its first server that can be asked takes now; and if none, when that will be,
 * UINT64_MAX: not before an answer. */
unsigned dns_upstream_room(const struct dns_upstream *upstream, uint64_t now_ms);
uint64_t dns_upstream_room_at(const struct dns_upstream *upstream, uint64_t now_ms);
/* Whether questions that can wait should: see dns_pace.h. */
bool dns_upstream_scarce(const struct dns_upstream *upstream, uint64_t now_ms);
/* The servers that are spared and why, or an empty text. */
void dns_upstream_trouble(const struct dns_upstream *upstream, struct buf *ret_text);

/* Says how the i-th server fares, for reports. False: there is none. */
struct dns_upstream_health {
	struct ipaddr addr;
	bool ok;
	const char *why; /* NULL if ok */
};
bool dns_upstream_health(const struct dns_upstream *upstream, size_t i,
			 struct dns_upstream_health *ret_health);

#endif
