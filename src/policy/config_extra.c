/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network's list of further sources that its ports may have. The gateway's addresses and the dockside container's
 * cannot be in it: every container could then pass for one of these.
 */
#include <ctype.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

static const struct field entry_field = {
	.subject = "an entry of \"extra\"",
	.allowed = "an address, a network in CIDR notation or a MAC address",
};

/* Six pairs of digits, which no IPv6 address is. */
static bool is_like_mac(const char *s)
{
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? !strchr(":-", s[i]) || !s[i] : !isxdigit((unsigned char)s[i]))
			return false;
	return s[17] == '\0';
}

static bool read_extra_prefix(struct reader *r, const struct json_node *entry,
			      struct prefix *ret_prefix)
{
	const char *s = entry->u.string.s;
	struct prefix prefix;

	if (!prefix_parse(s, entry->u.string.len, &prefix))
		return value_error_hint(
			r, &entry_field, entry,
			hostname_valid(s, entry->u.string.len)
				? xstrdup("a packet has no name; list the addresses")
				: address_hint(s));
	if (prefix.len == 0)
		return value_error_hint(r, &entry_field, entry,
					xstrdup("that is every address: \"bind\": \"off\" does "
						"not look at them"));
	if (ipaddr_is_unspecified(&prefix.addr))
		return value_error_hint(r, &entry_field, entry,
					xstrdup("the unspecified address is nobody's"));
	if (ipaddr_is_multicast(&prefix.addr))
		return value_error_hint(r, &entry_field, entry,
					xstrdup("these are multicast addresses, which no container "
						"can have"));
	if (ipaddr_is_loopback(&prefix.addr))
		return value_error_hint(r, &entry_field, entry,
					xstrdup("these are loopback addresses, which no packet on "
						"a network has"));
	*ret_prefix = prefix;
	return true;
}

bool read_extra(struct reader *r, const struct field *field, const struct json_node *list,
		void *object)
{
	struct network *network = object;
	size_t n = list->u.children.n;
	bool good = true;

	(void)field;
	if (!reader_take_objects(r, list))
		return false;
	network->extra = arena_alloc(&r->policy->arena, n * sizeof(*network->extra) + 1);
	network->extra_macs = arena_alloc(&r->policy->arena, n * sizeof(*network->extra_macs) + 1);
	for (size_t i = 0; i < n; i++) {
		const struct json_node *entry = &list->u.children.items[i];

		if (entry->kind != JSON_STRING)
			good = value_error(r, &entry_field, entry);
		else if (!is_like_mac(entry->u.string.s))
			good &= read_extra_prefix(r, entry, &network->extra[network->n_extra]) &&
				++network->n_extra > 0;
		else
			good &= read_unicast_mac(r, &entry_field, entry,
						 network->extra_macs[network->n_extra_macs]) &&
				++network->n_extra_macs > 0;
	}
	return good;
}

static void has_address(struct reader *r, const struct json_node *entry,
			const struct prefix *prefix, const struct ipaddr *addr, const char *whose)
{
	char text[ADDR_STRLEN];

	if (prefix_contains(prefix, addr))
		node_error(r, entry, "\"%s\" in \"extra\" would let every container be %s, %s",
			   entry->u.string.s, whose, ipaddr_format(addr, text));
}

static void check_prefix(struct reader *r, const struct network *network,
			 const struct json_node *entry, const struct prefix *prefix)
{
	if (network->subnet_loc.src && prefix_covers(prefix, &network->subnet))
		node_error(r, entry,
			   "\"%s\" in \"extra\" has the whole subnet of the network in it",
			   entry->u.string.s);
	else if (network->has_subnet6 && prefix_covers(prefix, &network->subnet6))
		node_error(r, entry,
			   "\"%s\" in \"extra\" has the whole \"subnet6\" of the network in it",
			   entry->u.string.s);
	else if (network->subnet_loc.src && prefix_contains(prefix, &network->gateway))
		has_address(r, entry, prefix, &network->gateway, "the gateway");
	else if (network->has_dockside_ip && prefix_contains(prefix, &network->dockside_ip))
		has_address(r, entry, prefix, &network->dockside_ip, "the dockside container");
	else if (network->has_dockside_ip6)
		has_address(r, entry, prefix, &network->dockside_ip6, "the dockside container");
}

void check_extra(struct reader *r, const struct network *network, const struct json_node *list)
{
	for (size_t i = 0; list && list->kind == JSON_ARRAY && i < list->u.children.n; i++) {
		const struct json_node *entry = &list->u.children.items[i];
		struct prefix prefix;
		uint8_t mac[6];

		if (entry->kind != JSON_STRING)
			continue;
		if (prefix_parse(entry->u.string.s, entry->u.string.len, &prefix) && prefix.len > 0)
			check_prefix(r, network, entry, &prefix);
		else if (network->has_dockside_mac &&
			 mac_parse(entry->u.string.s, entry->u.string.len, mac) &&
			 memcmp(mac, network->dockside_mac, sizeof(mac)) == 0)
			node_error(r, entry,
				   "\"%s\" in \"extra\" would let every container be the dockside "
				   "container",
				   entry->u.string.s);
	}
	if (list && network->bind == BIND_OFF)
		node_warning(r, list,
			     "\"extra\" has no effect beside \"bind\": \"off\", which lets every "
			     "source pass");
}

void check_bind(struct reader *r, const struct network *network, const struct json_node *ip)
{
	if (network->bind == BIND_OFF && ip && network->has_dockside_ip &&
	    !network->has_dockside_mac)
		node_note(r, ip,
			  "without \"dockside_mac\", and with \"bind\": \"off\", every container "
			  "that takes the address %s passes for the dockside container",
			  ip->u.string.s);
}
