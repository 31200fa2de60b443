/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/text.h"

#include <endian.h>
#include <string.h>

const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u; /* odd, and about 2^64 by the golden ratio */
	return hash ^ hash >> 32;
}

/* MurmurHash3's finaliser, so that any bits of the outcome will do. */
static uint64_t hash_end(uint64_t hash)
{
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 33;
}

uint64_t hash64(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t word, rest = (uint64_t)len << 56;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seed = hash_word(seed, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		rest |= (uint64_t)p[i] << 8 * i;
	return hash_end(hash_word(seed, rest));
}

char *hex_format(char *s, uint64_t value, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	for (unsigned i = digits; i > 0; value >>= 4)
		s[--i] = hex[value & 0xf];
	s[digits] = '\0';
	return s + digits;
}

bool parse_uint(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0 || (len > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)s[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

/* RFC 3629's table: what the second byte may be depends on the first; that excludes overlong forms,
 * surrogates and what lies past U+10FFFF. */
size_t utf8_char(const char *s, size_t len, uint32_t *ret_code)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned lo = 0x80, hi = 0xbf;
	uint32_t code;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	*ret_code = code;
	return n;
}

bool utf8_is_plain(uint32_t code)
{
	return !(code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
		 (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		 code == 0xfeff);
}

size_t utf8_cut(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (len <= max)
		return len;
	/* The later bytes of a character are 10xxxxxx. */
	for (len = max; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

bool text_equal(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

char *lower_case(char *s)
{
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}
