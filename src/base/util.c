/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/util.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = n && size ? calloc(n, size) : calloc(1, 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	/* A size of 0 would free p and return NULL. */
	void *q = n && size ? reallocarray(p, n, size) : realloc(p, 1);

	if (!q)
		out_of_memory();
	return q;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

void *array_grow(void *items, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return items;
	if (n > SIZE_MAX / 2 - 8)
		out_of_memory();
	*cap = n < 4 ? 8 : 2 * n;
	return xreallocarray(items, *cap, size);
}

void cleanup_free(void *pointer_to_pointer)
{
	void *p;

	/* Not *(void **): the local may be a pointer to any type. */
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
