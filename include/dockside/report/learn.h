/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes rules of refused packets: those that would have let just these pass. */
#ifndef DOCKSIDE_REPORT_LEARN_H
#define DOCKSIDE_REPORT_LEARN_H

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/json/json_parse.h"
#include "dockside/json/json_write.h"
#include "dockside/policy/model.h"

/* Connections of a kind: to one destination, by one protocol. */
struct learn_flow {
	bool host;		/* to the Docker host itself: a host rule */
	bool named;		/* dest is a hostname, else an address */
	bool looked_up;		/* of a hostname: only containers have it from somewhere */
	bool dropped;		/* by a rule that says what it drops, then or now */
	const char *dropped_by; /* "egress[1]", the one that does now; or NULL */
	const char *dest;	/* "" for a host rule, which cannot say it */
	enum proto proto;
	uint16_t *ports; /* sorted; of ICMP the one type, as rules say it */
	size_t n_ports, cap_ports;
	uint64_t count;
};

/* Zero-initialise; learn_free(). */
struct learn {
	struct arena arena;
	struct learn_flow *flows;
	size_t n, cap;
	uint64_t between; /* events between containers, which no rule can allow */
	uint64_t
		forged; /* events of packets with an address that is not of their bridge, or not of their container */
	uint64_t
		names; /* events of names that the DNS gate has refused: nobody knows for which ports */
	uint64_t past_gate; /* events of DNS to others than the gate, which no rule can allow */
	uint64_t unsayable; /* events of protocols that rules have no word for */
	struct learn_allowed *allowed;
	size_t n_allowed, cap_allowed;
};

/* Connections that an existing rule allows already. */
struct learn_allowed {
	const char *rule; /* "egress[1]" */
	const char *dest; /* a name, or an address */
	uint64_t count;
};

/* Takes an event (denied.h) of the network; what makes no sense is passed over. */
void learn_add(struct learn *learn, const struct json_node *event);

/*
 * A firewall configuration for the network, as JSON with comments: rules that allow all of it, the most
 * used first. Destinations that are used alike become an ipset. A name that is hearsay is marked,
 * because the user has to judge it before taking over these rules: anybody can tell a container any
 * name for any address, but a rule allows the addresses that the daemon finds for the name. So is what a
 * rule drops on purpose, as somebody meant that. Flows that a rule allows already become a comment, not another rule. Appends to b; sorts the flows.
 */
void learn_print(struct learn *learn, const char *network, struct buf *b);
/* The same as members of an object: "network", "firewall_config", "flows", "allowed", "left_out". */
void learn_json(struct learn *learn, const char *network, struct json_writer *out);
/* Names the rule that drops the flow, for people: "egress[1] drops it". */
void learn_put_dropped(struct buf *b, const struct learn_flow *flow);
void learn_free(struct learn *learn);

#endif
