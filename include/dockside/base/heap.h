/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the item with the smallest key among many, for example the one whose time comes first. Items are the caller's. */
#ifndef DOCKSIDE_BASE_HEAP_H
#define DOCKSIDE_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* A member of the caller's item. Zero-initialise. */
struct heap_node {
	uint64_t key;
	size_t place; /* 0: it is in no heap */
};

/* Zero-initialise. */
struct heap {
	struct heap_node **nodes; /* the first has place 1 */
	size_t n, cap;
};

/* Puts a node into the heap, or gives it another key if it is there. */
void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
/* Takes a node out, if it is there. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* A node with the smallest key; NULL: there is none. */
struct heap_node *heap_first(const struct heap *heap);
/* Frees what the heap itself has. */
void heap_free(struct heap *heap);

#endif
