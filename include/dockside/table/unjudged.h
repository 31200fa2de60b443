/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the connections that were opened while nothing judged them. Pure: connections and interfaces are
 * parameters.
 */
#ifndef DOCKSIDE_TABLE_UNJUDGED_H
#define DOCKSIDE_TABLE_UNJUDGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"

/* A connection. */
struct flow {
	struct ipaddr src; /* who has opened it */
	struct ipaddr dst; /* where its packets go, after a translation */
	uint8_t l4proto;   /* IPPROTO_* */
	/* TCP's and UDP's, of the destination: that it was opened to, and where its packets go. Else 0. */
	uint16_t port, reached_port;
	bool judged; /* a rule of ours has labelled it: JUDGED_LABEL */
};

struct unjudged_network {
	struct prefix prefix;
	bool host_rules;
};

/* The addresses of managed networks and of the host itself. Zero-initialise. */
struct unjudged {
	struct unjudged_network *networks; /* after unjudged_finish() sorted and disjoint */
	size_t n_networks, cap_networks;
	struct ipaddr *locals; /* sorted */
	size_t n_locals, cap_locals;
};

/* Adds a network. Its OUT chain judges the packets from it; so does its HOST chain if it has host
 * rules. */
void unjudged_add_network(struct unjudged *u, const struct prefix *prefix, bool host_rules);
/* An address of the host. */
void unjudged_add_local(struct unjudged *u, const struct ipaddr *addr);
/* To be called once, when all is added. */
void unjudged_finish(struct unjudged *u);
void unjudged_free(struct unjudged *u);

/*
 * Whether rules of ours should have seen the connection and have not: one end, whichever, is a container of a managed
 * network. It does not matter which end opened it, as a container can forge that. No rule sees
 * packets to the host from networks without host rules.
 */
bool unjudged_is(const struct unjudged *u, const struct flow *flow);

#endif
