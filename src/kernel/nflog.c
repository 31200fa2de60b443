/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel collects packets for a group and sends them on when there are a hundred, or a tenth of a
 * second after the first. It does so from the path of a packet: a queue that is full loses
 * packets there, and holds up nobody. It sends datagrams of messages, one per packet, whose
 * payload are the first bytes from the IP header on: the sender of the packet wrote them.
 */
#include "dockside/kernel/nflog.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "nft_attr.h"
#include "nft_talk.h"

#define DATAGRAM_SIZE 65536u	  /* bytes; the kernel sends at most a page or so at once */
#define RCVBUF_SIZE (1024 * 1024) /* some thousand packets, while the daemon does something else */
#define READ_MAX 32		  /* datagrams at once: others in the event loop wait */
#define COPY_RANGE 1500u	  /* bytes of a packet at most; our rules say how many they want */
#define TIMEOUT_CS 2u		/* 1/100 s that the kernel collects: a user waits to see a packet */
#define EXTENSION_HEADERS_MAX 8 /* of IPv6 */
#define UDP_HEADER 8
#define IPPROTO_DCCP_ 33 /* <netinet/in.h> may lack them */
#define IPPROTO_UDPLITE_ 136

struct nflog {
	struct mnl_socket *socket;
	uint32_t next; /* number of the packet that is to come: the kernel counts them from 0 */
	uint64_t lost;
	alignas(struct nlmsghdr) char datagram[DATAGRAM_SIZE];
};

/* ------------------------------------------------------------------ a packet's headers */

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void parse_transport(struct nflog_packet *packet, const uint8_t *p, size_t len)
{
	switch (packet->l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP_:
	case IPPROTO_UDPLITE_:
		if (len < 4)
			return;
		packet->has_ports = true;
		packet->sport = get_u16(p);
		packet->dport = get_u16(p + 2);
		if (packet->l4proto == IPPROTO_UDP && len > UDP_HEADER) {
			packet->data = p + UDP_HEADER;
			packet->n_data = len - UDP_HEADER;
		}
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (len < 2)
			return;
		packet->has_icmp = true;
		packet->icmp_type = p[0];
		packet->icmp_code = p[1];
		if (packet->l4proto == IPPROTO_ICMPV6 && p[0] == ND_NEIGHBOR_ADVERT &&
		    len >= sizeof(struct nd_neighbor_advert)) {
			packet->frame.has_target = true;
			packet->frame.target.family = FAMILY_IPV6;
			memcpy(packet->frame.target.b,
			       p + offsetof(struct nd_neighbor_advert, nd_na_target), 16);
		}
		return;
	default:
		return;
	}
}

static bool parse_ipv4(struct nflog_packet *packet, const uint8_t *p, size_t len)
{
	size_t head;

	if (len < sizeof(struct iphdr) || p[0] >> 4 != 4)
		return false;
	head = (size_t)(p[0] & 0xf) * 4;
	packet->src = (struct ipaddr){ .family = FAMILY_IPV4 };
	packet->dst = packet->src;
	memcpy(packet->src.b, p + offsetof(struct iphdr, saddr), 4);
	memcpy(packet->dst.b, p + offsetof(struct iphdr, daddr), 4);
	packet->l4proto = p[offsetof(struct iphdr, protocol)];
	if (head < sizeof(struct iphdr) || head > len)
		return true;
	if ((get_u16(p + offsetof(struct iphdr, frag_off)) & IP_OFFMASK) == 0)
		parse_transport(packet, p + head, len - head);
	return true;
}

/* Returns where the header after an extension header begins; 0 if there is none, or in a later
 * fragment. */
static size_t next_header(const uint8_t *p, size_t len, uint8_t kind, size_t at)
{
	if (len < at + 8)
		return 0;
	if (kind == IPPROTO_FRAGMENT)
		return get_u16(p + at + 2) & 0xfff8 ? 0 : at + 8;
	if (kind == IPPROTO_AH)
		return at + (size_t)(p[at + 1] + 2) * 4;
	return at + (size_t)(p[at + 1] + 1) * 8;
}

static bool is_extension(uint8_t kind)
{
	return kind == IPPROTO_HOPOPTS || kind == IPPROTO_ROUTING || kind == IPPROTO_DSTOPTS ||
	       kind == IPPROTO_FRAGMENT || kind == IPPROTO_AH;
}

