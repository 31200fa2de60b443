/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_wanted.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"

#define OUR_PREFIX "ds-"
#define MTU_DEFAULT 1500

/* ---- what is wanted ---- */

struct docker_wanted_identity docker_wanted_identity_of(const struct network *network)
{
	struct docker_wanted_identity identity = {
		.has_ip = network->has_dockside_ip,
		.has_ip6 = network->has_dockside_ip6,
		.has_mac = network->has_dockside_mac,
		.ip = network->dockside_ip,
		.ip6 = network->dockside_ip6,
		.has_gateway = network->has_subnet,
		.gateway = network->gateway,
		.has_gateway6 = network->external && network->has_subnet6,
		.gateway6 = network->gateway6,
		.has_subnet = network->has_subnet,
		.has_subnet6 = network->has_subnet6,
		.subnet = network->subnet,
		.subnet6 = network->subnet6,
		.policed = network->dockside_policed,
	};

	memcpy(identity.mac, network->dockside_mac, sizeof(identity.mac));
	return identity;
}

/* The rest is Docker's word already, or is not known. */
static void want_external(struct arena *arena, struct docker_wanted *wanted,
			  const struct network *network)
{
	wanted->external = true;
	wanted->placed = network->placed;
	wanted->bridge_given = network->bridge_given;
	wanted->site_trouble =
		network->site_trouble ? arena_strdup(arena, network->site_trouble) : NULL;
	wanted->has_subnet = network->subnet_loc.src != NULL;
	wanted->has_subnet6 = network->subnet6_loc.src != NULL;
	wanted->has_gateway = network->gateway_given;
}

void docker_wanted_list_make(const struct policy *policy, struct docker_wanted_list *ret)
{
	*ret = (struct docker_wanted_list){ .n = policy->n_networks - policy->n_draining };
	ret->items = arena_alloc(&ret->arena, (ret->n + 1) * sizeof(*ret->items));
	for (size_t i = 0; i < ret->n; i++) {
		const struct network *network = &policy->networks[i];

		ret->items[i] = (struct docker_wanted){
			.name = arena_strdup(&ret->arena, network->name),
			.bridge = arena_strdup(&ret->arena, network->bridge),
			.managed = network_has_policy(network),
			.placed = true,
			.audit = network->audit,
			.subnet = network->subnet,
			.subnet6 = network->subnet6,
			.has_subnet = network->has_subnet,
			.has_subnet6 = network->has_subnet6,
			.gateway = network->gateway,
			.has_gateway = true,
			.has_mtu = network->has_mtu,
			.mtu = network->mtu,
			.identity = docker_wanted_identity_of(network),
		};
		if (network->external)
			want_external(&ret->arena, &ret->items[i], network);
	}
}

void docker_wanted_list_free(struct docker_wanted_list *list)
{
	arena_free(&list->arena);
	*list = (struct docker_wanted_list){ 0 };
}

