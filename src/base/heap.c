/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The node at a place has no greater key than those at twice the place and at one more. */
#include "dockside/base/heap.h"

#include <stdlib.h>

#include "dockside/base/util.h"

static struct heap_node **at(const struct heap *heap, size_t place)
{
	return &heap->nodes[place - 1];
}

static void set(struct heap *heap, size_t place, struct heap_node *node)
{
	*at(heap, place) = node;
	node->place = place;
}

static void move_up(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	while (place > 1 && (*at(heap, place / 2))->key > node->key) {
		set(heap, place, *at(heap, place / 2));
		place /= 2;
	}
	set(heap, place, node);
}

static void move_down(struct heap *heap, struct heap_node *node)
{
	size_t place = node->place;

	for (;;) {
		size_t below = 2 * place;

		if (below < heap->n && (*at(heap, below + 1))->key < (*at(heap, below))->key)
			below++;
		if (below > heap->n || (*at(heap, below))->key >= node->key)
			break;
		set(heap, place, *at(heap, below));
		place = below;
	}
	set(heap, place, node);
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t key)
{
	node->key = key;
	if (node->place == 0) {
		heap->nodes = array_grow(heap->nodes, &heap->cap, heap->n, sizeof(*heap->nodes));
		set(heap, ++heap->n, node);
	}
	move_up(heap, node);
	move_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;
	size_t place = node->place;

	if (place == 0)
		return;
	node->place = 0;
	last = *at(heap, heap->n--);
	if (last == node)
		return;
	set(heap, place, last);
	move_up(heap, last);
	move_down(heap, last);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n > 0 ? heap->nodes[0] : NULL;
}

void heap_free(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){ 0 };
}
