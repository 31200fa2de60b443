/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any frame that a rule of table bridge dockside refuses becomes an event that is JSON, and says what stands in the frame: what
 * it pretends to be is read here a second time, by offsets alone.
 *
 * The input: which match the rule has, which field that is about, the chain, what the kernel tells besides the packet, and
 * then the frame (tests/fuzz/seeds_frames.py makes some).
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/json/json_parse.h"
#include "dockside/kernel/nflog.h"
#include "dockside/report/denied.h"

#include "must.h"

#define HEAD 4
#define FRAME_MAX 1500
#define TAG 4

struct
try {
	const char *kind;
	struct denied_frame frame; /* what the rule says */
	const uint8_t *ether;
	size_t n_ether, n_payload;
	const uint8_t *payload;
	uint16_t protocol;
	bool told_header;
	size_t n;
};

/* ------------------------------------------------------------------ the rule */

static void make_rule(struct try *try, const uint8_t *head)
{
	static const enum match_kind kinds[] = { MATCH_FIELD_SET, MATCH_FIELD_PREFIX, MATCH_ICMP,
						 MATCH_PROTOCOL, MATCH_UNICAST };
	size_t kind = head[0] % (sizeof(kinds) / sizeof(kinds[0]) + 1);
	struct plan plan = { .family = TABLE_BRIDGE };
	struct plan_rule *rule;

	rule = chain_add_rule(plan_add_chain(&plan, "fuzz", NULL), NULL);
	if (kind < sizeof(kinds) / sizeof(kinds[0])) {
		struct match *match = rule_add_match(rule, kinds[kind]);

		if (match->kind == MATCH_FIELD_SET)
			match->u.field_set.field = head[1] % (FIELD_ND_TARGET + 1);
		else if (match->kind == MATCH_FIELD_PREFIX)
			match->u.field_prefix.field = head[1] % (FIELD_ND_TARGET + 1);
		else if (match->kind == MATCH_ICMP)
			match->u.icmp.type = head[1];
		else if (match->kind == MATCH_PROTOCOL)
			match->u.protocol = head[1] & 1 ? ETHERTYPE_ARP : ETHERTYPE_IP;
	}
	try->kind = bound_kinds[head[2] % N_BOUND_KINDS];
	try->frame.has_field = denied_rule_field(rule, try->kind, &try->frame.field);
	plan_free(&plan);
}

/* ------------------------------------------------------------------ the message */

/* As the kernel has it: the payload begins behind one VLAN tag, if there is one. */
static void find_payload(struct try *try)
{
	size_t at = ETH_HLEN;

	if (try->n_ether < ETH_HLEN)
		return;
	try->protocol = (uint16_t)(try->ether[12] << 8 | try->ether[13]);
	if (try->protocol == ETHERTYPE_VLAN && try->n_ether >= ETH_HLEN + TAG) {
		try->protocol = (uint16_t)(try->ether[16] << 8 | try->ether[17]);
		at += TAG;
	}
	try->payload = try->ether + at;
	try->n_payload = try->n_ether - at;
}

static size_t make_message(struct try *try, uint8_t told, char *buffer)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct nfulnl_msg_packet_hdr head = { .hw_protocol = htons(try->protocol) };

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	nfg->nfgen_family = NFPROTO_BRIDGE;
	mnl_attr_put(nlh, NFULA_PACKET_HDR, sizeof(head), &head);
	mnl_attr_put_strz(nlh, NFULA_PREFIX, "dsfw/-/BIND/1/01234567");
	if (told & 1)
		mnl_attr_put_u32(nlh, NFULA_IFINDEX_INDEV, htonl(3));
	if (told & 2)
		mnl_attr_put_u32(nlh, NFULA_IFINDEX_PHYSINDEV, htonl(4));
	if (told & 4)
		mnl_attr_put_u32(nlh, NFULA_IFINDEX_PHYSOUTDEV, htonl(5));
	try->told_header = told & 8 && try->n_ether >= ETH_HLEN;
	if (try->told_header)
		mnl_attr_put(nlh, told & 16 ? NFULA_L2HDR : NFULA_HWHEADER, ETH_HLEN, try->ether);
	if (try->n_payload > 0)
		mnl_attr_put(nlh, NFULA_PAYLOAD, try->n_payload, try->payload);
	return nlh->nlmsg_len;
}

/* ------------------------------------------------------------------ what must be true */

static const char *mac_at(const struct try *try, size_t at, char text[ADDR_STRLEN])
{
	return try->told_header ? mac_format(try->ether + at, text) : NULL;
}

static const char *addr_at(const struct try *try, enum family family, size_t at,
			   char text[ADDR_STRLEN])
{
	struct ipaddr addr = { .family = family };

	memcpy(addr.b, try->payload + at, family_bytes(family));
	return ipaddr_format(&addr, text);
}

static bool is_arp(const struct try *try)
{
	return try->protocol == ETHERTYPE_ARP && try->n_payload >= 28 &&
	       memcmp(try->payload, "\0\1\10\0\6\4", 6) == 0;
}

