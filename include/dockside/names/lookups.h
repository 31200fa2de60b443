/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that containers have looked up of late, by network and address. For display, and
 * for the suggestions of `learn`: the server that answers a container's question decides what is in
 * here, so nothing of it may ever open anything (dns_reply.h). Pure: the time is a parameter, in
 * milliseconds of one clock that never goes back.
 */
#ifndef DOCKSIDE_NAMES_LOOKUPS_H
#define DOCKSIDE_NAMES_LOOKUPS_H

#include <stddef.h>
#include <stdint.h>

#include "dockside/policy/model.h"

#define LOOKUPS_MAX 4096 /* addresses, of all networks */
/* Since the last reply that had it: connections come late, and TTLs say nothing of that. */
#define LOOKUPS_AGE_MS 3600000u

struct lookup;

/* The look-ups on one bridge, in the order of the last replies. */
struct lookup_network {
	char bridge[BRIDGE_NAME_MAX + 1];
	void *by_addr; /* tsearch(3) */
	struct lookup *oldest, *newest;
	size_t n; /* more than 0 */
};

/* Zero-initialise; lookups_free(). Has no memory while it is empty. */
struct lookups {
	struct lookup_network *networks;
	size_t n_networks, cap_networks;
	size_t n; /* of all of them */
};

/*
 * A reply to a container of the network had the address for that name. It replaces the name that
 * the network had for the address before. If there is no more room, the network with the most
 * entries loses its oldest: a network that looks up names at random takes no room from the others.
 */
void lookups_add(struct lookups *lookups, const char *bridge, const struct ipaddr *addr,
		 const char *name, uint64_t now_ms);
/* The name under which the network last looked up the address, or NULL. Borrowed until the next change. */
const char *lookups_find(const struct lookups *lookups, const char *bridge,
			 const struct ipaddr *addr, uint64_t now_ms);
/* The addresses that the network last looked up under that name, in lower case: the latest ones, up to max, in
 * no order. Returns how many there are. */
size_t lookups_of_name(const struct lookups *lookups, const char *bridge, const char *name,
		       uint64_t now_ms, struct ipaddr *ret_addrs, size_t max);
/* Forgets lookups that are too old. */
void lookups_expire(struct lookups *lookups, uint64_t now_ms);
void lookups_free(struct lookups *lookups);

#endif
