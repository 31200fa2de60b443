/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads hosts(5): the addresses of a name are those of the lines that have it, as its first name
 * or as an alias; other names of these lines have nothing to do with it. Pure.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_HOSTS_H
#define DOCKSIDE_SYSTEM_DNS_HOSTS_H

#include <stddef.h>

#include "dockside/base/addr.h"

struct dns_hosts_entry {
	const char *name; /* lower case */
	size_t line;
	struct ipaddr addr; /* may be unspecified, as block lists have it */
};

/* Sorted by name, then in the order of the file. Zero-initialise. */
struct dns_hosts {
	struct dns_hosts_entry *entries;
	size_t n;
	char *text; /* what the names point into */
};

/* Lines without an address and a name are passed over. dns_hosts_free() when done. */
void dns_hosts_parse(const char *text, size_t len, struct dns_hosts *ret_hosts);
void dns_hosts_free(struct dns_hosts *hosts);

/* The entries of a name in lower case, one after the other; returns how many there are. */
size_t dns_hosts_find(const struct dns_hosts *hosts, const char *name,
		      const struct dns_hosts_entry **ret_first);

#endif
