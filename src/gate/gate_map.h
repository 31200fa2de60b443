/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table of objects that have a struct gate_node inside. Strangers choose the names and addresses in it, so the
 * hash has a random key: nobody finds thousands that fall into one place.
 */
#ifndef DOCKSIDE_GATE_GATE_MAP_H
#define DOCKSIDE_GATE_GATE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct gate_node {
	struct gate_node *next;
	uint64_t hash;
};

struct gate_map {
	struct gate_node **buckets;
	size_t n_buckets, n; /* the former a power of two */
	uint64_t key[2];
};

void gate_map_init(struct gate_map *map);
/* The objects themselves are the caller's. */
void gate_map_free(struct gate_map *map);

uint64_t gate_map_hash(const struct gate_map *map, const void *data, size_t len);
/* The first object with this hash, and the next after another one; NULL: no more. */
struct gate_node *gate_map_first(const struct gate_map *map, uint64_t hash);
struct gate_node *gate_map_next(const struct gate_node *node);
void gate_map_add(struct gate_map *map, struct gate_node *node, uint64_t hash);
void gate_map_remove(struct gate_map *map, struct gate_node *node);

/* Every object, NULL after the last; the one that it returned may be removed. Zero-initialise the walk. */
struct gate_walk {
	size_t bucket;
	struct gate_node *next;
};

struct gate_node *gate_map_walk(const struct gate_map *map, struct gate_walk *walk);

#endif
