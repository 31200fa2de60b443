/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/explain_ask.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/policy/fields.h"
#include "dockside/report/explain_gate.h"

struct asking {
	const struct explain_question *q;
	const struct explain_world *world;
	const struct network *network;
	struct explain_cases *cases;
};

int explain_one_receiver(const char *to, struct err *err)
{
	return err_set(err, EINVAL,
		       "%s: only packets to one receiver other than oneself are explained", to);
}

/* ------------------------------------------------------------------ where destinations are */

static void add_route(struct explain_cases *cases, struct prefix to, const char *bridge)
{
	cases->routes[cases->n_routes++] = (struct explain_route){ to, bridge };
}

static void add_host_route(struct explain_cases *cases, const struct ipaddr *addr)
{
	add_route(cases, prefix_of_address(addr), NULL);
}

/* The bridges' own. */
static void add_gateways(struct explain_cases *cases, const struct network *network)
{
	if (network->has_subnet)
		add_host_route(cases, &network->gateway);
	if (network->has_subnet6)
		add_host_route(cases, &network->gateway6);
}

static void add_subnets(struct explain_cases *cases, const struct network *network)
{
	if (network->has_subnet)
		add_route(cases, network->subnet, network->bridge);
	if (network->has_subnet6)
		add_route(cases, network->subnet6, network->bridge);
}

static void make_routes(const struct asking *a)
{
	static const struct prefix link_local = { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 };
	const struct policy *policy = a->world->policy;
	struct explain_cases *cases = a->cases;
	size_t n = 4 * policy->n_networks + a->world->n_host_addrs + 1;

	cases->routes = arena_alloc(&cases->arena, n * sizeof(*cases->routes));
	for (size_t i = 0; i < a->world->n_host_addrs; i++)
		add_host_route(cases, &a->world->host_addrs[i]);
	for (size_t i = 0; i < policy->n_networks; i++)
		add_gateways(cases, &policy->networks[i]);
	for (size_t i = 0; i < policy->n_networks; i++)
		add_subnets(cases, &policy->networks[i]);
	add_route(cases, link_local, a->network->bridge);
}

/* ------------------------------------------------------------------ the source */

static const struct ipaddr *dockside_ip(const struct network *network, enum family family)
{
	if (family == FAMILY_IPV4)
		return network->has_dockside_ip ? &network->dockside_ip : NULL;
	return network->has_dockside_ip6 ? &network->dockside_ip6 : NULL;
}

static bool has_dockside_mac(const struct asking *a)
{
	return a->network->has_dockside_mac && a->q->has_mac &&
	       memcmp(a->network->dockside_mac, a->q->mac, 6) == 0;
}

static void next_addr(struct ipaddr *addr)
{
	size_t i = family_bytes(addr->family);

	while (i > 0 && ++addr->b[i - 1] == 0)
		i--;
}

/* The host, too, takes what is for all of an IPv4 subnet. */
static bool is_broadcast(const struct prefix *subnet, const struct ipaddr *addr)
{
	struct ipaddr first, last;

	if (subnet->addr.family != FAMILY_IPV4 || subnet->len > 30)
		return false;
	prefix_range(subnet, &first, &last);
	return ipaddr_cmp(addr, &last) == 0;
}

/* Some container's: the first address that is not known to be somebody else's. False: the network has
 * no such family, or no address left. */
static bool make_source(const struct asking *a, const struct ipaddr *dst, struct ipaddr *ret_src)
{
	const struct network *network = a->network;
	bool v4 = dst->family == FAMILY_IPV4;
	const struct prefix *subnet = v4 ? &network->subnet : &network->subnet6;
	const struct ipaddr *dockside = dockside_ip(network, dst->family);
	struct ipaddr gateway, src;

	if (v4 ? !network->has_subnet : !network->has_subnet6)
		return false;
	if (dockside && has_dockside_mac(a)) {
		*ret_src = *dockside;
		return true;
	}
	gateway = v4 ? network->gateway : network->gateway6;
	for (src = prefix_first_host(subnet); prefix_contains(subnet, &src); next_addr(&src)) {
		if (ipaddr_cmp(&src, &gateway) == 0 || ipaddr_cmp(&src, dst) == 0 ||
		    (dockside && ipaddr_cmp(&src, dockside) == 0) || is_broadcast(subnet, &src))
			continue;
		*ret_src = src;
		return true;
	}
	return false;
}

