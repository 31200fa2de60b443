/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules and chains of table bridge dockside are made of these parts. */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_PARTS_H
#define DOCKSIDE_TABLE_COMPILE_BIND_PARTS_H

#include "compile_bind_sets.h"

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* UDP ports of DHCP (RFC 2131, RFC 8415). */
#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCP6_SERVER 547
#define DHCP6_CLIENT 546
/* ICMPv6 (RFC 4286), which netinet/icmp6.h does not have. */
#define MRD_ADVERT 151

extern const struct prefix bind_link_local; /* fe80::/10 */

struct binder {
	struct plan *plan;
	const struct bind_sets *sets;
	const struct origin *origin;
	struct plan_chain *chain; /* being made */
};

/* ---- matches ---- */

void bind_match_protocol(struct plan_rule *rule, uint16_t protocol);
void bind_match_not_protocol(struct plan_rule *rule, uint16_t protocol);
void bind_match_icmp6(struct plan_rule *rule, uint8_t type); /* and the protocol */
/* A neighbour advertisement whose target may be in a later fragment. */
void bind_match_fragmented_advert(struct plan_rule *rule);
void bind_match_udp(struct plan_rule *rule, uint16_t source, uint16_t destination);
void bind_match_not_udp(struct plan_rule *rule, uint16_t source, uint16_t destination);
void bind_match_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
		    const struct plan_set *set);
void bind_match_not_set(struct plan_rule *rule, enum frame_port port, enum frame_field field,
			const struct plan_set *set);
void bind_match_prefix(struct plan_rule *rule, enum frame_field field, const struct prefix *prefix);
void bind_match_not_prefix(struct plan_rule *rule, enum frame_field field,
			   const struct prefix *prefix);

/* ---- chains ---- */

/* Begins a chain of no network; log_kind is one of bound_kinds, or NULL where it refuses nothing. */
void bind_begin(struct binder *b, const char *name, enum base_hook hook, const char *log_kind);
/* A rule at the end of the chain. The functions below give the last rule, which has its matches, a verdict. */
struct plan_rule *bind_add(struct binder *b);
void bind_go_to(struct binder *b, const char *chain);
void bind_accept(struct binder *b, const char *comment);
void bind_drop(struct binder *b, const char *comment);	 /* and counts */
void bind_refuse(struct binder *b, const char *comment); /* and counts and reports */

/* Adds a rule that looks a port up. */
void bind_look_up(struct binder *b, const struct plan_set *map, enum frame_port port);
void bind_accept_prefix(struct binder *b, uint16_t protocol, enum frame_field field,
			const struct prefix *prefix, const char *comment);

/*
 * A host asks whether it may have an address before it has one. Asking for somebody else's keeps that one from
 * getting it. So it may ask for the port's own addresses; for those of extra, if that is not NULL; or negated,
 * for nobody's.
 */
struct asked {
	bool negated;
	const struct extra_sets *extra;
};
void bind_accept_asked(struct binder *b, const struct asked *asked);
/* A host without an address asks for one, for a router, and for groups (RFC 2131, RFC 4861, RFC 3590). */
void bind_accept_unspecified(struct binder *b);
/* A host with nothing but a link-local address asks for neighbours and groups. */
void bind_accept_link_local(struct binder *b);

#endif
