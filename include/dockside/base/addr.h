/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, prefixes, MAC addresses, port ranges, names: parse, print, compare. Parsers
 * take (text, length), accept the whole of it or nothing, and leave *ret_x alone on failure.
 */
#ifndef DOCKSIDE_BASE_ADDR_H
#define DOCKSIDE_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/buf.h"

struct buf;
struct sockaddr;

enum family {
	FAMILY_IPV4,
	FAMILY_IPV6,
};

/* Network byte order; an IPv4 address uses b[0..3] and the rest is zero. */
struct ipaddr {
	enum family family;
	uint8_t b[16];
};

/* Host bits of addr are zero. */
struct prefix {
	struct ipaddr addr;
	uint8_t len; /* 0-32 or 0-128 */
};

struct portrange {
	uint16_t lo;
	uint16_t hi; /* inclusive, lo <= hi */
};

#define ADDR_STRLEN 64 /* any address, prefix or MAC address as text, with its NUL */

/* Strict dotted quad (no leading zeros), or RFC 4291 text without a zone; "::ffff:1.2.3.4" is
 * refused, however it is spelt: write the IPv4 address. */
bool ipaddr_parse(const char *s, size_t len, struct ipaddr *ret_addr);
/* Canonical text (RFC 5952) into s; returns s. */
char *ipaddr_format(const struct ipaddr *addr, char s[ADDR_STRLEN]);
int ipaddr_cmp(const struct ipaddr *a, const struct ipaddr *b);
/* The same of struct ipaddr, for qsort(3), bsearch(3) and tsearch(3). */
int ipaddr_order(const void *a, const void *b);
/* Reads as many bytes as the family has. */
struct ipaddr ipaddr_from_bytes(enum family family, const uint8_t *bytes);
/* False for another family, and for "::ffff:1.2.3.4": no packet has such an address. */
bool ipaddr_from_sockaddr(const struct sockaddr *sa, struct ipaddr *ret_addr);
bool ipaddr_is_unspecified(const struct ipaddr *addr);
bool ipaddr_is_loopback(const struct ipaddr *addr); /* 127.0.0.0/8, ::1 */
bool ipaddr_is_multicast(const struct ipaddr *addr);
/* Number of bytes of the family's addresses: 4 or 16. */
size_t family_bytes(enum family family);

/*
 * "a.b.c.d/len", "a.b.c.d/m.m.m.m" (a contiguous netmask, not a host mask), "v6/len", or an address
 * alone (full length). Host bits are masked away. No leading zeros in len.
 */
bool prefix_parse(const char *s, size_t len, struct prefix *ret_prefix);
/* "addr/len" into s, always with the length; returns s. */
char *prefix_format(const struct prefix *prefix, char s[ADDR_STRLEN]);
int prefix_cmp(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct ipaddr *addr);
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
/* The prefix of this length that has the address inside it; host bits are masked away. */
struct prefix prefix_of(const struct ipaddr *addr, uint8_t len);
/* The prefix of full length that is one address, and whether it is such a one. */
struct prefix prefix_of_address(const struct ipaddr *addr);
bool prefix_is_address(const struct prefix *prefix);
/* First and last address; a prefix of full length has one. */
void prefix_range(const struct prefix *prefix, struct ipaddr *ret_first, struct ipaddr *ret_last);
/* The first host address: network address + 1, or the address itself for /31, /32, /127, /128. */
struct ipaddr prefix_first_host(const struct prefix *prefix);

/* "xx:xx:xx:xx:xx:xx", hexadecimal digits of either case. Unicast or not is the caller's check. */
bool mac_parse(const char *s, size_t len, uint8_t ret_mac[6]);
char *mac_format(const uint8_t mac[6], char s[ADDR_STRLEN]);

/* "443" or "8000-8100", 1-65535, no blanks or leading zeros, from <= to. */
bool portrange_parse(const char *s, size_t len, struct portrange *ret_range);
/* The same text; appends to b. */
void portrange_put(struct buf *b, const struct portrange *range);
/* Sorts and merges overlapping or adjacent ranges in place; returns the new number. */
size_t portranges_normalise(struct portrange *ranges, size_t n);

#define HOSTNAME_MAX 253

/* RFC 1123 labels (1-63 of letters, digits, hyphen; no hyphen at an end) with underscores, which DNS and
 * Compose have in names, HOSTNAME_MAX bytes at most; the last label is not all digits (RFC 1123 section 2.1), so
 * "10.0.0.256" is no name but a mistyped address. */
bool hostname_valid(const char *s, size_t len);
/* Its length without the dot that may end it; 0 if it is no hostname. */
size_t hostname_length(const char *s, size_t len);

#endif
