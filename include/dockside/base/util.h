/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that aborts when there is none, one growable array, cleanup attributes. */
#ifndef DOCKSIDE_BASE_UTIL_H
#define DOCKSIDE_BASE_UTIL_H

#include <stddef.h>
#include <stdio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define cleanup(fn) __attribute__((cleanup(fn)))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* Allocators that abort on out of memory (libnftables does so too, and the kernel's rules
 * outlive the process). Sizes that come from outside are capped by the caller. */
_Noreturn void out_of_memory(void);
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) printf_like(1, 2);
/* Returns items (perhaps moved) with room for at least n + 1 members of size bytes; *cap is the
 * capacity in members and is updated. */
void *array_grow(void *items, size_t *cap, size_t n, size_t size);

/* For cleanup(): free what a local pointer points to; close a local stream or descriptor. */
void cleanup_free(void *pointer_to_pointer);
void cleanup_fclose(FILE **file);
void cleanup_close(int *fd);

#endif
