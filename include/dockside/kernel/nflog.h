/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that rules of ours have the kernel tell of (nfnetlink_log), over libmnl. Needs
 * CAP_NET_ADMIN; is of the network namespace that it was opened in.
 */
#ifndef DOCKSIDE_KERNEL_NFLOG_H
#define DOCKSIDE_KERNEL_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/base/err.h"

struct err;

#define NFLOG_PREFIX_SIZE 128 /* with the NUL: NF_LOG_PREFIXLEN, linux/netfilter/nf_log.h */

/* A frame on a port of a bridge, which a rule of the bridge family reports. */
struct nflog_frame {
	unsigned in_port, out_port; /* indexes of the ports; 0: none */
	unsigned bridge;	    /* index of the bridge; 0: not told */
	uint16_t protocol; /* ETH_P_*, behind one VLAN tag; of the second tag if there are two */
	bool has_addrs; /* src and dst of the packet count: IPv4's, IPv6's, ARP's sender's and target's */
	bool has_macs;
	uint8_t src[6], dst[6]; /* of the Ethernet header */
	bool has_sender;	/* ARP */
	uint8_t sender[6];
	bool has_target; /* neighbour advertisement */
	struct ipaddr target;
};

/* A packet. Unknown fields are zero. */
struct nflog_packet {
	char prefix[NFLOG_PREFIX_SIZE]; /* of the rule; printable */
	struct ipaddr src, dst;
	bool is_frame; /* frame counts, and the packet may be of any protocol */
	struct nflog_frame frame;
	uint8_t l4proto; /* IPPROTO_* */
	bool has_ports;	 /* TCP, UDP, SCTP, DCCP, UDP-Lite: sport and dport count */
	uint16_t sport, dport;
	const uint8_t *data; /* UDP's payload, as far as it was copied, or NULL */
	size_t n_data;
	bool has_icmp; /* ICMP or ICMPv6: type and code count */
	uint8_t icmp_type, icmp_code;
	bool has_mac;
	uint8_t mac[6];	  /* who sent it on the bridge */
	unsigned oif;	  /* index of the interface that it leaves by */
	uint64_t time_ms; /* since 1970, if the kernel has noted it; else 0 */
};

/* Borrowed. */
typedef void (*nflog_packet_fn)(void *data, const struct nflog_packet *packet);

/*
 * Parses a datagram of the kernel's, which is aligned as struct nlmsghdr. Each packet that is IPv4 or
 * IPv6, or a frame on a port of a bridge, and has a prefix goes to on_packet. Returns false where the datagram is malformed; packets
 * before that were handed over.
 */
bool nflog_parse(const void *datagram, size_t len, nflog_packet_fn on_packet, void *data);

struct nflog;

/* Listens to a group, 1 to 65535. Returns 0 or -errno: -EPERM where another program does, too. */
int nflog_open(uint16_t group, struct nflog **ret_nflog, struct err *err);
void nflog_close(struct nflog *nflog);
int nflog_fd(const struct nflog *nflog);
/* Packets that the kernel has had for us since nflog_open() and could not queue, as far as is known: what was
 * lost shows when the next one comes. */
uint64_t nflog_lost(const struct nflog *nflog);
/* Counts the packets that are missing from a datagram, by the numbers of those that are in it.
 * *next is the number that should come next; the call moves it on. */
uint64_t nflog_gaps(const void *datagram, size_t len, uint32_t *next);

/*
 * Reads what is there, a bounded amount. *ret_lost: more came than could be queued, and was lost.
 * Returns 0 or -errno; -EBADMSG for what makes no sense, after which reading can go on.
 */
int nflog_read(struct nflog *nflog, nflog_packet_fn on_packet, void *data, bool *ret_lost,
	       struct err *err);

#endif