/* An address of the packet: of the source, or of the destination; by the EtherType. */
static const char *packet_addr(const struct try *try, bool to, char text[ADDR_STRLEN])
{
	if (is_arp(try))
		return addr_at(try, FAMILY_IPV4, to ? 24 : 14, text);
	if (try->protocol == ETHERTYPE_IP && try->n_payload >= 20 && try->payload[0] >> 4 == 4)
		return addr_at(try, FAMILY_IPV4, to ? 16 : 12, text);
	if (try->protocol == ETHERTYPE_IPV6 && try->n_payload >= 40 && try->payload[0] >> 4 == 6)
		return addr_at(try, FAMILY_IPV6, to ? 24 : 8, text);
	return NULL;
}

/* Only where no extension header comes first: the parser's walk over these is its own affair. */
static bool find_target(const struct try *try, const char **ret, char text[ADDR_STRLEN])
{
	if (try->protocol != ETHERTYPE_IPV6 || try->n_payload < 40 + 24 ||
	    try->payload[0] >> 4 != 6 || try->payload[6] != IPPROTO_ICMPV6)
		return false;
	*ret = try->payload[40] == ND_NEIGHBOR_ADVERT ? addr_at(try, FAMILY_IPV6, 48, text) : NULL;
	return true;
}

static void check_pretended(const struct try *try, const char *found)
{
	char text[ADDR_STRLEN];
	const char *expected = NULL;

	switch (try->frame.has_field ? (int)try->frame.field : -1) {
	case FIELD_ETHER_SADDR:
		expected = mac_at(try, 6, text);
		break;
	case FIELD_ETHER_DADDR:
		expected = mac_at(try, 0, text);
		break;
	case FIELD_ARP_SENDER_MAC:
		expected = is_arp(try) ? mac_format(try->payload + 8, text) : NULL;
		break;
	case FIELD_ARP_SENDER:
	case FIELD_SADDR:
	case FIELD_SADDR6:
		expected = packet_addr(try, false, text);
		break;
	case FIELD_ARP_TARGET:
	case FIELD_DADDR:
	case FIELD_DADDR6:
		expected = packet_addr(try, true, text);
		break;
	case FIELD_ND_TARGET:
		if (!find_target(try, &expected, text))
			return;
		break;
	default:
		break;
	}
	must(expected ? found && strcmp(found, expected) == 0 : !found);
}

static void check_json(const struct try *try, const struct buf *b)
{
	struct src src = { .name = NULL, .text = b->data, .len = b->len };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };

	must(memchr(b->data, '\n', b->len) == NULL);
	must(json_parse(&src, &tree, &diags));
	check_pretended(try, json_text(tree.root, "pretended", NULL));
	must((json_text(tree.root, "source", NULL) != NULL) ==
	     (json_text(tree.root, "destination", NULL) != NULL));
	must(json_text(tree.root, "protocol", NULL));
	json_tree_free(&tree);
	diags_free(&diags);
}

static void check(void *data, const struct nflog_packet *packet)
{
	struct try *try = data;
	struct denied_frame frame = try->frame;
	struct buf b = { 0 };

	try->n++;
	must(packet->is_frame && packet->frame.protocol == try->protocol);
	must(packet->frame.has_macs == try->told_header);
	frame.protocol = packet->frame.protocol;
	frame.has_addrs = packet->frame.has_addrs;
	frame.has_macs = packet->frame.has_macs;
	frame.has_sender = packet->frame.has_sender;
	frame.has_target = packet->frame.has_target;
	frame.target = packet->frame.target;
	memcpy(frame.src, packet->frame.src, sizeof(frame.src));
	memcpy(frame.dst, packet->frame.dst, sizeof(frame.dst));
	memcpy(frame.sender, packet->frame.sender, sizeof(frame.sender));
	denied_event_json(&b, &(struct denied_event){ .time_ms = packet->time_ms,
						      .network = "ds-a",
						      .bridge = "ds-a",
						      .kind = try->kind,
						      .src = packet->src,
						      .dst = packet->dst,
						      .l4proto = packet->l4proto,
						      .has_ports = packet->has_ports,
						      .has_icmp = packet->has_icmp,
						      .sport = packet->sport,
						      .dport = packet->dport,
						      .icmp_type = packet->icmp_type,
						      .icmp_code = packet->icmp_code,
						      .frame = &frame });
	check_json(try, &b);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char buffer[FRAME_MAX + 512] = { 0 };
	struct try try = { .n = 0 };
	size_t len;
	char *copy;

	if (size < HEAD || size > HEAD + FRAME_MAX)
		return 0;
	try.ether = data + HEAD;
	try.n_ether = size - HEAD;
	make_rule(&try, data);
	find_payload(&try);
	len = make_message(&try, data[3], buffer);
	/* A copy of the exact size, so that ASan sees a read past the end. */
	copy = malloc(len);
	must(copy);
	memcpy(copy, buffer, len);
	must(nflog_parse(copy, len, check, &try));
	must(try.n == 1);
	free(copy);
	return 0;
}
