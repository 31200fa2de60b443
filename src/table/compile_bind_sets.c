/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port that is known has its container's MAC address, the addresses that Docker gave it, and the link-local address that
 * the kernel makes of the MAC address. They are somebody's from then on: no other port may send them. So are the bridge's
 * own addresses.
 *
 * The dockside container's are somebody's also while its port is not known, unless that is for want of an answer: as long as
 * nobody was asked, the policy of inet dockside alone knows it, by the same addresses. If Docker has not answered
 * and ports have the dockside container's MAC address without being known, as there are several or the configuration has
 * no address to bind, one of them is probably its own, and the others might be as well: all of these ports may send as it,
 * and no other.
 */
#include "compile_bind_sets.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"

struct filler {
	struct plan *plan;
	const struct policy *policy;
	const struct ports *ports;
	struct bind_sets sets;
};

bool network_has_extra(const struct network *network)
{
	return network->n_extra > 0 || network->n_extra_macs > 0;
}

/* ------------------------------------------------------------------ elements */

/* The key of a field's set, behind the name of a port unless that is NULL. */
static void add_bytes(struct plan_set *set, const char *port, const uint8_t *bytes, size_t len,
		      const struct origin *origin)
{
	struct elem *elem = set_add_elem(set, origin);

	if (port)
		memcpy(elem->key, port, strnlen(port, IFNAME_KEY_LEN));
	memcpy(elem->key + (port ? IFNAME_KEY_LEN : 0), bytes, len);
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

static void add_mac(struct plan_set *const sets[N_BOUND_FIELDS], const char *port,
		    const uint8_t mac[6], const struct origin *origin)
{
	add_bytes(sets[BOUND_MAC], port, mac, 6, origin);
}

static void add_addr(struct plan_set *const sets[N_BOUND_FIELDS], const char *port,
		     const struct ipaddr *addr, const struct origin *origin)
{
	size_t len = family_bytes(addr->family);

	if (addr->family == FAMILY_IPV4) {
		add_bytes(sets[BOUND_IPV4], port, addr->b, len, origin);
		return;
	}
	add_bytes(sets[BOUND_IPV6], port, addr->b, len, origin);
	add_bytes(sets[BOUND_TARGET], port, addr->b, len, origin);
}

/* The port's name, its MAC address and an IP address in one key. */
static void add_binding(const struct bind_sets *sets, const struct port *port,
			const struct ipaddr *addr, const struct origin *origin)
{
	bool v4 = addr->family == FAMILY_IPV4;
	uint8_t bytes[MAC_KEY_LEN + sizeof(addr->b)] = { 0 };

	memcpy(bytes, port->mac, sizeof(port->mac));
	memcpy(bytes + MAC_KEY_LEN, addr->b, family_bytes(addr->family));
	add_bytes(v4 ? sets->bindings4 : sets->bindings6, port->name, bytes,
		  MAC_KEY_LEN + family_bytes(addr->family), origin);
}

/* fe80:: and the modified EUI-64 of the MAC address (RFC 4291, appendix A). */
static struct ipaddr link_local(const uint8_t mac[6])
{
	struct ipaddr addr = { FAMILY_IPV6, { 0xfe, 0x80 } };

	memcpy(addr.b + 8, mac, 3);
	addr.b[8] ^= 2;
	addr.b[11] = 0xff;
	addr.b[12] = 0xfe;
	memcpy(addr.b + 13, mac + 3, 3);
	return addr;
}

static void dispatch(struct plan_set *map, const char *port, const char *chain,
		     const struct origin *origin)
{
	set_add_bridge(map, port, origin)->target = chain;
}

/* Two networks may say the same: sorts, and keeps one of equal keys. */
static void unique(struct plan_set *set)
{
	size_t n = 0;

	if (set->n_elems == 0)
		return;
	qsort(set->elems, set->n_elems, sizeof(*set->elems), elem_cmp);
	for (size_t i = 0; i < set->n_elems; i++)
		if (n == 0 || elem_cmp(&set->elems[n - 1], &set->elems[i]) != 0)
			set->elems[n++] = set->elems[i];
	set->n_elems = n;
}

/* ------------------------------------------------------------------ ports */

static const char *chain_name(struct filler *f, const struct network *network, const char *kind)
{
	return plan_intern(f->plan, plan_chain_name(&f->plan->arena, network->stem, kind));
}

static void fill_known(struct filler *f, const struct port *port, const struct origin *origin)
{
	struct ipaddr local = link_local(port->mac);
	char name[COMMENT_MAX + 1] = "";

	/* A later run knows by the comment whose port it was. */
	if (port->container)
		comment_add_name(name, port->container);
	set_add_bridge(f->sets.ports, port->name, origin)->comment =
		name[0] ? plan_intern(f->plan, name) : NULL;
	add_mac(f->sets.own, port->name, port->mac, origin);
	add_mac(f->sets.somebody, NULL, port->mac, origin);
	add_addr(f->sets.own, port->name, &local, origin);
	add_addr(f->sets.somebody, NULL, &local, origin);
	add_binding(&f->sets, port, &local, origin);
	for (size_t i = 0; i < port->n_addrs; i++) {
		add_binding(&f->sets, port, &port->addrs[i], origin);
		add_addr(f->sets.own, port->name, &port->addrs[i], origin);
		add_addr(f->sets.somebody, NULL, &port->addrs[i], origin);
	}
}

/* Its own addresses are all that it may send, unless its network allows others that are not somebody's. */
static void dispatch_known(struct filler *f, const struct port *port, const struct network *network,
			   const struct origin *origin)
{
	if (!network_has_extra(network)) {
		dispatch(f->sets.dispatch, port->name, CHAIN_KNOWN, origin);
		return;
	}
	dispatch(f->sets.dispatch, port->name, CHAIN_STRANGE, origin);
	dispatch(f->sets.dispatch_strange, port->name, CHAIN_KNOWN, origin);
	dispatch(f->sets.dispatch_extra, port->name, chain_name(f, network, BIND_EXTRA), origin);
	dispatch(f->sets.dispatch_to, port->name, chain_name(f, network, BIND_EXTRA_TO), origin);
}

static void dispatch_unknown(struct filler *f, const struct port *port,
			     const struct network *network, const struct origin *origin)
{
	dispatch(f->sets.dispatch, port->name, CHAIN_STRANGE, origin);
	dispatch(f->sets.dispatch_strange, port->name, CHAIN_UNKNOWN, origin);
	dispatch(f->sets.dispatch_unbound, port->name, chain_name(f, network, BIND_UNBOUND),
		 origin);
	dispatch(f->sets.dispatch_to, port->name, CHAIN_TO_UNKNOWN, origin);
	dispatch(f->sets.dispatch_unbound_to, port->name, chain_name(f, network, BIND_UNBOUND_TO),
		 origin);
}

static void fill_port(struct filler *f, const struct port *port, const struct network *network,
		      const struct origin *origin)
{
	if (!network || !network_bound(network)) {
		dispatch(f->sets.dispatch, port->name, CHAIN_ELSEWHERE, origin);
	} else if (port->known) {
		fill_known(f, port, origin);
		dispatch_known(f, port, network, origin);
	} else {
		dispatch_unknown(f, port, network, origin);
	}
}

/* ------------------------------------------------------------------ networks */

static bool has_answered(const struct ports *ports, const char *bridge)
{
	for (size_t i = 0; i < ports->n_answered; i++)
		if (strcmp(ports->answered[i], bridge) == 0)
			return true;
	return false;
}

static bool has_dockside_mac(const struct port *port, const struct network *network)
{
	return network->has_dockside_mac && port->has_mac &&
	       strcmp(port->bridge, network->bridge) == 0 &&
	       memcmp(port->mac, network->dockside_mac, sizeof(port->mac)) == 0;
}

static bool dockside_known(const struct filler *f, const struct network *network)
{
	for (size_t i = 0; i < f->ports->n; i++)
		if (has_dockside_mac(&f->ports->ports[i], network) && f->ports->ports[i].known)
			return true;
	return false;
}

static void add_dockside(struct plan_set *const sets[N_BOUND_FIELDS], const char *port,
			 const struct network *network, const struct origin *origin)
{
	if (network->has_dockside_mac) {
		struct ipaddr local = link_local(network->dockside_mac);

		add_mac(sets, port, network->dockside_mac, origin);
		add_addr(sets, port, &local, origin);
	}
	if (network->has_dockside_ip)
		add_addr(sets, port, &network->dockside_ip, origin);
	if (network->has_dockside_ip6)
		add_addr(sets, port, &network->dockside_ip6, origin);
}

static void fill_dockside(struct filler *f, const struct network *network,
			  const struct origin *origin)
{
	bool answered = has_answered(f->ports, network->bridge);

	if (!f->ports->asked || (!answered && !network->has_dockside_mac))
		return;
	add_dockside(f->sets.somebody, NULL, network, origin);
	if (answered || network->bind == BIND_STRICT || dockside_known(f, network))
		return;
	for (size_t i = 0; i < f->ports->n; i++) {
		const struct port *port = &f->ports->ports[i];

		if (has_dockside_mac(port, network))
			add_dockside(f->sets.own, port->name, network, origin);
	}
}

/* The bridge itself. */
static void fill_network(struct filler *f, const struct network *network,
			 const struct origin *origin)
{
	struct ipaddr first, last;

	for (size_t i = 0; i < network->n_extra_macs; i++)
		add_bytes(f->sets.extra_macs, NULL, network->extra_macs[i], 6, origin);
	fill_dockside(f, network, origin);
	if (network->has_subnet) {
		add_addr(f->sets.somebody, NULL, &network->gateway, origin);
		prefix_range(&network->subnet, &first, &last);
		add_addr((struct plan_set *[N_BOUND_FIELDS]){ [BOUND_IPV4] = f->sets.broadcasts },
			 NULL, &last, origin);
	}
	if (network->has_subnet6)
		add_addr(f->sets.somebody, NULL, &network->gateway6, origin);
}

/* ------------------------------------------------------------------ the whole */

static struct plan_set *add_set(struct filler *f, enum set_type type, const char *name,
				const char *comment, const struct origin *origin)
{
	struct plan_set *set = plan_add_set(f->plan, type, name, origin);

	set->comment = comment;
	return set;
}

static void add_sets(struct filler *f, const struct origin *o)
{
	static const struct {
		enum set_type own_type, type;
		const char *own, *somebody;
	} names[] = {
		[BOUND_MAC] = { SET_PORT_MAC, SET_MAC, "macs", "bound-macs" },
		[BOUND_IPV4] = { SET_PORT_IPV4, SET_IPV4, "addrs4", "bound4" },
		[BOUND_IPV6] = { SET_PORT_IPV6, SET_IPV6, "addrs6", "bound6" },
		[BOUND_TARGET] = { SET_PORT_ND_TARGET, SET_ND_TARGET, "targets", "bound-targets" },
	};
	struct bind_sets *sets = &f->sets;
	static const char known[] = "what a known port sends, and gets";
	bool any_mac = false, any_extra = false;

	sets->ports = add_set(f, SET_BRIDGES, "ports", "ports whose container is known", o);
	sets->bindings4 = add_set(f, SET_PORT_MAC_IPV4, "bindings4", known, o);
	sets->bindings6 = add_set(f, SET_PORT_MAC_IPV6, "bindings6", known, o);
	for (size_t i = 0; i < N_BOUND_FIELDS; i++)
		sets->own[i] = add_set(f, names[i].own_type, names[i].own,
				       "what a port may send, and get", o);
	for (size_t i = 0; i < N_BOUND_FIELDS; i++)
		sets->somebody[i] = add_set(f, names[i].type, names[i].somebody,
					    "what no other port may send", o);
	sets->broadcasts =
		add_set(f, SET_IPV4, "broadcasts", "broadcast addresses of managed networks", o);
	for (size_t i = 0; i < f->policy->n_networks; i++) {
		const struct network *network = &f->policy->networks[i];

		any_mac |= network_bound(network) && network->n_extra_macs > 0;
		any_extra |= network_bound(network) && network_has_extra(network);
	}
	if (any_mac)
		sets->extra_macs = add_set(f, SET_MAC, "extra-macs",
					   "of the lists \"extra\" of all networks", o);
	sets->dispatch = add_set(f, MAP_DISPATCH, "dispatch", NULL, o);
	sets->dispatch_strange = add_set(f, MAP_DISPATCH, "dispatch-strange", NULL, o);
	if (any_extra)
		sets->dispatch_extra = add_set(f, MAP_DISPATCH, "dispatch-extra", NULL, o);
	sets->dispatch_unbound = add_set(f, MAP_DISPATCH, "dispatch-unbound", NULL, o);
	sets->dispatch_to = add_set(f, MAP_DISPATCH, "dispatch-to", NULL, o);
	sets->dispatch_unbound_to = add_set(f, MAP_DISPATCH, "dispatch-unbound-to", NULL, o);
}

static int cmp_containers(const void *a, const void *b)
{
	const struct port *const *x = a, *const *y = b;

	return strcmp((*x)->container, (*y)->container);
}

/*
 * A container of two networks answers by the way that its routes say, from the address that was asked: what it has at
 * another managed bridge is its own here, too.
 */
static void share_addresses(struct filler *f, const struct port *const *ports, size_t n,
			    const struct origin *origin)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			for (size_t m = 0; i != k && m < ports[k]->n_addrs; m++)
				add_addr(f->sets.own, ports[i]->name, &ports[k]->addrs[m], origin);
}

