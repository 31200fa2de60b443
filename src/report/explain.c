/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: we run the hooks in the kernel's order: prerouting's check of the source,
 * its NAT (of new connections only), then the route to the destination that NAT has left, then
 * forward or input. Within a hook we try a chain's rules in order, each with its matches from left
 * to right. Our chains have no jump, only goto, so there is one current chain and no stack: a
 * packet that reaches the end of any chain gets the policy of the base chain, which is accept.
 */
#include "dockside/report/explain.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/icmp6.h"
#include "dockside/base/sorted.h"

struct walk {
	const struct plan *plan;
	const struct explain_packet *packet;
	struct explanation *e;
	enum base_hook hook;
	const struct explain_route *routes;
	size_t n_routes;
};

/* ------------------------------------------------------------------ conntrack */

/* valid_new of nf_conntrack_icmp_packet() (net/netfilter/nf_conntrack_proto_icmp.c): what is no request
 * and, being the first, belongs to no connection. */
static enum explain_ct conntrack_icmp(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_INFO_REQUEST:
	case ICMP_ADDRESS:
		return EXPLAIN_NEW;
	default:
		return EXPLAIN_INVALID;
	}
}

/* noct_valid_new and valid_new of nf_conntrack_proto_icmpv6.c. */
static enum explain_ct conntrack_icmp6(uint8_t type)
{
	switch (type) {
	case MLD_LISTENER_QUERY:
	case MLD_LISTENER_REPORT:
	case MLD_LISTENER_REDUCTION:
	case ND_ROUTER_SOLICIT:
	case ND_ROUTER_ADVERT:
	case ND_NEIGHBOR_SOLICIT:
	case ND_NEIGHBOR_ADVERT:
	case MLD2_REPORT:
	case MRDISC_ADV:
	case MRDISC_SOL:
		return EXPLAIN_UNTRACKED;
	case ICMP6_ECHO_REQUEST:
	case NI_QUERY:
		return EXPLAIN_NEW;
	default:
		return EXPLAIN_INVALID;
	}
}

static enum explain_ct conntrack(const struct explain_packet *packet)
{
	bool v4 = packet->src.family == FAMILY_IPV4;

	if (v4 && packet->l4proto == IPPROTO_ICMP)
		return conntrack_icmp(packet->icmp_type);
	if (!v4 && packet->l4proto == IPPROTO_ICMPV6)
		return conntrack_icmp6(packet->icmp_type);
	return EXPLAIN_NEW;
}

/* ------------------------------------------------------------------ sets */

struct elem_key {
	const uint8_t *bytes;
	size_t len;
};

static int cmp_key(const void *key, const void *elem)
{
	const struct elem_key *k = key;

	return memcmp(k->bytes, ((const struct elem *)elem)->key, k->len);
}

/* The element that has the key, whether it is one value or a range: they are sorted and disjoint. */
static const struct elem *find_elem(const struct plan_set *set, const uint8_t key[ELEM_KEY_MAX])
{
	size_t len = set_type_info(set->type)->key_len;
	const struct elem_key wanted = { key, len };
	size_t n = sorted_up_to(&SORTED_ARRAY(set->elems, set->n_elems), &wanted, cmp_key);
	const struct elem *elem;

	if (n == 0)
		return NULL;
	elem = &set->elems[n - 1];
	/* Without an address its name has no element in the kernel. */
	return !elem->unresolved && memcmp(key, elem->last, len) <= 0 ? elem : NULL;
}

static const struct elem *look_up(struct explain_step *step, const struct plan_set *set,
				  const uint8_t key[ELEM_KEY_MAX])
{
	const struct elem *elem = find_elem(set, key);

	if (elem)
		step->lookups[step->n_lookups++] = (struct explain_lookup){ set, elem };
	return elem;
}

static const struct elem *look_up_addr(struct explain_step *step, const struct plan_set *set,
				       const struct ipaddr *addr)
{
	enum family family = set_type_family(set->type);
	uint8_t key[ELEM_KEY_MAX] = { 0 };

	if (addr->family != family)
		return NULL;
	memcpy(key, addr->b, family_bytes(family));
	return look_up(step, set, key);
}

static const struct elem *look_up_port(const struct walk *w, struct explain_step *step,
				       const struct plan_set *set)
{
	uint8_t key[ELEM_KEY_MAX] = { 0 };

	store_port(key, w->e->dport);
	return look_up(step, set, key);
}

