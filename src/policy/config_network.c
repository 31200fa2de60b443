/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One network of network-config.
 */
#include <ctype.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/policy/fields.h"

/* With less the kernel takes IPv4 (ETH_MIN_MTU, linux/if_ether.h) or IPv6 (IPV6_MIN_MTU, linux/ipv6.h) off an
 * interface. */
#define MTU_MIN 68
#define MTU6_MIN 1280

#define NETWORK_NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* Docker has networks of these names from the start, without a bridge. */
static const char *reserved_hint(const char *name)
{
	if (strcmp(name, "host") == 0)
		return "its containers share the Docker host's network, where no rule can tell "
		       "them from the host: give them a network of their own";
	if (strcmp(name, "none") == 0)
		return "its containers reach nothing, so that there is nothing to judge";
	return NULL;
}

/* The record of what the kernel holds has keys of these names beside those of bridges (table/plan.h). */
static bool is_reserved(const char *bridge)
{
	return strncmp(bridge, "BASE.", 5) == 0 || strncmp(bridge, "DNS.", 4) == 0 ||
	       strcmp(bridge, "FORWARD") == 0 || strcmp(bridge, "FORWARD6") == 0;
}

bool network_bridge_valid(const char *bridge)
{
	size_t len = strlen(bridge);

	return len > 0 && len <= BRIDGE_NAME_MAX && isalnum((unsigned char)bridge[0]) &&
	       strspn(bridge, NETWORK_NAME_CHARS) == len && !is_reserved(bridge);
}

static bool read_name(struct reader *r, const struct field *field, const struct json_node *value,
		      void *object)
{
	const char *s = value->u.string.s;
	size_t len = value->u.string.len;
	struct network *network = object;

	/* Kept even when it is bad: firewall-config may refer to it. */
	network->name = arena_strdup(&r->policy->arena, s);
	network->stem = lower_case(arena_strdup(&r->policy->arena, s));
	network->name_loc = value->loc;
	if (len == 0 || len > NETWORK_NAME_MAX || !isalnum((unsigned char)s[0]) ||
	    strspn(s, NETWORK_NAME_CHARS) != len)
		return value_error(r, field, value);
	if (reserved_hint(s)) {
		node_error(r, value, "\"%s\" is a name that Docker keeps for itself", s)->hint =
			xstrdup(reserved_hint(s));
		return false;
	}
	return true;
}

static bool read_external(struct reader *r, const struct field *field,
			  const struct json_node *value, void *object)
{
	struct network *network = object;

	(void)r;
	(void)field;
	network->external = value->u.boolean;
	return true;
}

static bool read_bridge(struct reader *r, const struct field *field, const struct json_node *value,
			void *object)
{
	struct network *network = object;
	const char *s = value->u.string.s;

	network->bridge_loc = value->loc;
	if (is_reserved(s))
		return value_error_hint(r, field, value,
					xstrdup("dsfw-nft has another use for this name"));
	if (strlen(s) != value->u.string.len || !network_bridge_valid(s))
		return value_error(r, field, value);
	network->bridge = arena_strdup(&r->policy->arena, s);
	network->bridge_given = true;
	return true;
}

/* A prefix length that leaves room for a gateway and a container. */
static bool has_room(const struct prefix *prefix)
{
	return prefix->len > 0 && prefix->len <= family_bytes(prefix->addr.family) * 8 - 2;
}

static bool read_subnet_of(struct reader *r, const struct field *field,
			   const struct json_node *value, enum family family,
			   struct prefix *ret_prefix)
{
	const char *s = value->u.string.s;
	int max = family == FAMILY_IPV4 ? 30 : 126;
	struct prefix prefix;

	if (!prefix_parse(s, value->u.string.len, &prefix))
		return value_error_hint(r, field, value, address_hint(s));
	if (prefix.addr.family != family)
		return value_error_hint(r, field, value,
					xasprintf("an %s network belongs in \"%s\"",
						  family == FAMILY_IPV4 ? "IPv6" : "IPv4",
						  family == FAMILY_IPV4 ? "subnet6" : "subnet"));
	if (!strchr(s, '/'))
		return value_error_hint(r, field, value, xstrdup("the prefix length is missing"));
	if (!has_room(&prefix))
		return value_error_hint(
			r, field, value,
			xasprintf("a Docker network's prefix length is 1 to %d", max));
	if (ipaddr_is_multicast(&prefix.addr))
		return value_error_hint(r, field, value,
					xstrdup("these are multicast addresses, which no container "
						"can have"));
	*ret_prefix = prefix;
	return true;
}

