/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "docker_json.h"

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define DERIVED_ID 12 /* "br-" and so much of the id is the name of a bridge that nobody named */

/* ---- GET /version, GET /info ---- */

/* "1.41": the minor version. There is no major version but 1. */
static bool parse_api(struct json_object *string, unsigned *ret)
{
	const char *s = json_object_get_string(string);
	uint64_t minor;

	if (strncmp(s, "1.", 2) != 0 || !parse_uint(s + 2, strlen(s + 2), 0, 9999, &minor))
		return false;
	*ret = (unsigned)minor;
	return true;
}

int docker_parse_about(const char *text, size_t len, struct docker_about *ret, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_object *version, *api, *min;
	unsigned theirs = 0, oldest = 0;
	int r;

	r = docker_json_parse(text, len, json_type_object, &root, err);
	if (r >= 0)
		r = docker_json_needed(root, "Version", &version, err);
	if (r >= 0)
		r = docker_json_needed(root, "ApiVersion", &api, err);
	if (r >= 0)
		r = docker_json_member(root, "MinAPIVersion", json_type_string, &min, err);
	if (r < 0)
		return r;
	if (!parse_api(api, &theirs) || (min && !parse_api(min, &oldest)))
		return docker_json_nonsense(err, "its API version is not 1.NUMBER");
	if (theirs < DOCKER_API_MIN)
		return err_set(err, EOPNOTSUPP,
			       "its API is 1.%u, and 1.%d is the oldest that we speak: upgrade "
			       "Docker",
			       theirs, DOCKER_API_MIN);
	if (oldest > DOCKER_API_MAX)
		return err_set(err, EOPNOTSUPP,
			       "the oldest API that it speaks is 1.%u, and 1.%d is the newest that "
			       "we do: upgrade dsfw-nft",
			       oldest, DOCKER_API_MAX);
	ret->api = theirs < DOCKER_API_MAX ? theirs : DOCKER_API_MAX;
	ret->version = docker_json_clean(version);
	return 0;
}

void docker_about_free(struct docker_about *about)
{
	free(about->version);
	*about = (struct docker_about){ 0 };
}

int docker_parse_backend(const char *text, size_t len, char **ret_driver, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_object *backend = NULL, *driver = NULL;
	int r;

	r = docker_json_parse(text, len, json_type_object, &root, err);
	if (r >= 0)
		r = docker_json_member(root, "FirewallBackend", json_type_object, &backend, err);
	if (r >= 0 && backend)
		r = docker_json_member(backend, "Driver", json_type_string, &driver, err);
	if (r < 0)
		return r;
	*ret_driver = driver ? docker_json_clean(driver) : NULL;
	return 0;
}

/* ---- GET /networks ---- */

/* "172.20.0.1", or "172.20.0.1/24" as it once was. */
static bool parse_address(struct json_object *string, struct ipaddr *ret)
{
	const char *s = json_object_get_string(string);

	return ipaddr_parse(s, strcspn(s, "/"), ret);
}

/* A subnet that cannot be read is none of ours, and shows as a difference. */
static int take_subnet(struct docker_network *network, struct json_object *config, struct err *err)
{
	struct json_object *subnet = NULL, *gateway = NULL;
	struct docker_subnet *s = &network->subnets[network->n_subnets];
	const char *text;
	int r;

	if (!json_object_is_type(config, json_type_object))
		return docker_json_nonsense(err, "an entry of IPAM.Config is not an object");
	r = docker_json_member(config, "Subnet", json_type_string, &subnet, err);
	if (r >= 0)
		r = docker_json_member(config, "Gateway", json_type_string, &gateway, err);
	if (r < 0)
		return r;
	text = subnet ? json_object_get_string(subnet) : "";
	if (network->n_subnets == DOCKER_SUBNETS_MAX ||
	    !prefix_parse(text, strlen(text), &s->prefix))
		return 0;
	if (!gateway || !parse_address(gateway, &s->gateway))
		s->gateway = prefix_first_host(&s->prefix);
	network->n_subnets++;
	return 0;
}

static int take_ipam(struct docker_network *network, struct json_object *object, struct err *err)
{
	struct json_object *ipam = NULL, *configs = NULL;
	int r = docker_json_member(object, "IPAM", json_type_object, &ipam, err);

	if (r >= 0 && ipam)
		r = docker_json_member(ipam, "Config", json_type_array, &configs, err);
	for (size_t i = 0; r >= 0 && configs && i < json_object_array_length(configs); i++)
		r = take_subnet(network, json_object_array_get_idx(configs, i), err);
	return r;
}

char *docker_derived_bridge(const char *id)
{
	return xasprintf("br-%.*s", DERIVED_ID, id);
}

