/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses that the kernel was told, for each network and name: so that it is not told again with each
 * answer, and told when a policy no longer has a name. Nothing is forgotten just because its time is over, as a
 * connection may have renewed it in the kernel; only where there is no room for more. Pure.
 */
#ifndef DOCKSIDE_GATE_GATE_TOLD_H
#define DOCKSIDE_GATE_GATE_TOLD_H

#include <stdbool.h>
#include <sys/queue.h>

#include "dockside/base/addr.h"
#include "dockside/system/dns_message.h"
#include "gate_map.h"

#define GATE_TOLD_MAX (1u << 20) /* pairs of name and address */

struct told_name;

/* An address of a name. */
struct gate_told_ref {
	struct gate_node node;
	LIST_ENTRY(gate_told_ref) entry;   /* among those of the address */
	TAILQ_ENTRY(gate_told_ref) by_age; /* among those of the network */
	struct gate_told_addr *addr;
	struct told_name *name;
	uint64_t told_ms;
};

LIST_HEAD(gate_told_refs, gate_told_ref);

/* An address of a network. */
struct gate_told_addr {
	struct gate_node node;
	struct gate_told_net *net;
	struct ipaddr addr;
	struct gate_told_refs refs;
};

/* The addresses of one network. Zero-initialise it. */
struct gate_told_net {
	TAILQ_HEAD(gate_told_ages, gate_told_ref) by_age; /* the longest ago first */
	uint32_t id;
	size_t n_refs, n_addrs[2]; /* by family */
};

struct gate_told {
	struct gate_map refs, addrs, names;
	uint32_t n_nets;
	uint64_t losses; /* how often something was no longer told */
	bool forgotten;	 /* something that the kernel may still have, as there was no room */
};

/* All addresses of an answer were told to one network: kept with the answer, it saves looking for each. Zero-initialise
 * it. */
struct gate_told_all {
	uint32_t net; /* 0: none */
	uint64_t losses, until_ms;
};

void gate_told_init(struct gate_told *told);
void gate_told_free(struct gate_told *told);
void gate_told_add_net(struct gate_told *told, struct gate_told_net *net);

/* Spreads names, differently in each process. */
uint64_t gate_told_hash(const struct gate_told *told, const struct dns_name *name);
/* Returns when each of the n addresses was told last; 0: never. */
void gate_told_when(const struct gate_told *told, const struct gate_told_net *net,
		    const struct dns_name *name, const struct ipaddr *addrs, size_t n,
		    uint64_t *ret_ms);
/* Whether there is room for one more address; forgets such as are past life_ms for that. */
bool gate_told_room(struct gate_told *told, struct gate_told_net *net, const struct dns_name *name,
		    const struct ipaddr *addr, size_t size, uint64_t now_ms, uint64_t life_ms);
/* now_ms 0: some of its sets have taken the address: it is to be told again, and to be taken back one day. */
void gate_told_put(struct gate_told *told, struct gate_told_net *net, const struct dns_name *name,
		   const struct ipaddr *addr, uint64_t now_ms);
/* The kernel did not take it: to be told again. */
void gate_told_undo(struct gate_told *told, const struct ipaddr *addr);
struct gate_told_addr *gate_told_find(const struct gate_told *told, const struct gate_told_net *net,
				      const struct ipaddr *addr);
/* Whether that is still so; it is not once anything was lost since. */
bool gate_told_has_all(const struct gate_told *told, const struct gate_told_net *net,
		       const struct gate_told_all *all, uint64_t now_ms);
/* Another policy: what was told may not do for it. */
void gate_told_doubt(struct gate_told *told);
void gate_told_forget_net(struct gate_told *told, struct gate_told_net *net);
struct dns_name gate_told_name(const struct gate_told_ref *ref);

#endif
