/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks name servers for one name and type at a time, and never blocks: (name, type) in, the first usable
 * answer of a server out. Knows neither /etc/hosts nor search domains, nor any event loop.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_CLIENT_H
#define DOCKSIDE_SYSTEM_DNS_CLIENT_H

#include "dns_conf.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/system/dns_message.h"

struct dns_client;

enum dns_status {
	DNS_ANSWERED,
	DNS_SILENCE,	 /* no answer within the time */
	DNS_UNREACHABLE, /* no server can be reached */
	DNS_FAILURE,	 /* SERVFAIL */
	DNS_REFUSAL,	 /* REFUSED */
	DNS_NONSENSE,	 /* the reply makes no sense */
	DNS_NOT_ASKED,	 /* there was no room for it, as the servers are left alone */
};

/* For messages: why there is no answer; NULL for DNS_ANSWERED. */
const char *dns_status_text(enum dns_status status);

/* Everything is borrowed, and NULL or 0 unless DNS_ANSWERED. */
struct dns_result {
	enum dns_status status;
	const struct dns_answer *answer; /* DNS_ADDRESSES, DNS_NO_DATA or DNS_NO_NAME */
	const uint8_t *message;		 /* the whole of it */
	size_t len;
};

/* May ask more; must not close the client. */
typedef void (*dns_result_fn)(void *data, const struct dns_result *result);

/* timeout_ms: within which a question that is put gets an answer or fails. Returns 0 or -errno. */
int dns_client_open(const struct dns_conf *conf, unsigned timeout_ms,
		    struct dns_client **ret_client, struct err *err);
/* Questions that are open get no answer any more. */
void dns_client_close(struct dns_client *client);
/* Other servers from now on; open questions get no answer any more. Not to be called from dns_result_fn. */
void dns_client_configure(struct dns_client *client, const struct dns_conf *conf);

/* until_ms: of monotonic_ms(), when it fails at the latest; 0: as soon as the time-out has passed since it was
 * put. Never calls fn before it returns. */
void dns_client_ask(struct dns_client *client, const struct dns_name *name, enum dns_type type,
		    uint64_t until_ms, dns_result_fn fn, void *data);

/* A descriptor that is readable when dns_client_process() has something to do, and how long to wait for
 * that at most, in milliseconds; -1: for ever. */
int dns_client_fd(const struct dns_client *client);
int dns_client_wait_ms(const struct dns_client *client);
void dns_client_process(struct dns_client *client);

/* dns_client_room() counts the questions that would be put at once. If there is no room,
 * dns_client_room_ms() returns after how many milliseconds there might be, unless an answer makes
 * some before; -1: only an answer can. */
unsigned dns_client_room(const struct dns_client *client);
int dns_client_room_ms(const struct dns_client *client);
/* Whether questions that can wait should: see dns_pace.h. */
bool dns_client_scarce(const struct dns_client *client);
/* The servers that are spared, and why, or an empty text. */
void dns_client_trouble(const struct dns_client *client, struct buf *ret_text);

#endif
