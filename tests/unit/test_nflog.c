/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams of nfnetlink_log as the kernel sends them, and as it never would, to packets. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nflog.h"

struct datagram {
	alignas(struct nlmsghdr) char data[8192];
	size_t len;
	struct nlmsghdr *nlh; /* the last message */
};

static void begin(struct datagram *d)
{
	struct nfgenmsg *nfg;

	d->nlh = mnl_nlmsg_put_header(d->data + d->len);
	d->nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	nfg = mnl_nlmsg_put_extra_header(d->nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
}

static void end(struct datagram *d)
{
	d->len += d->nlh->nlmsg_len;
	assert_true(d->len <= sizeof(d->data));
}

static void add(struct datagram *d, const char *prefix, const void *payload, size_t len)
{
	begin(d);
	if (prefix)
		mnl_attr_put_strz(d->nlh, NFULA_PREFIX, prefix);
	if (payload)
		mnl_attr_put(d->nlh, NFULA_PAYLOAD, len, payload);
	end(d);
}

static void print_frame(struct buf *b, const struct nflog_packet *p)
{
	const struct nflog_frame *f = &p->frame;
	char s[ADDR_STRLEN];

	buf_printf(b, " frame %04x %u>%u of %u", f->protocol, f->in_port, f->out_port, f->bridge);
	if (f->has_macs) {
		buf_printf(b, " %s", mac_format(f->src, s));
		buf_printf(b, ">%s", mac_format(f->dst, s));
	}
	if (!f->has_addrs)
		buf_puts(b, " no addresses");
	if (f->has_sender)
		buf_printf(b, " sender %s", mac_format(f->sender, s));
	if (f->has_target)
		buf_printf(b, " target %s", ipaddr_format(&f->target, s));
}

static void print_packet(void *data, const struct nflog_packet *p)
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN], mac[ADDR_STRLEN];
	struct buf *b = data;

	buf_printf(b, "%s %s>%s %u", p->prefix, ipaddr_format(&p->src, src),
		   ipaddr_format(&p->dst, dst), p->l4proto);
	if (p->has_ports)
		buf_printf(b, " %u>%u", p->sport, p->dport);
	if (p->data)
		buf_printf(b, " \"%.*s\"", (int)p->n_data, (const char *)p->data);
	if (p->oif)
		buf_printf(b, " out %u", p->oif);
	if (p->has_icmp)
		buf_printf(b, " icmp %u/%u", p->icmp_type, p->icmp_code);
	if (p->has_mac)
		buf_printf(b, " %s", mac_format(p->mac, mac));
	if (p->time_ms)
		buf_printf(b, " %llu", (unsigned long long)p->time_ms);
	if (p->is_frame)
		print_frame(b, p);
	buf_putc(b, '\n');
}

/* Parses a copy of exactly that size, so that a read past its end is seen. */
static void assert_parsed(const struct datagram *d, size_t len, bool good, const char *expected)
{
	char *copy = xmalloc(len ? len : 1);
	struct buf b = { 0 };

	memcpy(copy, d->data, len);
	assert_int_equal(nflog_parse(copy, len, print_packet, &b), good);
	assert_string_equal(buf_str(&b), expected);
	free(copy);
	buf_free(&b);
}

/* ------------------------------------------------------------------ packets */

/* 192.0.2.10:40000 to 198.51.100.7:443 */
static const uint8_t tcp4[] = { 0x45, 0, 0, 60, 0,   0,	 0x40, 0, 64,	6,    0,    0,
				192,  0, 2, 10, 198, 51, 100,  7, 0x9c, 0x40, 0x01, 0xbb };
static const uint8_t icmp4[] = { 0x45, 0,   0, 28, 0,  0,   0,	0,   64, 1, 0,
				 0,    192, 0, 2,  10, 198, 51, 100, 7,	 8, 0 };
/* With options: five words of them would end at byte 40. */
static const uint8_t options4[] = { 0x46, 0, 0,	  60, 0,    0,	  0x40, 0,   64,  17,
				    0,	  0, 192, 0,  2,    10,	  198,	51,  100, 7,
				    1,	  1, 1,	  1,  0x00, 0x35, 0x00, 0x7b };
static const uint8_t fragment4[] = { 0x45, 0, 0, 60, 0,	  0,  0x20, 1, 64,   17,   0,	 0,
				     192,  0, 2, 10, 198, 51, 100,  7, 0x9c, 0x40, 0x01, 0xbb };

