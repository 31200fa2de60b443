/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges whether a network's packets reach its rules, by facts from Docker and the kernel. Pure. */
#ifndef DOCKSIDE_ENFORCE_JUDGE_NETWORK_H
#define DOCKSIDE_ENFORCE_JUDGE_NETWORK_H

#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_wanted.h"
#include "dockside/report/judged.h"
#include "dockside/table/actual.h"

/* The interface that has the name of a network's bridge. */
enum judge_link {
	JUDGE_LINK_UNKNOWN, /* it could not be asked */
	JUDGE_LINK_MISSING,
	JUDGE_LINK_BRIDGE,
	JUDGE_LINK_ENSLAVED, /* a bridge that is part of another interface, such as a VRF */
	JUDGE_LINK_OTHER,    /* no bridge */
};

/* Whether the kernel has a network's rules. */
enum judge_rules {
	JUDGE_RULES_THERE,
	JUDGE_RULES_MISSING,
	JUDGE_RULES_UNKNOWN,  /* they could not be read */
	JUDGE_RULES_DOUBTFUL, /* a repair has failed, or has to wait */
};

/* The facts about a configured network. Borrowed. */
struct judge_facts {
	const struct docker_wanted *wanted;
	const struct docker_networks *docker; /* Docker's last word; NULL: it has never said */
	bool docker_failed;		      /* it is there and does not answer */
	const struct docker_legs *legs;	      /* NULL: not known */
	enum judge_link link;
	const char *master; /* JUDGE_LINK_ENSLAVED: the other interface */
	const char *
		gateway_on; /* NULL, or the bridge of another name that has the gateway's address */
	enum judge_rules rules;
};

void judge_network(const struct judge_facts *facts, struct judged *ret);
/* A copy, changed for what the kernel has of the rules. */
void judge_network_with_rules(const struct judged *judged, enum judge_rules rules,
			      struct judged *ret);
/* Whether the kernel's table, as it was read, dispatches a bridge to the chain that the plan has for it. */
bool judge_network_dispatched(const struct plan *plan, const struct actual *actual,
			      const char *bridge);

/* Receives a line; text is borrowed. */
typedef void (*judge_network_leg_fn)(void *data, const char *text);

/*
 * Calls fn for each container of a managed network that is also on a network whose packets no rule judges; not for
 * the dockside container, which is meant to be on all of them. judged: by network of the list. Returns how many
 * there are.
 */
size_t judge_network_legs(const struct docker_wanted_list *list, const struct judged *judged,
			  const struct docker_legs *legs, judge_network_leg_fn fn, void *data);

#endif