static bool parse_ipv6(struct nflog_packet *packet, const uint8_t *p, size_t len)
{
	size_t at = sizeof(struct ip6_hdr);

	if (len < at || p[0] >> 4 != 6)
		return false;
	packet->src = (struct ipaddr){ .family = FAMILY_IPV6 };
	packet->dst = packet->src;
	memcpy(packet->src.b, p + offsetof(struct ip6_hdr, ip6_src), 16);
	memcpy(packet->dst.b, p + offsetof(struct ip6_hdr, ip6_dst), 16);
	packet->l4proto = p[offsetof(struct ip6_hdr, ip6_nxt)];
	for (int i = 0; i < EXTENSION_HEADERS_MAX && is_extension(packet->l4proto); i++) {
		size_t next = next_header(p, len, packet->l4proto, at);

		if (at + 8 <= len)
			packet->l4proto = p[at];
		if (next == 0 || next > len)
			return true;
		at = next;
	}
	if (!is_extension(packet->l4proto))
		parse_transport(packet, p + at, len - at);
	return true;
}

/* ------------------------------------------------------------------ frames */

/* The addresses of RFC 826, for Ethernet and IPv4, as far as they are there. */
static bool parse_arp(struct nflog_packet *packet, const uint8_t *p, size_t len)
{
	static const uint8_t kind[] = {
		0, ARPHRD_ETHER, ETHERTYPE_IP >> 8, ETHERTYPE_IP & 0xff, ETH_ALEN, 4
	};
	const uint8_t *sender = p + sizeof(struct arphdr);
	const size_t whole = sizeof(struct arphdr) + (size_t)2 * (ETH_ALEN + 4);

	if (len < whole || memcmp(p, kind, sizeof(kind)) != 0)
		return false;
	packet->frame.has_sender = true;
	memcpy(packet->frame.sender, sender, ETH_ALEN);
	packet->src = (struct ipaddr){ .family = FAMILY_IPV4 };
	packet->dst = packet->src;
	memcpy(packet->src.b, sender + ETH_ALEN, 4);
	memcpy(packet->dst.b, sender + ETH_ALEN + 4 + ETH_ALEN, 4);
	return true;
}

/* Whether it has addresses. */
static bool parse_frame(struct nflog_packet *packet, const uint8_t *p, size_t len)
{
	switch (packet->frame.protocol) {
	case ETHERTYPE_IP:
		return parse_ipv4(packet, p, len);
	case ETHERTYPE_IPV6:
		return parse_ipv6(packet, p, len);
	case ETHERTYPE_ARP:
		return parse_arp(packet, p, len);
	default:
		return false;
	}
}

/* ------------------------------------------------------------------ messages */

static size_t payload_len(const struct nlattr *attr, size_t at_least)
{
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	return len >= at_least ? len : 0;
}

/* Rules of others may log to the same group, whatever they like. */
static bool parse_prefix(struct nflog_packet *packet, const struct nlattr *attr)
{
	size_t len = payload_len(attr, 1), n = 0;
	const char *s = len > 0 ? mnl_attr_get_payload(attr) : "";

	for (; n < len && s[n] && n + 1 < sizeof(packet->prefix); n++)
		packet->prefix[n] = s[n] > ' ' && s[n] <= '~' ? s[n] : '?';
	return n > 0;
}

static void parse_mac(struct nflog_packet *packet, const struct nlattr *attr)
{
	struct nfulnl_msg_packet_hw hw;

	if (payload_len(attr, sizeof(hw)) == 0)
		return;
	memcpy(&hw, mnl_attr_get_payload(attr), sizeof(hw));
	packet->has_mac = ntohs(hw.hw_addrlen) == sizeof(packet->mac);
	if (packet->has_mac)
		memcpy(packet->mac, hw.hw_addr, sizeof(packet->mac));
}

static void parse_time(struct nflog_packet *packet, const struct nlattr *attr)
{
	uint64_t sec, usec;
	const char *p;

	if (payload_len(attr, 16) == 0)
		return;
	p = mnl_attr_get_payload(attr);
	memcpy(&sec, p, sizeof(sec));
	memcpy(&usec, p + 8, sizeof(usec));
	sec = be64toh(sec);
	usec = be64toh(usec);
	if (sec < UINT32_MAX && usec < 1000000)
		packet->time_ms = sec * 1000 + usec / 1000;
}

