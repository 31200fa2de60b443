/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dockside/base/util.h"

#define BUCKETS_MIN 64u

/* ------------------------------------------------------------------ SipHash-1-3 */

struct sip {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->v[0] += s->v[1];
	s->v[2] += s->v[3];
	s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
	s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] = rotate(s->v[0], 32);
	s->v[2] += s->v[1];
	s->v[0] += s->v[3];
	s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
	s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] = rotate(s->v[2], 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

uint64_t gate_map_hash(const struct gate_map *map, const void *data, size_t len)
{
	struct sip s = { { map->key[0] ^ 0x736f6d6570736575u, map->key[1] ^ 0x646f72616e646f6du,
			   map->key[0] ^ 0x6c7967656e657261u, map->key[1] ^ 0x7465646279746573u } };
	uint64_t word, rest = (uint64_t)len << 56;
	const uint8_t *p = data;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_word(&s, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		rest |= (uint64_t)p[i] << 8 * i;
	sip_word(&s, rest);
	s.v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

/* ------------------------------------------------------------------ the table */

void gate_map_init(struct gate_map *map)
{
	*map = (struct gate_map){ .n_buckets = BUCKETS_MIN };
	if (getrandom(map->key, sizeof(map->key), 0) != (ssize_t)sizeof(map->key))
		abort(); /* a kernel without randomness */
	map->buckets = xcalloc(map->n_buckets, sizeof(struct gate_node *));
}

void gate_map_free(struct gate_map *map)
{
	free(map->buckets);
	*map = (struct gate_map){ .n = 0 };
}

static struct gate_node **bucket_of(const struct gate_map *map, uint64_t hash)
{
	return &map->buckets[hash & (map->n_buckets - 1)];
}

struct gate_node *gate_map_next(const struct gate_node *node)
{
	struct gate_node *next = node->next;

	while (next && next->hash != node->hash)
		next = next->next;
	return next;
}

struct gate_node *gate_map_first(const struct gate_map *map, uint64_t hash)
{
	const struct gate_node head = { *bucket_of(map, hash), hash };

	return gate_map_next(&head);
}

static void grow(struct gate_map *map)
{
	struct gate_map bigger = { .n_buckets = map->n_buckets * 2 };

	bigger.buckets = xcalloc(bigger.n_buckets, sizeof(struct gate_node *));
	for (size_t i = 0; i < map->n_buckets; i++) {
		struct gate_node *node = map->buckets[i], *next;

		for (; node; node = next) {
			struct gate_node **bucket = bucket_of(&bigger, node->hash);

			next = node->next;
			node->next = *bucket;
			*bucket = node;
		}
	}
	free(map->buckets);
	map->buckets = bigger.buckets;
	map->n_buckets = bigger.n_buckets;
}

void gate_map_add(struct gate_map *map, struct gate_node *node, uint64_t hash)
{
	struct gate_node **bucket;

	if (map->n >= map->n_buckets)
		grow(map);
	bucket = bucket_of(map, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	map->n++;
}

void gate_map_remove(struct gate_map *map, struct gate_node *node)
{
	struct gate_node **at = bucket_of(map, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	map->n--;
}

struct gate_node *gate_map_walk(const struct gate_map *map, struct gate_walk *walk)
{
	struct gate_node *node = walk->next;

	while (!node && walk->bucket < map->n_buckets)
		node = map->buckets[walk->bucket++];
	if (node)
		walk->next = node->next;
	return node;
}
