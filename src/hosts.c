/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/hosts.h"

#include <stdlib.h>
#include <string.h>

/* Borrowed names, in any order and perhaps twice. */
struct names {
	const char **items;
	size_t n;
	size_t cap;
};

static void names_add(struct names *names, const char *name)
{
	names->items = array_grow(names->items, &names->cap, names->n, sizeof(*names->items));
	names->items[names->n++] = name;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_rule(struct names *names, const struct policy *policy, const struct rule *rule,
			 bool *ipset_seen)
{
	const struct ipset *set;

	switch (rule->to) {
	case DEST_HOST:
		names_add(names, rule->host);
		return;
	case DEST_IPSET:
		set = &policy->ipsets[rule->ipset];
		if (ipset_seen[rule->ipset])
			return;
		ipset_seen[rule->ipset] = true;
		for (size_t i = 0; i < set->n_hostnames; i++)
			names_add(names, set->hostnames[i]);
		return;
	case DEST_ALL:
	case DEST_CIDR:
	case DEST_IP:
		return;
	}
}

static void collect_network(struct names *names, const struct policy *policy,
			    const struct network *network, bool *ipset_seen)
{
	if (!network_managed(network))
		return;
	for (size_t i = 0; i < network->n_egress; i++)
		collect_rule(names, policy, &network->egress[i], ipset_seen);
	for (size_t i = 0; i < network->n_nat; i++)
		if (network->nat[i].to_host)
			names_add(names, network->nat[i].to_host);
}

void hosts_collect(const struct policy *policy, struct hosts *ret_hosts)
{
	struct names names = { 0 };
	struct hosts hosts = { 0 };
	bool *ipset_seen = xcalloc(policy->n_ipsets + 1, sizeof(*ipset_seen));

	for (size_t i = 0; i < policy->n_networks; i++)
		collect_network(&names, policy, &policy->networks[i], ipset_seen);
	free(ipset_seen);

	if (names.n > 0) {
		qsort(names.items, names.n, sizeof(*names.items), name_cmp);
		hosts.items = xcalloc(names.n, sizeof(*hosts.items));
	}
	for (size_t i = 0; i < names.n; i++)
		if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0)
			hosts.items[hosts.n++].name = xstrdup(names.items[i]);
	free(names.items);
	*ret_hosts = hosts;
}

static int host_cmp(const void *name, const void *host)
{
	return strcmp(name, ((const struct host *)host)->name);
}

struct host *hosts_find(const struct hosts *hosts, const char *name)
{
	if (hosts->n == 0)
		return NULL;
	return bsearch(name, hosts->items, hosts->n, sizeof(*hosts->items), host_cmp);
}

static int addr_cmp(const void *a, const void *b)
{
	return ipaddr_cmp(a, b);
}

void host_set(struct host *host, enum host_state state, const struct ipaddr *addrs, size_t n)
{
	struct ipaddr *copy = n > 0 ? xcalloc(n, sizeof(*copy)) : NULL;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!ipaddr_is_unspecified(&addrs[i]))
			copy[kept++] = addrs[i];
	if (kept > 0)
		qsort(copy, kept, sizeof(*copy), addr_cmp);
	n = kept;
	kept = 0;
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || ipaddr_cmp(&copy[kept - 1], &copy[i]) != 0)
			copy[kept++] = copy[i];

	free(host->addrs);
	free(host->error);
	host->addrs = NULL;
	host->error = NULL;
	host->n_addrs = kept;
	host->targets[FAMILY_IPV4] = host->targets[FAMILY_IPV6] = NULL;
	for (size_t i = kept; i-- > 0;)
		host->targets[copy[i].family] = &copy[i];
	if (kept > 0) {
		host->addrs = copy;
		host->state = state;
		return;
	}
	free(copy);
	host->state = HOST_FAILED;
	host->error = xstrdup("no address");
}

void hosts_free(struct hosts *hosts)
{
	if (!hosts)
		return;
	for (size_t i = 0; i < hosts->n; i++) {
		free(hosts->items[i].name);
		free(hosts->items[i].addrs);
		free(hosts->items[i].error);
	}
	free(hosts->items);
	*hosts = (struct hosts){ 0 };
}
