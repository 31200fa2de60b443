/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of sets and maps in nft's language. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/policy/model.h"
#include "dockside/table/nft_script.h"

void text_number(struct buf *b, const uint8_t *bytes, size_t len)
{
	buf_puts(b, "0x");
	for (size_t digit = 0, n = (len + 3) / 4; digit < n; digit++) {
		unsigned value = 0;

		for (size_t bit = len - 4 * (n - digit) + 4, k = 4; k > 0; k--) {
			size_t at = bit - k; /* wraps before the first bit */

			value = value << 1 | (at < len && (bytes[at / 8] & 0x80u >> at % 8));
		}
		buf_printf(b, "%x", value);
	}
}

/* nft has no escapes in strings: a quote cannot be in one (doc/kernel.md, "Comments"). The config layer has replaced
 * those and refused control characters; what an element in the kernel says is not ours to trust. */
void text_comment(struct buf *b, const char *comment)
{
	size_t start;

	if (!comment || !comment[0])
		return;
	buf_puts(b, "comment \"");
	start = b->len;
	buf_puts(b, comment);
	for (char *p = b->data + start; *p; p++)
		if (*p == '"' || (unsigned char)*p < ' ')
			*p = '\'';
	buf_putc(b, '"');
}

/* The key begins with it. */
static void text_ifname(struct buf *b, const struct elem *elem)
{
	buf_printf(b, "\"%.*s\"", IFNAME_KEY_LEN, (const char *)elem->key);
}

static void text_addr_bytes(struct buf *b, enum family family, const uint8_t *bytes)
{
	struct ipaddr addr = ipaddr_from_bytes(family, bytes);
	char s[ADDR_STRLEN];

	buf_puts(b, ipaddr_format(&addr, s));
}

/* An address range as a prefix where it is one: that is how an operator wrote it. */
static void text_addr_range(struct buf *b, enum family family, const struct elem *elem)
{
	size_t bits = 8 * family_bytes(family), len = 0;

	text_addr_bytes(b, family, elem->key);
	if (memcmp(elem->key, elem->last, sizeof(elem->key)) == 0)
		return;
	while (len < bits && !((elem->key[len / 8] ^ elem->last[len / 8]) & 0x80u >> len % 8))
		len++;
	for (size_t i = len; i < bits; i++) {
		if ((elem->key[i / 8] & 0x80u >> i % 8) || !(elem->last[i / 8] & 0x80u >> i % 8)) {
			buf_putc(b, '-');
			text_addr_bytes(b, family, elem->last);
			return;
		}
	}
	buf_printf(b, "/%zu", len);
}

static void text_number_range(struct buf *b, const struct elem *elem)
{
	text_number(b, elem->key, 8 * sizeof(struct in6_addr));
	if (memcmp(elem->key, elem->last, sizeof(elem->key)) == 0)
		return;
	buf_putc(b, '-');
	text_number(b, elem->last, 8 * sizeof(struct in6_addr));
}

void text_elem_key(struct buf *b, enum set_type type, const struct elem *elem)
{
	struct portrange range;
	char mac[ADDR_STRLEN];

	switch (type) {
	case SET_IPV4:
		text_addr_range(b, FAMILY_IPV4, elem);
		break;
	case SET_IPV6:
		text_addr_range(b, FAMILY_IPV6, elem);
		break;
	case SET_PORTS:
		range.lo = load_port(elem->key);
		range.hi = load_port(elem->last);
		portrange_put(b, &range);
		break;
	case SET_BRIDGES:
	case MAP_DISPATCH:
		text_ifname(b, elem);
		break;
	case SET_MARKS:
		buf_printf(b, "0x%08x", load_mark(elem->key));
		break;
	case SET_MAC:
		buf_puts(b, mac_format(elem->key, mac));
		break;
	case SET_PORT_MAC:
		text_ifname(b, elem);
		buf_printf(b, " . %s", mac_format(elem->key + IFNAME_KEY_LEN, mac));
		break;
	case SET_PORT_IPV4:
	case SET_PORT_IPV6:
		text_ifname(b, elem);
		buf_puts(b, " . ");
		text_addr_bytes(b, set_type_family(type), elem->key + IFNAME_KEY_LEN);
		break;
	case SET_PORT_MAC_IPV4:
	case SET_PORT_MAC_IPV6:
		text_ifname(b, elem);
		buf_printf(b, " . %s . ", mac_format(elem->key + IFNAME_KEY_LEN, mac));
		text_addr_bytes(b, set_type_family(type), elem->key + IFNAME_KEY_LEN + MAC_KEY_LEN);
		break;
	case SET_ND_TARGET:
		text_number_range(b, elem);
		break;
	case SET_PORT_ND_TARGET:
		text_ifname(b, elem);
		buf_puts(b, " . ");
		text_number(b, elem->key + IFNAME_KEY_LEN, 8 * sizeof(struct in6_addr));
		break;
	case MAP_TELL:
		buf_uint(b, load_port(elem->key));
		break;
	case MAP_NAT4:
	case MAP_NAT6:
		buf_printf(b, "%s . %u", l4proto_name(elem->key[0]), load_port(elem->key + 4));
		break;
	case SET_UNKNOWN:
		abort(); /* never written, only deleted */
	}
}

static void text_data(struct buf *b, enum set_type type, const struct elem *elem)
{
	bool v4 = type == MAP_NAT4;

	if (set_type_is_verdicts(type)) {
		buf_printf(b, " : goto %s", elem->target);
	} else if (set_type_is_map(type)) {
		buf_puts(b, " : ");
		text_addr_bytes(b, v4 ? FAMILY_IPV4 : FAMILY_IPV6, elem->data);
		buf_printf(b, " . %u", load_port(elem->data + (v4 ? 4 : 16)));
	}
}

void nft_text_elem(struct buf *b, enum set_type type, const struct elem *elem)
{
	text_elem_key(b, type, elem);
	if (elem->timeout_ms != 0)
		buf_printf(b, " timeout %llums", (unsigned long long)elem->timeout_ms);
	if (elem->comment)
		buf_putc(b, ' ');
	text_comment(b, elem->comment);
	text_data(b, type, elem);
}
