/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layer 5: names to addresses through c-ares: (names) in, (addresses, TTLs) out. Nothing else knows
 * DNS.
 */
#ifndef DOCKSIDE_DNS_H
#define DOCKSIDE_DNS_H

#include "dockside/err.h"
#include "dockside/hosts.h"

/* A resolver for an event loop. */
struct dns;

/* An answer: host is borrowed, HOST_DNS, HOST_STATIC or HOST_FAILED, with name, addresses, TTL and
 * error as hosts.h says. Both families failing makes a name HOST_FAILED; one family's addresses with
 * the other's "no data" is success. Must not close the resolver. */
typedef void (*dns_answer_fn)(void *data, const struct host *host);

/* timeout_ms: within which a question gets an answer or fails. Returns 0, or -errno when c-ares
 * cannot start. */
int dns_open(unsigned timeout_ms, dns_answer_fn on_answer, void *data, struct dns **ret_dns,
	     struct err *err);
/* Questions that are open get no answer any more. */
void dns_close(struct dns *dns);
/* Asks for both families of a name, /etc/hosts first, then DNS as resolv.conf says. The answer may
 * come before this returns. */
void dns_ask(struct dns *dns, const char *name);
/* A descriptor that is readable when dns_process() has something to do, and how long to wait for that
 * at most, in milliseconds; -1: for ever. */
int dns_fd(const struct dns *dns);
int dns_wait_ms(const struct dns *dns);
void dns_process(struct dns *dns);
/* How many questions are open. */
size_t dns_pending(const struct dns *dns);

/*
 * Asks for every HOST_UNASKED name of hosts at once; returns when all have answered or timeout_ms
 * has passed (a name without an answer by then is HOST_FAILED). Returns 0 or -errno.
 */
int dns_resolve_all(struct hosts *hosts, unsigned timeout_ms, struct err *err);

#endif