static int take_bridge(struct arena *arena, struct docker_network *network,
		       struct json_object *object, struct err *err)
{
	struct json_object *options = NULL, *name = NULL;
	int r = docker_json_member(object, "Options", json_type_object, &options, err);

	if (r >= 0 && options)
		r = docker_json_member(options, DOCKER_BRIDGE_OPTION, json_type_string, &name, err);
	if (r < 0)
		return r;
	if (strcmp(network->driver, "bridge") != 0)
		network->bridge = "";
	else if (name && json_object_get_string_len(name) > 0)
		network->bridge = docker_json_text(arena, name);
	else
		network->bridge = arena_printf(arena, "br-%.*s", DERIVED_ID, network->id);
	return 0;
}

/* Docker keeps whatever text it was given; what is no number is taken for none. */
static int take_mtu(struct docker_network *network, struct json_object *object, struct err *err)
{
	struct json_object *options = NULL, *text = NULL;
	uint64_t mtu;
	int r = docker_json_member(object, "Options", json_type_object, &options, err);

	if (r >= 0 && options)
		r = docker_json_member(options, DOCKER_MTU_OPTION, json_type_string, &text, err);
	if (r < 0 || !text)
		return r;
	network->has_mtu =
		parse_uint(json_object_get_string(text), (size_t)json_object_get_string_len(text),
			   1, UINT16_MAX, &mtu);
	if (network->has_mtu)
		network->mtu = (unsigned)mtu;
	return 0;
}

static int take_parent(struct arena *arena, struct docker_network *network,
		       struct json_object *object, struct err *err)
{
	struct json_object *options = NULL, *parent = NULL;
	int r = docker_json_member(object, "Options", json_type_object, &options, err);

	if (r >= 0 && options && strcmp(network->driver, "bridge") != 0)
		r = docker_json_member(options, "parent", json_type_string, &parent, err);
	network->parent = docker_json_text(arena, parent);
	return r;
}

static int take_network(struct arena *arena, struct docker_network *network,
			struct json_object *object, struct err *err)
{
	struct json_object *id, *name, *driver = NULL;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return docker_json_nonsense(err, "a network is not an object");
	r = docker_json_id(object, "Id", &id, err);
	if (r >= 0)
		r = docker_json_needed(object, "Name", &name, err);
	if (r >= 0)
		r = docker_json_member(object, "Driver", json_type_string, &driver, err);
	if (r < 0)
		return r;
	network->id = docker_json_text(arena, id);
	network->name = docker_json_text(arena, name);
	network->driver = docker_json_text(arena, driver);
	r = take_ipam(network, object, err);
	if (r >= 0)
		r = take_mtu(network, object, err);
	if (r >= 0)
		r = take_parent(arena, network, object, err);
	return r < 0 ? r : take_bridge(arena, network, object, err);
}

int docker_parse_networks(const char *text, size_t len, struct docker_networks *ret,
			  struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct docker_networks networks = { 0 };
	size_t n;
	int r = docker_json_parse(text, len, json_type_array, &root, err);

	if (r < 0)
		return r;
	n = json_object_array_length(root);
	networks.items = arena_alloc(&networks.arena, (n + 1) * sizeof(*networks.items));
	for (; r >= 0 && networks.n < n; networks.n++)
		r = take_network(&networks.arena, &networks.items[networks.n],
				 json_object_array_get_idx(root, networks.n), err);
	if (r < 0) {
		docker_networks_free(&networks);
		return r;
	}
	*ret = networks;
	return 0;
}

int docker_parse_network(const char *text, size_t len, struct docker_networks *ret, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct docker_networks networks = { .n = 1 };
	int r = docker_json_parse(text, len, json_type_object, &root, err);

	if (r < 0)
		return r;
	networks.items = arena_alloc(&networks.arena, sizeof(*networks.items));
	r = take_network(&networks.arena, networks.items, root, err);
	if (r < 0)
		docker_networks_free(&networks);
	else
		*ret = networks;
	return r;
}

void docker_networks_free(struct docker_networks *networks)
{
	arena_free(&networks->arena);
	*networks = (struct docker_networks){ 0 };
}

void docker_networks_forget(struct docker_networks *networks, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < networks->n; i++)
		if (strcmp(networks->items[i].id, id) != 0)
			networks->items[n++] = networks->items[i];
	networks->n = n;
}

const struct docker_network *docker_find_network(const struct docker_networks *networks,
						 const char *name)
{
	for (size_t i = 0; i < networks->n; i++)
		if (strcmp(networks->items[i].name, name) == 0)
			return &networks->items[i];
	return NULL;
}

