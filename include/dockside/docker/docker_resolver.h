/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether containers' questions to DNS get around their network's rules. The resolver that Docker
 * has in each container (127.0.0.11) asks the host's resolvers. It does so from the container's network
 * namespace, where the rules judge it, but for those on the host's loopback, which it asks from the host's
 * (seen with 20.10): then every name reaches the host's resolver, and the servers that it asks.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_RESOLVER_H
#define DOCKSIDE_DOCKER_DOCKER_RESOLVER_H

#include "dockside/base/addr.h"
#include "dockside/policy/model.h"

/* The first resolver on a loopback address in the text of a resolv.conf; false: there is none. */
bool resolver_on_loopback(const char *resolv_conf, char ret_addr[ADDR_STRLEN]);

/* Whether the text of Docker's daemon.json gives it resolvers, and none on a loopback address. */
bool resolver_of_docker(const char *daemon_json);

#define RESOLVERS_MAX 3 /* libnetwork asks no more of them (maxExtDNS, resolver.go) */

/* The name servers that Docker's resolver in a container asks. */
struct resolvers {
	struct ipaddr items[RESOLVERS_MAX]; /* asked from the container's network namespace */
	size_t n;
	char loopback[ADDR_STRLEN]; /* one that Docker asks from the host's; "": none */
	bool of_docker;		    /* they stand in daemon.json, and not in resolv.conf */
};

/* By the texts of resolv.conf and of daemon.json; either may be NULL. */
void resolvers_of(const char *resolv_conf, const char *daemon_json, struct resolvers *ret);

/* Returns a line about the networks with a DNS gate, and those whose rules deny by default and do not allow DNS to
 * everywhere, while Docker asks `addr`; the caller frees it. NULL: there are none. */
char *resolver_leak(const struct policy *policy, const char *addr);

#endif
