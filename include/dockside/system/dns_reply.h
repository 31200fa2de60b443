/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a DNS reply to somebody else's question. Pure.
 *
 * We believe nothing of it. A container chooses the server that it asks, and the server chooses its
 * answer. A name from here tells people what a container may have meant by an address, and never
 * opens anything.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_REPLY_H
#define DOCKSIDE_SYSTEM_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"

#define DNS_REPLY_ADDRS_MAX 96 /* more do not fit into what the kernel copies of a packet */

/* The addresses of the name that was asked for, its aliases followed. */
struct dns_reply {
	char name[HOSTNAME_MAX + 1]; /* lower case letters, digits, and any of "-_."; no address */
	struct ipaddr addrs[DNS_REPLY_ADDRS_MAX];
	size_t n_addrs; /* 0: it is a reply, but names no address, or for a name like no host's */
};

/*
 * Parses a message, UDP's payload. Returns false for what is no reply, or is cut; *ret_reply is filled in
 * otherwise. Addresses past DNS_REPLY_ADDRS_MAX are left out.
 */
bool dns_reply_parse(const uint8_t *message, size_t len, struct dns_reply *ret_reply);

#endif