static void test_ipv4(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	add(&d, "a", tcp4, sizeof(tcp4));
	add(&d, "b", icmp4, sizeof(icmp4));
	add(&d, "c", options4, sizeof(options4));
	add(&d, "d", fragment4, sizeof(fragment4));
	assert_parsed(&d, d.len, true,
		      "a 192.0.2.10>198.51.100.7 6 40000>443\n"
		      "b 192.0.2.10>198.51.100.7 1 icmp 8/0\n"
		      "c 192.0.2.10>198.51.100.7 17 53>123\n"
		      "d 192.0.2.10>198.51.100.7 17\n");
}

static size_t ipv6(uint8_t *p, uint8_t next, const void *rest, size_t len)
{
	memset(p, 0, 40);
	p[0] = 0x60;
	p[6] = next;
	p[8] = 0x20, p[9] = 0x01, p[10] = 0x0d, p[11] = 0xb8, p[23] = 1;
	memcpy(p + 24, p + 8, 16);
	p[39] = 2;
	memcpy(p + 40, rest, len);
	return 40 + len;
}

static void test_ipv6(void **state)
{
	static const uint8_t udp[] = { 0x9c, 0x40, 0x00, 0x35 };
	static const uint8_t icmp[] = { 128, 0 };
	/* hop-by-hop, routing, destination options, fragment (first), UDP */
	static const uint8_t chain[] = { 43, 0, 0,  0, 0, 0, 0, 0, 60, 1,  0,	 0,    0,    0,	  0,
					 0,  0, 0,  0, 0, 0, 0, 0, 0,  44, 0,	 0,    0,    0,	  0,
					 0,  0, 17, 0, 0, 1, 0, 0, 0,  0,  0x9c, 0x40, 0x00, 0x35 };
	static const uint8_t later[] = { 17, 0, 0, 8, 0, 0, 0, 0, 0x9c, 0x40, 0x00, 0x35 };
	/* AH counts in words less two */
	static const uint8_t ah[] = { 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80, 0, 81 };
	struct datagram d = { .len = 0 };
	uint8_t p[256];

	(void)state;
	add(&d, "a", p, ipv6(p, 17, udp, sizeof(udp)));
	add(&d, "b", p, ipv6(p, 58, icmp, sizeof(icmp)));
	add(&d, "c", p, ipv6(p, 0, chain, sizeof(chain)));
	add(&d, "d", p, ipv6(p, 44, later, sizeof(later)));
	add(&d, "e", p, ipv6(p, 51, ah, sizeof(ah)));
	add(&d, "f", p, ipv6(p, 59, "", 0));
	assert_parsed(&d, d.len, true,
		      "a 2001:db8::1>2001:db8::2 17 40000>53\n"
		      "b 2001:db8::1>2001:db8::2 58 icmp 128/0\n"
		      "c 2001:db8::1>2001:db8::2 17 40000>53\n"
		      "d 2001:db8::1>2001:db8::2 17\n"
		      "e 2001:db8::1>2001:db8::2 6 80>81\n"
		      "f 2001:db8::1>2001:db8::2 59\n");
}

/* The sender of a packet decides what is in it: each may end anywhere. */
static void test_cut_packets(void **state)
{
	uint8_t p[64];
	static const uint8_t udp[] = { 17, 0, 0, 1, 0, 0, 0, 0, 0x9c, 0x40, 0x00, 0x35 };
	size_t len = ipv6(p, 44, udp, sizeof(udp));

	(void)state;
	for (size_t i = 0; i <= sizeof(tcp4); i++) {
		struct datagram d = { .len = 0 };

		add(&d, "a", tcp4, i);
		assert_parsed(&d, d.len, true,
			      i < 20   ? ""
			      : i < 24 ? "a 192.0.2.10>198.51.100.7 6\n"
				       : "a 192.0.2.10>198.51.100.7 6 40000>443\n");
	}
	for (size_t i = 0; i <= len; i++) {
		struct datagram d = { .len = 0 };

		add(&d, "a", p, i);
		assert_parsed(&d, d.len, true,
			      i < 40		     ? ""
			      : i < 40 + 8	     ? "a 2001:db8::1>2001:db8::2 44\n"
			      : i < 40 + sizeof(udp) ? "a 2001:db8::1>2001:db8::2 17\n"
						     : "a 2001:db8::1>2001:db8::2 17 40000>53\n");
	}
}

