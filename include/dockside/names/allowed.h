/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the rule that a connection would meet if its destination were known to be of a name. DNS gives names
 * with many addresses (pools, content networks) others at each answer: a container may have one that the
 * daemon does not know, and its connection is refused although the name is allowed. Pure; for people only.
 */
#ifndef DOCKSIDE_NAMES_ALLOWED_H
#define DOCKSIDE_NAMES_ALLOWED_H

#include "dockside/policy/model.h"

struct allowed_packet {
	struct ipaddr dst;
	const char *name; /* of dst; NULL: any that a rule names */
	uint8_t l4proto;
	uint16_t port;		      /* tcp and udp */
	uint8_t icmp_type, icmp_code; /* ICMP */
};

/*
 * The index of the egress rule that decides about the packet: true if that allows it because of the name. False if
 * a rule before it decides by the address alone, or if none decides.
 */
bool allowed_by_name(const struct policy *policy, const struct network *network,
		     const struct allowed_packet *packet, size_t *ret_index);
/* The same, because of the name or the address. */
bool allowed_now(const struct policy *policy, const struct network *network,
		 const struct allowed_packet *packet, size_t *ret_index);
/*
 * The index of the rule of a list, a network's egress or host rules, that decides: true if it drops the packet on
 * purpose, because of its name, address, protocol or port. Rules about names do not decide about a packet without one.
 */
bool dropped_now(const struct policy *policy, const struct rule *rules, size_t n,
		 const struct allowed_packet *packet, size_t *ret_index);

#endif
