/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"

#define LABEL_MAX 63

size_t family_bytes(enum family family)
{
	switch (family) {
	case FAMILY_IPV4:
		return 4;
	case FAMILY_IPV6:
		return 16;
	}
	abort();
}

static int family_af(enum family family)
{
	return family == FAMILY_IPV4 ? AF_INET : AF_INET6;
}

static bool is_mapped_ipv4(const struct ipaddr *addr)
{
	static const uint8_t head[12] = { [10] = 0xff, [11] = 0xff };

	return addr->family == FAMILY_IPV6 && memcmp(addr->b, head, sizeof(head)) == 0;
}

bool ipaddr_parse(const char *s, size_t len, struct ipaddr *ret_addr)
{
	struct ipaddr addr = { 0 };
	char text[ADDR_STRLEN];

	if (len >= sizeof(text) || memchr(s, '\0', len))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	addr.family = strchr(text, ':') ? FAMILY_IPV6 : FAMILY_IPV4;
	/* glibc's inet_pton() is as strict as we want: four decimal parts without leading zeros,
	 * and neither a zone nor a fifth hexadecimal digit. */
	if (inet_pton(family_af(addr.family), text, addr.b) != 1)
		return false;
	if (is_mapped_ipv4(&addr))
		return false;
	*ret_addr = addr;
	return true;
}

/* Digits are put by hand, here and below: a large configuration feels the library's formatting, inet_ntop() included. */

/* Ends the text; returns where. */
static char *byte_format(uint8_t byte, char *s)
{
	if (byte >= 100)
		*s++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*s++ = (char)('0' + byte / 10 % 10);
	*s++ = (char)('0' + byte % 10);
	*s = '\0';
	return s;
}

static char *ipv4_format(const uint8_t bytes[4], char s[ADDR_STRLEN])
{
	char *p = s;

	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = byte_format(bytes[i], p);
	}
	return s;
}

char *ipaddr_format(const struct ipaddr *addr, char s[ADDR_STRLEN])
{
	if (addr->family == FAMILY_IPV4)
		return ipv4_format(addr->b, s);

	/* glibc's text of an IPv6 address is RFC 5952's. */
	const char *text = inet_ntop(family_af(addr->family), addr->b, s, ADDR_STRLEN);

	assert(text);
	(void)text;
	return s;
}

int ipaddr_cmp(const struct ipaddr *a, const struct ipaddr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, family_bytes(a->family));
}

int ipaddr_order(const void *a, const void *b)
{
	return ipaddr_cmp(a, b);
}

struct ipaddr ipaddr_from_bytes(enum family family, const uint8_t *bytes)
{
	struct ipaddr addr = { .family = family };

	memcpy(addr.b, bytes, family_bytes(family));
	return addr;
}

