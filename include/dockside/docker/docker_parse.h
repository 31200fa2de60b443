/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of Docker's Engine API, as data. Somebody else writes them, so we check every member
 * that we use. The parse functions return 0, or -EPROTO with a message that says what makes no
 * sense. The texts that they return hold no control characters.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_PARSE_H
#define DOCKSIDE_DOCKER_DOCKER_PARSE_H

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/err.h"

/* Versions of the API that we speak: all that is used exists since the oldest (Docker 1.12), and
 * FirewallBackend of /info since 1.49. */
#define DOCKER_API_MIN 24
#define DOCKER_API_MAX 51

#define DOCKER_TEXT_MAX 400	     /* bytes of any text of Docker's that we keep */
#define DOCKER_VALUES_MAX (1u << 20) /* JSON values of one answer */
#define DOCKER_BRIDGE_OPTION "com.docker.network.bridge.name"
#define DOCKER_MTU_OPTION "com.docker.network.driver.mtu"
#define DOCKER_SUBNETS_MAX 8 /* of one network */

/* GET /version; docker_about_free(). */
struct docker_about {
	char *version; /* "20.10.24" */
	unsigned api;  /* the minor version that both sides speak: 41 is 1.41 */
};

/* -EPROTO for nonsense; -EOPNOTSUPP where there is no version that both speak. */
int docker_parse_about(const char *text, size_t len, struct docker_about *ret, struct err *err);
void docker_about_free(struct docker_about *about);

/* FirewallBackend.Driver of GET /info: "iptables", "nftables", either with "+firewalld"; NULL from a
 * Docker that does not tell. The caller frees it. */
int docker_parse_backend(const char *text, size_t len, char **ret_driver, struct err *err);

struct docker_subnet {
	struct prefix prefix;
	struct ipaddr gateway; /* given, or what Docker takes then: the first host address */
};

struct docker_network {
	const char *id, *name, *driver;
	const char *bridge; /* of the driver "bridge", given or derived from the id; "" of others */
	const char *parent; /* of macvlan and ipvlan: what they are on top of; "": not given */
	struct docker_subnet subnets[DOCKER_SUBNETS_MAX];
	size_t n_subnets;
	bool has_mtu; /* it was given one: DOCKER_MTU_OPTION */
	unsigned mtu;
};

/* The name of the bridge of a network with that id, if nobody has given it one; the caller frees it. */
char *docker_derived_bridge(const char *id);

/* GET /networks. Zero-initialise; docker_networks_free(). */
struct docker_networks {
	struct arena arena;
	struct docker_network *items;
	size_t n;
};

int docker_parse_networks(const char *text, size_t len, struct docker_networks *ret,
			  struct err *err);
/* GET /networks/ID: the only one of *ret. */
int docker_parse_network(const char *text, size_t len, struct docker_networks *ret,
			 struct err *err);
void docker_networks_free(struct docker_networks *networks);
/* Takes the network with that id out of the list. */
void docker_networks_forget(struct docker_networks *networks, const char *id);
/* By name, or NULL. */
const struct docker_network *docker_find_network(const struct docker_networks *networks,
						 const char *name);
/* Counts those of that name: Docker allows more than one. */
size_t docker_count_named(const struct docker_networks *networks, const char *name);

struct docker_container {
	const char *id, *name;
	bool has_mac, has_ip, has_ip6;
	uint8_t mac[6];
	struct ipaddr ip, ip6;
};

/* The containers that are attached to a network: Containers of GET /networks/ID. Zero-initialise;
 * docker_containers_free(). */
struct docker_containers {
	struct arena arena;
	struct docker_container *items;
	size_t n;
};

int docker_parse_containers(const char *text, size_t len, struct docker_containers *ret,
			    struct err *err);
void docker_containers_free(struct docker_containers *containers);

/* A running container on a network. */
struct docker_leg {
	struct docker_container container;
	const char *network;
};

/* GET /containers/json: one for each network of each container. Zero-initialise; docker_legs_free(). */
struct docker_legs {
	struct arena arena;
	struct docker_leg *items;
	size_t n, cap;
};

int docker_parse_legs(const char *text, size_t len, struct docker_legs *ret, struct err *err);
void docker_legs_free(struct docker_legs *legs);
/* Takes the leg that a container has on the network of that name out of the list. */
void docker_legs_forget(struct docker_legs *legs, const char *network, const char *container);

/* GET /containers/json: how many there are. */
int docker_parse_count(const char *text, size_t len, size_t *ret_n, struct err *err);

enum docker_action {
	DOCKER_CREATE,
	DOCKER_DESTROY, /* removed */
	DOCKER_CONNECT,
	DOCKER_DISCONNECT,
	DOCKER_OTHER, /* of a network; or an event of something else */
};

/* A line of GET /events; docker_event_free(). */
struct docker_event {
	enum docker_action action;
	char *id;	 /* the network's */
	char *name;	 /* its name; "" if that is not told */
	char *container; /* the id of the one that connects or disconnects; "" if that is not told */
};

int docker_parse_event(const char *text, size_t len, struct docker_event *ret, struct err *err);
void docker_event_free(struct docker_event *event);

/* The reason that a refusing answer gives ("message"); else its beginning. The caller frees it. */
char *docker_refusal(const char *text, size_t len);

#endif
