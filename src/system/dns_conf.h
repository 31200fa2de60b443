/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads resolv.conf(5) as glibc does, and makes of one name those that its search domains add. Pure.
 * Not taken: `rotate` (the client itself spares a server that is busy or dead), `sortlist`, EDNS and the other
 * options; and $LOCALDOMAIN, $RES_OPTIONS and $HOSTALIASES, as an environment is not the policy.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_CONF_H
#define DOCKSIDE_SYSTEM_DNS_CONF_H

#include <stddef.h>

#include "dockside/system/dns_upstream.h"

#define DNS_SERVERS_MAX 3u /* as in glibc: more are not asked */
#define DNS_SEARCH_MAX 32u

struct dns_conf {
	struct dns_upstream_server servers[DNS_SERVERS_MAX];
	size_t n_servers; /* at least one: 127.0.0.1 where the file has none */
	char *search[DNS_SEARCH_MAX];
	size_t n_search;
	unsigned ndots;	    /* 0 to 15 */
	unsigned timeout_s; /* of a try, at most; 1 to 30 */
	unsigned attempts;  /* of each server; 1 to 5 */
};

/* Every text gives a usable result: the parser passes over lines that make no sense. hostname is
 * the machine's, whose domain is searched where the file says nothing. dns_conf_free() when done. */
void dns_conf_parse(const char *text, size_t len, const char *hostname, struct dns_conf *ret_conf);
void dns_conf_free(struct dns_conf *conf);

/* The number of names that one may mean, and the i-th that is tried; the caller owns it. */
size_t dns_conf_candidates(const struct dns_conf *conf);
char *dns_conf_candidate(const struct dns_conf *conf, const char *name, size_t i);

#endif