static const struct elem *look_up_bridge(struct explain_step *step, const struct plan_set *set,
					 const char *bridge)
{
	uint8_t key[ELEM_KEY_MAX] = { 0 };

	memcpy(key, bridge, strnlen(bridge, IFNAME_KEY_LEN));
	return look_up(step, set, key);
}

/* `dnat ip to` is of IPv4 packets only, without its saying so. */
static const struct elem *look_up_nat(const struct walk *w, struct explain_step *step,
				      const struct plan_set *map)
{
	uint8_t key[ELEM_KEY_MAX] = { 0 };

	if (w->e->dst.family != set_type_family(map->type))
		return NULL;
	key[0] = w->packet->l4proto;
	store_port(key + 4, w->e->dport);
	return look_up(step, map, key);
}

/* ------------------------------------------------------------------ matches */

static const struct explain_route *find_route(const struct explain_route *routes, size_t n,
					      const struct ipaddr *dst)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_contains(&routes[i].to, dst))
			return &routes[i];
	return NULL;
}

/* The network that the address is in. */
static const struct explain_route *find_subnet(const struct explain_route *routes, size_t n,
					       const struct ipaddr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (routes[i].bridge && prefix_contains(&routes[i].to, addr))
			return &routes[i];
	return NULL;
}

static bool has_ports(uint8_t l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP;
}

static bool is_of_ports_proto(const struct walk *w, uint8_t l4proto)
{
	return l4proto ? w->packet->l4proto == l4proto : has_ports(w->packet->l4proto);
}

static bool match_ct(const struct walk *w, unsigned states)
{
	switch (w->e->ct) {
	case EXPLAIN_NEW:
		return states & CT_NEW;
	case EXPLAIN_INVALID:
		return states & CT_INVALID;
	case EXPLAIN_UNTRACKED:
		return states & CT_UNTRACKED;
	}
	abort();
}

static bool match_prefix(const struct match *match, const struct ipaddr *addr)
{
	return match->u.prefix.addr.family == addr->family &&
	       prefix_contains(&match->u.prefix, addr) != match->negated;
}

/* Routes that the explanation knows: the networks' subnets and link-local addresses. A subnet's last IPv4 address
 * is all hosts'. */
static bool routes_back(const struct walk *w)
{
	const struct ipaddr *src = &w->packet->src;
	const struct explain_route *route = find_route(w->routes, w->n_routes, src);
	struct ipaddr first, last;

	if (!route || !route->bridge || strcmp(route->bridge, w->packet->iif) != 0)
		return false;
	prefix_range(&route->to, &first, &last);
	return src->family == FAMILY_IPV6 || ipaddr_cmp(src, &last) != 0;
}

/* The bridge and a told address: the kernel has the element if the gate has told it, and nobody else knows. */
static bool match_told(const struct walk *w, const struct plan_set *set)
{
	return w->packet->told && w->e->dst.family == set_type_family(set->type) &&
	       set_is_told(set, w->packet->told);
}

static bool match_icmp(const struct walk *w, const struct match *match)
{
	uint8_t l4proto = match->u.icmp.family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	return w->packet->src.family == match->u.icmp.family && w->packet->l4proto == l4proto &&
	       w->packet->icmp_type == match->u.icmp.type &&
	       (!match->u.icmp.has_code || w->packet->icmp_code == match->u.icmp.code);
}

