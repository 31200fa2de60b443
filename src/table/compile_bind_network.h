/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of a network in table bridge dockside, and what all of that table's chains are made of. */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_NETWORK_H
#define DOCKSIDE_TABLE_COMPILE_BIND_NETWORK_H

#include "compile_bind_sets.h"

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* UDP ports of DHCP (RFC 2131, RFC 8415). */
#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCP6_SERVER 547
#define DHCP6_CLIENT 546

/* Adds matches to a rule. */
void bind_match_protocol(struct plan_rule *rule, uint16_t protocol);
void bind_match_not_protocol(struct plan_rule *rule, uint16_t protocol);
void bind_match_icmp6(struct plan_rule *rule, uint8_t type); /* and the protocol */
void bind_match_udp(struct plan_rule *rule, uint16_t source, uint16_t destination);
void bind_match_not_udp(struct plan_rule *rule, uint16_t source, uint16_t destination);
void bind_match_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
		    const struct plan_set *set);
void bind_match_not_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
			const struct plan_set *set);
void bind_match_prefix(struct plan_rule *rule, enum frame_field field, const struct prefix *prefix);

/* Makes the chain's last rule, which has its matches, one that accepts; or one that drops, counts and reports. */
void bind_accept(struct plan_chain *chain, const char *comment);
void bind_refuse(struct plan *plan, struct plan_chain *chain, const char *comment);

/* ICMPv6 (RFC 4286), which netinet/icmp6.h does not have. */
#define MRD_ADVERT 151

/* A neighbour advertisement whose target may be in a later fragment. */
void bind_match_fragmented_advert(struct plan_rule *rule);

/* Adds rules that accept what is for every port: multicast and broadcast. */
void bind_accept_to_groups(struct plan_chain *chain, const struct bind_sets *sets,
			   const struct origin *origin);

/* Adds the chains of one network that is bound. */
void compile_bind_network(struct plan *plan, const struct bind_sets *sets,
			  const struct network *network);

#endif
