/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_told.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

/* Names of the same few addresses, as with a content network: more than that are not worth the memory. */
#define REFS_PER_ADDRESS 8u
#define REFS_FOR_ALL 1024u /* that a network has in any case, however much others have */

struct told_name {
	struct gate_node node;
	size_t n_refs;
	uint8_t len;
	uint8_t b[];
};

void gate_told_init(struct gate_told *told)
{
	*told = (struct gate_told){ .n_nets = 0 };
	gate_map_init(&told->refs);
	gate_map_init(&told->addrs);
	gate_map_init(&told->names);
}

void gate_told_add_net(struct gate_told *told, struct gate_told_net *net)
{
	TAILQ_INIT(&net->by_age);
	net->id = ++told->n_nets;
}

/* ------------------------------------------------------------------ names */

uint64_t gate_told_hash(const struct gate_told *told, const struct dns_name *name)
{
	return gate_map_hash(&told->names, name->b, name->len);
}

static struct told_name *find_name(const struct gate_told *told, const struct dns_name *name)
{
	uint64_t hash = gate_told_hash(told, name);
	struct gate_node *node = gate_map_first(&told->names, hash);

	for (; node; node = gate_map_next(node)) {
		struct told_name *found = (struct told_name *)node;

		if (found->len == name->len && memcmp(found->b, name->b, name->len) == 0)
			return found;
	}
	return NULL;
}

static struct told_name *take_name(struct gate_told *told, const struct dns_name *name)
{
	struct told_name *found = find_name(told, name);

	if (!found) {
		found = xcalloc(1, sizeof(*found) + name->len);
		found->len = (uint8_t)name->len;
		memcpy(found->b, name->b, name->len);
		gate_map_add(&told->names, &found->node, gate_told_hash(told, name));
	}
	found->n_refs++;
	return found;
}

static void release_name(struct gate_told *told, struct told_name *name)
{
	if (--name->n_refs > 0)
		return;
	gate_map_remove(&told->names, &name->node);
	free(name);
}

struct dns_name gate_told_name(const struct gate_told_ref *ref)
{
	struct dns_name name = { .len = ref->name->len };

	memcpy(name.b, ref->name->b, name.len);
	return name;
}

/* ------------------------------------------------------------------ addresses */

struct addr_key {
	uint32_t net, family;
	uint8_t b[16];
};

static uint64_t hash_addr(const struct gate_told *told, const struct gate_told_net *net,
			  const struct ipaddr *addr)
{
	struct addr_key key = { .net = net->id, .family = addr->family };

	memcpy(key.b, addr->b, sizeof(key.b));
	return gate_map_hash(&told->addrs, &key, sizeof(key));
}

struct gate_told_addr *gate_told_find(const struct gate_told *told, const struct gate_told_net *net,
				      const struct ipaddr *addr)
{
	struct gate_node *node = gate_map_first(&told->addrs, hash_addr(told, net, addr));

	for (; node; node = gate_map_next(node)) {
		struct gate_told_addr *found = (struct gate_told_addr *)node;

		if (found->net == net && ipaddr_cmp(&found->addr, addr) == 0)
			return found;
	}
	return NULL;
}

static struct gate_told_addr *take_addr(struct gate_told *told, struct gate_told_net *net,
					const struct ipaddr *addr)
{
	struct gate_told_addr *found = gate_told_find(told, net, addr);

	if (found)
		return found;
	found = xcalloc(1, sizeof(*found));
	found->net = net;
	found->addr = *addr;
	LIST_INIT(&found->refs);
	gate_map_add(&told->addrs, &found->node, hash_addr(told, net, addr));
	net->n_addrs[addr->family]++;
	return found;
}

static void release_addr(struct gate_told *told, struct gate_told_addr *addr)
{
	if (!LIST_EMPTY(&addr->refs))
		return;
	addr->net->n_addrs[addr->addr.family]--;
	gate_map_remove(&told->addrs, &addr->node);
	free(addr);
}

/* ------------------------------------------------------------------ pairs */

struct ref_key {
	const struct told_name *name;
	uint32_t net, family;
	uint8_t b[16];
};

/* By what is at hand in a look-up, which does without the address's own record. */
static uint64_t hash_ref(const struct gate_told *told, const struct gate_told_net *net,
			 const struct told_name *name, const struct ipaddr *addr)
{
	struct ref_key key = { .name = name, .net = net->id, .family = addr->family };

	memcpy(key.b, addr->b, sizeof(key.b));
	return gate_map_hash(&told->refs, &key, sizeof(key));
}

static struct gate_told_ref *find_ref(const struct gate_told *told, const struct gate_told_net *net,
				      const struct told_name *name, const struct ipaddr *addr)
{
	struct gate_node *node = gate_map_first(&told->refs, hash_ref(told, net, name, addr));

	for (; node; node = gate_map_next(node)) {
		struct gate_told_ref *ref = (struct gate_told_ref *)node;

		if (ref->name == name && ref->addr->net == net &&
		    ipaddr_cmp(&ref->addr->addr, addr) == 0)
			return ref;
	}
	return NULL;
}

