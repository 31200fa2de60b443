/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that aborts when there is none, one growable buffer, one growable array, cleanup
 * attributes, whole-file reading, and the one checked integer parser.
 */
#ifndef DOCKSIDE_BASE_UTIL_H
#define DOCKSIDE_BASE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define cleanup(fn) __attribute__((cleanup(fn)))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* Allocators that abort on out of memory (DESIGN: libnftables does so too, and the kernel's rules
 * outlive the process). Sizes that come from outside are capped by the caller. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) printf_like(1, 2);
/* The ending of a noun of which there are n: "s", or nothing for one. */
const char *plural(size_t n);

/* Returns items (perhaps moved) with room for at least n + 1 members of size bytes; *cap is the
 * capacity in members and is updated. */
void *array_grow(void *items, size_t *cap, size_t n, size_t size);

/* For cleanup(): free what a local pointer points to; close a local stream or descriptor. */
void cleanup_free(void *pointer_to_pointer);
void cleanup_fclose(FILE **file);
void cleanup_close(int *fd);

/* A growable byte buffer; data is NUL-terminated whenever it is not NULL. Zero-initialise. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/* In decimal. With buf_puts() several times as fast as buf_printf(): for what there is a lot of. */
void buf_uint(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) printf_like(2, 0);
/* The text, never NULL; borrowed. */
const char *buf_str(const struct buf *b);
/* The text as a string that the caller owns; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

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

/* 64 bits for data, continuing from seed (HASH_SEED to begin), the same on every machine. Tells
 * apart what we wrote from what somebody changed; not meant against forgery. */
#define HASH_SEED 0xcbf29ce484222325u
uint64_t hash64(uint64_t seed, const void *data, size_t len);

/* Writes that many digits, lower case, of value's lowest ones, and NUL; returns where it is. */
char *hex_format(char *s, uint64_t value, unsigned digits);

/*
 * Parses the whole of s[0..len) as an unsigned decimal number without sign, blanks or leading
 * zeros, min <= value <= max. Returns false, leaving *ret_value alone, on anything else.
 */
bool parse_uint(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_value);

/*
 * The number of bytes (1-4) of the UTF-8 character at s[0..len), with its code point in *ret_code;
 * 0 if there is none: len is 0 or the bytes are not well-formed (RFC 3629).
 */
size_t utf8_char(const char *s, size_t len, uint32_t *ret_code);
/* Whether a terminal shows the character as it is: no control character, line separator, directional
 * override or isolate, nor the byte order mark, which would show something else than what a text says. */
bool utf8_is_plain(uint32_t code);
/* The most bytes of well-formed text that are at most max and end no character in its middle. */
size_t utf8_cut(const char *s, size_t max);

/* ASCII letters to lower case, in place; returns s. */
char *lower_case(char *s);

/*
 * Reads a regular file whole (NUL-terminated; *ret_len excludes the NUL). The caller owns
 * *ret_data. Returns 0 or -errno: -EISDIR for a directory, -EFBIG past max bytes, -EINVAL for
 * anything else that is not a regular file.
 */
int read_file(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err);

#endif
