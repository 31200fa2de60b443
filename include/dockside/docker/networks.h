/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy's networks against those that Docker has (SPEC §9).
 */
#ifndef DOCKSIDE_DOCKER_NETWORKS_H
#define DOCKSIDE_DOCKER_NETWORKS_H

#include "dockside/docker/engine.h"
#include "dockside/policy/model.h"

/* Who is the dockside container on a network. */
struct networks_identity {
	bool has_ip, has_ip6, has_mac;
	struct ipaddr ip, ip6;
	uint8_t mac[6];
	bool policed; /* the network's policy is for it, too */
};

/* A network as the configuration wants it; every one is wanted, managed or not. */
struct networks_wanted {
	const char *name, *bridge;
	bool managed;
	bool audit;
	struct prefix subnet, subnet6;
	bool has_subnet6;
	struct ipaddr gateway;
	bool has_mtu;
	uint16_t mtu;
	struct networks_identity identity;
};

/* A copy, so that it outlives the policy. Zero-initialise; networks_list_free(). */
struct networks_list {
	struct arena arena;
	struct networks_wanted *items; /* in the policy's order */
	size_t n;
};

void networks_list_make(const struct policy *policy, struct networks_list *ret);
void networks_list_free(struct networks_list *list);
/* By Docker's name, or NULL. */
const struct networks_wanted *networks_find(const struct networks_list *list, const char *name);

enum networks_property {
	NETWORKS_DRIVER,
	NETWORKS_BRIDGE, /* the rules, which go by its name, are not for what runs there */
	NETWORKS_SUBNET,
	NETWORKS_GATEWAY,
	NETWORKS_SUBNET6,
	NETWORKS_MTU, /* also where the configuration says nothing, and Docker not the default */
};
#define NETWORKS_PROPERTIES (NETWORKS_MTU + 1)

struct networks_difference {
	enum networks_property property;
	char *text; /* "its subnet is 10.0.0.0/24 in Docker, 172.20.2.0/24 in the configuration" */
};

/* What is other in Docker; returns how many, and the caller frees the texts. */
size_t networks_compare(const struct networks_wanted *wanted, const struct engine_network *network,
			struct networks_difference ret[NETWORKS_PROPERTIES]);

/* The body of POST /networks/create; the caller frees it. */
char *networks_creation(const struct networks_wanted *wanted);

/* Whether a network of Docker's is named like ours ("ds-…") and not configured. */
bool networks_orphan(const struct networks_list *list, const struct engine_network *network);

/* Whether a container is the dockside container of a network, by all that is configured for it. */
bool networks_is_dockside(const struct engine_container *container,
			  const struct networks_identity *identity);

/*
 * Where Docker says that the container with dockside_ip or dockside_ip6 has another MAC address than
 * dockside_mac: what that means and what to do, for the caller to free. NULL where it does not.
 */
char *networks_other_mac(const struct networks_identity *identity,
			 const struct engine_containers *containers);

/*
 * How many containers keep a removed network's policy in force (SPEC §8): all but the dockside
 * container, which sits on every network for good and whose traffic the policy does not judge. It
 * is the one that has every address that is configured for it, by Docker's word; where it is
 * policed, or nothing is known of it (NULL), it counts like any other.
 */
size_t networks_count_attached(const struct engine_containers *containers,
			       const struct networks_identity *identity);

#endif
