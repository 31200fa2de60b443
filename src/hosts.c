/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/hosts.h"

#include <stdlib.h>
#include <string.h>

/* Borrowed names, in any order and perhaps twice. */
struct name_list {
	const char **items;
	size_t n;
	size_t cap;
};

static void list_add(struct name_list *list, const char *name)
{
	list->items = array_grow(list->items, &list->cap, list->n, sizeof(*list->items));
	list->items[list->n++] = name;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_rule(struct name_list *list, const struct policy *policy,
			 const struct rule *rule, bool *ipset_seen)
{
	const struct ipset *set;

	switch (rule->to) {
	case DEST_HOST:
		list_add(list, rule->host);
		return;
	case DEST_IPSET:
		set = &policy->ipsets[rule->ipset];
		if (ipset_seen[rule->ipset])
			return;
		ipset_seen[rule->ipset] = true;
		for (size_t i = 0; i < set->n_hostnames; i++)
			list_add(list, set->hostnames[i]);
		return;
	case DEST_ALL:
	case DEST_CIDR:
	case DEST_IP:
		return;
	}
}

static void collect_network(struct name_list *list, const struct policy *policy,
			    const struct network *network, bool *ipset_seen)
{
	if (!network_managed(network))
		return;
	for (size_t i = 0; i < network->n_egress; i++)
		collect_rule(list, policy, &network->egress[i], ipset_seen);
	for (size_t i = 0; i < network->n_nat; i++)
		if (network->nat[i].to_host)
			list_add(list, network->nat[i].to_host);
}

void hosts_collect(const struct policy *policy, struct hosts *ret_hosts)
{
	struct name_list list = { 0 };
	struct hosts hosts = { 0 };
	bool *ipset_seen = xcalloc(policy->n_ipsets + 1, sizeof(*ipset_seen));

	for (size_t i = 0; i < policy->n_networks; i++)
		collect_network(&list, policy, &policy->networks[i], ipset_seen);
	free(ipset_seen);

	if (list.n > 0) {
		qsort(list.items, list.n, sizeof(*list.items), name_cmp);
		hosts.items = xcalloc(list.n, sizeof(*hosts.items));
	}
	for (size_t i = 0; i < list.n; i++)
		if (i == 0 || strcmp(list.items[i - 1], list.items[i]) != 0)
			hosts.items[hosts.n++].name = xstrdup(list.items[i]);
	free(list.items);
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
