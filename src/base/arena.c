/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

#define ARENA_BLOCK 65536u

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

static struct arena_block *arena_block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		out_of_memory();
	block = xmalloc(sizeof(*block) + size);
	*block = (struct arena_block){ .size = size };
	return block;
}

static void *arena_take(struct arena *a, size_t size, size_t align)
{
	struct arena_block *block = a->head;
	size_t start = block ? (block->used + align - 1) & ~(align - 1) : 0; /* a power of two */

	if (!block || start > block->size || size > block->size - start) {
		start = 0;
		if (block && size > ARENA_BLOCK / 4) {
			/* A large object gets a block of its own behind the head, which still has
			 * room for small ones. */
			block = arena_block_new(size);
			block->next = a->head->next;
			a->head->next = block;
		} else {
			block = arena_block_new(size > ARENA_BLOCK ? size : ARENA_BLOCK);
			block->next = a->head;
			a->head = block;
		}
	}
	block->used = start + size;
	return block->data + start;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(arena_take(a, size, alignof(max_align_t)), 0, size);
}

void *arena_memdup(struct arena *a, const void *data, size_t size)
{
	return memcpy(arena_take(a, size, alignof(max_align_t)), data, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy;

	if (len == SIZE_MAX)
		out_of_memory();
	copy = arena_take(a, len + 1, 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	s = arena_take(a, (size_t)n + 1, 1);
	if ((size_t)n < sizeof(small))
		return memcpy(s, small, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->head) {
		struct arena_block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
}