void gate_told_when(const struct gate_told *told, const struct gate_told_net *net,
		    const struct dns_name *name, const struct ipaddr *addrs, size_t n,
		    uint64_t *ret_ms)
{
	const struct told_name *known = find_name(told, name);

	for (size_t i = 0; i < n; i++) {
		const struct gate_told_ref *ref =
			known ? find_ref(told, net, known, &addrs[i]) : NULL;

		ret_ms[i] = ref ? ref->told_ms : 0;
	}
}

static void drop_ref(struct gate_told *told, struct gate_told_ref *ref)
{
	struct gate_told_addr *addr = ref->addr;

	told->losses++;
	TAILQ_REMOVE(&addr->net->by_age, ref, by_age);
	addr->net->n_refs--;
	LIST_REMOVE(ref, entry);
	gate_map_remove(&told->refs, &ref->node);
	release_name(told, ref->name);
	release_addr(told, addr);
	free(ref);
}

/* As much as is free, but some in any case: so each network leaves as much to those that come later as it has itself. */
static size_t share(const struct gate_told *told)
{
	size_t free = told->refs.n < GATE_TOLD_MAX ? GATE_TOLD_MAX - told->refs.n : 0;

	return free > REFS_FOR_ALL ? free : REFS_FOR_ALL;
}

bool gate_told_room(struct gate_told *told, struct gate_told_net *net, const struct dns_name *name,
		    const struct ipaddr *addr, size_t size, uint64_t now_ms, uint64_t life_ms)
{
	const struct told_name *name_known = find_name(told, name);
	struct gate_told_ref *oldest;

	if (name_known && find_ref(told, net, name_known, addr))
		return true;
	for (;;) {
		bool known = gate_told_find(told, net, addr);

		if ((known || net->n_addrs[addr->family] < size) &&
		    net->n_refs < REFS_PER_ADDRESS * size && net->n_refs < share(told))
			return true;
		oldest = TAILQ_FIRST(&net->by_age);
		if (!oldest || now_ms - oldest->told_ms < life_ms)
			return false;
		told->forgotten = true; /* a connection may have renewed it */
		drop_ref(told, oldest);
		assert(TAILQ_FIRST(&net->by_age) != oldest);
	}
}

void gate_told_put(struct gate_told *told, struct gate_told_net *net, const struct dns_name *name,
		   const struct ipaddr *addr, uint64_t now_ms)
{
	struct told_name *known = find_name(told, name);
	struct gate_told_ref *ref = known ? find_ref(told, net, known, addr) : NULL;

	if (ref) {
		TAILQ_REMOVE(&net->by_age, ref, by_age);
	} else {
		ref = xcalloc(1, sizeof(*ref));
		ref->addr = take_addr(told, net, addr);
		ref->name = take_name(told, name);
		LIST_INSERT_HEAD(&ref->addr->refs, ref, entry);
		gate_map_add(&told->refs, &ref->node, hash_ref(told, net, ref->name, addr));
		net->n_refs++;
	}
	ref->told_ms = now_ms;
	if (now_ms != 0) {
		TAILQ_INSERT_TAIL(&net->by_age, ref, by_age);
	} else {
		TAILQ_INSERT_HEAD(&net->by_age, ref, by_age);
		told->losses++;
	}
}

static void undo_addr(struct gate_told_addr *addr)
{
	struct gate_told_ref *ref;

	LIST_FOREACH(ref, &addr->refs, entry)
	{
		ref->told_ms = 0;
		TAILQ_REMOVE(&addr->net->by_age, ref, by_age);
		TAILQ_INSERT_HEAD(&addr->net->by_age, ref, by_age);
	}
}

/* The kernel says which address it refused, and not for which network. It is rare: a walk will do. */
void gate_told_undo(struct gate_told *told, const struct ipaddr *addr)
{
	struct gate_walk walk = { 0 };
	struct gate_node *node;

	told->losses++;
	while ((node = gate_map_walk(&told->addrs, &walk))) {
		struct gate_told_addr *found = (struct gate_told_addr *)node;

		if (ipaddr_cmp(&found->addr, addr) == 0)
			undo_addr(found);
	}
}

bool gate_told_has_all(const struct gate_told *told, const struct gate_told_net *net,
		       const struct gate_told_all *all, uint64_t now_ms)
{
	return all->net == net->id && all->losses == told->losses && now_ms < all->until_ms;
}

void gate_told_doubt(struct gate_told *told)
{
	told->losses++;
}

void gate_told_forget_net(struct gate_told *told, struct gate_told_net *net)
{
	struct gate_told_ref *ref;

	while ((ref = TAILQ_FIRST(&net->by_age))) {
		drop_ref(told, ref);
		assert(TAILQ_FIRST(&net->by_age) != ref);
	}
}

void gate_told_free(struct gate_told *told)
{
	struct gate_walk walk = { 0 };
	struct gate_node *node;

	while ((node = gate_map_walk(&told->refs, &walk)))
		drop_ref(told, (struct gate_told_ref *)node);
	gate_map_free(&told->refs);
	gate_map_free(&told->addrs);
	gate_map_free(&told->names);
}