/* The payload of UDP is there, as far as it goes. */
static void test_payload(void **state)
{
	static const uint8_t udp4[] = { 0x45, 0,    0, 36, 0,  0,   0,	 0,   64, 17, 0,
					0,    192,  0, 2,  10, 198, 51,	 100, 7,  0,  53,
					0x9c, 0x40, 0, 16, 0,  0,   'p', 'a', 'y' };
	struct datagram d = { .len = 0 };

	(void)state;
	for (size_t i = 27; i <= sizeof(udp4); i++) {
		d.len = 0;
		add(&d, "a", udp4, i);
		assert_parsed(&d, d.len, true,
			      i <= 28	? "a 192.0.2.10>198.51.100.7 17 53>40000\n"
			      : i == 29 ? "a 192.0.2.10>198.51.100.7 17 53>40000 \"p\"\n"
			      : i == 30 ? "a 192.0.2.10>198.51.100.7 17 53>40000 \"pa\"\n"
					: "a 192.0.2.10>198.51.100.7 17 53>40000 \"pay\"\n");
	}
	/* TCP's is none. */
	d.len = 0;
	add(&d, "a", tcp4, sizeof(tcp4));
	begin(&d);
	mnl_attr_put_strz(d.nlh, NFULA_PREFIX, "b");
	mnl_attr_put_u32(d.nlh, NFULA_IFINDEX_OUTDEV, htonl(7));
	mnl_attr_put(d.nlh, NFULA_PAYLOAD, sizeof(tcp4), tcp4);
	end(&d);
	assert_parsed(&d, d.len, true,
		      "a 192.0.2.10>198.51.100.7 6 40000>443\n"
		      "b 192.0.2.10>198.51.100.7 6 40000>443 out 7\n");
}

static void test_bad_header_lengths(void **state)
{
	struct datagram d = { .len = 0 };
	uint8_t p[sizeof(tcp4)];

	(void)state;
	memcpy(p, tcp4, sizeof(p));
	p[0] = 0x44; /* shorter than a header is */
	add(&d, "a", p, sizeof(p));
	p[0] = 0x4f; /* longer than the packet */
	add(&d, "b", p, sizeof(p));
	p[0] = 0x75; /* neither version */
	add(&d, "c", p, sizeof(p));
	assert_parsed(&d, d.len, true,
		      "a 192.0.2.10>198.51.100.7 6\n"
		      "b 192.0.2.10>198.51.100.7 6\n");
}

/* ------------------------------------------------------------------ frames */

/* 172.30.1.12 is at 02:00:00:00:01:11, to 172.30.1.2 */
static const uint8_t arp[] = { 0,   1,	8, 0,  6, 4, 0, 2, 2, 0, 0,   0,  1, 0x11,
			       172, 30, 1, 12, 2, 0, 0, 0, 1, 2, 172, 30, 1, 2 };
static const uint8_t ether[] = { 2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 0x11, 0x08, 0x06 };

struct sent {
	const char *prefix;
	unsigned in, in_bridge, out, out_bridge;
	int attr; /* of the Ethernet header; 0: there is none */
	size_t n_ether;
	uint16_t protocol; /* 0: not told */
	const void *payload;
	size_t len;
};

static void add_frame(struct datagram *d, const struct sent *sent)
{
	const struct nfulnl_msg_packet_hdr head = { .hw_protocol = htons(sent->protocol) };

	begin(d);
	((struct nfgenmsg *)mnl_nlmsg_get_payload(d->nlh))->nfgen_family = NFPROTO_BRIDGE;
	mnl_attr_put_strz(d->nlh, NFULA_PREFIX, sent->prefix);
	if (sent->protocol)
		mnl_attr_put(d->nlh, NFULA_PACKET_HDR, sizeof(head), &head);
	if (sent->in)
		mnl_attr_put_u32(d->nlh, NFULA_IFINDEX_PHYSINDEV, htonl(sent->in));
	if (sent->in_bridge)
		mnl_attr_put_u32(d->nlh, NFULA_IFINDEX_INDEV, htonl(sent->in_bridge));
	if (sent->out)
		mnl_attr_put_u32(d->nlh, NFULA_IFINDEX_PHYSOUTDEV, htonl(sent->out));
	if (sent->out_bridge)
		mnl_attr_put_u32(d->nlh, NFULA_IFINDEX_OUTDEV, htonl(sent->out_bridge));
	if (sent->attr)
		mnl_attr_put(d->nlh, (uint16_t)sent->attr, sent->n_ether, ether);
	if (sent->len)
		mnl_attr_put(d->nlh, NFULA_PAYLOAD, sent->len, sent->payload);
	end(d);
}