static void fill_other_networks(struct filler *f, const struct origin *origin)
{
	const struct port **known = xcalloc(f->ports->n + 1, sizeof(*known));
	size_t n = 0, end;

	for (size_t i = 0; i < f->ports->n; i++) {
		const struct port *port = &f->ports->ports[i];
		const struct network *network = policy_find_bridge(f->policy, port->bridge);

		if (port->known && port->container && network && network_bound(network))
			known[n++] = port;
	}
	qsort(known, n, sizeof(*known), cmp_containers);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && cmp_containers(&known[i], &known[end]) == 0;)
			end++;
		share_addresses(f, known + i, end - i, origin);
	}
	free(known);
}

struct bind_sets bind_sets_make(struct plan *plan, const struct policy *policy,
				const struct ports *ports, const struct origin *built_in)
{
	struct filler f = { .plan = plan, .policy = policy, .ports = ports };

	add_sets(&f, built_in);
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_bound(&policy->networks[i]))
			fill_network(&f, &policy->networks[i],
				     plan_origin(plan, policy->networks[i].name, "network",
						 policy->networks[i].loc));
	for (size_t i = 0; i < ports->n; i++)
		fill_port(&f, &ports->ports[i], policy_find_bridge(policy, ports->ports[i].bridge),
			  built_in);
	fill_other_networks(&f, built_in);
	for (size_t i = 0; i < plan->n_sets; i++)
		unique(plan->sets[i]);
	return f.sets;
}

