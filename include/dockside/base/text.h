/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things with text: hashes, the one checked integer parser, UTF-8. */
#ifndef DOCKSIDE_BASE_TEXT_H
#define DOCKSIDE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ending of a noun of which there are n: "s", or nothing for one. */
const char *plural(size_t n);

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

/* Whether they say the same; NULL is the empty text. */
bool text_equal(const char *a, const char *b);

/* ASCII letters to lower case, in place; returns s. */
char *lower_case(char *s);

#endif