static unsigned parse_index(const struct nlattr *attr)
{
	return payload_len(attr, sizeof(uint32_t)) > 0 ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

/* Both are attributes of Ethernet's header: all of it where it stands before the packet's, or what the device makes of
 * it. */
static void parse_ethernet(struct nflog_frame *frame, const struct attrs *a)
{
	const struct nlattr *attr = a->at[NFULA_L2HDR];
	const uint8_t *p;

	if (payload_len(attr, ETH_HLEN) == 0)
		attr = a->at[NFULA_HWHEADER];
	if (payload_len(attr, ETH_HLEN) == 0)
		return;
	p = mnl_attr_get_payload(attr);
	frame->has_macs = true;
	memcpy(frame->dst, p, ETH_ALEN);
	memcpy(frame->src, p + ETH_ALEN, ETH_ALEN);
}

/*
 * The kernel calls the port the physical device, and its bridge the device, if it has br_netfilter; without, there is
 * only the port.
 */
static void parse_ports(struct nflog_frame *frame, const struct attrs *a)
{
	unsigned in = parse_index(a->at[NFULA_IFINDEX_INDEV]);
	unsigned out = parse_index(a->at[NFULA_IFINDEX_OUTDEV]);

	frame->in_port = parse_index(a->at[NFULA_IFINDEX_PHYSINDEV]);
	frame->out_port = parse_index(a->at[NFULA_IFINDEX_PHYSOUTDEV]);
	if (frame->in_port || frame->out_port) {
		frame->bridge = in ? in : out;
		return;
	}
	frame->in_port = in;
	frame->out_port = out;
}

static void begin_frame(struct nflog_packet *packet, const struct attrs *a)
{
	struct nfulnl_msg_packet_hdr head;

	packet->is_frame = true;
	parse_ports(&packet->frame, a);
	parse_ethernet(&packet->frame, a);
	if (payload_len(a->at[NFULA_PACKET_HDR], sizeof(head)) == 0)
		return;
	memcpy(&head, mnl_attr_get_payload(a->at[NFULA_PACKET_HDR]), sizeof(head));
	packet->frame.protocol = ntohs(head.hw_protocol);
}

/* Whether the message is about a packet that we can show. *packet points into the message. */
static bool parse_packet(struct nflog_packet *packet, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *payload;
	const uint8_t *p;
	struct attrs a = attrs_of_message(nlh);
	size_t len;

	*packet = (struct nflog_packet){ 0 };
	if (!parse_prefix(packet, a.at[NFULA_PREFIX]))
		return false;
	payload = a.at[NFULA_PAYLOAD];
	len = payload_len(payload, 1);
	p = len > 0 ? mnl_attr_get_payload(payload) : NULL;
	parse_mac(packet, a.at[NFULA_HWADDR]);
	parse_time(packet, a.at[NFULA_TIMESTAMP]);
	packet->oif = parse_index(a.at[NFULA_IFINDEX_OUTDEV]);
	if (nfg->nfgen_family == NFPROTO_BRIDGE) {
		begin_frame(packet, &a);
		packet->frame.has_addrs = p && parse_frame(packet, p, len);
		return true;
	}
	if (!p)
		return false;
	return p[0] >> 4 == 4 ? parse_ipv4(packet, p, len) : parse_ipv6(packet, p, len);
}

bool nflog_parse(const void *datagram, size_t len, nflog_packet_fn on_packet, void *data)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;

	for (; message_fits(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		struct nflog_packet packet;

		if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
			return false;
		if (parse_packet(&packet, nlh))
			on_packet(data, &packet);
	}
	return left <= 0; /* padding counts: the last message may lack it */
}

/* ------------------------------------------------------------------ the socket */

static struct nlmsghdr *config_message(char *buf, uint16_t group)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(group);
	return nlh;
}