static void add_range(struct plan_set *set, const struct prefix *prefix,
		      const struct origin *origin)
{
	struct elem *elem = set_add_elem(set, origin);
	struct ipaddr first, last;

	prefix_range(prefix, &first, &last);
	memcpy(elem->key, first.b, sizeof(first.b));
	memcpy(elem->last, last.b, sizeof(last.b));
}

struct extra_sets bind_extra_sets(struct plan *plan, const struct network *network,
				  const struct origin *origin)
{
	static const struct {
		enum set_type type;
		const char *kind;
	} names[] = {
		[BOUND_MAC] = { SET_MAC, "extra-macs" },
		[BOUND_IPV4] = { SET_IPV4, "extra4" },
		[BOUND_IPV6] = { SET_IPV6, "extra6" },
		[BOUND_TARGET] = { SET_ND_TARGET, "extra-targets" },
	};
	struct extra_sets extra = { 0 };
	bool needed[N_BOUND_FIELDS] = { [BOUND_MAC] = network->n_extra_macs > 0 };

	for (size_t i = 0; i < network->n_extra; i++)
		needed[network->extra[i].addr.family == FAMILY_IPV4 ? BOUND_IPV4 : BOUND_IPV6] =
			true;
	needed[BOUND_IPV6] |= needed[BOUND_MAC]; /* their link-local addresses */
	needed[BOUND_TARGET] = needed[BOUND_IPV6];
	for (size_t i = 0; i < N_BOUND_FIELDS; i++) {
		if (!needed[i])
			continue;
		extra.sets[i] = plan_add_set(
			plan, names[i].type,
			plan_chain_name(&plan->arena, network->stem, names[i].kind), origin);
		extra.sets[i]->interval = i != BOUND_MAC;
		extra.sets[i]->comment =
			arena_printf(&plan->arena, "extra of network %s", network->name);
	}
	for (size_t i = 0; i < network->n_extra_macs; i++) {
		struct prefix local = { link_local(network->extra_macs[i]), 128 };

		add_bytes(extra.sets[BOUND_MAC], NULL, network->extra_macs[i], 6, origin);
		add_range(extra.sets[BOUND_IPV6], &local, origin);
		add_range(extra.sets[BOUND_TARGET], &local, origin);
	}
	for (size_t i = 0; i < network->n_extra; i++) {
		bool v4 = network->extra[i].addr.family == FAMILY_IPV4;

		add_range(extra.sets[v4 ? BOUND_IPV4 : BOUND_IPV6], &network->extra[i], origin);
		if (!v4)
			add_range(extra.sets[BOUND_TARGET], &network->extra[i], origin);
	}
	if (extra.sets[BOUND_MAC])
		unique(extra.sets[BOUND_MAC]);
	return extra;
}