const struct docker_wanted *docker_wanted_find(const struct docker_wanted_list *list,
					       const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

/* ---- what is other ---- */

static void add(struct docker_wanted_difference *all, size_t *n, enum networks_property property,
		const char *docker, const char *wanted)
{
	static const char *const names[] = {
		[DOCKER_WANTED_DRIVER] = "driver",	 [DOCKER_WANTED_BRIDGE] = "bridge",
		[DOCKER_WANTED_SUBNET] = "subnet",	 [DOCKER_WANTED_GATEWAY] = "gateway",
		[DOCKER_WANTED_SUBNET6] = "IPv6 subnet", [DOCKER_WANTED_MTU] = "MTU",
	};
	static_assert(ARRAY_SIZE(names) == DOCKER_WANTED_PROPERTIES, "a name for each property");

	all[(*n)++] = (struct docker_wanted_difference){
		property, xasprintf("its %s is %s in Docker, %s in the configuration",
				    names[property], docker, wanted)
	};
}

/* The subnet of a family; Docker has at most one of each on a bridge. */
static const struct docker_subnet *subnet_of(const struct docker_network *network,
					     enum family family)
{
	for (size_t i = 0; i < network->n_subnets; i++)
		if (network->subnets[i].prefix.addr.family == family)
			return &network->subnets[i];
	return NULL;
}

static const char *prefix_or_none(const struct prefix *prefix, char text[ADDR_STRLEN])
{
	return prefix ? prefix_format(prefix, text) : "none";
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a && b ? prefix_cmp(a, b) == 0 : a == b;
}

static unsigned wanted_mtu(const struct docker_wanted *wanted)
{
	return wanted->has_mtu ? wanted->mtu : MTU_DEFAULT;
}

static void compare_mtu(const struct docker_wanted *wanted, const struct docker_network *network,
			struct docker_wanted_difference *all, size_t *n)
{
	char have[16] = "the default", want[16];

	if ((network->has_mtu ? network->mtu : MTU_DEFAULT) == wanted_mtu(wanted))
		return;
	if (network->has_mtu)
		snprintf(have, sizeof(have), "%u", network->mtu);
	snprintf(want, sizeof(want), "%u", wanted_mtu(wanted));
	add(all, n, DOCKER_WANTED_MTU, have, want);
}

static bool has_other_bridge(const struct docker_wanted *wanted,
			     const struct docker_network *network)
{
	return (!wanted->external || wanted->bridge_given) &&
	       strcmp(network->bridge, wanted->bridge) != 0;
}

static bool has_other_subnet(const struct docker_wanted *wanted, const struct prefix *docker)
{
	return (!wanted->external || wanted->has_subnet) && !same_prefix(docker, &wanted->subnet);
}

size_t docker_wanted_compare(const struct docker_wanted *wanted,
			     const struct docker_network *network,
			     struct docker_wanted_difference ret[DOCKER_WANTED_PROPERTIES])
{
	const struct docker_subnet *v4 = subnet_of(network, FAMILY_IPV4);
	const struct docker_subnet *v6 = subnet_of(network, FAMILY_IPV6);
	const struct prefix *wanted6 = wanted->has_subnet6 ? &wanted->subnet6 : NULL;
	const struct prefix *have4 = v4 ? &v4->prefix : NULL, *have6 = v6 ? &v6->prefix : NULL;
	char have_text[ADDR_STRLEN], wanted_text[ADDR_STRLEN];
	size_t n = 0;

	if (strcmp(network->driver, "bridge") != 0)
		add(ret, &n, DOCKER_WANTED_DRIVER, network->driver[0] ? network->driver : "unknown",
		    "bridge");
	else if (has_other_bridge(wanted, network))
		add(ret, &n, DOCKER_WANTED_BRIDGE, network->bridge, wanted->bridge);
	if (has_other_subnet(wanted, have4))
		add(ret, &n, DOCKER_WANTED_SUBNET, prefix_or_none(have4, have_text),
		    prefix_format(&wanted->subnet, wanted_text));
	else if (v4 && wanted->has_gateway && ipaddr_cmp(&v4->gateway, &wanted->gateway) != 0)
		add(ret, &n, DOCKER_WANTED_GATEWAY, ipaddr_format(&v4->gateway, have_text),
		    ipaddr_format(&wanted->gateway, wanted_text));
	if ((wanted6 || !wanted->external) && !same_prefix(have6, wanted6))
		add(ret, &n, DOCKER_WANTED_SUBNET6, prefix_or_none(have6, have_text),
		    prefix_or_none(wanted6, wanted_text));
	if (!wanted->external)
		compare_mtu(wanted, network, ret, &n);
	return n;
}

/* ---- making one ---- */

char *docker_wanted_creation(const struct docker_wanted *wanted)
{
	static const char *const options[][2] = {
		{ "com.docker.network.bridge.enable_icc", "true" },
		{ "com.docker.network.bridge.enable_ip_masquerade", "true" },
		{ "com.docker.network.bridge.host_binding_ipv4", "0.0.0.0" },
	};
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	char text[ADDR_STRLEN];

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "Name", wanted->name);
	/* Before 1.44 Docker makes a second one of that name unless told. */
	json_write_bool(&out, "CheckDuplicate", true);
	json_write_string(&out, "Driver", "bridge");
	/* Said in either case: its default is the operator's. */
	json_write_bool(&out, "EnableIPv6", wanted->has_subnet6);
	json_write_open(&out, "IPAM", '{');
	json_write_string(&out, "Driver", "default");
	json_write_open(&out, "Config", '[');
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "Subnet", prefix_format(&wanted->subnet, text));
	json_write_string(&out, "Gateway", ipaddr_format(&wanted->gateway, text));
	json_write_close(&out, '}');
	if (wanted->has_subnet6) {
		json_write_open(&out, NULL, '{');
		json_write_string(&out, "Subnet", prefix_format(&wanted->subnet6, text));
		json_write_close(&out, '}');
	}
	json_write_close(&out, ']');
	json_write_close(&out, '}');
	json_write_open(&out, "Options", '{');
	json_write_string(&out, DOCKER_BRIDGE_OPTION, wanted->bridge);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		json_write_string(&out, options[i][0], options[i][1]);
	snprintf(text, sizeof(text), "%u", wanted_mtu(wanted));
	json_write_string(&out, DOCKER_MTU_OPTION, text);
	json_write_close(&out, '}');
	json_write_close(&out, '}');
	return buf_steal(&b);
}