/* Sends it and waits for the kernel's word, which comes before sendto() returns. */
static int config(struct nflog *nflog, const struct nlmsghdr *nlh)
{
	ssize_t n;

	if (mnl_socket_sendto(nflog->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	/* Once bound, packets may come before the acknowledgement: they are as good as lost. */
	do {
		n = mnl_socket_recvfrom(nflog->socket, nflog->datagram, sizeof(nflog->datagram));
		if (n < 0 && errno != ENOBUFS)
			return -errno;
	} while (n < (ssize_t)sizeof(struct nlmsghdr) ||
		 ((struct nlmsghdr *)(void *)nflog->datagram)->nlmsg_type != NLMSG_ERROR);
	if (mnl_cb_run(nflog->datagram, (size_t)n, 0, mnl_socket_get_portid(nflog->socket), NULL,
		       NULL) < 0)
		return -errno;
	return 0;
}

static int set_up(struct nflog *nflog, uint16_t group)
{
	const struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_mode = NFULNL_COPY_PACKET,
						     .copy_range = htonl(COPY_RANGE) };
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = config_message(buf, group);

	mnl_attr_put(nlh, NFULA_CFG_CMD, sizeof(bind), &bind);
	mnl_attr_put(nlh, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(nlh, NFULA_CFG_TIMEOUT, htonl(TIMEOUT_CS));
	mnl_attr_put_u16(nlh, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return config(nflog, nlh);
}

int nflog_open(uint16_t group, struct nflog **ret_nflog, struct err *err)
{
	int size = RCVBUF_SIZE;
	struct mnl_socket *socket;
	struct nflog *nflog;
	int r = netlink_open(SOCK_NONBLOCK, &socket, err);

	if (r < 0)
		return r;
	nflog = xcalloc(1, sizeof(*nflog));
	nflog->socket = socket;
	/* Without the privilege it stays small, and losses are noticed. */
	(void)setsockopt(nflog_fd(nflog), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	r = set_up(nflog, group);
	if (r < 0) {
		/* The kernel's words for both. */
		if (r == -EPERM)
			r = err_set(err, EPERM,
				    "listen to nflog group %u: another program does, or "
				    "CAP_NET_ADMIN is missing",
				    group);
		else
			r = err_errno(err, -r, "listen to nflog group %u", group);
		nflog_close(nflog);
		return r;
	}
	*ret_nflog = nflog;
	return 0;
}

void nflog_close(struct nflog *nflog)
{
	if (!nflog)
		return;
	mnl_socket_close(nflog->socket);
	free(nflog);
}

int nflog_fd(const struct nflog *nflog)
{
	return mnl_socket_get_fd(nflog->socket);
}

/* ------------------------------------------------------------------ what is missing */

uint64_t nflog_gaps(const void *datagram, size_t len, uint32_t *next)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;
	uint64_t n = 0;

	for (; message_fits(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		uint32_t number;
		struct attrs a;

		if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
		    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
			continue;
		a = attrs_of_message(nlh);
		if (payload_len(a.at[NFULA_SEQ], 4) == 0)
			continue;
		number = ntohl(mnl_attr_get_u32(a.at[NFULA_SEQ]));
		n += (uint32_t)(number - *next);
		*next = number + 1;
	}
	return n;
}

uint64_t nflog_lost(const struct nflog *nflog)
{
	return nflog->lost;
}

/* ------------------------------------------------------------------ reading */

struct reading {
	struct nflog *nflog;
	nflog_packet_fn on_packet;
	void *data;
};

static int on_datagram(void *data, const void *datagram, size_t len)
{
	const struct reading *reading = data;
	struct nflog *nflog = reading->nflog;

	nflog->lost += nflog_gaps(datagram, len, &nflog->next);
	return nflog_parse(datagram, len, reading->on_packet, reading->data) ? 1 : -EBADMSG;
}

int nflog_read(struct nflog *nflog, nflog_packet_fn on_packet, void *data, bool *ret_lost,
	       struct err *err)
{
	struct reading reading = { nflog, on_packet, data };
	int r;

	*ret_lost = false;
	r = netlink_read(nflog->socket, nflog->datagram, sizeof(nflog->datagram), READ_MAX,
			 on_datagram, &reading, ret_lost);
	if (r == -EBADMSG)
		return err_set(err, EBADMSG, "read what was refused: malformed message");
	return r < 0 ? err_errno(err, -r, "read what was refused") : 0;
}
