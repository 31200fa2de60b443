/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets of table bridge dockside, which say what is on which port. */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_SETS_H
#define DOCKSIDE_TABLE_COMPILE_BIND_SETS_H

#include "dockside/names/ports.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The chain of ports that nobody judges: of other bridges, and of networks that are not bound. */
#define BIND_ELSEWHERE "elsewhere"
/* The chain that refuses what is somebody's. */
#define BIND_STRANGE "strange"
/* The kinds of a network's chains. */
#define BIND_KNOWN "BIND"      /* a known port has sent something that is not plainly its own */
#define BIND_UNKNOWN "UNBOUND" /* a port has, whose container is not known */
#define BIND_TO "BINDTO"       /* somebody has, to a known port, and not plainly to it */
#define BIND_TO_UNKNOWN "UNBOUNDTO" /* somebody has, to a port whose container is not known */

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
	/* By a port to its network's chain: the first before the sets of somebody's addresses are looked into, the other one
	 * behind these. */
	struct plan_set *dispatch, *dispatch_strange;
	struct plan_set *dispatch_to; /* the same by the port that a frame leaves by */
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
