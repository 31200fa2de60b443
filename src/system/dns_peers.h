/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name servers of resolv.conf, how each fares, and which is asked first. Times are of monotonic_ms(). */
#ifndef DOCKSIDE_SYSTEM_DNS_PEERS_H
#define DOCKSIDE_SYSTEM_DNS_PEERS_H

#include <sys/socket.h>

#include "dns_conf.h"
#include "dns_pace.h"

#include "dockside/base/buf.h"

struct buf;

struct dns_peer {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char text[ADDR_STRLEN + DNS_ZONE_MAX + 1];
	struct dns_pace pace;
};

struct dns_peers {
	struct dns_peer items[DNS_SERVERS_MAX];
	size_t n;
};

void dns_peers_init(struct dns_peers *peers, const struct dns_conf *conf);
/* A socket that does not block, connected or about to be; or -errno. */
int dns_peer_connect(const struct dns_peer *peer, bool tcp);

/* The order in which they are asked: those that are left alone come last. */
void dns_peers_order(const struct dns_peers *peers, uint64_t now_ms, size_t order[DNS_SERVERS_MAX]);
/* dns_peers_room() counts the questions that the first of them would be asked now. If there is no
 * room, dns_peers_when() returns the time at which there will be; UINT64_MAX: not before an answer. */
unsigned dns_peers_room(const struct dns_peers *peers, uint64_t now_ms);
uint64_t dns_peers_when(const struct dns_peers *peers, uint64_t now_ms);
/* Whether questions that can wait should: see dns_pace.h. */
bool dns_peers_scarce(const struct dns_peers *peers, uint64_t now_ms);
/* Appends which servers are spared and why, or nothing. */
void dns_peers_trouble(const struct dns_peers *peers, struct buf *ret_text);

#endif