bool ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *ret_addr)
{
	struct ipaddr addr = { 0 };

	if (sa->sa_family == AF_INET)
		memcpy(addr.b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		addr = ipaddr_from_bytes(
			FAMILY_IPV6,
			((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
	else
		return false;
	if (is_mapped_ipv4(&addr))
		return false;
	*ret_addr = addr;
	return true;
}

bool ipaddr_is_unspecified(const struct ipaddr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->b, zero, family_bytes(addr->family)) == 0;
}

bool ipaddr_is_loopback(const struct ipaddr *addr)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (addr->family == FAMILY_IPV4)
		return addr->b[0] == 127;
	return memcmp(addr->b, loopback6, sizeof(loopback6)) == 0;
}

bool ipaddr_is_multicast(const struct ipaddr *addr)
{
	switch (addr->family) {
	case FAMILY_IPV4:
		return addr->b[0] >> 4 == 0xe; /* 224.0.0.0/4 */
	case FAMILY_IPV6:
		return addr->b[0] == 0xff; /* ff00::/8 */
	}
	abort();
}

/* The bits of byte i that belong to the host when the network part is len bits long. */
static uint8_t host_bits(size_t i, unsigned len)
{
	if (len >= 8 * (i + 1))
		return 0;
	return (uint8_t)(0xffu >> (len > 8 * i ? len - 8 * i : 0));
}

static void mask_host_bits(struct prefix *prefix)
{
	for (size_t i = 0; i < family_bytes(prefix->addr.family); i++)
		prefix->addr.b[i] &= (uint8_t)~host_bits(i, prefix->len);
}

static bool netmask_parse(const char *s, size_t len, uint8_t *ret_len)
{
	struct ipaddr mask;
	uint8_t bits = 0;

	if (!ipaddr_parse(s, len, &mask) || mask.family != FAMILY_IPV4)
		return false;
	while (bits < 32 && mask.b[bits / 8] & 0x80u >> bits % 8)
		bits++;
	for (unsigned i = bits; i < 32; i++) {
		if (mask.b[i / 8] & 0x80u >> i % 8)
			return false;
	}
	*ret_len = bits;
	return true;
}

bool prefix_parse(const char *s, size_t len, struct prefix *ret_prefix)
{
	const char *slash = len ? memchr(s, '/', len) : NULL;
	size_t head = slash ? (size_t)(slash - s) : len;
	struct prefix prefix = { 0 };
	uint64_t bits;

	if (!ipaddr_parse(s, head, &prefix.addr))
		return false;
	bits = 8 * family_bytes(prefix.addr.family);
	if (slash) {
		const char *rest = slash + 1;
		size_t rest_len = len - head - 1;

		if (parse_uint(rest, rest_len, 0, bits, &bits))
			prefix.len = (uint8_t)bits;
		else if (prefix.addr.family != FAMILY_IPV4 ||
			 !netmask_parse(rest, rest_len, &prefix.len))
			return false;
	} else {
		prefix.len = (uint8_t)bits;
	}
	mask_host_bits(&prefix);
	*ret_prefix = prefix;
	return true;
}

char *prefix_format(const struct prefix *prefix, char s[ADDR_STRLEN])
{
	char *p;

	ipaddr_format(&prefix->addr, s);
	p = s + strlen(s);
	*p++ = '/';
	byte_format(prefix->len, p);
	return s;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int cmp = ipaddr_cmp(&a->addr, &b->addr);

	return cmp ? cmp : (a->len > b->len) - (a->len < b->len);
}

bool prefix_contains(const struct prefix *prefix, const struct ipaddr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (size_t i = 0; i < family_bytes(addr->family); i++) {
		if ((prefix->addr.b[i] ^ addr->b[i]) & (uint8_t)~host_bits(i, prefix->len))
			return false;
	}
	return true;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len && prefix_contains(outer, &inner->addr);
}

struct prefix prefix_of(const struct ipaddr *addr, uint8_t len)
{
	struct prefix prefix = { *addr, len };

	mask_host_bits(&prefix);
	return prefix;
}

struct prefix prefix_of_address(const struct ipaddr *addr)
{
	return (struct prefix){ *addr, (uint8_t)(8 * family_bytes(addr->family)) };
}

bool prefix_is_address(const struct prefix *prefix)
{
	return prefix->len == 8 * family_bytes(prefix->addr.family);
}

void prefix_range(const struct prefix *prefix, struct ipaddr *ret_first, struct ipaddr *ret_last)
{
	struct ipaddr last = prefix->addr;

	for (size_t i = 0; i < family_bytes(last.family); i++)
		last.b[i] |= host_bits(i, prefix->len);
	*ret_first = prefix->addr;
	*ret_last = last;
}

struct ipaddr prefix_first_host(const struct prefix *prefix)
{
	struct ipaddr addr = prefix->addr;
	size_t bytes = family_bytes(addr.family);

	/* RFC 3021, RFC 6164: both addresses of a point-to-point link are hosts. */
	if (prefix->len < 8 * bytes - 1)
		addr.b[bytes - 1] |= 1;
	return addr;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool mac_parse(const char *s, size_t len, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	if (len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int hi = hex_digit(s[3 * i]);
		int lo = hex_digit(s[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && s[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

char *mac_format(const uint8_t mac[6], char s[ADDR_STRLEN])
{
	char *p = s;

	for (int i = 0; i < 6; i++) {
		if (i > 0)
			*p++ = ':';
		p = hex_format(p, mac[i], 2);
	}
	return s;
}

bool portrange_parse(const char *s, size_t len, struct portrange *ret_range)
{
	const char *dash = len ? memchr(s, '-', len) : NULL;
	size_t head = dash ? (size_t)(dash - s) : len;
	uint64_t lo, hi;

	if (!parse_uint(s, head, 1, UINT16_MAX, &lo))
		return false;
	hi = lo;
	if (dash && !parse_uint(dash + 1, len - head - 1, lo, UINT16_MAX, &hi))
		return false;
	*ret_range = (struct portrange){ .lo = (uint16_t)lo, .hi = (uint16_t)hi };
	return true;
}

void portrange_put(struct buf *b, const struct portrange *range)
{
	buf_uint(b, range->lo);
	if (range->hi == range->lo)
		return;
	buf_putc(b, '-');
	buf_uint(b, range->hi);
}

static int by_lo(const void *a, const void *b)
{
	const struct portrange *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

size_t portranges_normalise(struct portrange *ranges, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(ranges, n, sizeof(*ranges), by_lo);
	for (size_t i = 1; i < n; i++) {
		if (ranges[i].lo > ranges[kept].hi + 1)
			ranges[++kept] = ranges[i];
		else if (ranges[i].hi > ranges[kept].hi)
			ranges[kept].hi = ranges[i].hi;
	}
	return kept + 1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool label_valid(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	}
	return true;
}

bool hostname_valid(const char *s, size_t len)
{
	bool all_digits = true;
	size_t start = 0;

	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && s[i] != '.')
			continue;
		if (!label_valid(s + start, i - start))
			return false;
		if (i < len)
			start = i + 1;
	}
	for (size_t i = start; i < len; i++)
		all_digits = all_digits && is_digit(s[i]);
	return !all_digits;
}

size_t hostname_length(const char *s, size_t len)
{
	if (len > 0 && s[len - 1] == '.')
		len--;
	return hostname_valid(s, len) ? len : 0;
}
