/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Docker's Engine API says, as data. Answers are texts of somebody else's: each is
 * checked for what is used of it, and the parse functions return 0 or -EPROTO with a message that
 * says what makes no sense. Whatever they return holds no control characters.
 */
#ifndef DOCKSIDE_DOCKER_ENGINE_H
#define DOCKSIDE_DOCKER_ENGINE_H

#include "dockside/base/addr.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

/* Versions of the API that we speak: all that is used exists since the oldest (Docker 1.12), and
 * FirewallBackend of /info since 1.49. */
#define ENGINE_API_MIN 24
#define ENGINE_API_MAX 51

#define ENGINE_TEXT_MAX 400	     /* bytes of any text of Docker's that we keep */
#define ENGINE_VALUES_MAX (1u << 20) /* JSON values of one answer */
#define ENGINE_BRIDGE_OPTION "com.docker.network.bridge.name"
#define ENGINE_MTU_OPTION "com.docker.network.driver.mtu"
#define ENGINE_SUBNETS_MAX 8 /* of one network */

/* GET /version; engine_about_free(). */
struct engine_about {
	char *version; /* "20.10.24" */
	unsigned api;  /* the minor version that both sides speak: 41 is 1.41 */
};

/* -EPROTO for nonsense; -EOPNOTSUPP where there is no version that both speak. */
int engine_parse_about(const char *text, size_t len, struct engine_about *ret, struct err *err);
void engine_about_free(struct engine_about *about);

/* FirewallBackend.Driver of GET /info: "iptables", "nftables", either with "+firewalld"; NULL from a
 * Docker that does not tell. The caller frees it. */
int engine_parse_backend(const char *text, size_t len, char **ret_driver, struct err *err);

struct engine_subnet {
	struct prefix prefix;
	struct ipaddr gateway; /* given, or what Docker takes then: the first host address */
};

struct engine_network {
	const char *id, *name, *driver;
	const char *bridge; /* of the driver "bridge", given or derived from the id; "" of others */
	struct engine_subnet subnets[ENGINE_SUBNETS_MAX];
	size_t n_subnets;
	bool has_mtu; /* it was given one: ENGINE_MTU_OPTION */
	unsigned mtu;
};

/* GET /networks. Zero-initialise; engine_networks_free(). */
struct engine_networks {
	struct arena arena;
	struct engine_network *items;
	size_t n;
};

int engine_parse_networks(const char *text, size_t len, struct engine_networks *ret,
			  struct err *err);
void engine_networks_free(struct engine_networks *networks);
/* By name, or NULL. */
const struct engine_network *engine_find_network(const struct engine_networks *networks,
						 const char *name);

struct engine_container {
	const char *id, *name;
	bool has_mac, has_ip, has_ip6;
	uint8_t mac[6];
	struct ipaddr ip, ip6;
};

/* Who is attached to a network: Containers of GET /networks/ID. Zero-initialise;
 * engine_containers_free(). */
struct engine_containers {
	struct arena arena;
	struct engine_container *items;
	size_t n;
};

int engine_parse_containers(const char *text, size_t len, struct engine_containers *ret,
			    struct err *err);
void engine_containers_free(struct engine_containers *containers);

/* A running container on a network. */
struct engine_leg {
	struct engine_container container;
	const char *network, *network_id; /* the id is "" where Docker does not have it (yet) */
};

/* GET /containers/json: one for each network of each container. Zero-initialise; engine_legs_free(). */
struct engine_legs {
	struct arena arena;
	struct engine_leg *items;
	size_t n, cap;
};

int engine_parse_legs(const char *text, size_t len, struct engine_legs *ret, struct err *err);
void engine_legs_free(struct engine_legs *legs);

/* GET /containers/json: how many there are. */
int engine_parse_count(const char *text, size_t len, size_t *ret_n, struct err *err);

enum engine_action {
	ENGINE_CREATE,
	ENGINE_DESTROY, /* removed */
	ENGINE_CONNECT,
	ENGINE_DISCONNECT,
	ENGINE_OTHER, /* of a network; or an event of something else */
};

/* A line of GET /events; engine_event_free(). */
struct engine_event {
	enum engine_action action;
	char *id;   /* the network's */
	char *name; /* the network's; "" where it is not told */
};

int engine_parse_event(const char *text, size_t len, struct engine_event *ret, struct err *err);
void engine_event_free(struct engine_event *event);

/* What an answer that refuses says ("message"); else its beginning. The caller frees it. */
char *engine_refusal(const char *text, size_t len);

#endif