static bool matches(const struct walk *w, struct explain_step *step, const struct match *match)
{
	const struct explain_packet *packet = w->packet;

	switch (match->kind) {
	case MATCH_OIFNAME:
		return w->e->oif && strcmp(w->e->oif, match->u.name) == 0;
	case MATCH_OIFNAME_SET:
		return w->e->oif && look_up_bridge(step, match->u.set, w->e->oif);
	case MATCH_IIFNAME_SET:
		return (look_up_bridge(step, match->u.set, packet->iif) != NULL) != match->negated;
	case MATCH_IIF_BRIDGE:
		return true; /* it comes from a container */
	case MATCH_DNS_REPLY:
		return false; /* a packet that opens a connection replies to none */
	case MATCH_CT_STATE:
		return match_ct(w, match->u.ct_states);
	case MATCH_NFPROTO:
		return packet->src.family == match->u.family;
	case MATCH_SADDR:
		return match_prefix(match, &packet->src);
	case MATCH_SADDR_RANGE:
		return packet->src.family == match->u.range.first.family &&
		       ipaddr_cmp(&match->u.range.first, &packet->src) <= 0 &&
		       ipaddr_cmp(&packet->src, &match->u.range.last) <= 0;
	case MATCH_SADDR_SET:
		return look_up_addr(step, match->u.set, &packet->src) != NULL;
	case MATCH_SOURCE_ROUTE:
		return routes_back(w);
	case MATCH_DADDR:
		return match_prefix(match, &w->e->dst);
	case MATCH_DADDR_SET:
		return look_up_addr(step, match->u.set, &w->e->dst) != NULL;
	case MATCH_ETHER_SADDR:
		return packet->has_mac && memcmp(packet->mac, match->u.mac, 6) == 0;
	case MATCH_RESERVED_MAC:
		return false; /* packets go to the bridge's own address */
	case MATCH_L4PROTO:
		return (packet->l4proto == match->u.l4proto) != match->negated;
	case MATCH_DPORT:
		return is_of_ports_proto(w, match->u.dport.l4proto) &&
		       match->u.dport.range.lo <= w->e->dport &&
		       w->e->dport <= match->u.dport.range.hi;
	case MATCH_DPORT_SET:
		return is_of_ports_proto(w, match->u.dport_set.l4proto) &&
		       look_up_port(w, step, match->u.dport_set.set);
	case MATCH_ICMP:
		return match_icmp(w, match);
	case MATCH_MARK:
		return (w->e->mark & match->u.mark) == match->u.mark;
	case MATCH_TRANSPORT_PORT:
		return has_ports(packet->l4proto) && w->e->dport == match->u.port;
	case MATCH_CT_DNAT:
		return ipaddr_cmp(&w->e->dst, &packet->dst) != 0 || w->e->dport != packet->dport;
	case MATCH_FIELD_SET:
		if (match->u.field_set.set->dynamic)
			return match_told(w, match->u.field_set.set);
		break;
	case MATCH_UDP_SPORT:
	case MATCH_SKUID:
	case MATCH_FIB:
		break; /* of packets that the host sends */
	case MATCH_PROTOCOL:
	case MATCH_FIELD_PREFIX:
	case MATCH_UDP_PORTS:
	case MATCH_UNICAST:
	case MATCH_FRAGMENT:
		break; /* of the bridge table, which no packet is walked through */
	}
	abort();
}

/* ------------------------------------------------------------------ chains */

static void translate(const struct walk *w, struct explain_step *step, const struct elem *elem)
{
	enum family family = w->e->dst.family;

	w->e->dst = ipaddr_from_bytes(family, elem->data);
	w->e->dport = load_port(elem->data + family_bytes(family));
	step->translated = true;
	step->dst = w->e->dst;
	step->dport = w->e->dport;
}

/* To the bridge's own address: the host's in the subnet that routes back over the bridge. */
static void redirect(const struct walk *w, struct explain_step *step)
{
	for (size_t i = 0; i < w->n_routes; i++) {
		const struct explain_route *host = &w->routes[i], *net;

		net = host->bridge ? NULL : find_subnet(w->routes, w->n_routes, &host->to.addr);
		if (!net || host->to.addr.family != w->e->dst.family ||
		    strcmp(net->bridge, w->packet->iif) != 0)
			continue;
		w->e->dst = host->to.addr;
		break;
	}
	w->e->dport = step->rule->redirect_port;
	w->e->redirected = step->translated = true;
	step->dst = w->e->dst;
	step->dport = w->e->dport;
}

/* Says whether the rule, which matches, decides: some verdicts need more than that, such as an
 * element of their map. *ret_target: the chain that the verdict leads to. */
static bool concludes(const struct walk *w, struct explain_step *step, const char **ret_target)
{
	const struct plan_rule *rule = step->rule;
	const struct elem *elem;

	switch (rule->verdict) {
	case VERDICT_ACCEPT:
	case VERDICT_DROP:
		return true;
	case VERDICT_RESET:
		return w->packet->l4proto == IPPROTO_TCP;
	case VERDICT_LOG:
	case VERDICT_COPY:
	case VERDICT_CONTINUE:
		return false; /* it reports the packet or marks it, and the next rule decides */
	case VERDICT_REDIRECT:
		redirect(w, step);
		return true;
	case VERDICT_PROHIBIT:
		break; /* of packets that the host sends */
	case VERDICT_GOTO:
		*ret_target = rule->target;
		return true;
	case VERDICT_VMAP:
		elem = look_up_bridge(step, rule->set, w->packet->iif);
		if (elem)
			*ret_target = elem->target;
		return elem != NULL;
	case VERDICT_DNAT:
		elem = look_up_nat(w, step, rule->set);
		if (elem)
			translate(w, step, elem);
		return elem != NULL;
	}
	abort();
}