/* ---- the rest ---- */

bool docker_wanted_orphan(const struct docker_wanted_list *list,
			  const struct docker_network *network)
{
	return strncmp(network->name, OUR_PREFIX, strlen(OUR_PREFIX)) == 0 &&
	       !docker_wanted_find(list, network->name);
}

bool docker_wanted_is_dockside(const struct docker_container *c,
			       const struct docker_wanted_identity *id)
{
	if (!id->has_ip && !id->has_ip6 && !id->has_mac)
		return false;
	return (!id->has_ip || (c->has_ip && ipaddr_cmp(&c->ip, &id->ip) == 0)) &&
	       (!id->has_ip6 || (c->has_ip6 && ipaddr_cmp(&c->ip6, &id->ip6) == 0)) &&
	       (!id->has_mac || (c->has_mac && memcmp(c->mac, id->mac, sizeof(c->mac)) == 0));
}

static bool has_address(const struct docker_container *c, const struct docker_wanted_identity *id)
{
	return (id->has_ip && c->has_ip && ipaddr_cmp(&c->ip, &id->ip) == 0) ||
	       (id->has_ip6 && c->has_ip6 && ipaddr_cmp(&c->ip6, &id->ip6) == 0);
}

static bool has_mac(const struct docker_container *c, const struct docker_wanted_identity *id)
{
	return id->has_mac && c->has_mac && memcmp(c->mac, id->mac, sizeof(c->mac)) == 0;
}

static bool has_gateway(const struct docker_container *c, const struct docker_wanted_identity *id)
{
	return id->has_gateway && c->has_ip && ipaddr_cmp(&c->ip, &id->gateway) == 0;
}

typedef bool (*has_fn)(const struct docker_container *c, const struct docker_wanted_identity *id);

static const struct docker_container *find(const struct docker_containers *containers,
					   const struct docker_wanted_identity *id, has_fn has)
{
	for (size_t i = 0; i < containers->n; i++)
		if (has(&containers->items[i], id))
			return &containers->items[i];
	return NULL;
}

static const char *wanted_address(const struct docker_wanted_identity *id, char text[ADDR_STRLEN])
{
	return ipaddr_format(id->has_ip ? &id->ip : &id->ip6, text);
}

/* The container with the dockside container's address has another MAC address, and nobody has the right one. */
static char *tell_other_mac(const struct docker_wanted_identity *id,
			    const struct docker_container *c)
{
	char have[ADDR_STRLEN], wanted[ADDR_STRLEN], ip[ADDR_STRLEN];

	return xasprintf(
		"dockside_mac is %s, but %s, the container with %s, has the MAC address %s: the "
		"rules treat it like any other; start it with the MAC address %s (since Docker 28 "
		"one is chosen at random unless mac_address in Compose, or --mac-address, gives "
		"it), or leave dockside_mac out",
		mac_format(id->mac, wanted), c->name, wanted_address(id, ip),
		mac_format(c->mac, have), wanted);
}

