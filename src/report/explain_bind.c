/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/explain_bind.h"

#include <assert.h>
#include <string.h>

#include "dockside/base/util.h"

static const char *const bound_names[] = {
	[EXPLAIN_UNBOUND] = "not bound",
	[EXPLAIN_BOUND] = "bound",
	[EXPLAIN_DEPENDS] = "depends on the port",
	[EXPLAIN_STRANGE] = "drop",
};
static_assert(ARRAY_SIZE(bound_names) == EXPLAIN_STRANGE + 1, "a name for each");

const char *explain_bound_name(enum explain_bound bound)
{
	return bound_names[bound];
}

struct binding {
	struct arena *arena;
	const struct network *network;
	const struct ports *ports;
	const struct explain_packet *packet;
	char src[ADDR_STRLEN];
};

static const struct prefix link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };

static bool has_addr(const struct port *port, const struct ipaddr *addr)
{
	for (size_t i = 0; i < port->n_addrs; i++)
		if (ipaddr_cmp(&port->addrs[i], addr) == 0)
			return true;
	return false;
}

static const struct port *owner_of(const struct binding *b, const struct ipaddr *addr)
{
	for (size_t i = 0; i < b->ports->n; i++) {
		const struct port *port = &b->ports->ports[i];

		if (port->known && strcmp(port->bridge, b->network->bridge) == 0 &&
		    has_addr(port, addr))
			return port;
	}
	return NULL;
}

static size_t count_unknown(const struct binding *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->ports->n; i++)
		n += !b->ports->ports[i].known &&
		     strcmp(b->ports->ports[i].bridge, b->network->bridge) == 0;
	return n;
}

static bool is_bridge_own(const struct network *network, const struct ipaddr *addr)
{
	return (network->has_subnet && ipaddr_cmp(addr, &network->gateway) == 0) ||
	       (network->has_subnet6 && ipaddr_cmp(addr, &network->gateway6) == 0);
}

static bool is_extra(const struct network *network, const struct ipaddr *addr)
{
	for (size_t i = 0; i < network->n_extra; i++)
		if (prefix_contains(&network->extra[i], addr))
			return true;
	return false;
}

/* "learn" takes the subnets' addresses for the network's. */
static bool is_plausible(const struct network *network, const struct ipaddr *addr)
{
	return (network->has_subnet && prefix_contains(&network->subnet, addr)) ||
	       (network->has_subnet6 && prefix_contains(&network->subnet6, addr));
}

static bool is_strict(const struct network *network)
{
	return network->bind == BIND_STRICT || network->closed;
}

static enum explain_bound of_owner(const struct binding *b, const struct port *port,
				   const char **ret_text)
{
	const struct port *to = owner_of(b, &b->packet->dst);
	char mac[ADDR_STRLEN], dst[ADDR_STRLEN];

	if (b->packet->has_mac && memcmp(b->packet->mac, port->mac, sizeof(port->mac)) != 0) {
		*ret_text = arena_printf(b->arena,
					 "dropped: source %s is container %s's, whose MAC address "
					 "is %s",
					 b->src, port->container, mac_format(port->mac, mac));
		return EXPLAIN_STRANGE;
	}
	*ret_text =
		arena_printf(b->arena,
			     "bound: source %s is container %s's on port %s, and dropped from any "
			     "other%s%s%s%s%s",
			     b->src, port->container, port->name, to ? "; destination " : "",
			     to ? ipaddr_format(&b->packet->dst, dst) : "",
			     to ? " is container " : "", to ? to->container : "", to ? "'s" : "");
	return EXPLAIN_BOUND;
}

static enum explain_bound of_nobody(const struct binding *b, const char **ret_text)
{
	const struct network *network = b->network;
	size_t n = count_unknown(b);

	if (is_extra(network, &b->packet->src)) {
		*ret_text = arena_printf(b->arena,
					 "source %s is in \"extra\": it passes from every port of "
					 "the network",
					 b->src);
		return EXPLAIN_DEPENDS;
	}
	if (is_strict(network) || !is_plausible(network, &b->packet->src)) {
		*ret_text = arena_printf(
			b->arena, "dropped: source %s is no known container's%s", b->src,
			is_strict(network) ? "" : ", nor an address of the network");
		return EXPLAIN_STRANGE;
	}
	*ret_text = arena_printf(b->arena,
				 "source %s is no known container's: it passes from ports whose "
				 "container is not known (%zu at present), and is dropped from "
				 "others",
				 b->src, n);
	return EXPLAIN_DEPENDS;
}

static enum explain_bound of_source(const struct binding *b, const char **ret_text)
{
	const struct port *owner;

	if (is_bridge_own(b->network, &b->packet->src)) {
		*ret_text =
			arena_printf(b->arena, "dropped: source %s is the bridge's own", b->src);
		return EXPLAIN_STRANGE;
	}
	if (prefix_contains(&link_local, &b->packet->src)) {
		*ret_text = arena_printf(b->arena,
					 "source %s passes from the port whose container's MAC "
					 "address it is made of",
					 b->src);
		return EXPLAIN_DEPENDS;
	}
	if (!b->ports || !b->ports->asked) {
		*ret_text = arena_printf(
			b->arena,
			"source %s passes from the port of the container that has it%s; who is on "
			"which port the daemon knows",
			b->src,
			is_strict(b->network)
				? " alone"
				: ", and while nobody is known to have it, from ports "
				  "whose container is not known");
		return EXPLAIN_DEPENDS;
	}
	owner = owner_of(b, &b->packet->src);
	return owner ? of_owner(b, owner, ret_text) : of_nobody(b, ret_text);
}

enum explain_bound explain_bind(struct arena *arena, const struct network *network,
				const struct explain_ports *ports,
				const struct explain_packet *packet, bool has_src,
				const char **ret_text)
{
	struct binding b = { arena, network, ports->ports, packet, "" };

	if (!network_bound(network)) {
		*ret_text = "not bound (\"bind\": \"off\"): any port may send it";
		return EXPLAIN_UNBOUND;
	}
	if (ports->no_bridge) {
		*ret_text = arena_printf(arena,
					 "not bound, as this kernel cannot filter what bridges "
					 "forward (%s): any port may send it",
					 ports->no_bridge);
		return EXPLAIN_UNBOUND;
	}
	if (!has_src) {
		*ret_text = "passes from a port whose container has its source; with --src this "
			    "says whose it is";
		return EXPLAIN_DEPENDS;
	}
	ipaddr_format(&packet->src, b.src);
	return of_source(&b, ret_text);
}