/* A packet is the dockside container's if it has every identity that is configured for the family. */
static bool is_dockside(const struct asking *a, const struct explain_packet *packet)
{
	const struct network *network = a->network;
	const struct ipaddr *ip = dockside_ip(network, packet->src.family);

	if (!ip && !network->has_dockside_mac)
		return false;
	return (!ip || ipaddr_cmp(ip, &packet->src) == 0) &&
	       (!network->has_dockside_mac || has_dockside_mac(a));
}

/* ------------------------------------------------------------------ cases */

static void add_note(struct explain_case *item, const char *text)
{
	if (item->n_notes < ARRAY_SIZE(item->notes))
		item->notes[item->n_notes++] = text;
}

static void note_source(const struct asking *a, struct explain_case *item)
{
	const struct network *network = a->network;
	const struct ipaddr *src = &item->packet.src;
	const struct ipaddr *ip = dockside_ip(network, src->family);
	struct arena *arena = &a->cases->arena;
	char s[ADDR_STRLEN];

	if (ip && ipaddr_cmp(ip, src) == 0 && !item->dockside)
		add_note(item, arena_printf(arena,
					    "the source is dockside_ip, but without dockside_mac "
					    "(--mac %s) that is not the dockside container",
					    mac_format(network->dockside_mac, s)));
	else if (has_dockside_mac(a) && !item->dockside)
		add_note(item, "the MAC address is dockside_mac, but the source is not the "
			       "dockside container's address");
	if (!(network->has_subnet && prefix_contains(&network->subnet, src)) &&
	    !(network->has_subnet6 && prefix_contains(&network->subnet6, src)))
		add_note(item, arena_printf(arena, "the source is not in the subnet of %s",
					    network->name));
}

/* A number is of the packet's own protocol, where a rule's is IPv4's. */
static bool read_type_number(const char *text, struct explain_packet *packet)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t type, code = 0;

	if (!parse_uint(text, len, 0, UINT8_MAX, &type) ||
	    (slash && !parse_uint(slash + 1, strlen(slash + 1), 0, UINT8_MAX, &code)))
		return false;
	packet->icmp_type = (uint8_t)type;
	packet->icmp_code = (uint8_t)code;
	return true;
}

static int set_type(const struct explain_question *q, struct explain_packet *packet,
		    struct err *err)
{
	bool v4 = packet->dst.family == FAMILY_IPV4;
	const char *text = q->type ? q->type : "echo-request";
	struct icmp_type types[N_FAMILIES] = { 0 };
	const struct icmp_type *type = &types[packet->dst.family];

	packet->l4proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if (read_type_number(text, packet))
		return 0;
	if (!icmp_type_parse(text, strlen(text), &types[FAMILY_IPV4], &types[FAMILY_IPV6]) ||
	    types[FAMILY_IPV4].any)
		return err_set(
			err, EINVAL,
			"the type must be an ICMP type by name or number, or type/code, found "
			"\"%.40s\"",
			text);
	if (!type->set)
		return err_set(err, EINVAL, "%s has no counterpart in ICMPv6; give its number",
			       text);
	packet->icmp_type = type->type;
	packet->icmp_code = type->has_code ? type->code : 0;
	return 0;
}

static int check_proto(const struct explain_question *q, enum family family, struct err *err)
{
	if ((family == FAMILY_IPV4 && q->l4proto == IPPROTO_ICMPV6) ||
	    (family == FAMILY_IPV6 && q->l4proto == IPPROTO_ICMP))
		return err_set(err, EINVAL,
			       "protocol %u is ICMP of the other family; icmp fits both",
			       q->l4proto);
	return 0;
}

/* The address of the container that the question names, or of some container. Returns 0 or -EINVAL. */
static int find_source(const struct asking *a, const struct ipaddr *dst, struct ipaddr *ret_src,
		       struct err *err)
{
	const struct explain_container *sender = a->world->sender;
	char s[ADDR_STRLEN];

	if (sender && !sender->has[dst->family])
		return err_set(err, EINVAL, "%s: the container %s has no such address to send from",
			       ipaddr_format(dst, s), sender->name);
	if (sender)
		*ret_src = sender->addrs[dst->family];
	else if (!make_source(a, dst, ret_src))
		return err_set(
			err, EINVAL,
			"%s: a container of %s has no such address to send from; --src tells one "
			"all the same",
			ipaddr_format(dst, s), a->network->name);
	return 0;
}

