/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explains the fate of a packet: walks a plan's chains as nf_tables walks them, step by step.
 * Pure, and computed from the plan that is loaded, not from the policy that it was made of.
 */
#ifndef DOCKSIDE_REPORT_EXPLAIN_H
#define DOCKSIDE_REPORT_EXPLAIN_H

#include "dockside/table/plan.h"

/* The state that conntrack gives a packet that is the first of its connection. */
enum explain_ct {
	EXPLAIN_NEW,
	EXPLAIN_INVALID,   /* an ICMP type that begins nothing */
	EXPLAIN_UNTRACKED, /* neighbour discovery */
};

/* The first packet of a connection, as it enters. */
struct explain_packet {
	const char *iif; /* the bridge that it comes from */
	bool has_mac;	 /* false: no MAC address that a rule could name */
	uint8_t mac[6];
	struct ipaddr src, dst; /* of one family */
	uint8_t l4proto;	/* IPPROTO_* */
	uint16_t dport;		/* tcp and udp only */
	uint8_t icmp_type, icmp_code;
	/* In lower case: under this name the gate has told the destination to the kernel; NULL: it has not. */
	const char *told;
};

/* The place of a destination. */
struct explain_route {
	struct prefix to;
	const char *bridge; /* NULL: the host itself */
};

struct explain_lookup {
	const struct plan_set *set;
	const struct elem *elem; /* the one that matched */
};

struct explain_step {
	enum base_hook hook;
	const struct plan_chain *chain;
	const struct plan_rule
		*rule; /* that matched; NULL: none of the chain did, and it accepts */
	struct explain_lookup lookups[RULE_MATCHES_MAX + 1];
	size_t n_lookups;
	bool translated; /* to this destination */
	struct ipaddr dst;
	uint16_t dport;
};

enum explain_verdict {
	EXPLAIN_PASS, /* it is others' to judge */
	EXPLAIN_DROP,
	EXPLAIN_RESET, /* refused with a TCP reset */
};

#define EXPLAIN_STEPS_MAX 16

struct explanation {
	enum explain_ct ct;
	struct explain_step steps[EXPLAIN_STEPS_MAX];
	size_t n_steps;
	/* The packet behind address translation, and where that leads. */
	struct ipaddr dst;
	uint16_t dport;
	bool redirected; /* to the DNS gate */
	bool to_host;
	const char *oif; /* the bridge that it leaves by; NULL: another interface, or none */
	uint32_t mark;	 /* bits that were set in the packet's mark */
	enum explain_verdict verdict;
};

/* Routes are tried in their order; what has none is outside. Everything is borrowed. */
void explain(const struct plan *plan, const struct explain_packet *packet,
	     const struct explain_route *routes, size_t n_routes, struct explanation *ret);

/* Whether an address is the host's own, by the routes. */
bool explain_is_host(const struct explain_route *routes, size_t n, const struct ipaddr *dst);

#endif
