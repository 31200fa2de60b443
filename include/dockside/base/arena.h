/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is freed at once. */
#ifndef DOCKSIDE_BASE_ARENA_H
#define DOCKSIDE_BASE_ARENA_H

#include <stddef.h>

#include "dockside/base/util.h"

/* Strings and other data that live and die together. Zero-initialise. */
struct arena {
	struct arena_block *head;
};

/* Zeroed memory, aligned for any object; freed by arena_free() alone. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_memdup(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);
void arena_free(struct arena *a);

#endif
