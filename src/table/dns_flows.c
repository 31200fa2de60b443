/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/dns_flows.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"
#include "dockside/policy/model.h"

void dns_flows_add_gated(struct dns_flows *f, const struct prefix *prefix)
{
	f->gated = array_grow(f->gated, &f->cap_gated, f->n_gated, sizeof(*f->gated));
	f->gated[f->n_gated++] = *prefix;
}

void dns_flows_add_exempt(struct dns_flows *f, const struct ipaddr *addr)
{
	f->exempt = array_grow(f->exempt, &f->cap_exempt, f->n_exempt, sizeof(*f->exempt));
	f->exempt[f->n_exempt++] = *addr;
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

/* The configuration and a bridge have the same ones, and all bridges the link-local one. */
void dns_flows_finish(struct dns_flows *f)
{
	size_t n = 0;

	if (f->n_gated > 0)
		qsort(f->gated, f->n_gated, sizeof(*f->gated), by_prefix);
	for (size_t i = 0; i < f->n_gated; i++)
		if (n == 0 || !prefix_covers(&f->gated[n - 1], &f->gated[i]))
			f->gated[n++] = f->gated[i];
	f->n_gated = n;
	if (f->n_exempt > 0)
		qsort(f->exempt, f->n_exempt, sizeof(*f->exempt), ipaddr_order);
}

void dns_flows_free(struct dns_flows *f)
{
	free(f->gated);
	free(f->exempt);
	*f = (struct dns_flows){ 0 };
}

/* An address against a prefix: 0 when it is inside. */
static int compare(const void *key, const void *item)
{
	const struct prefix *prefix = item;

	return prefix_contains(prefix, key) ? 0 : ipaddr_cmp(key, &prefix->addr);
}

static bool is_gated(const struct dns_flows *f, const struct ipaddr *addr)
{
	if (f->n_gated == 0 || !bsearch(addr, f->gated, f->n_gated, sizeof(*f->gated), compare))
		return false;
	return f->n_exempt == 0 ||
	       !bsearch(addr, f->exempt, f->n_exempt, sizeof(*f->exempt), ipaddr_order);
}

/* DNS over TLS is refused, and never redirected. */
bool dns_flow_ends(const struct dns_flows *f, const struct flow *flow)
{
	if (flow->l4proto != IPPROTO_UDP && flow->l4proto != IPPROTO_TCP)
		return false;
	if (flow->port == PORT_DNS_TLS)
		return is_gated(f, &flow->src);
	return flow->port == PORT_DNS &&
	       (flow->reached_port == GATE_PORT) != is_gated(f, &flow->src);
}
