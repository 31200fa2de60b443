/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layer 3: what is known of the names that a policy mentions. Pure: who asked DNS, and when, is the
 * caller's affair.
 */
#ifndef DOCKSIDE_HOSTS_H
#define DOCKSIDE_HOSTS_H

#include <stddef.h>

#include "dockside/addr.h"
#include "dockside/model.h"

enum host_state {
	HOST_UNASKED, /* nobody asked: what the kernel holds for it stays */
	HOST_FAILED,  /* asked without success (NXDOMAIN included): what the kernel holds stays */
	HOST_DNS,     /* addresses from DNS: others that were there age out */
	HOST_STATIC,  /* addresses from /etc/hosts: others go at once, the grace is for DNS only */
};

struct host {
	char *name; /* lower case */
	enum host_state state;
	struct ipaddr *addrs; /* sorted, unique; no unspecified ones */
	size_t n_addrs;
	/* By family: the address to translate to where a NAT rule names this host. */
	const struct ipaddr *targets[2]; /* into addrs; NULL: none */
	unsigned ttl;			 /* seconds; the smallest of the records; HOST_DNS only */
	char *error;			 /* HOST_FAILED: why */
};

/* Sorted by name. Zero-initialise. */
struct hosts {
	struct host *items;
	size_t n;
	unsigned timeout_s; /* of the elements that their addresses become; 0: permanent */
};

/* Every name that a rule, NAT rule or used ipset of a managed network mentions, each HOST_UNASKED. */
void hosts_collect(const struct policy *policy, struct hosts *ret_hosts);
struct host *hosts_find(const struct hosts *hosts, const char *name);
/* Replaces a host's addresses by a copy of addrs, sorted, without duplicates and unspecified ones;
 * none left makes it HOST_FAILED. The targets are the lowest addresses: DNS shuffles its answers, and
 * a target should not change with them. */
void host_set(struct host *host, enum host_state state, const struct ipaddr *addrs, size_t n);
void hosts_free(struct hosts *hosts);

#endif