static bool read_subnet(struct reader *r, const struct field *field, const struct json_node *value,
			void *object)
{
	struct network *network = object;

	if (!read_subnet_of(r, field, value, FAMILY_IPV4, &network->subnet))
		return false;
	network->has_subnet = true;
	network->subnet_loc = value->loc;
	return true;
}

static bool read_subnet6(struct reader *r, const struct field *field, const struct json_node *value,
			 void *object)
{
	struct network *network = object;

	if (!read_subnet_of(r, field, value, FAMILY_IPV6, &network->subnet6))
		return false;
	network->has_subnet6 = true;
	network->gateway6 = prefix_first_host(&network->subnet6);
	network->subnet6_loc = value->loc;
	return true;
}

static bool read_address_of(struct reader *r, const struct field *field,
			    const struct json_node *value, enum family family,
			    struct ipaddr *ret_addr)
{
	struct ipaddr addr;

	if (!read_address(r, field, value, &addr))
		return false;
	if (addr.family != family)
		return value_error(r, field, value);
	*ret_addr = addr;
	return true;
}

static bool read_gateway(struct reader *r, const struct field *field, const struct json_node *value,
			 void *object)
{
	struct network *network = object;

	network->gateway_given = read_address_of(r, field, value, FAMILY_IPV4, &network->gateway);
	return network->gateway_given;
}

static bool read_dockside_ip(struct reader *r, const struct field *field,
			     const struct json_node *value, void *object)
{
	struct network *network = object;

	network->has_dockside_ip =
		read_address_of(r, field, value, FAMILY_IPV4, &network->dockside_ip);
	return network->has_dockside_ip;
}

static bool read_dockside_ip6(struct reader *r, const struct field *field,
			      const struct json_node *value, void *object)
{
	struct network *network = object;

	network->has_dockside_ip6 =
		read_address_of(r, field, value, FAMILY_IPV6, &network->dockside_ip6);
	return network->has_dockside_ip6;
}

static bool read_dockside_mac(struct reader *r, const struct field *field,
			      const struct json_node *value, void *object)
{
	struct network *network = object;

	network->has_dockside_mac = read_unicast_mac(r, field, value, network->dockside_mac);
	return network->has_dockside_mac;
}

static bool read_dockside_egress(struct reader *r, const struct field *field,
				 const struct json_node *value, void *object)
{
	static const char *const words[] = { "exempt", "policed" };
	struct network *network = object;
	size_t i;

	if (!read_word(r, field, value, words, ARRAY_SIZE(words), &i))
		return false;
	network->dockside_policed = i == 1;
	return true;
}

static bool read_bind(struct reader *r, const struct field *field, const struct json_node *value,
		      void *object)
{
	struct network *network = object;
	size_t i;

	if (!read_word(r, field, value, bind_names, N_BINDS, &i))
		return false;
	network->bind = (enum bind)i;
	return true;
}

static bool read_mtu(struct reader *r, const struct field *field, const struct json_node *value,
		     void *object)
{
	struct network *network = object;

	if (value->u.integer < MTU_MIN || value->u.integer > UINT16_MAX)
		return value_error(r, field, value);
	network->has_mtu = true;
	network->mtu = (uint16_t)value->u.integer;
	return true;
}

enum {
	NETWORK_NAME,
	NETWORK_EXTERNAL,
	NETWORK_BRIDGE,
	NETWORK_SUBNET,
	NETWORK_SUBNET6,
	NETWORK_GATEWAY,
	NETWORK_IP,
	NETWORK_IP6,
	NETWORK_MAC,
	NETWORK_EGRESS,
	NETWORK_BIND,
	NETWORK_EXTRA,
	NETWORK_MTU,
	NETWORK_OLD_MAC,
	NETWORK_FIELDS,
};

