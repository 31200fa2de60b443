/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/port_seeds.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

#define UNNAMED "unknown" /* no comment says which container it was */

static const struct plan_set *find(const struct actual *table, const char *name, enum set_type type)
{
	const struct actual_set *set = actual_find_set(table, name);

	return set && set->set.type == type ? &set->set : NULL;
}

static int cmp_seed(const void *a, const void *b)
{
	return strcmp(((const struct port_seed *)a)->name, ((const struct port_seed *)b)->name);
}

/* By the name that an element's key begins with; NULL: no known port's. */
static struct port_seed *seed_of(const struct port_seeds *seeds, const struct elem *elem)
{
	struct port_seed key = { 0 };

	memcpy(key.name, elem->key, sizeof(key.name) - 1);
	return seeds->n > 0 ? bsearch(&key, seeds->items, seeds->n, sizeof(*seeds->items), cmp_seed)
			    : NULL;
}

static void take_ports(const struct plan_set *set, struct port_seeds *seeds)
{
	for (size_t i = 0; set && i < set->n_elems; i++) {
		const struct elem *elem = &set->elems[i];
		struct port_seed *seed;

		seeds->items =
			array_grow(seeds->items, &seeds->cap, seeds->n, sizeof(*seeds->items));
		seed = &seeds->items[seeds->n++];
		*seed = (struct port_seed){ 0 };
		memcpy(seed->name, elem->key, sizeof(seed->name) - 1);
		seed->owner.container =
			xstrdup(elem->comment && elem->comment[0] ? elem->comment : UNNAMED);
	}
	if (seeds->n > 0)
		qsort(seeds->items, seeds->n, sizeof(*seeds->items), cmp_seed);
}

static bool mac_is_set(const uint8_t mac[6])
{
	static const uint8_t none[6];

	return memcmp(mac, none, sizeof(none)) != 0;
}

static bool is_link_local(const struct ipaddr *addr)
{
	return addr->family == FAMILY_IPV6 && addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

/*
 * A set has a port's MAC and IP address in one key. An address that the container may send under besides, as it has that
 * on another network, is not in there.
 */
static void take_bindings(const struct plan_set *set, struct port_seeds *seeds, bool *several)
{
	for (size_t i = 0; set && i < set->n_elems; i++) {
		const uint8_t *mac = set->elems[i].key + IFNAME_KEY_LEN;
		struct ipaddr addr =
			ipaddr_from_bytes(set_type_family(set->type), mac + MAC_KEY_LEN);
		struct port_seed *seed = seed_of(seeds, &set->elems[i]);
		struct port_owner *owner = seed ? &seed->owner : NULL;

		if (!owner)
			continue;
		if (mac_is_set(owner->mac) && memcmp(owner->mac, mac, sizeof(owner->mac)) != 0)
			several[seed - seeds->items] = true;
		memcpy(owner->mac, mac, sizeof(owner->mac));
		if (owner->n_addrs < ARRAY_SIZE(owner->addrs) && !is_link_local(&addr))
			owner->addrs[owner->n_addrs++] = addr;
	}
}

/* Leaves the ports that have exactly one MAC address. */
static void drop_doubtful(struct port_seeds *seeds, const bool *several)
{
	size_t n = 0;

	for (size_t i = 0; i < seeds->n; i++) {
		if (mac_is_set(seeds->items[i].owner.mac) && !several[i])
			seeds->items[n++] = seeds->items[i];
		else
			free(seeds->items[i].owner.container);
	}
	seeds->n = n;
}

void port_seeds_of(const struct actual *bridge_table, struct port_seeds *ret_seeds)
{
	struct port_seeds seeds = { 0 };
	bool *several;

	take_ports(find(bridge_table, PORTS_SET, SET_BRIDGES), &seeds);
	several = xcalloc(seeds.n + 1, sizeof(*several));
	take_bindings(find(bridge_table, BINDINGS4_SET, SET_PORT_MAC_IPV4), &seeds, several);
	take_bindings(find(bridge_table, BINDINGS6_SET, SET_PORT_MAC_IPV6), &seeds, several);
	drop_doubtful(&seeds, several);
	free(several);
	*ret_seeds = seeds;
}
