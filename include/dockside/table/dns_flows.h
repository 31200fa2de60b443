/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the conversations with name servers that began before a network's DNS gate was turned on, and those with the gate
 * that began before it was turned off. The kernel decides by the first packet of a connection where all of its packets
 * go: a resolver that keeps its port would never hear of the change. Pure.
 */
#ifndef DOCKSIDE_TABLE_DNS_FLOWS_H
#define DOCKSIDE_TABLE_DNS_FLOWS_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/addr.h"
#include "dockside/table/unjudged.h"

/* Zero-initialise. */
struct dns_flows {
	struct prefix *gated; /* after dns_flows_finish() sorted and disjoint */
	size_t n_gated, cap_gated;
	struct ipaddr *exempt; /* sorted */
	size_t n_exempt, cap_exempt;
};

/* The addresses of a network that has a gate; who is in it and asks without the gate all the same. */
void dns_flows_add_gated(struct dns_flows *f, const struct prefix *prefix);
void dns_flows_add_exempt(struct dns_flows *f, const struct ipaddr *addr);
/* To be called once, when all is added. */
void dns_flows_finish(struct dns_flows *f);
void dns_flows_free(struct dns_flows *f);

/* Whether it goes on as it must not begin any more. */
bool dns_flow_ends(const struct dns_flows *f, const struct flow *flow);

#endif
