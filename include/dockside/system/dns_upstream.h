/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DNS client: asks recursive name servers for one name and type at a time, and never blocks. (name, type) in, the
 * first usable answer of a server out. Knows neither /etc/hosts nor search domains, nor any event loop.
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
#define DNS_UPSTREAM_OPEN_MAX 4096u /* questions at a time */

struct dns_upstream;

enum dns_upstream_status {
	DNS_UPSTREAM_ANSWERED,
	DNS_UPSTREAM_SILENCE,	  /* no answer within the time */
	DNS_UPSTREAM_UNREACHABLE, /* no server can be reached */
	DNS_UPSTREAM_FAILURE,	  /* SERVFAIL */
	DNS_UPSTREAM_REFUSAL,	  /* REFUSED */
	DNS_UPSTREAM_NONSENSE,	  /* the reply makes no sense */
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
int dns_upstream_open(unsigned timeout_ms, struct dns_upstream **ret_upstream, struct err *err);
/* Questions that are open get no answer any more. */
void dns_upstream_close(struct dns_upstream *upstream);
/* The servers from now on, the first being asked before the second while it answers; further ones than
 * DNS_UPSTREAM_SERVERS_MAX are not asked. If they are others than before, open questions fail at once. */
void dns_upstream_configure(struct dns_upstream *upstream, const struct ipaddr *servers, size_t n);

/* Returns 0; or -errno, if the question could not be put to any server: fn is not called then. Never calls fn before
 * it returns. */
int dns_upstream_ask(struct dns_upstream *upstream, const struct dns_name *name, unsigned type,
		     dns_upstream_fn fn, void *data);
size_t dns_upstream_n_open(const struct dns_upstream *upstream);

/* A descriptor that is readable when dns_upstream_process() has something to do, and how long to wait for
 * that at most, in milliseconds; -1: for ever. */
int dns_upstream_fd(const struct dns_upstream *upstream);
int dns_upstream_wait_ms(const struct dns_upstream *upstream, uint64_t now_ms);
void dns_upstream_process(struct dns_upstream *upstream);

/* Says how the i-th server fares, for reports. False: there is none. */
struct dns_upstream_health {
	struct ipaddr addr;
	bool ok;
	const char *why; /* NULL if ok */
};
bool dns_upstream_health(const struct dns_upstream *upstream, size_t i,
			 struct dns_upstream_health *ret_health);

#endif