/* The container with dockside_mac does not have the address; taken_by: who has it, or NULL. */
static char *tell_other_address(const struct docker_wanted_identity *id,
				const struct docker_container *c,
				const struct docker_container *taken_by)
{
	char mac[ADDR_STRLEN], ip[ADDR_STRLEN];

	return xasprintf(
		"%s, the container with dockside_mac %s, does not have the address %s%s%s: "
		"the rules treat it like any other; keep that address out of Docker's "
		"--ip-range, and start %s with it (--ip, --ip6, or ipv4_address and "
		"ipv6_address in Compose)",
		c->name, mac_format(id->mac, mac), wanted_address(id, ip),
		taken_by ? ", which Docker has given to " : "", taken_by ? taken_by->name : "",
		c->name);
}

static char *tell_gateway(const struct docker_wanted_identity *id, const struct docker_container *c)
{
	char text[ADDR_STRLEN];

	return xasprintf("Docker has given %s the address %s, which is the gateway's in the "
			 "configuration: it gets packets that containers send outwards; make the "
			 "network anew with that gateway, or correct gateway_ip",
			 c->name, ipaddr_format(&id->gateway, text));
}

/* subnet: of the address's family; NULL if Docker has none. */
static char *tell_outside(const char *key, const struct ipaddr *ip, const struct prefix *subnet)
{
	char ip_text[ADDR_STRLEN], text[ADDR_STRLEN];

	ipaddr_format(ip, ip_text);
	if (!subnet)
		return xasprintf("%s is %s, and Docker has given the network no subnet of that "
				 "family: the rules exempt no container; correct %s, or make the "
				 "network anew with such a subnet",
				 key, ip_text, key);
	return xasprintf("%s is %s, which is outside the subnet that the network has in Docker, "
			 "%s: the rules exempt no container; correct %s",
			 key, ip_text, prefix_format(subnet, text), key);
}

static char *tell_is_gateway(const char *key, const struct ipaddr *ip)
{
	char text[ADDR_STRLEN];

	return xasprintf("%s is %s, which is the gateway's address in Docker: the rules exempt no "
			 "container; correct %s",
			 key, ipaddr_format(ip, text), key);
}

char *docker_wanted_outside(const struct docker_wanted_identity *id)
{
	const struct prefix *subnet = id->has_subnet ? &id->subnet : NULL;
	const struct prefix *subnet6 = id->has_subnet6 ? &id->subnet6 : NULL;

	if (!subnet && !subnet6)
		return NULL;
	if (id->has_ip && id->has_gateway && ipaddr_cmp(&id->ip, &id->gateway) == 0)
		return tell_is_gateway("dockside_ip", &id->ip);
	if (id->has_ip6 && id->has_gateway6 && ipaddr_cmp(&id->ip6, &id->gateway6) == 0)
		return tell_is_gateway("dockside_ip6", &id->ip6);
	if (id->has_ip && (!subnet || !prefix_contains(subnet, &id->ip)))
		return tell_outside("dockside_ip", &id->ip, subnet);
	if (id->has_ip6 && (!subnet6 || !prefix_contains(subnet6, &id->ip6)))
		return tell_outside("dockside_ip6", &id->ip6, subnet6);
	return NULL;
}

char *docker_wanted_impostor(const struct docker_wanted_identity *id,
			     const struct docker_containers *containers)
{
	const struct docker_container *by_address = find(containers, id, has_address);
	const struct docker_container *by_mac = find(containers, id, has_mac);
	const struct docker_container *gateway = find(containers, id, has_gateway);
	char *outside = docker_wanted_outside(id);

	if (outside)
		return outside;
	if (gateway)
		return tell_gateway(id, gateway);
	if (by_mac && (id->has_ip || id->has_ip6) && !has_address(by_mac, id))
		return tell_other_address(id, by_mac, by_address);
	if (!by_address || !id->has_mac || !by_address->has_mac || has_mac(by_address, id))
		return NULL;
	return tell_other_mac(id, by_address);
}

size_t docker_wanted_count_attached(const struct docker_containers *containers, size_t restarting,
				    const struct docker_wanted_identity *identity)
{
	size_t n = restarting;

	for (size_t i = 0; i < containers->n; i++)
		n += !identity || identity->policed ||
		     !docker_wanted_is_dockside(&containers->items[i], identity);
	return n;
}