static const struct field network_field[NETWORK_FIELDS] = {
	[NETWORK_NAME] = { .key = "name",
			   .allowed = "1 to 64 of A-Z a-z 0-9 _ . -, the first a letter or digit",
			   .kinds = KIND(JSON_STRING),
			   .required = true,
			   .read = read_name },
	[NETWORK_EXTERNAL] = { .key = "external",
			       .allowed = "true or false",
			       .kinds = KIND(JSON_BOOL),
			       .read = read_external },
	[NETWORK_BRIDGE] = { .key = "bridge",
			     .allowed = "the name of a bridge: 1 to 15 of A-Z a-z 0-9 _ . -, the "
					"first "
					"a letter or digit",
			     .kinds = KIND(JSON_STRING),
			     .read = read_bridge },
	[NETWORK_SUBNET] = { .key = "subnet",
			     .allowed = "an IPv4 network in CIDR notation, such as "
					"\"192.0.2.0/24\"",
			     .kinds = KIND(JSON_STRING),
			     .read = read_subnet },
	[NETWORK_SUBNET6] = { .key = "subnet6",
			      .allowed = "an IPv6 network in CIDR notation, such as "
					 "\"2001:db8::/64\"",
			      .kinds = KIND(JSON_STRING),
			      .read = read_subnet6 },
	[NETWORK_GATEWAY] = { .key = "gateway_ip",
			      .allowed = "an IPv4 address",
			      .kinds = KIND(JSON_STRING),
			      .read = read_gateway },
	[NETWORK_IP] = { .key = "dockside_ip",
			 .allowed = "an IPv4 address",
			 .kinds = KIND(JSON_STRING),
			 .read = read_dockside_ip },
	[NETWORK_IP6] = { .key = "dockside_ip6",
			  .allowed = "an IPv6 address",
			  .kinds = KIND(JSON_STRING),
			  .read = read_dockside_ip6 },
	[NETWORK_MAC] = { .key = "dockside_mac",
			  .allowed = "a unicast MAC address, such as \"02:00:5e:00:53:01\"",
			  .kinds = KIND(JSON_STRING),
			  .read = read_dockside_mac },
	[NETWORK_EGRESS] = { .key = "dockside_egress",
			     .allowed = "\"exempt\" or \"policed\"",
			     .kinds = KIND(JSON_STRING),
			     .read = read_dockside_egress },
	[NETWORK_BIND] = { .key = "bind",
			   .allowed = "\"learn\", \"strict\" or \"off\"",
			   .kinds = KIND(JSON_STRING),
			   .read = read_bind },
	[NETWORK_EXTRA] = { .key = "extra",
			    .allowed = "a list of addresses, networks in CIDR notation and MAC "
				       "addresses",
			    .kinds = KIND(JSON_ARRAY),
			    .read = read_extra },
	[NETWORK_MTU] = { .key = "mtu",
			  .allowed = "a number from 68 to 65535",
			  .kinds = KIND(JSON_INT),
			  .read = read_mtu },
	[NETWORK_OLD_MAC] = { .key = "gateway_mac", .renamed_to = "dockside_mac" },
};

static const struct fields network_fields = { "a network", network_field, NETWORK_FIELDS };

/* An address that a container or the bridge can have inside the subnet. */
static void check_inside(struct reader *r, const struct prefix *subnet, const struct ipaddr *addr,
			 const struct json_node *node)
{
	struct ipaddr first, last;
	char text[ADDR_STRLEN];

	prefix_range(subnet, &first, &last);
	prefix_format(subnet, text);
	if (!prefix_contains(subnet, addr))
		node_error(r, node, "\"%s\" must be inside the network's subnet %s, found \"%s\"",
			   node->key, text, node->u.string.s);
	else if (ipaddr_cmp(addr, &first) == 0)
		node_error(r, node, "\"%s\" is the subnet %s itself, not an address in it",
			   node->key, text);
	else if (addr->family == FAMILY_IPV4 && ipaddr_cmp(addr, &last) == 0)
		node_error(r, node, "\"%s\" is the broadcast address of the subnet %s", node->key,
			   text);
}

static void check_gateway(struct reader *r, struct network *network, const struct seen *seen)
{
	const struct json_node *gateway = seen->node[NETWORK_GATEWAY];
	const struct json_node *ip = seen->node[NETWORK_IP];

	if (!gateway && !seen->excused[NETWORK_GATEWAY])
		network->gateway = prefix_first_host(&network->subnet);
	if (gateway && seen->good[NETWORK_GATEWAY])
		check_inside(r, &network->subnet, &network->gateway, gateway);
	if (!network->has_dockside_ip)
		return;
	check_inside(r, &network->subnet, &network->dockside_ip, ip);
	if (seen_doubtful(seen, NETWORK_GATEWAY) ||
	    ipaddr_cmp(&network->gateway, &network->dockside_ip) != 0)
		return;

	struct diag *diag = node_error(r, ip, "\"dockside_ip\" is the gateway's address too");

	if (gateway) {
		diag->other = gateway->loc;
		diag->other_message = xstrdup("the gateway is given here");
	} else {
		diag->hint = xstrdup("without \"gateway_ip\" the gateway is the subnet's first "
				     "host address");
	}
}

static void check_ip6(struct reader *r, const struct network *network, const struct seen *seen)
{
	const struct json_node *ip6 = seen->node[NETWORK_IP6];

	if (!network->has_dockside_ip6 || seen_doubtful(seen, NETWORK_SUBNET6))
		return;
	if (!network->has_subnet6 && network->external)
		return; /* Docker says */
	if (!network->has_subnet6)
		key_error(r, ip6, "\"dockside_ip6\" needs \"subnet6\" beside it");
	else
		check_inside(r, &network->subnet6, &network->dockside_ip6, ip6);
}

