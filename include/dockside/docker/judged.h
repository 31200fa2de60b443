/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the packets of a network reach the rules that are for it. All that people and programs
 * read about it, in words and in numbers, comes from here. Pure.
 *
 * Rules go by the name of the incoming interface. A managed network is judged if Docker has it on a bridge
 * of the name that the rules are for, and the kernel has a bridge of that name whose packets carry it.
 */
#ifndef DOCKSIDE_DOCKER_JUDGED_H
#define DOCKSIDE_DOCKER_JUDGED_H

#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_wanted.h"
#include "dockside/table/actual.h"

enum judged_state {
	JUDGED_ENFORCED,
	JUDGED_AUDIT, /* judged, and nothing is refused */
	JUDGED_UNMANAGED,
	JUDGED_DRAINING, /* removed from the configuration, its last policy in force */
	JUDGED_CLOSED,	 /* draining, its policy lost: everything is refused */
	JUDGED_PENDING,	 /* there is no such network yet, and so no packet */
	JUDGED_NOT,
};
#define JUDGED_STATES (JUDGED_NOT + 1)

/* "enforced", …, "not judged" */
const char *judged_state_name(enum judged_state state);

/* The interface that has the name of a network's bridge. */
enum judged_link {
	JUDGED_LINK_UNKNOWN, /* it could not be asked */
	JUDGED_LINK_MISSING,
	JUDGED_LINK_BRIDGE,
	JUDGED_LINK_ENSLAVED, /* a bridge that is part of another interface, such as a VRF */
	JUDGED_LINK_OTHER,    /* no bridge */
};

/* Whether the kernel has a network's rules. */
enum judged_rules {
	JUDGED_RULES_THERE,
	JUDGED_RULES_MISSING,
	JUDGED_RULES_UNKNOWN, /* they could not be read */
};

/* What is known of a configured network. Borrowed. */
struct judged_facts {
	const struct docker_wanted *wanted;
	const struct docker_networks *docker; /* Docker's last word; NULL: it has never said */
	bool docker_failed;		      /* it is there and does not answer */
	const struct docker_legs *legs;	      /* NULL: not known */
	enum judged_link link;
	const char *master; /* JUDGED_LINK_ENSLAVED: the other interface */
	const char *
		gateway_on; /* NULL, or the bridge of another name that has the gateway's address */
	enum judged_rules rules;
};

/* Zero-initialise; judged_free(). */
struct judged {
	enum judged_state state;
	bool docker_differs; /* JUDGED_NOT, for what Docker has */
	char *reason;	     /* JUDGED_NOT, and perhaps JUDGED_PENDING; NULL: nothing to say */
	char *mend;	     /* what mends it, commands in quotes; NULL unless JUDGED_NOT */
};

void judged_of(const struct judged_facts *facts, struct judged *ret);
/* A copy, changed for what the kernel has of the rules. */
void judged_with_rules(const struct judged *judged, enum judged_rules rules, struct judged *ret);
void judged_free(struct judged *judged);
bool judged_equal(const struct judged *a, const struct judged *b);

/* "network ds-prod: its bridge is …: its packets are NOT JUDGED; …", of JUDGED_NOT; the caller frees it. */
char *judged_sentence(const char *network, const struct judged *judged);

/* Whether the kernel's table, as it was read, dispatches a bridge to the chain that the plan has for it. */
bool judged_dispatched(const struct plan *plan, const struct actual *actual, const char *bridge);

/* Receives a line; text is borrowed. */
typedef void (*judged_leg_fn)(void *data, const char *text);

/*
 * Calls fn for each container of a managed network that is also on a network whose packets no rule judges; not for
 * the dockside container, which is meant to be on all of them. judged: by network of the list. Returns how many
 * there are.
 */
size_t judged_legs(const struct docker_wanted_list *list, const struct judged *judged,
		   const struct docker_legs *legs, judged_leg_fn fn, void *data);

#endif
