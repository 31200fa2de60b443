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
static const struct never_range ranges[] = {
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

/* IANA's special-purpose registries (RFC 6890) have these. */
static const struct never_range private_ranges[] = {
	{ { { FAMILY_IPV4, { 10 } }, 8 }, "a private address" },
	{ { { FAMILY_IPV4, { 100, 64 } }, 10 }, "an address of a carrier's inside (RFC 6598)" },
	{ { { FAMILY_IPV4, { 172, 16 } }, 12 }, "a private address" },
	{ { { FAMILY_IPV4, { 192, 0, 0 } }, 24 }, "an address for protocols (RFC 6890)" },
	{ { { FAMILY_IPV4, { 192, 0, 2 } }, 24 }, "an address for documentation" },
	{ { { FAMILY_IPV4, { 192, 168 } }, 16 }, "a private address" },
	{ { { FAMILY_IPV4, { 198, 18 } }, 15 }, "an address for benchmarks" },
	{ { { FAMILY_IPV4, { 198, 51, 100 } }, 24 }, "an address for documentation" },
	{ { { FAMILY_IPV4, { 203, 0, 113 } }, 24 }, "an address for documentation" },
	{ { { FAMILY_IPV4, { 240 } }, 4 }, "a reserved address" },
	{ { { FAMILY_IPV6, { 0 } }, 8 }, "a reserved address" },
	{ { { FAMILY_IPV6, { 0x00, 0x64, 0xff, 0x9b } }, 96 }, "a NAT64 address" },
	{ { { FAMILY_IPV6, { 0x01, 0x00 } }, 64 }, "an address that is discarded" },
	{ { { FAMILY_IPV6, { 0x20, 0x01 } }, 23 }, "an address for protocols (RFC 6890)" },
	{ { { FAMILY_IPV6, { 0x20, 0x01, 0x0d, 0xb8 } }, 32 }, "an address for documentation" },
	{ { { FAMILY_IPV6, { 0x20, 0x02 } }, 16 }, "a 6to4 address" },
	{ { { FAMILY_IPV6, { 0x3f, 0xff } }, 20 }, "an address for documentation" },
	{ { { FAMILY_IPV6, { 0x5f, 0x00 } }, 16 }, "a segment routing address" },
	{ { { FAMILY_IPV6, { 0xfc } }, 7 }, "a private address" },
	{ { { FAMILY_IPV6, { 0xfe, 0xc0 } }, 10 }, "a site-local address" },
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

/* Whether the IPv4 address stands right behind the prefix, so that longer prefixes stand for IPv4 prefixes. */
static bool is_contiguous(size_t i)
{
	return embedding[i].prefix.len == 8 * embedding[i].at;
}

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

static const char *reason_among(const struct never_range *items, size_t n,
				const struct ipaddr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_contains(&items[i].prefix, addr))
			return items[i].reason;
	return NULL;
}

const char *never_private_reason(const struct ipaddr *addr)
{
	return reason_among(private_ranges, ARRAY_SIZE(private_ranges), addr);
}

const char *never_told_reason(const struct never *never, const struct ipaddr *addr,
			      const struct prefix *private, size_t n)
{
	const char *reason = never_reason(never, addr);

	for (size_t i = 0; !reason && i < ARRAY_SIZE(embedding); i++) {
		struct ipaddr inner;

		if (!prefix_contains(&embedding[i].prefix, addr))
			continue;
		inner = ipaddr_from_bytes(FAMILY_IPV4, addr->b + embedding[i].at);
		if (!is_contiguous(i) || never_private_reason(&inner))
			reason = "an IPv6 form of an address that names never open";
	}
	if (!reason)
		reason = never_private_reason(addr);
	else
		return reason;
	for (size_t i = 0; reason && i < n; i++)
		if (prefix_contains(&private[i], addr))
			return NULL;
	return reason;
}

/* The IPv6 prefixes that lead into an IPv4 prefix. */
static void tell_embedded(const struct prefix *prefix, never_prefix_fn fn, void *data)
{
	size_t len = family_bytes(FAMILY_IPV4);

	for (size_t i = 0; i < ARRAY_SIZE(embedding); i++) {
		struct prefix outer = embedding[i].prefix;

		if (!is_contiguous(i))
			continue;
		memcpy(outer.addr.b + embedding[i].at, prefix->addr.b, len);
		outer.len = (uint8_t)(8 * embedding[i].at + prefix->len);
		fn(data, &outer);
	}
}

void never_ranges(const struct policy *policy, never_prefix_fn fn, void *data)
{
	struct never never = { 0 };

	never_set_policy(&never, policy);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		fn(data, &ranges[i].prefix);
		if (ranges[i].prefix.addr.family == FAMILY_IPV4)
			tell_embedded(&ranges[i].prefix, fn, data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(private_ranges); i++)
		if (private_ranges[i].prefix.addr.family == FAMILY_IPV4)
			tell_embedded(&private_ranges[i].prefix, fn, data);
	for (size_t i = 0; i < ARRAY_SIZE(embedding); i++)
		if (!is_contiguous(i))
			fn(data, &embedding[i].prefix);
	for (size_t i = 0; i < never.n_subnets; i++) {
		fn(data, &never.subnets[i]);
		if (never.subnets[i].addr.family == FAMILY_IPV4)
			tell_embedded(&never.subnets[i], fn, data);
	}
	never_free(&never);
}

void never_private_ranges(never_prefix_fn fn, void *data)
{
	for (size_t i = 0; i < ARRAY_SIZE(private_ranges); i++)
		fn(data, &private_ranges[i].prefix);
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
			    !rule_told(network, &network->egress[k]) &&
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
			    !rule_told(network, &network->egress[k]) &&
			    network->egress[k].to == DEST_IPSET &&
			    network->egress[k].ipset == ipset)
				return true;
	}
	return false;
}
