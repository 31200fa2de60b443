/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns people's questions ("why can a container of ds-prod not reach db.example.com?") into packets: a
 * name as each of its addresses, a source where none is given, and where destinations are. Pure.
 */
#ifndef DOCKSIDE_REPORT_EXPLAIN_ASK_H
#define DOCKSIDE_REPORT_EXPLAIN_ASK_H

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/report/explain.h"
#include "dockside/report/explain_bind.h"

#define EXPLAIN_CASES_MAX 64 /* addresses of a name */

/* Strings are borrowed. */
struct explain_question {
	const char *from; /* Docker's name of the network */
	const char *to;	  /* an address, a name, or "host" */
	bool to_addr;
	struct ipaddr addr; /* to_addr */
	bool has_src, has_mac;
	struct ipaddr src;
	uint8_t mac[6];
	bool icmp;	 /* of the destination's family */
	uint8_t l4proto; /* otherwise */
	uint16_t port;
	const char *type; /* NULL: echo-request */
};

/* A container that a question names. Borrowed. */
struct explain_container {
	const char *name;
	bool has[N_FAMILIES];
	struct ipaddr addrs[N_FAMILIES];
	bool has_mac;
	uint8_t mac[6];
};

/* Everything that a question is judged by. Borrowed. */
struct explain_world {
	const struct policy *policy;
	const struct plan *plan;   /* made of that policy */
	struct explain_ports bind; /* who is on which port */
	const char *not_judged;	   /* why no packet of the network reaches the rules, or NULL */
	/* Addresses of the host, besides the gateways. */
	const struct ipaddr *host_addrs;
	size_t n_host_addrs;
	/* Addresses of a name that no rule is on. */
	const struct ipaddr *resolved;
	size_t n_resolved;
	/* The question's destination, as containers of the network looked it up of late: the name of an address,
	 * or NULL; the addresses of a name. Hearsay, see lookups.h. */
	const char *looked_up_name;
	const struct ipaddr *looked_up;
	size_t n_looked_up;
	/* The containers that the question names as sender, and as destination in place of a hostname; NULL: none. */
	const struct explain_container *sender, *receiver;
};

struct explain_case {
	struct explain_packet packet;
	bool dockside;	      /* the packet is the dockside container's */
	const char *notes[4]; /* what else there is to know */
	size_t n_notes;
};

/* explain_cases_free() when done. */
struct explain_cases {
	struct arena arena;
	const struct network *network; /* the policy's */
	struct explain_route *routes;
	size_t n_routes;
	struct explain_case *items;
	size_t n;
	const char *notes[4]; /* about what is left out */
	size_t n_notes;
};

/*
 * Returns 0 or -errno: -ENOENT where the question is right, but nothing is known of the name that it
 * is about (explain_world.resolved may help); -EINVAL.
 */
int explain_ask(const struct explain_question *question, const struct explain_world *world,
		struct explain_cases *ret_cases, struct err *err);
/* The error that a question to many receivers, or to oneself, is. Returns -EINVAL. */
int explain_one_receiver(const char *to, struct err *err);
void explain_cases_free(struct explain_cases *cases);

#endif
