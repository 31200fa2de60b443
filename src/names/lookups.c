/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A lookup is in two places: in its network's tree, by address, and in its network's list, by the time
 * of the last reply. So the oldest are at one end, whether their time is up or their room is needed.
 */
#include "dockside/names/lookups.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

struct lookup {
	struct ipaddr addr; /* first: tfind() takes an address for a lookup */
	struct lookup *older, *newer;
	uint64_t seen_ms;
	char name[];
};

static struct lookup_network *find_network(const struct lookups *lookups, const char *bridge)
{
	for (size_t i = 0; i < lookups->n_networks; i++)
		if (strcmp(lookups->networks[i].bridge, bridge) == 0)
			return &lookups->networks[i];
	return NULL;
}

static struct lookup *find(const struct lookup_network *network, const struct ipaddr *addr)
{
	struct lookup **found = tfind(addr, &network->by_addr, ipaddr_order);

	return found ? *found : NULL;
}

static void append(struct lookup_network *network, struct lookup *lookup)
{
	lookup->older = network->newest;
	lookup->newer = NULL;
	if (network->newest)
		network->newest->newer = lookup;
	else
		network->oldest = lookup;
	network->newest = lookup;
}

static void take_out(struct lookup_network *network, struct lookup *lookup)
{
	if (lookup->older)
		lookup->older->newer = lookup->newer;
	else
		network->oldest = lookup->newer;
	if (lookup->newer)
		lookup->newer->older = lookup->older;
	else
		network->newest = lookup->older;
}

static void forget(struct lookups *lookups, struct lookup_network *network, struct lookup *lookup)
{
	tdelete(&lookup->addr, &network->by_addr, ipaddr_order);
	take_out(network, lookup);
	free(lookup);
	network->n--;
	lookups->n--;
}

/* Networks that have nothing any more have no place either. */
static void drop_empty(struct lookups *lookups)
{
	size_t n = 0;

	for (size_t i = 0; i < lookups->n_networks; i++)
		if (lookups->networks[i].n > 0)
			lookups->networks[n++] = lookups->networks[i];
	lookups->n_networks = n;
	if (n > 0)
		return;
	free(lookups->networks);
	*lookups = (struct lookups){ 0 };
}

static void make_room(struct lookups *lookups)
{
	struct lookup_network *most = lookups->networks;

	if (lookups->n < LOOKUPS_MAX)
		return;
	for (size_t i = 1; i < lookups->n_networks; i++)
		if (lookups->networks[i].n > most->n)
			most = &lookups->networks[i];
	forget(lookups, most, most->oldest);
}

static struct lookup_network *add_network(struct lookups *lookups, const char *bridge)
{
	struct lookup_network *network;

	lookups->networks = array_grow(lookups->networks, &lookups->cap_networks,
				       lookups->n_networks, sizeof(*lookups->networks));
	network = &lookups->networks[lookups->n_networks++];
	*network = (struct lookup_network){ 0 };
	snprintf(network->bridge, sizeof(network->bridge), "%s", bridge);
	return network;
}

static void add(struct lookups *lookups, const char *bridge, const struct ipaddr *addr,
		const char *name, uint64_t now_ms)
{
	struct lookup_network *network = find_network(lookups, bridge);
	size_t len = strlen(name) + 1;
	struct lookup *lookup = xcalloc(1, sizeof(*lookup) + len);

	lookup->addr = *addr;
	lookup->seen_ms = now_ms;
	memcpy(lookup->name, name, len);
	if (!network)
		network = add_network(lookups, bridge);
	if (!tsearch(lookup, &network->by_addr, ipaddr_order))
		abort(); /* out of memory */
	append(network, lookup);
	network->n++;
	lookups->n++;
}

void lookups_add(struct lookups *lookups, const char *bridge, const struct ipaddr *addr,
		 const char *name, uint64_t now_ms)
{
	struct lookup_network *network;
	struct lookup *lookup;

	lookups_expire(lookups, now_ms);
	network = find_network(lookups, bridge);
	lookup = network ? find(network, addr) : NULL;
	if (lookup && strcmp(lookup->name, name) == 0) {
		take_out(network, lookup);
		append(network, lookup);
		lookup->seen_ms = now_ms;
		return;
	}
	if (lookup)
		forget(lookups, network, lookup);
	else
		make_room(lookups);
	add(lookups, bridge, addr, name, now_ms);
	drop_empty(lookups);
}

static bool is_old(const struct lookup *lookup, uint64_t now_ms)
{
	return now_ms > lookup->seen_ms + LOOKUPS_AGE_MS;
}

const char *lookups_find(const struct lookups *lookups, const char *bridge,
			 const struct ipaddr *addr, uint64_t now_ms)
{
	const struct lookup_network *network = find_network(lookups, bridge);
	const struct lookup *lookup = network ? find(network, addr) : NULL;

	return lookup && !is_old(lookup, now_ms) ? lookup->name : NULL;
}

size_t lookups_of_name(const struct lookups *lookups, const char *bridge, const char *name,
		       uint64_t now_ms, struct ipaddr *ret_addrs, size_t max)
{
	const struct lookup_network *network = find_network(lookups, bridge);
	const struct lookup *lookup = network ? network->newest : NULL;
	size_t n = 0;

	for (; lookup && n < max && !is_old(lookup, now_ms); lookup = lookup->older)
		if (strcmp(lookup->name, name) == 0)
			ret_addrs[n++] = lookup->addr;
	return n;
}

void lookups_expire(struct lookups *lookups, uint64_t now_ms)
{
	bool empty = false;

	for (size_t i = 0; i < lookups->n_networks; i++) {
		struct lookup_network *network = &lookups->networks[i];

		while (network->oldest && is_old(network->oldest, now_ms))
			forget(lookups, network, network->oldest);
		empty |= network->n == 0;
	}
	if (empty)
		drop_empty(lookups);
}

void lookups_free(struct lookups *lookups)
{
	for (size_t i = 0; i < lookups->n_networks; i++)
		while (lookups->networks[i].oldest)
			forget(lookups, &lookups->networks[i], lookups->networks[i].oldest);
	free(lookups->networks);
	*lookups = (struct lookups){ 0 };
}