static void test_frames(void **state)
{
	uint8_t na[64] = { 0 }, p[128];
	struct datagram d = { .len = 0 };
	size_t len;

	(void)state;
	na[0] = 136;
	na[8] = 0xfd, na[23] = 0x12;
	len = ipv6(p, 58, na, 24);
	add_frame(&d, &(struct sent){ "a", 7, 3, 0, 0, NFULA_L2HDR, 14, 0x806, arp, sizeof(arp) });
	add_frame(&d,
		  &(struct sent){ "b", 7, 3, 8, 3, NFULA_HWHEADER, 14, 0x800, tcp4, sizeof(tcp4) });
	add_frame(&d, &(struct sent){ "c", 0, 7, 0, 8, 0, 0, 0x86dd, p, len });
	/* A neighbour advertisement without a whole target; another EtherType; IPv4's with IPv6 in it; none. */
	add_frame(&d, &(struct sent){ "d", 7, 3, 0, 0, NFULA_L2HDR, 13, 0x86dd, p, len - 1 });
	add_frame(&d,
		  &(struct sent){ "e", 7, 3, 0, 0, NFULA_L2HDR, 14, 0x88cc, tcp4, sizeof(tcp4) });
	add_frame(&d, &(struct sent){ "f", 7, 3, 0, 0, 0, 0, 0x800, p, len });
	add_frame(&d, &(struct sent){ "g", 7, 3, 0, 0, 0, 0, 0, tcp4, sizeof(tcp4) });
	add_frame(&d, &(struct sent){ "h", 7, 3, 0, 0, NFULA_L2HDR, 14, 0x88cc, NULL, 0 });
	assert_parsed(
		&d, d.len, true,
		"a 172.30.1.12>172.30.1.2 0 frame 0806 7>0 of 3 "
		"02:00:00:00:01:11>02:00:00:00:01:02 "
		"sender 02:00:00:00:01:11\n"
		"b 192.0.2.10>198.51.100.7 6 40000>443 out 3 frame 0800 7>8 of 3 "
		"02:00:00:00:01:11>02:00:00:00:01:02\n"
		"c 2001:db8::1>2001:db8::2 58 out 8 icmp 136/0 frame 86dd 7>8 of 0 target "
		"fd00::12\n"
		"d 2001:db8::1>2001:db8::2 58 icmp 136/0 frame 86dd 7>0 of 3\n"
		"e 0.0.0.0>0.0.0.0 0 frame 88cc 7>0 of 3 02:00:00:00:01:11>02:00:00:00:01:02 no "
		"addresses\n"
		"f 0.0.0.0>0.0.0.0 0 frame 0800 7>0 of 3 no addresses\n"
		"g 0.0.0.0>0.0.0.0 0 frame 0000 7>0 of 3 no addresses\n"
		"h 0.0.0.0>0.0.0.0 0 frame 88cc 7>0 of 3 02:00:00:00:01:11>02:00:00:00:01:02 no "
		"addresses\n");
}

/* ARP may end anywhere, and may be about other addresses than Ethernet's and IPv4's. */
static void test_bad_arp(void **state)
{
	uint8_t p[sizeof(arp)];

	(void)state;
	for (size_t i = 0; i < 6 + sizeof(arp); i++) {
		size_t len = i < 6 ? sizeof(arp) : i - 6;
		struct datagram d = { .len = 0 };

		memcpy(p, arp, sizeof(p));
		if (i < 6)
			p[i]++;
		add_frame(&d, &(struct sent){ "a", 7, 3, 0, 0, 0, 0, 0x806, p, len });
		assert_parsed(&d, d.len, true,
			      "a 0.0.0.0>0.0.0.0 0 frame 0806 7>0 of 3 no addresses\n");
	}
}

/* ------------------------------------------------------------------ messages */

static void test_attributes(void **state)
{
	const struct nfulnl_msg_packet_hw hw = { .hw_addrlen = htons(6),
						 .hw_addr = { 2, 0, 0x5e, 0, 0x53, 1 } };
	const struct nfulnl_msg_packet_hw long_hw = { .hw_addrlen = htons(8) };
	const uint64_t time[] = { htobe64(1767323045), htobe64(678900) };
	const uint64_t bad_time[] = { htobe64(1767323045), htobe64(1000000) };
	struct datagram d = { .len = 0 };

	(void)state;
	begin(&d);
	mnl_attr_put_strz(d.nlh, NFULA_PREFIX, "a");
	mnl_attr_put(d.nlh, NFULA_HWADDR, sizeof(hw), &hw);
	mnl_attr_put(d.nlh, NFULA_TIMESTAMP, sizeof(time), time);
	mnl_attr_put(d.nlh, NFULA_PAYLOAD, sizeof(tcp4), tcp4);
	end(&d);
	begin(&d);
	mnl_attr_put_strz(d.nlh, NFULA_PREFIX, "b");
	mnl_attr_put(d.nlh, NFULA_HWADDR, sizeof(long_hw), &long_hw);
	mnl_attr_put(d.nlh, NFULA_TIMESTAMP, sizeof(bad_time), bad_time);
	mnl_attr_put(d.nlh, NFULA_PAYLOAD, sizeof(tcp4), tcp4);
	end(&d);
	begin(&d);
	mnl_attr_put_strz(d.nlh, NFULA_PREFIX, "c");
	mnl_attr_put(d.nlh, NFULA_HWADDR, 4, &hw);
	mnl_attr_put(d.nlh, NFULA_TIMESTAMP, 8, time);
	mnl_attr_put(d.nlh, NFULA_PAYLOAD, sizeof(tcp4), tcp4);
	end(&d);
	assert_parsed(&d, d.len, true,
		      "a 192.0.2.10>198.51.100.7 6 40000>443 02:00:5e:00:53:01 1767323045678\n"
		      "b 192.0.2.10>198.51.100.7 6 40000>443\n"
		      "c 192.0.2.10>198.51.100.7 6 40000>443\n");
}

