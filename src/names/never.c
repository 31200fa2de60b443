/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: with each answer, sets of many thousand addresses are checked, on hosts of a thousand
 * networks. Therefore addresses and subnets are sorted, and found by bisection.
 */
#include "dockside/names/never.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

#define METADATA "a cloud's metadata address"

/* Longest first where they overlap. */
static const struct {
	struct prefix prefix;
	const char *reason;
} ranges[] = {
	{ { { FAMILY_IPV4, { 255, 255, 255, 255 } }, 32 }, "the broadcast address" },
	{ { { FAMILY_IPV4, { 169, 254, 169, 254 } }, 32 }, METADATA },
	{ { { FAMILY_IPV4, { 100, 100, 100, 200 } }, 32 }, METADATA },
	{ { { FAMILY_IPV4, { 168, 63, 129, 16 } }, 32 }, METADATA }, /* Azure */
	{ { { FAMILY_IPV4, { 192, 0, 0, 192 } }, 32 }, METADATA },   /* Oracle */
	{ { { FAMILY_IPV4, { 169, 254 } }, 16 }, "a link-local address" },
	{ { { FAMILY_IPV4, { 0 } }, 8 }, "an unspecified address" },
	{ { { FAMILY_IPV4, { 127 } }, 8 }, "a loopback address" },
	{ { { FAMILY_IPV4, { 224 } }, 4 }, "a multicast address" },
	{ { { FAMILY_IPV6, { 0 } }, 128 }, "an unspecified address" },
	{ { { FAMILY_IPV6, { [15] = 1 } }, 128 }, "a loopback address" },
	{ { { FAMILY_IPV6, { 0xfd, 0x00, 0x0e, 0xc2 } }, 32 },
	  METADATA }, /* EC2: all its services */
	{ { { FAMILY_IPV6, { 0xfd, 0x00, 0x00, 0x42, [15] = 0x42 } }, 128 },
	  METADATA }, /* Scaleway */
	{ { { FAMILY_IPV6, { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 } }, 128 },
	  METADATA },
	{ { { FAMILY_IPV6, { [10] = 0xff, [11] = 0xff } }, 96 }, "an IPv4-mapped address" },
	{ { { FAMILY_IPV6, { 0xfe, 0x80 } }, 10 }, "a link-local address" },
	{ { { FAMILY_IPV6, { 0xff } }, 8 }, "a multicast address" },
};

/* IPv6 addresses that lead to an IPv4 address which is a part of them. */
static const struct {
	struct prefix prefix;
	size_t at;
} embedding[] = {
	{ { { FAMILY_IPV6, { 0x00, 0x64, 0xff, 0x9b } }, 96 }, 12 }, /* RFC 6052: NAT64 */
	{ { { FAMILY_IPV6, { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 } }, 48 },
	  12 },							     /* RFC 8215: local NAT64 */
	{ { { FAMILY_IPV6, { [8] = 0xff, [9] = 0xff } }, 96 }, 12 }, /* RFC 2765: IPv4-translated */
	{ { { FAMILY_IPV6, { 0 } }, 96 }, 12 },			     /* RFC 4291: IPv4-compatible */
	{ { { FAMILY_IPV6, { 0x20, 0x02 } }, 16 }, 2 },		     /* RFC 3056: 6to4 */
};

void never_set_own(struct never *never, const struct ipaddr *own, size_t n)
{
	free(never->own);
	never->own = xcalloc(n + 1, sizeof(*never->own));
	never->n_own = n;
	if (n == 0)
		return;
	memcpy(never->own, own, n * sizeof(*own));
	qsort(never->own, n, sizeof(*never->own), ipaddr_order);
}

size_t never_own_in(const struct never *never, const struct prefix *prefix,
		    const struct ipaddr **ret_first)
{
	size_t from = 0, to = never->n_own, n = 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ipaddr_cmp(&never->own[middle], &prefix->addr) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	while (from + n < never->n_own && prefix_contains(prefix, &never->own[from + n]))
		n++;
	*ret_first = never->own + from;
	return n;
}

static int cmp_subnet(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

/* A prefix is inside another one or beside it: without the former they are disjoint. */
static size_t sort_subnets(struct prefix *subnets, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(subnets, n, sizeof(*subnets), cmp_subnet);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !prefix_covers(&subnets[kept - 1], &subnets[i]))
			subnets[kept++] = subnets[i];
	return kept;
}

static bool in_subnet(const struct never *never, const struct ipaddr *addr)
{
	size_t from = 0, to = never->n_subnets;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ipaddr_cmp(&never->subnets[middle].addr, addr) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && prefix_contains(&never->subnets[from - 1], addr);
}

void never_set_policy(struct never *never, const struct policy *policy)
{
	free(never->subnets);
	never->subnets = xcalloc(2 * policy->n_networks + 1, sizeof(*never->subnets));
	never->n_subnets = 0;
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network_managed(network))
			continue;
		if (network->has_subnet)
			never->subnets[never->n_subnets++] = network->subnet;
		if (network->has_subnet6)
			never->subnets[never->n_subnets++] = network->subnet6;
	}
	never->n_subnets = sort_subnets(never->subnets, never->n_subnets);
}

void never_free(struct never *never)
{
	free(never->own);
	free(never->subnets);
	*never = (struct never){ 0 };
}

/* ------------------------------------------------------------------ addresses */

static const char *plain_reason(const struct never *never, const struct ipaddr *addr)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (prefix_contains(&ranges[i].prefix, addr))
			return ranges[i].reason;
	if (never->n_own > 0 &&
	    bsearch(addr, never->own, never->n_own, sizeof(*never->own), ipaddr_order))
		return "an address of this host";
	return in_subnet(never, addr) ? "in the subnet of a managed network" : NULL;
}

const char *never_reason(const struct never *never, const struct ipaddr *addr)
{
	const char *reason = plain_reason(never, addr);

	for (size_t i = 0; !reason && i < ARRAY_SIZE(embedding); i++) {
		struct ipaddr inner;

		if (!prefix_contains(&embedding[i].prefix, addr))
			continue;
		inner = ipaddr_from_bytes(FAMILY_IPV4, addr->b + embedding[i].at);
		if (plain_reason(never, &inner))
			reason = "an IPv6 form of an address that names never open";
	}
	return reason;
}

void never_tell(const struct never *never, const char *name, const struct ipaddr *addr,
		struct buf *b)
{
	const char *reason = never_reason(never, addr);
	char text[ADDR_STRLEN];

	buf_printf(b,
		   "%s has the address %s, %s, which no name opens; a rule that is to allow it has "
		   "to give the address itself",
		   name, ipaddr_format(addr, text), reason ? reason : "refused");
}

/* ------------------------------------------------------------------ rules */

static bool rule_has(const struct policy *policy, const struct rule *rule, const char *name)
{
	if (rule->to == DEST_HOSTNAME)
		return strcmp(rule->hostname, name) == 0;
	return rule->to == DEST_IPSET && ipset_has_hostname(&policy->ipsets[rule->ipset], name);
}

bool never_opens_name(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			if (network->egress[k].action == ACTION_ALLOW &&
			    rule_has(policy, &network->egress[k], name))
				return true;
		for (size_t k = 0; k < network->n_nat; k++)
			if (network->nat[k].to_host && strcmp(network->nat[k].to_host, name) == 0)
				return true;
	}
	return false;
}

bool never_opens_ipset(const struct policy *policy, size_t ipset)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			if (network->egress[k].action == ACTION_ALLOW &&
			    network->egress[k].to == DEST_IPSET &&
			    network->egress[k].ipset == ipset)
				return true;
	}
	return false;
}
