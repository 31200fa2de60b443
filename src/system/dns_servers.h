/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name servers of a client, and which is asked first, and for how long. Times are of monotonic_ms(). */
#ifndef DOCKSIDE_SYSTEM_DNS_SERVERS_H
#define DOCKSIDE_SYSTEM_DNS_SERVERS_H

#include "dns_server.h"

struct buf;

struct dns_servers {
	struct dns_server items[DNS_UPSTREAM_SERVERS_MAX];
	size_t n;
	unsigned rounds, try_ms; /* how many times each is asked; for how long in the first round */
	struct dns_upstream_conf conf;
};

/* timeout_ms: all rounds together take no longer. */
void dns_servers_init(struct dns_servers *servers, const struct dns_upstream_conf *conf, bool paced,
		      unsigned timeout_ms, int epoll);
void dns_servers_free(struct dns_servers *servers);
/* Whether they are as the configuration says. */
bool dns_servers_have(const struct dns_servers *servers, const struct dns_upstream_conf *conf);

/* The order in which they are asked: those that are left alone come last. */
void dns_servers_order(const struct dns_servers *servers, uint64_t now_ms,
		       uint8_t order[DNS_UPSTREAM_SERVERS_MAX]);
/* dns_servers_room() counts the questions that the first of them would be asked now. If there is no
 * room, dns_servers_when() returns the time at which there will be; UINT64_MAX: not before an answer. */
unsigned dns_servers_room(const struct dns_servers *servers, uint64_t now_ms);
uint64_t dns_servers_when(const struct dns_servers *servers, uint64_t now_ms);
/* Whether questions that can wait should: see dns_pace.h. */
bool dns_servers_scarce(const struct dns_servers *servers, uint64_t now_ms);
/* The servers that are spared and why, or an empty text. */
void dns_servers_trouble(const struct dns_servers *servers, struct buf *ret_text);

#endif
