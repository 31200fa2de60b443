/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names to addresses as the host sees them, by /etc/hosts, resolv.conf and DNS: (names) in,
 * (addresses, TTLs) out.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_H
#define DOCKSIDE_SYSTEM_DNS_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/names/resolved.h"

/* A resolver for an event loop. */
struct dns;

/* Borrowed. A name that exists without addresses of the family is an answer, and has none. Must not
 * close the resolver. */
typedef void (*dns_answer_fn)(void *data, const struct answer *answer);

/* timeout_ms: within which a question that is put gets an answer or fails. Returns 0 or -errno. */
int dns_open(unsigned timeout_ms, dns_answer_fn on_answer, void *data, struct dns **ret_dns,
	     struct err *err);
/* Questions that are open get no answer any more. */
void dns_close(struct dns *dns);
/* Asks for one family of a name, /etc/hosts first, then DNS as resolv.conf says. If DNS has no say
 * in a name, the answers for both families come before this returns: a name of /etc/hosts has no
 * other addresses than those there. */
void dns_ask(struct dns *dns, const char *name, enum family family);
/* A descriptor that is readable when dns_process() has something to do, and how long to wait for that
 * at most, in milliseconds; -1: for ever. */
int dns_fd(const struct dns *dns);
int dns_wait_ms(const struct dns *dns);
void dns_process(struct dns *dns);
/* Whether any question is open. */
bool dns_pending(const struct dns *dns);

/* Reads the files if they have changed; open questions go to the new servers. Whether /etc/hosts has. Not
 * to be called from dns_answer_fn. */
bool dns_follow(struct dns *dns);
/* The servers of resolv.conf as it was last read, those with a zone ("%eth0") left out. Returns how many there are. */
size_t dns_servers(const struct dns *dns, struct ipaddr *ret_servers, size_t max);
/* Whether /etc/hosts has the name, as it was last read: asking for it costs no server anything. */
bool dns_is_local(const struct dns *dns, const char *name);

/* dns_room() returns the number of questions that the servers take at once; further ones wait in
 * the resolver until there is room. If it is 0, dns_room_ms() returns after how many milliseconds
 * there may be room, unless an answer makes some before; -1: only an answer can. */
unsigned dns_room(const struct dns *dns);
int dns_room_ms(const struct dns *dns);
/* Whether the servers limit the number of questions, so that those that can wait should. */
bool dns_scarce(const struct dns *dns);
/* The servers that are spared and why, or an empty text. */
void dns_trouble(const struct dns *dns, struct buf *ret_text);

/*
 * Asks for every RESOLVED_UNASKED family of all hosts at once; returns when all have answered or
 * timeout_ms has passed (what has no answer by then is RESOLVED_FAILED). Returns 0 or -errno.
 */
int dns_resolve_all(struct resolved *resolved, unsigned timeout_ms, struct err *err);

#endif
