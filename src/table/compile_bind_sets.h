/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets of table bridge dockside, which say what is on which port. */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_SETS_H
#define DOCKSIDE_TABLE_COMPILE_BIND_SETS_H

#include "dockside/names/ports.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The chain of ports that nobody judges: of other bridges, and of networks that are not bound. */
#define CHAIN_ELSEWHERE "elsewhere"
/* The chain that refuses what is somebody's. */
#define CHAIN_STRANGE "strange"
/* The chains that all networks share; each "not…" one refuses the rest, see compile_bind_strange.c. */
#define CHAIN_KNOWN "known" /* a known port has sent something that is not plainly its own */
#define CHAIN_NOT_OWN "not-own"
#define CHAIN_UNKNOWN "unknown" /* a port has, whose container is not known */
#define CHAIN_NOT_NET "not-net"
#define CHAIN_STRICT "strict"
#define CHAIN_OWN_TO "own-to"	  /* to a port, for its MAC address */
#define CHAIN_TO_KNOWN "to-known" /* to a known port, and not plainly for it */
#define CHAIN_NOT_TO "not-to"
#define CHAIN_TO_UNKNOWN "to-unknown" /* to a port whose container is not known */
#define CHAIN_NOT_TO_NET "not-to-net"
/* The kinds of a network's own chains. */
#define BIND_EXTRA "EXTRA" /* from a known port: what its list `extra` allows */
#define BIND_EXTRA_TO "EXTRATO"
#define BIND_UNBOUND \
	"UNBOUND" /* from one whose container is not known: what the network's mode allows */
#define BIND_UNBOUND_TO "UNBOUNDTO"

/* The fields of a frame that are somebody's, and for each of them two sets. */
enum bound_field {
	BOUND_MAC,
	BOUND_IPV4,
	BOUND_IPV6,
	BOUND_TARGET, /* as BOUND_IPV6: of neighbour advertisements */
	N_BOUND_FIELDS,
};

struct bind_sets {
	struct plan_set *ports;		      /* known ones */
	struct plan_set *own[N_BOUND_FIELDS]; /* by port: what it may send, and get */
	/* By port and MAC address: the IP addresses of known ones. */
	struct plan_set *bindings4, *bindings6;
	struct plan_set *somebody[N_BOUND_FIELDS]; /* what no other port may send */
	struct plan_set *broadcasts;		   /* of the networks' subnets */
	struct plan_set *extra_macs;		   /* of all networks; NULL: none has any */
	/* By the port that a frame comes from: before the sets of somebody's addresses are looked into, and behind. */
	struct plan_set *dispatch, *dispatch_strange;
	struct plan_set *
		dispatch_extra; /* of known ones, to their network's chain; NULL: no network has `extra` */
	struct plan_set *dispatch_unbound; /* of the others, to their network's chain */
	/* By the port that a frame leaves by: to a shared chain, or one of a network with `extra`; of unknown ones to their
	 * network's. */
	struct plan_set *dispatch_to, *dispatch_unbound_to;
};

/* Adds them to the plan, with their elements. */
struct bind_sets bind_sets_make(struct plan *plan, const struct policy *policy,
				const struct ports *ports, const struct origin *built_in);

/* A network's list `extra` as sets; NULL where the list has none of a kind. */
struct extra_sets {
	struct plan_set *sets[N_BOUND_FIELDS];
};

struct extra_sets bind_extra_sets(struct plan *plan, const struct network *network,
				  const struct origin *origin);
bool network_has_extra(const struct network *network);

#endif