/* The mark changes on the way to the verdict, also where that is a lookup that finds nothing. */
static bool try_rule(const struct walk *w, struct explain_step *step, const char **ret_target)
{
	for (size_t i = 0; i < step->rule->n_matches; i++)
		if (!matches(w, step, &step->rule->matches[i]))
			return false;
	w->e->mark = (w->e->mark | step->rule->mark) & ~step->rule->unmark;
	return concludes(w, step, ret_target);
}

/* The first rule of a chain that says something, as one more step; NULL: none does. */
static const struct plan_rule *try_chain(const struct walk *w, const struct plan_chain *chain,
					 const char **ret_target)
{
	struct explain_step *step;

	assert(w->e->n_steps < EXPLAIN_STEPS_MAX); /* our chains lead nowhere twice */
	step = &w->e->steps[w->e->n_steps++];
	for (size_t i = 0; i < chain->n_rules; i++) {
		*step = (struct explain_step){
			.hook = w->hook,
			.chain = chain,
			.rule = &chain->rules[i],
		};
		if (try_rule(w, step, ret_target))
			return step->rule;
	}
	*step = (struct explain_step){ .hook = w->hook, .chain = chain };
	return NULL;
}

static const struct plan_chain *base_chain(const struct plan *plan, enum base_hook hook)
{
	for (size_t i = 0; i < plan->n_chains; i++)
		if (plan->chains[i]->hook == hook)
			return plan->chains[i];
	return NULL;
}

static enum explain_verdict walk(const struct walk *w)
{
	const struct plan_chain *chain = base_chain(w->plan, w->hook);

	while (chain) {
		const char *target = NULL;
		const struct plan_rule *rule = try_chain(w, chain, &target);

		if (!rule)
			return EXPLAIN_PASS;
		if (!target && rule->verdict == VERDICT_DROP)
			return EXPLAIN_DROP;
		if (!target && rule->verdict == VERDICT_RESET)
			return EXPLAIN_RESET;
		if (!target)
			return EXPLAIN_PASS;
		chain = plan_find_chain(w->plan, target);
		assert(chain);
	}
	return EXPLAIN_PASS;
}

bool explain_is_host(const struct explain_route *routes, size_t n, const struct ipaddr *dst)
{
	const struct explain_route *route = find_route(routes, n, dst);

	return route && !route->bridge;
}

static void route(struct explanation *e, const struct explain_route *routes, size_t n)
{
	const struct explain_route *route = find_route(routes, n, &e->dst);

	e->oif = route ? route->bridge : NULL;
	e->to_host = route && !route->bridge;
}

void explain(const struct plan *plan, const struct explain_packet *packet,
	     const struct explain_route *routes, size_t n_routes, struct explanation *ret)
{
	struct walk w = {
		.plan = plan, .packet = packet, .e = ret, .routes = routes, .n_routes = n_routes
	};

	*ret = (struct explanation){
		.ct = conntrack(packet),
		.dst = packet->dst,
		.dport = packet->dport,
	};
	w.hook = BASE_PREROUTING_RAW;
	ret->verdict = walk(&w);
	route(ret, routes, n_routes);
	if (ret->verdict != EXPLAIN_PASS)
		return;
	/* Every packet of a container takes these steps, and they have decided nothing. */
	ret->n_steps = 0;
	w.hook = BASE_PREROUTING_DNS;
	if (ret->ct == EXPLAIN_NEW)
		walk(&w);
	if (!ret->redirected)
		ret->n_steps = 0; /* it was no question */
	w.hook = BASE_PREROUTING_NAT;
	if (ret->ct == EXPLAIN_NEW && !ret->redirected)
		walk(&w);
	route(ret, routes, n_routes);
	ret->to_host |= ret->redirected;
	w.hook = ret->to_host ? BASE_INPUT : BASE_FORWARD;
	ret->verdict = walk(&w);
}