size_t docker_count_named(const struct docker_networks *networks, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < networks->n; i++)
		n += strcmp(networks->items[i].name, name) == 0;
	return n;
}

/* ---- GET /networks/ID ---- */

/* The keys by which an endpoint has its addresses. */
static int take_addresses(struct docker_container *container, struct json_object *object,
			  const char *ip_key, const char *ip6_key, struct err *err)
{
	struct json_object *mac = NULL, *ip = NULL, *ip6 = NULL;
	const char *text;
	int r = docker_json_member(object, "MacAddress", json_type_string, &mac, err);

	if (r >= 0)
		r = docker_json_member(object, ip_key, json_type_string, &ip, err);
	if (r >= 0)
		r = docker_json_member(object, ip6_key, json_type_string, &ip6, err);
	if (r < 0)
		return r;
	text = mac ? json_object_get_string(mac) : "";
	container->has_mac = mac_parse(text, strlen(text), container->mac);
	container->has_ip =
		ip && parse_address(ip, &container->ip) && container->ip.family == FAMILY_IPV4;
	container->has_ip6 =
		ip6 && parse_address(ip6, &container->ip6) && container->ip6.family == FAMILY_IPV6;
	return 0;
}

static int take_container(struct arena *arena, struct docker_container *container,
			  struct json_object *object, struct err *err)
{
	struct json_object *name = NULL;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return docker_json_nonsense(err, "a container is not an object");
	r = docker_json_member(object, "Name", json_type_string, &name, err);
	if (r < 0)
		return r;
	container->name = docker_json_text(arena, name);
	return take_addresses(container, object, "IPv4Address", "IPv6Address", err);
}

int docker_parse_containers(const char *text, size_t len, struct docker_containers *ret,
			    struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct docker_containers containers = { 0 };
	struct json_object *members = NULL, *id;
	int r = docker_json_parse(text, len, json_type_object, &root, err);

	if (r >= 0)
		r = docker_json_id(root, "Id", &id, err);
	if (r >= 0)
		r = docker_json_member(root, "Containers", json_type_object, &members, err);
	if (r < 0)
		return r;
	containers.items = arena_alloc(&containers.arena,
				       ((members ? (size_t)json_object_object_length(members) : 0) +
					1) * sizeof(*containers.items));
	if (members) {
		json_object_object_foreach(members, key, object)
		{
			struct docker_container *container = &containers.items[containers.n++];
			cleanup(cleanup_free) char *clean =
				docker_json_clean_text(key, strlen(key));

			container->id = arena_strdup(&containers.arena, clean);
			r = take_container(&containers.arena, container, object, err);
			if (r < 0)
				break;
		}
	}
	if (r < 0) {
		docker_containers_free(&containers);
		return r;
	}
	*ret = containers;
	return 0;
}

int docker_parse_count(const char *text, size_t len, size_t *ret_n, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	int r = docker_json_parse(text, len, json_type_array, &root, err);

	if (r >= 0)
		*ret_n = json_object_array_length(root);
	return r;
}

void docker_containers_free(struct docker_containers *containers)
{
	arena_free(&containers->arena);
	*containers = (struct docker_containers){ 0 };
}

/* ---- GET /containers/json ---- */

static int take_leg(struct docker_legs *legs, const char *container_id, const char *container,
		    const char *network, struct json_object *endpoint, struct err *err)
{
	cleanup(cleanup_free) char *clean = docker_json_clean_text(network, strlen(network));
	struct docker_leg *leg;

	if (!json_object_is_type(endpoint, json_type_object))
		return docker_json_nonsense(err, "an endpoint is not an object");
	legs->items = array_grow(legs->items, &legs->cap, legs->n, sizeof(*legs->items));
	leg = &legs->items[legs->n++];
	*leg = (struct docker_leg){ .network = arena_strdup(&legs->arena, clean) };
	leg->container.id = container_id;
	leg->container.name = container;
	return take_addresses(&leg->container, endpoint, "IPAddress", "GlobalIPv6Address", err);
}

/* Docker's names of containers begin with a slash. */
static const char *container_name(struct docker_legs *legs, struct json_object *names,
				  const char *id)
{
	struct json_object *first = names && json_object_array_length(names) > 0
					    ? json_object_array_get_idx(names, 0)
					    : NULL;
	const char *name = first && json_object_is_type(first, json_type_string)
				   ? docker_json_text(&legs->arena, first)
				   : "";

	name += name[0] == '/';
	return name[0] ? name : id;
}

