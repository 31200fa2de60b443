/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules that every managed network has, in any policy. They say which sources its packets may
 * have, which container is the dockside container, and which messages of the link a host needs
 * before it can send any other.
 */
#ifndef DOCKSIDE_TABLE_COMPILE_LINK_H
#define DOCKSIDE_TABLE_COMPILE_LINK_H

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The addresses of all networks' dockside containers; NULL where there are none of a family. */
struct dockside_sets {
	const struct plan_set *sets[N_FAMILIES];
};

/* Makes the sets. A dockside container that is on one network alone needs none. */
struct dockside_sets compile_dockside_sets(struct plan *plan, const struct policy *policy,
					   const struct origin *origin);

/*
 * Fills a network's SRC chain, which packets meet as they enter by the bridge, before conntrack and routing: those
 * whose source does not route back over the bridge, and those for the host's loopback, are dropped. Packets from
 * the subnet pass by one comparison, and by one more for each address besides the gateway's that the host has in it.
 * never, which may be NULL, knows these.
 */
void compile_source(struct plan *plan, struct plan_chain *chain, const struct network *network,
		    const struct dockside_sets *docksides, const struct never *never);

/* Adds to a hash the host's addresses for which compile_source() has rules. */
uint64_t compile_source_hash(uint64_t hash, const struct network *network,
			     const struct never *never);

/* Adds rules that accept the dockside container's packets, or its TCP alone: those that match every identity that
 * is configured for their family. */
void compile_dockside(struct plan_chain *chain, const struct network *network, bool tcp_only);

/* Adds rules that accept what neighbours need of each other: solicitations, advertisements, listeners' reports. */
void compile_neighbours(struct plan_chain *chain);

/* Adds rules that accept ICMP errors about what the host itself has sent to the network. */
void compile_host_errors(struct plan_chain *chain, const struct network *network);

/* Adds rules that accept packets to a DHCP server on the network's bridge. */
void compile_dhcp(struct plan_chain *chain, const struct network *network);

#endif