static int add_case(const struct asking *a, const struct ipaddr *dst, struct err *err)
{
	struct explain_cases *cases = a->cases;
	struct explain_case *item = &cases->items[cases->n];
	const struct explain_question *q = a->q;
	char s[ADDR_STRLEN];
	int r = check_proto(q, dst->family, err);

	for (size_t i = 0; r >= 0 && i < a->world->policy->n_networks; i++)
		if (a->world->policy->networks[i].has_subnet &&
		    is_broadcast(&a->world->policy->networks[i].subnet, dst))
			r = explain_one_receiver(ipaddr_format(dst, s), err);
	if (r < 0)
		return r;
	item->packet = (struct explain_packet){
		.iif = a->network->bridge,
		.has_mac = q->has_mac,
		.src = q->src,
		.dst = *dst,
		.l4proto = q->l4proto,
		.dport = q->port,
	};
	memcpy(item->packet.mac, q->mac, sizeof(q->mac));
	r = q->icmp ? set_type(q, &item->packet, err) : 0;
	if (r < 0)
		return r;
	if (!q->has_src)
		r = find_source(a, dst, &item->packet.src, err);
	if (r < 0)
		return r;
	if (ipaddr_cmp(&item->packet.src, dst) == 0)
		return err_set(err, EINVAL, "%s is source and destination", ipaddr_format(dst, s));
	item->dockside = is_dockside(a, &item->packet);
	note_source(a, item);
	cases->n++;
	return 0;
}

/* Asks about each address. One that cannot be asked about is noted, and is an error only if there is no other. */
static int add_cases(const struct asking *a, const struct ipaddr *addrs, size_t n, struct err *err)
{
	struct explain_cases *cases = a->cases;
	int r = 0;

	cases->items = arena_alloc(&cases->arena, (n + 1) * sizeof(*cases->items));
	for (size_t i = 0; i < n; i++) {
		struct err why = { 0 };
		int added;

		if (a->q->has_src && addrs[i].family != a->q->src.family)
			continue;
		added = add_case(a, &addrs[i], &why);
		if (added < 0 && n > 1 && cases->n_notes < ARRAY_SIZE(cases->notes))
			cases->notes[cases->n_notes++] = arena_strdup(&cases->arena, why.text);
		if (added < 0 && r == 0)
			r = err_set(err, -added, "%s", why.text);
		err_free(&why);
	}
	if (cases->n > 0) {
		err_free(err);
		return 0;
	}
	return r < 0 ? r
		     : err_set(err, EINVAL, "%s has no address of the source's family", a->q->to);
}

/* ------------------------------------------------------------------ names */

struct addrs {
	struct ipaddr *items;
	size_t n, cap;
};

static void add_addr(struct addrs *addrs, const struct ipaddr *addr)
{
	for (size_t i = 0; i < addrs->n; i++)
		if (ipaddr_cmp(&addrs->items[i], addr) == 0)
			return;
	addrs->items = array_grow(addrs->items, &addrs->cap, addrs->n, sizeof(*addrs->items));
	addrs->items[addrs->n++] = *addr;
}

/* Finds the name in the comments of the elements. Where a literal took the place of the name's
 * element, it uses the addresses that we know of the name. */
static void collect_from_set(struct addrs *addrs, const struct plan_set *set, const char *name)
{
	enum family family = set_type_family(set->type);

	for (size_t i = 0; i < set->n_elems; i++) {
		struct ipaddr addr = ipaddr_from_bytes(family, set->elems[i].key);

		if (elem_is_of(&set->elems[i], name))
			add_addr(addrs, &addr);
	}
	for (size_t i = 0; i < set->n_names; i++) {
		const struct resolved_name *host = set->names[i];

		for (size_t k = 0; strcmp(host->name, name) == 0 && k < host->n_addrs; k++)
			add_addr(addrs, &host->addrs[k]);
	}
}

static void collect_from_map(struct addrs *addrs, const struct plan_set *map, const char *name)
{
	for (size_t i = 0; i < map->n_elems; i++) {
		const struct resolved_name *host = map->elems[i].name;

		for (size_t k = 0; host && strcmp(host->name, name) == 0 && k < host->n_addrs; k++)
			add_addr(addrs, &host->addrs[k]);
	}
}

static void collect_name(const struct asking *a, struct addrs *addrs)
{
	const struct plan *plan = a->world->plan;
	cleanup(cleanup_free) char *name = lower_case(xstrdup(a->q->to));

	for (size_t i = 0; i < plan->n_sets; i++) {
		const struct plan_set *set = plan->sets[i];

		if (set->type == SET_IPV4 || set->type == SET_IPV6)
			collect_from_set(addrs, set, name);
		else if (set->type == MAP_NAT4 || set->type == MAP_NAT6)
			collect_from_map(addrs, set, name);
	}
	for (size_t i = 0; i < a->world->n_resolved; i++)
		add_addr(addrs, &a->world->resolved[i]);
	for (size_t i = 0; i < a->world->n_looked_up; i++)
		add_addr(addrs, &a->world->looked_up[i]);
	if (addrs->n > 0)
		qsort(addrs->items, addrs->n, sizeof(*addrs->items), ipaddr_order);
	if (addrs->n > EXPLAIN_CASES_MAX)
		addrs->n = EXPLAIN_CASES_MAX;
}

