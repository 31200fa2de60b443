/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy's networks against those that Docker has.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_WANTED_H
#define DOCKSIDE_DOCKER_DOCKER_WANTED_H

#include "dockside/base/arena.h"
#include "dockside/docker/docker_parse.h"
#include "dockside/policy/model.h"

/* Identifies the dockside container on a network. */
struct docker_wanted_identity {
	bool has_ip, has_ip6, has_mac;
	struct ipaddr ip, ip6;
	uint8_t mac[6];
	bool has_gateway, has_gateway6;
	struct ipaddr gateway;	/* that no container may have */
	struct ipaddr gateway6; /* of an external network, as Docker has it */
	bool has_subnet, has_subnet6;
	struct prefix subnet, subnet6; /* Docker's; those of the files where Docker has not said */
	bool policed;		       /* the network's policy is for it, too */
};

/* A network as the configuration wants it; every one is wanted, managed or not. */
struct docker_wanted {
	const char *name, *bridge;
	bool managed; /* the configuration has a policy for it */
	/* Others make it: the subnets and the gateway here are those that the configuration gives. */
	bool external;
	bool placed;	   /* its bridge is known; else it is a name that no interface can have */
	bool bridge_given; /* by the configuration; of an external network */
	const char *site_trouble; /* why it is not placed; or NULL */
	bool audit;
	struct prefix subnet, subnet6;
	bool has_subnet, has_subnet6, has_gateway;
	struct ipaddr gateway;
	bool has_mtu;
	uint16_t mtu;
	struct docker_wanted_identity identity;
};

/* A copy, so that it outlives the policy. Zero-initialise; docker_wanted_list_free(). */
struct docker_wanted_list {
	struct arena arena;
	struct docker_wanted *items; /* in the policy's order */
	size_t n;
};

struct docker_wanted_identity docker_wanted_identity_of(const struct network *network);
/* Lists the networks of the files: those that are draining are not to be made. */
void docker_wanted_list_make(const struct policy *policy, struct docker_wanted_list *ret);
void docker_wanted_list_free(struct docker_wanted_list *list);
/* By Docker's name, or NULL. */
const struct docker_wanted *docker_wanted_find(const struct docker_wanted_list *list,
					       const char *name);

enum networks_property {
	DOCKER_WANTED_DRIVER,
	DOCKER_WANTED_BRIDGE, /* the rules, which go by its name, are not for what runs there */
	DOCKER_WANTED_SUBNET,
	DOCKER_WANTED_GATEWAY,
	DOCKER_WANTED_SUBNET6,
	DOCKER_WANTED_MTU, /* also where the configuration says nothing, and Docker not the default */
};
#define DOCKER_WANTED_PROPERTIES (DOCKER_WANTED_MTU + 1)

struct docker_wanted_difference {
	enum networks_property property;
	char *text; /* "its subnet is 10.0.0.0/24 in Docker, 172.20.2.0/24 in the configuration" */
};

/* Lists the differences in Docker; returns their number, and the caller frees the texts. */
size_t docker_wanted_compare(const struct docker_wanted *wanted,
			     const struct docker_network *network,
			     struct docker_wanted_difference ret[DOCKER_WANTED_PROPERTIES]);

/* The body of POST /networks/create; the caller frees it. */
char *docker_wanted_creation(const struct docker_wanted *wanted);

/* Whether a network of Docker's is named like ours ("ds-…") and not configured. */
bool docker_wanted_orphan(const struct docker_wanted_list *list,
			  const struct docker_network *network);

/* Whether a container is the dockside container of a network, by all that is configured for it. */
bool docker_wanted_is_dockside(const struct docker_container *container,
			       const struct docker_wanted_identity *identity);

/* Looks for an address of the dockside container's that no container can have in Docker's subnets. Only an external network
 * has such: the subnets of others are what the files say. Returns a text that says what this means and what to do, which the
 * caller frees; or NULL. */
char *docker_wanted_outside(const struct docker_wanted_identity *identity);

/*
 * The same; and looks for a container that has a part of the dockside container's identity and not the rest (its address
 * and another MAC address, or the other way round), and for one that has the gateway's address.
 */
char *docker_wanted_impostor(const struct docker_wanted_identity *identity,
			     const struct docker_containers *containers);

/*
 * Counts the containers that keep a removed network's policy in force: all that are attached but
 * the dockside container, which sits on every network for good and whose traffic the policy does
 * not judge, and those that Docker is about to start again (docker_list_restarting()), which are
 * attached to nothing meanwhile. The dockside container is the one that has every address that is
 * configured for it, by Docker's word; where it is policed, or nothing is known of it (NULL), it
 * counts like any other.
 */
size_t docker_wanted_count_attached(const struct docker_containers *containers, size_t restarting,
				    const struct docker_wanted_identity *identity);

#endif
