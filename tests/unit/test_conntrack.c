/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams of ctnetlink as the kernel sends them, and as it never would, to connections. */
#include <arpa/inet.h>
#include <errno.h>
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
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "dockside/base/buf.h"
#include "dockside/kernel/conntrack.h"
#include "dockside/table/plan.h"

struct datagram {
	alignas(struct nlmsghdr) char data[8192];
	size_t len;
};

static struct nlmsghdr *begin(struct datagram *d, uint16_t type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(d->data + d->len);

	nlh->nlmsg_type = type;
	return nlh;
}

static void end(struct datagram *d, const struct nlmsghdr *nlh)
{
	d->len += nlh->nlmsg_len;
	assert_true(d->len <= sizeof(d->data));
}

struct ports {
	uint8_t l4proto;
	uint16_t src, dst;
};

static void put_tuple(struct nlmsghdr *nlh, uint16_t type, const char *src, const char *dst,
		      const struct ports *ports)
{
	bool v6 = strchr(src, ':') != NULL;
	int af = v6 ? AF_INET6 : AF_INET;
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	uint8_t bytes[16];

	assert_int_equal(inet_pton(af, src, bytes), 1);
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, v6 ? 16 : 4, bytes);
	assert_int_equal(inet_pton(af, dst, bytes), 1);
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, v6 ? 16 : 4, bytes);
	mnl_attr_nest_end(nlh, ip);
	if (ports) {
		struct nlattr *proto = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);

		mnl_attr_put_u8(nlh, CTA_PROTO_NUM, ports->l4proto);
		mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(ports->src));
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(ports->dst));
		mnl_attr_nest_end(nlh, proto);
	}
	mnl_attr_nest_end(nlh, tuple);
}

/* A connection from a to b that is translated to c; labels NULL: there are none. */
static void add(struct datagram *d, const char *a, const char *b, const char *c,
		const uint8_t *labels, size_t len)
{
	struct nlmsghdr *nlh = begin(d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	put_tuple(nlh, CTA_TUPLE_ORIG, a, b, NULL);
	put_tuple(nlh, CTA_TUPLE_REPLY, c, a, NULL);
	if (labels)
		mnl_attr_put(nlh, CTA_LABELS, len, labels);
	mnl_attr_put_u32(nlh, CTA_ID, 1);
	end(d, nlh);
}

static void print(void *data, const struct nlmsghdr *entry, const struct flow *flow)
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];

	(void)entry;
	buf_printf(data, "%s>%s%s", ipaddr_format(&flow->src, src), ipaddr_format(&flow->dst, dst),
		   flow->judged ? " judged" : "");
	if (flow->l4proto)
		buf_printf(data, " %u:%u:%u", flow->l4proto, flow->port, flow->reached_port);
	buf_puts(data, "\n");
}

/* Parses a copy of exactly that size, so that a read past its end is seen. */
static int parse(const struct datagram *d, size_t len, const char *expected)
{
	char *copy = malloc(len ? len : 1);
	struct buf b = { 0 };
	int r;

	assert_non_null(copy);
	memcpy(copy, d->data, len);
	r = conntrack_parse(copy, len, print, &b);
	if (expected)
		assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
	free(copy);
	return r;
}

static void test_entries(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	add(&d, "172.30.1.11", "203.0.113.1", "203.0.113.1", NULL, 0);
	add(&d, "172.30.1.11", "203.0.113.1", "198.51.100.2", NULL, 0);
	add(&d, "fd77:1::11", "2001:db8::1", "2001:db8::1", NULL, 0);
	assert_int_equal(parse(&d, d.len,
			       "172.30.1.11>203.0.113.1\n172.30.1.11>198.51.100.2\n"
			       "fd77:1::11>2001:db8::1\n"),
			 1);
	end(&d, begin(&d, NLMSG_DONE));
	assert_int_equal(parse(&d, d.len, NULL), 0);
}