static void collect_container(const struct explain_container *container, struct addrs *addrs)
{
	for (int i = 0; i < N_FAMILIES; i++)
		if (container->has[i])
			add_addr(addrs, &container->addrs[i]);
}

/* Asks about a name that the network's gate answers as if it had just been looked up. */
static int ask_gate(const struct asking *a, struct err *err)
{
	const char *name = lower_case(arena_strdup(&a->cases->arena, a->q->to));
	enum explain_gate_says says = explain_gate_says(a->world->policy, a->network, name);
	struct explain_cases *cases = a->cases;
	struct addrs addrs = { 0 };
	struct ipaddr addr = explain_gate_stand_in(a->world->policy, FAMILY_IPV4);
	int r;

	if (says == GATE_SAYS_NO_NAME)
		return err_set(
			err, EINVAL,
			"%s: the DNS gate of network %s tells containers that there is no such "
			"name: no rule of the network allows it, and \"names\" of its \"dns\" "
			"does not have it",
			a->q->to, a->network->name);
	if (!a->q->has_src || a->q->src.family == FAMILY_IPV4)
		add_addr(&addrs, &addr);
	addr = explain_gate_stand_in(a->world->policy, FAMILY_IPV6);
	if (a->q->has_src ? a->q->src.family == FAMILY_IPV6 : a->network->has_subnet6)
		add_addr(&addrs, &addr);
	r = add_cases(a, addrs.items, addrs.n, err);
	free(addrs.items);
	for (size_t i = 0; i < cases->n; i++) {
		cases->items[i].packet.told = says == GATE_SAYS_OPENS ? name : NULL;
		add_note(&cases->items[i],
			 arena_printf(&cases->arena,
				      says == GATE_SAYS_OPENS
					      ? "this address stands for those of %s, which the "
						"network's DNS gate opens as containers look it up"
					      : "this address stands for those of %s, which the "
						"network's DNS gate answers; that opens nothing",
				      a->q->to));
	}
	return r;
}

static int ask_name(const struct asking *a, struct err *err)
{
	struct addrs addrs = { 0 };
	int r;

	if (strcasecmp(a->q->to, "host") != 0 && !a->world->receiver && a->network->dns.gated)
		return ask_gate(a, err);
	if (a->q->to[0] == '*')
		return err_set(err, EINVAL,
			       "%s: network %s has no DNS gate, which alone could serve a wildcard",
			       a->q->to, a->network->name);
	if (strcasecmp(a->q->to, "host") == 0) {
		if (a->network->has_subnet)
			add_addr(&addrs, &a->network->gateway);
		if (a->network->has_subnet6)
			add_addr(&addrs, &a->network->gateway6);
	} else if (a->world->receiver) {
		collect_container(a->world->receiver, &addrs);
	} else {
		collect_name(a, &addrs);
	}
	r = addrs.n > 0
		    ? add_cases(a, addrs.items, addrs.n, err)
		    : err_set(err, ENOENT,
			      "%s: no rule has an address of that name; give an address instead "
			      "(`getent ahosts %s` prints them)",
			      a->q->to, a->q->to);
	free(addrs.items);
	return r;
}

/* ------------------------------------------------------------------ the whole */

int explain_ask(const struct explain_question *question, const struct explain_world *world,
		struct explain_cases *ret_cases, struct err *err)
{
	struct explain_cases cases = { 0 };
	struct asking a = { .q = question, .world = world, .cases = &cases };
	int r;

	a.network = cases.network = policy_find_network(world->policy, question->from, err);
	if (!a.network)
		return -EINVAL;
	if (a.network->closed)
		return err_set(err, EINVAL,
			       "network %s is no longer configured, and its policy is lost: "
			       "everything from it is refused until its containers have left",
			       a.network->name);
	if (!a.network->placed)
		return err_set(err, EINVAL,
			       "network %s is external, and its bridge is not known: the daemon "
			       "hears it from Docker, or \"bridge\" in network-config gives it",
			       a.network->name);
	make_routes(&a);
	r = question->to_addr ? add_cases(&a, &question->addr, 1, err) : ask_name(&a, err);
	if (r < 0)
		explain_cases_free(&cases);
	else
		*ret_cases = cases;
	return r;
}

void explain_cases_free(struct explain_cases *cases)
{
	arena_free(&cases->arena);
	*cases = (struct explain_cases){ 0 };
}