static void test_prefixes(void **state)
{
	struct datagram d = { .len = 0 };
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	add(&d, NULL, tcp4, sizeof(tcp4)); /* others' rules */
	add(&d, "", tcp4, sizeof(tcp4));
	add(&d, "\x1b[1m a\n\xff", tcp4, sizeof(tcp4));
	begin(&d);
	mnl_attr_put(d.nlh, NFULA_PREFIX, sizeof(text), text); /* without an end */
	mnl_attr_put(d.nlh, NFULA_PAYLOAD, sizeof(tcp4), tcp4);
	end(&d);
	add(&d, "no payload", NULL, 0);
	memset(text, 'x', 127);
	text[127] = '\0';

	cleanup(cleanup_free) char *expected =
		xasprintf("?[1m?a?? 192.0.2.10>198.51.100.7 6 40000>443\n"
			  "%s 192.0.2.10>198.51.100.7 6 40000>443\n",
			  text);
	assert_parsed(&d, d.len, true, expected);
}

static void test_malformed(void **state)
{
	static const char one[] = "a 192.0.2.10>198.51.100.7 6 40000>443\n";
	struct datagram d = { .len = 0 };
	size_t first;

	(void)state;
	assert_parsed(&d, 0, true, "");
	add(&d, "a", tcp4, sizeof(tcp4));
	first = d.len;
	for (size_t i = 1; i < first; i++)
		assert_parsed(&d, i, false, "");
	add(&d, "b", tcp4, sizeof(tcp4));
	for (size_t i = first + 1; i < d.len; i++)
		assert_parsed(&d, i, false, one);
	/* Another kind of message is passed over. */
	((struct nlmsghdr *)(void *)(d.data + first))->nlmsg_type = NLMSG_NOOP;
	assert_parsed(&d, d.len, true, one);
	/* One of ours that is too short to be one is not. */
	d.nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	d.nlh->nlmsg_len = NLMSG_HDRLEN;
	assert_parsed(&d, first + NLMSG_HDRLEN, false, one);
	d.nlh->nlmsg_len = UINT32_MAX;
	assert_parsed(&d, d.len, false, one);
}

static void add_numbered(struct datagram *d, uint32_t number)
{
	begin(d);
	mnl_attr_put_strz(d->nlh, NFULA_PREFIX, "x");
	mnl_attr_put_u32(d->nlh, NFULA_SEQ, htonl(number));
	end(d);
}

static void test_gaps(void **state)
{
	struct datagram d = { .len = 0 };
	uint32_t next = 0;

	(void)state;
	add_numbered(&d, 0);
	add_numbered(&d, 1);
	assert_int_equal(nflog_gaps(d.data, d.len, &next), 0);
	assert_int_equal(next, 2);
	d.len = 0;
	add_numbered(&d, 5); /* 2, 3, 4 */
	add(&d, "without a number", NULL, 0);
	add_numbered(&d, 7); /* 6 */
	assert_int_equal(nflog_gaps(d.data, d.len, &next), 4);
	assert_int_equal(next, 8);
	d.len = 0;
	add_numbered(&d, 1); /* they wrap around */
	next = UINT32_MAX - 1;
	assert_int_equal(nflog_gaps(d.data, d.len, &next), 3);
	/* Cut off. */
	assert_int_equal(nflog_gaps(d.data, d.len - 5, &next), 0);
	assert_int_equal(next, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),	    cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_cut_packets), cmocka_unit_test(test_bad_header_lengths),
		cmocka_unit_test(test_attributes),  cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_payload),
		cmocka_unit_test(test_frames),	    cmocka_unit_test(test_bad_arp),
	};

	return cmocka_run_group_tests_name("nflog", tests, NULL, NULL);
}