static void check_mtu(struct reader *r, const struct network *network, const struct seen *seen)
{
	if (network->has_mtu && network->mtu < MTU6_MIN && seen->node[NETWORK_SUBNET6])
		node_error(
			r, seen->node[NETWORK_MTU],
			"\"mtu\" must be at least %d beside \"subnet6\", found %u: IPv6 does not "
			"work with less",
			MTU6_MIN, network->mtu);
}

/* Before there was "dockside_ip". */
static void check_gateway_mac(struct reader *r, const struct json_node *item,
			      const struct seen *seen)
{
	const struct json_node *gateway = seen->node[NETWORK_GATEWAY];

	if (!gateway || seen->node[NETWORK_IP] || !json_get(item, "gateway_mac"))
		return;
	key_error(r, gateway,
		  "\"gateway_ip\" beside \"gateway_mac\" is the dockside container's address, "
		  "which is now \"dockside_ip\"; \"gateway_ip\" is now the bridge's address");
}

/* A network of ours has the bridge that is given, or one of its own name. */
static void check_bridge(struct reader *r, struct network *network, const struct seen *seen)
{
	size_t len = network->name ? strlen(network->name) : 0;

	if (network->bridge_given)
		network->placed = true;
	if (network->bridge || !network->name)
		return;
	network->bridge = network->stem;
	network->placed = !network->external;
	if (network->external)
		network->bridge = arena_printf(&r->policy->arena, ":%zu",
					       (size_t)(network - r->policy->networks));
	else if (len > BRIDGE_NAME_MAX && seen->good[NETWORK_NAME] &&
		 !seen_doubtful(seen, NETWORK_BRIDGE) && !seen_doubtful(seen, NETWORK_EXTERNAL))
		node_error(r, seen->node[NETWORK_NAME],
			   "\"name\" has %zu bytes, and a network interface's name has room for %d",
			   len, BRIDGE_NAME_MAX)
			->hint =
			xstrdup("\"bridge\" gives the bridge a name of its own; if others "
				"make the network, such as Compose, say \"external\": true");
}

/* Its bridge and subnets are Docker's word, unless they are given; we make nothing. */
static void check_external(struct reader *r, const struct network *network, const struct seen *seen)
{
	const struct json_node *gateway = seen->node[NETWORK_GATEWAY];

	if (!network->external)
		return;
	if (seen->node[NETWORK_MTU])
		key_error(r, seen->node[NETWORK_MTU],
			  "\"mtu\" is for networks that dsfw-nft makes, and not for those with "
			  "\"external\": true");
	if (gateway && !seen->node[NETWORK_SUBNET] && !seen->excused[NETWORK_SUBNET])
		key_error(r, gateway, "\"gateway_ip\" needs \"subnet\" beside it");
}

/* One of ours needs a subnet, as the table of fields cannot say. */
static void check_subnet(struct reader *r, const struct json_node *item,
			 const struct network *network, const struct seen *seen)
{
	if (seen->node[NETWORK_SUBNET] || seen->excused[NETWORK_SUBNET] || network->external ||
	    seen_doubtful(seen, NETWORK_EXTERNAL))
		return;
	brace_error(r, item, "\"subnet\" is missing; a network needs it, and it must be %s",
		    network_field[NETWORK_SUBNET].allowed)
		->hint = xstrdup("only networks with \"external\": true may leave it to Docker");
}

void read_network(struct reader *r, const struct json_node *item, struct network *network)
{
	struct seen seen;

	network->loc = item->loc;
	if (!item_is_object(r, item, network_fields.what))
		return;
	fields_read(r, item, &network_fields, network, &seen);
	check_bridge(r, network, &seen);
	check_external(r, network, &seen);
	check_subnet(r, item, network, &seen);
	if (seen.good[NETWORK_SUBNET])
		check_gateway(r, network, &seen);
	check_ip6(r, network, &seen);
	check_mtu(r, network, &seen);
	check_gateway_mac(r, item, &seen);
	check_extra(r, network, seen.node[NETWORK_EXTRA]);
	check_bind(r, network, seen.node[NETWORK_IP]);
	if (network->dockside_policed && !seen.node[NETWORK_IP] && !seen.excused[NETWORK_IP] &&
	    !seen.node[NETWORK_MAC] && !seen.excused[NETWORK_MAC])
		node_error(r, seen.node[NETWORK_EGRESS],
			   "\"dockside_egress\": \"policed\" needs \"dockside_ip\" or "
			   "\"dockside_mac\" to tell the dockside container by");
}
