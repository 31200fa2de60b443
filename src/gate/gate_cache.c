/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_cache.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

void gate_cache_init(struct gate_cache *cache)
{
	*cache = (struct gate_cache){ .bytes_max = GATE_CACHE_BYTES_MAX,
				      .n_max = GATE_CACHE_ENTRIES_MAX };
	gate_map_init(&cache->map);
	TAILQ_INIT(&cache->used);
}

static size_t bytes_of(const struct gate_entry *entry)
{
	return sizeof(*entry) + entry->name_len + entry->len;
}

static void drop(struct gate_cache *cache, struct gate_entry *entry)
{
	cache->bytes -= bytes_of(entry);
	gate_map_remove(&cache->map, &entry->node);
	TAILQ_REMOVE(&cache->used, entry, entry);
	free(entry->data);
	free(entry);
}

void gate_cache_free(struct gate_cache *cache)
{
	while (!TAILQ_EMPTY(&cache->used))
		drop(cache, TAILQ_FIRST(&cache->used));
	gate_map_free(&cache->map);
}

static uint64_t hash_of(const struct gate_cache *cache, const struct dns_name *name, unsigned type)
{
	return gate_map_hash(&cache->map, name->b, name->len) + type;
}

static struct gate_entry *find(const struct gate_cache *cache, const struct dns_name *name,
			       unsigned type, uint64_t hash)
{
	struct gate_node *node = gate_map_first(&cache->map, hash);

	for (; node; node = gate_map_next(node)) {
		struct gate_entry *entry = (struct gate_entry *)node;

		if (entry->type == type && entry->name_len == name->len &&
		    memcmp(entry->name, name->b, name->len) == 0)
			return entry;
	}
	return NULL;
}

static void touch(struct gate_cache *cache, struct gate_entry *entry)
{
	TAILQ_REMOVE(&cache->used, entry, entry);
	TAILQ_INSERT_TAIL(&cache->used, entry, entry);
}

struct gate_entry *gate_cache_find(struct gate_cache *cache, const struct dns_name *name,
				   unsigned type)
{
	struct gate_entry *entry = find(cache, name, type, hash_of(cache, name, type));

	if (entry)
		touch(cache, entry);
	return entry;
}

static struct gate_entry *add(struct gate_cache *cache, const struct dns_name *name, unsigned type,
			      uint64_t hash)
{
	struct gate_entry *entry = xcalloc(1, sizeof(*entry) + name->len);

	entry->type = (uint16_t)type;
	entry->name_len = (uint8_t)name->len;
	memcpy(entry->name, name->b, name->len);
	gate_map_add(&cache->map, &entry->node, hash);
	TAILQ_INSERT_TAIL(&cache->used, entry, entry);
	cache->bytes += bytes_of(entry);
	return entry;
}

struct gate_entry *gate_cache_put(struct gate_cache *cache, const struct dns_name *name,
				  unsigned type, enum gate_outcome outcome, const void *data,
				  size_t len, size_t n_addrs, uint64_t expires_ms)
{
	uint64_t hash = hash_of(cache, name, type);
	struct gate_entry *entry = find(cache, name, type, hash), *oldest;

	if (entry)
		touch(cache, entry);
	else
		entry = add(cache, name, type, hash);
	cache->bytes -= entry->len;
	free(entry->data);
	entry->data = len > 0 ? memcpy(xmalloc(len), data, len) : NULL;
	entry->len = (uint32_t)len;
	cache->bytes += len;
	entry->outcome = (uint8_t)outcome;
	entry->n_addrs = (uint16_t)n_addrs;
	entry->expires_ms = expires_ms;
	entry->serial = ++cache->serials;
	entry->told = (struct gate_told_all){ .net = 0 };
	while ((cache->map.n > cache->n_max || cache->bytes > cache->bytes_max) &&
	       (oldest = TAILQ_FIRST(&cache->used)) != entry)
		drop(cache, oldest);
	return entry;
}

struct ipaddr gate_entry_addr(const struct gate_entry *entry, size_t i)
{
	enum family family = entry->type == DNS_TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;

	return ipaddr_from_bytes(family, entry->data + i * family_bytes(family));
}
