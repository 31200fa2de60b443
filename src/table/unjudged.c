/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/unjudged.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

void unjudged_add_network(struct unjudged *u, const struct prefix *prefix, bool host_rules)
{
	u->networks =
		array_grow(u->networks, &u->cap_networks, u->n_networks, sizeof(*u->networks));
	u->networks[u->n_networks++] = (struct unjudged_network){ *prefix, host_rules };
}

void unjudged_add_local(struct unjudged *u, const struct ipaddr *addr)
{
	u->locals = array_grow(u->locals, &u->cap_locals, u->n_locals, sizeof(*u->locals));
	u->locals[u->n_locals++] = *addr;
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(&((const struct unjudged_network *)a)->prefix,
			  &((const struct unjudged_network *)b)->prefix);
}

/*
 * The link-local prefix is every bridge's, and an address of it does not tell whose: where one network has
 * host rules, all of them count as if they had. A prefix inside another goes the same way.
 */
static void merge_networks(struct unjudged *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_networks; i++) {
		if (n > 0 && prefix_covers(&u->networks[n - 1].prefix, &u->networks[i].prefix))
			u->networks[n - 1].host_rules |= u->networks[i].host_rules;
		else
			u->networks[n++] = u->networks[i];
	}
	u->n_networks = n;
}

void unjudged_finish(struct unjudged *u)
{
	if (u->n_networks > 0)
		qsort(u->networks, u->n_networks, sizeof(*u->networks), by_prefix);
	merge_networks(u);
	if (u->n_locals > 0)
		qsort(u->locals, u->n_locals, sizeof(*u->locals), ipaddr_order);
}

void unjudged_free(struct unjudged *u)
{
	free(u->networks);
	free(u->locals);
	*u = (struct unjudged){ 0 };
}

/* An address against a prefix: 0 when it is inside. */
static int compare(const void *key, const void *item)
{
	const struct prefix *prefix = &((const struct unjudged_network *)item)->prefix;

	return prefix_contains(prefix, key) ? 0 : ipaddr_cmp(key, &prefix->addr);
}

static const struct unjudged_network *find(const struct unjudged *u, const struct ipaddr *addr)
{
	if (u->n_networks == 0)
		return NULL;
	return bsearch(addr, u->networks, u->n_networks, sizeof(*u->networks), compare);
}

static bool is_broadcast(const struct prefix *prefix, const struct ipaddr *addr)
{
	static const struct ipaddr everybody = { FAMILY_IPV4, { 255, 255, 255, 255 } };
	struct ipaddr first, last;

	if (addr->family != FAMILY_IPV4)
		return false;
	prefix_range(prefix, &first, &last);
	return ipaddr_cmp(addr, &everybody) == 0 || ipaddr_cmp(addr, &last) == 0;
}

static bool is_local(const struct unjudged *u, const struct ipaddr *addr)
{
	if (ipaddr_is_loopback(addr) || ipaddr_is_unspecified(addr))
		return true;
	return u->n_locals > 0 &&
	       bsearch(addr, u->locals, u->n_locals, sizeof(*u->locals), ipaddr_order) != NULL;
}

/* A packet for everybody on the network has an entry because the host took it. */
static bool is_for_host(const struct unjudged *u, const struct unjudged_network *from,
			const struct ipaddr *dst)
{
	return is_local(u, dst) || ipaddr_is_multicast(dst) || is_broadcast(&from->prefix, dst);
}

bool unjudged_is(const struct unjudged *u, const struct flow *flow)
{
	const struct unjudged_network *from = is_local(u, &flow->src) ? NULL : find(u, &flow->src);
	const struct unjudged_network *to = is_local(u, &flow->dst) ? NULL : find(u, &flow->dst);

	if (flow->judged)
		return false;
	if (from && is_for_host(u, from, &flow->dst))
		return from->host_rules;
	return from || to;
}