static int take_legs(struct docker_legs *legs, struct json_object *object, struct err *err)
{
	struct json_object *id, *names = NULL, *settings = NULL, *networks = NULL;
	const char *id_text, *name;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return docker_json_nonsense(err, "a container is not an object");
	r = docker_json_id(object, "Id", &id, err);
	if (r >= 0)
		r = docker_json_member(object, "Names", json_type_array, &names, err);
	if (r >= 0)
		r = docker_json_member(object, "NetworkSettings", json_type_object, &settings, err);
	if (r >= 0 && settings)
		r = docker_json_member(settings, "Networks", json_type_object, &networks, err);
	if (r < 0 || !networks)
		return r;
	id_text = docker_json_text(&legs->arena, id);
	name = container_name(legs, names, id_text);
	json_object_object_foreach(networks, key, endpoint)
	{
		r = take_leg(legs, id_text, name, key, endpoint, err);
		if (r < 0)
			break;
	}
	return r;
}

int docker_parse_legs(const char *text, size_t len, struct docker_legs *ret, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct docker_legs legs = { 0 };
	int r = docker_json_parse(text, len, json_type_array, &root, err);

	for (size_t i = 0; r >= 0 && i < json_object_array_length(root); i++)
		r = take_legs(&legs, json_object_array_get_idx(root, i), err);
	if (r < 0)
		docker_legs_free(&legs);
	else
		*ret = legs;
	return r;
}

void docker_legs_free(struct docker_legs *legs)
{
	free(legs->items);
	arena_free(&legs->arena);
	*legs = (struct docker_legs){ 0 };
}

void docker_legs_forget(struct docker_legs *legs, const char *network, const char *container)
{
	size_t n = 0;

	for (size_t i = 0; i < legs->n; i++)
		if (strcmp(legs->items[i].network, network) != 0 ||
		    strcmp(legs->items[i].container.id, container) != 0)
			legs->items[n++] = legs->items[i];
	legs->n = n;
}

/* ---- GET /events ---- */

static enum docker_action action_of(const char *action)
{
	static const struct {
		const char *name;
		enum docker_action action;
	} actions[] = {
		{ "create", DOCKER_CREATE },	     { "destroy", DOCKER_DESTROY },
		{ "remove", DOCKER_DESTROY },	     { "connect", DOCKER_CONNECT },
		{ "disconnect", DOCKER_DISCONNECT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, action) == 0)
			return actions[i].action;
	return DOCKER_OTHER;
}

int docker_parse_event(const char *text, size_t len, struct docker_event *ret, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_object *type, *action, *actor = NULL, *id, *attributes = NULL;
	struct json_object *name = NULL, *container = NULL;
	int r = docker_json_parse(text, len, json_type_object, &root, err);

	if (r >= 0)
		r = docker_json_needed(root, "Type", &type, err);
	if (r < 0)
		return r;
	if (strcmp(json_object_get_string(type), "network") != 0) {
		*ret = (struct docker_event){ DOCKER_OTHER, xstrdup(""), xstrdup(""), xstrdup("") };
		return 0;
	}
	r = docker_json_needed(root, "Action", &action, err);
	if (r >= 0)
		r = docker_json_member(root, "Actor", json_type_object, &actor, err);
	if (r >= 0 && !actor)
		r = docker_json_nonsense(err, "it has no Actor");
	if (r >= 0)
		r = docker_json_id(actor, "ID", &id, err);
	if (r >= 0)
		r = docker_json_member(actor, "Attributes", json_type_object, &attributes, err);
	if (r >= 0 && attributes)
		r = docker_json_member(attributes, "name", json_type_string, &name, err);
	if (r >= 0 && attributes)
		r = docker_json_member(attributes, "container", json_type_string, &container, err);
	if (r < 0)
		return r;
	ret->action = action_of(json_object_get_string(action));
	ret->id = xstrdup(json_object_get_string(id));
	ret->name = name ? docker_json_clean(name) : xstrdup("");
	ret->container = container ? docker_json_clean(container) : xstrdup("");
	return 0;
}

void docker_event_free(struct docker_event *event)
{
	free(event->id);
	free(event->name);
	free(event->container);
	*event = (struct docker_event){ .action = DOCKER_OTHER };
}

/* ---- refusals ---- */

char *docker_refusal(const char *text, size_t len)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_object *message = NULL;
	char *clean;

	if (docker_json_parse(text, len, json_type_object, &root, NULL) < 0 ||
	    docker_json_member(root, "message", json_type_string, &message, NULL) < 0 || !message)
		clean = docker_json_clean_text(text, len);
	else
		clean = docker_json_clean(message);
	for (size_t n = strlen(clean); n > 0 && clean[n - 1] == ' '; n--)
		clean[n - 1] = '\0';
	return clean;
}