static void test_label(void **state)
{
	uint8_t labels[16] = { 0 }, others[16];
	size_t at = __BYTE_ORDER == __LITTLE_ENDIAN ? 15 : 0;
	struct datagram d = { .len = 0 };

	(void)state;
	assert_int_equal(JUDGED_LABEL, 127);
	labels[at] = 0x80;
	memset(others, 0xff, sizeof(others));
	others[at] = 0x7f;
	add(&d, "10.0.0.1", "10.0.0.2", "10.0.0.2", labels, 16);
	add(&d, "10.0.0.3", "10.0.0.4", "10.0.0.4", others, 16);
	add(&d, "10.0.0.5", "10.0.0.6", "10.0.0.6", labels, 8); /* no kernel has fewer */
	assert_int_equal(parse(&d, d.len,
			       "10.0.0.1>10.0.0.2 judged\n10.0.0.3>10.0.0.4\n10.0.0.5>10.0.0.6\n"),
			 1);
}

/* The ports are the destination's, before a translation and after it. */
static void test_ports(void **state)
{
	static const struct ports sent[] = { { IPPROTO_UDP, 1024, 53 },
					     { IPPROTO_TCP, 1025, 853 },
					     { IPPROTO_ICMP, 7, 8 } },
				  back[] = { { IPPROTO_UDP, 5300, 1024 },
					     { IPPROTO_TCP, 853, 1025 },
					     { IPPROTO_ICMP, 8, 7 } };
	struct datagram d = { .len = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		struct nlmsghdr *nlh = begin(&d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);

		mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
		put_tuple(nlh, CTA_TUPLE_ORIG, "10.0.0.1", "10.0.0.2", &sent[i]);
		put_tuple(nlh, CTA_TUPLE_REPLY, "10.0.0.3", "10.0.0.1", &back[i]);
		end(&d, nlh);
	}
	assert_int_equal(parse(&d, d.len,
			       "10.0.0.1>10.0.0.3 17:53:5300\n10.0.0.1>10.0.0.3 6:853:853\n"
			       "10.0.0.1>10.0.0.3 1:0:0\n"),
			 1);
	for (size_t len = 1; len < d.len; len++)
		(void)parse(&d, len, NULL);
}

static void test_refusal(void **state)
{
	struct datagram d = { .len = 0 };
	struct nlmsghdr *nlh = begin(&d, NLMSG_ERROR);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	(void)state;
	e->error = -EPERM;
	end(&d, nlh);
	assert_int_equal(parse(&d, d.len, ""), -EPERM);
	assert_int_equal(parse(&d, d.len - 4, ""), -EBADMSG);
	nlh->nlmsg_len = sizeof(*nlh);
	assert_int_equal(parse(&d, sizeof(*nlh), ""), -EBADMSG);
}

/* An entry whose addresses are missing or odd is none of ours, and what is behind it counts. */
static void test_odd(void **state)
{
	struct datagram d = { .len = 0 };
	struct nlmsghdr *nlh = begin(&d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
	struct nlattr *tuple, *ip;

	(void)state;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, CTA_IP_V4_SRC, 3, "abc");
	mnl_attr_nest_end(nlh, ip);
	mnl_attr_nest_end(nlh, tuple);
	end(&d, nlh);
	nlh = begin(&d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	end(&d, nlh);
	nlh = begin(&d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
	end(&d, nlh);
	add(&d, "10.0.0.1", "10.0.0.2", "10.0.0.2", NULL, 0);
	assert_int_equal(parse(&d, d.len, "10.0.0.1>10.0.0.2\n"), 1);
	for (size_t len = 1; len < d.len; len++)
		(void)parse(&d, len, NULL);
	nlh = begin(&d, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
	end(&d, nlh);
	assert_int_equal(parse(&d, d.len, "10.0.0.1>10.0.0.2\n"), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries), cmocka_unit_test(test_label),
		cmocka_unit_test(test_ports),	cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
