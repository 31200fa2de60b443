/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/resolved.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

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
	case DEST_HOSTNAME:
		list_add(list, rule->hostname);
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
	case DEST_PATTERN:
		return;
	}
}

static void collect_network(struct name_list *list, const struct policy *policy,
			    const struct network *network, bool *ipset_seen)
{
	if (!network_has_policy(network))
		return;
	for (size_t i = 0; i < network->n_egress; i++)
		if (!rule_told(network, &network->egress[i]))
			collect_rule(list, policy, &network->egress[i], ipset_seen);
	for (size_t i = 0; i < network->n_nat; i++)
		if (network->nat[i].to_host)
			list_add(list, network->nat[i].to_host);
}

/* Takes over the list. */
static void make_resolved(struct name_list *list, struct resolved *ret_resolved)
{
	struct resolved resolved = { 0 };

	if (list->n > 0) {
		qsort(list->items, list->n, sizeof(*list->items), name_cmp);
		resolved.items = xcalloc(list->n, sizeof(*resolved.items));
	}
	for (size_t i = 0; i < list->n; i++)
		if (i == 0 || strcmp(list->items[i - 1], list->items[i]) != 0)
			resolved.items[resolved.n++].name = xstrdup(list->items[i]);
	free(list->items);
	*ret_resolved = resolved;
}

static void collect_used(struct name_list *list, const struct policy *policy)
{
	bool *ipset_seen = xcalloc(policy->n_ipsets + 1, sizeof(*ipset_seen));

	for (size_t i = 0; i < policy->n_networks; i++)
		collect_network(list, policy, &policy->networks[i], ipset_seen);
	free(ipset_seen);
}

void resolved_collect(const struct policy *policy, struct resolved *ret_resolved)
{
	struct name_list list = { 0 };

	collect_used(&list, policy);
	make_resolved(&list, ret_resolved);
}

/* Ipsets whose names the gate tells: for these alone nobody asks. */
static bool *find_told(const struct policy *policy)
{
	bool *told = xcalloc(policy->n_ipsets + 1, sizeof(*told));

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		for (size_t k = 0; k < network->n_egress; k++)
			if (network->egress[k].to == DEST_IPSET &&
			    rule_told(network, &network->egress[k]))
				told[network->egress[k].ipset] = true;
	}
	return told;
}

void resolved_collect_all(const struct policy *policy, struct resolved *ret_resolved)
{
	cleanup(cleanup_free) bool *told = find_told(policy);
	struct name_list list = { 0 };

	collect_used(&list, policy);
	for (size_t i = 0; i < policy->n_ipsets; i++)
		for (size_t k = 0; !told[i] && k < policy->ipsets[i].n_hostnames; k++)
			list_add(&list, policy->ipsets[i].hostnames[k]);
	make_resolved(&list, ret_resolved);
}

static int host_cmp(const void *name, const void *host)
{
	return strcmp(name, ((const struct resolved_name *)host)->name);
}

struct resolved_name *resolved_find(const struct resolved *resolved, const char *name)
{
	if (resolved->n == 0)
		return NULL;
	return bsearch(name, resolved->items, resolved->n, sizeof(*resolved->items), host_cmp);
}

/* Sorts addresses and drops those that are there twice; returns how many are left. */
static size_t sort_addrs(struct ipaddr *addrs, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(addrs, n, sizeof(*addrs), ipaddr_order);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || ipaddr_cmp(&addrs[kept - 1], &addrs[i]) != 0)
			addrs[kept++] = addrs[i];
	return kept;
}

/* The lowest addresses. */
static void choose_targets(struct resolved_name *host, const struct never *never)
{
	host->targets[FAMILY_IPV4] = host->targets[FAMILY_IPV6] = NULL;
	for (size_t i = host->n_addrs; i-- > 0;)
		if (!never || !never_reason(never, &host->addrs[i]))
			host->targets[host->addrs[i].family] = &host->addrs[i];
}

void resolved_set_never(struct resolved *resolved, const struct never *never)
{
	resolved->never = never;
	for (size_t i = 0; i < resolved->n; i++)
		choose_targets(&resolved->items[i], never);
}

void resolved_answer(struct resolved_name *host, const struct answer *answer)
{
	struct ipaddr *addrs = xcalloc(host->n_addrs + answer->n_addrs + 1, sizeof(*addrs));
	size_t n = 0;

	for (size_t i = 0; i < host->n_addrs; i++)
		if (host->addrs[i].family != answer->family)
			addrs[n++] = host->addrs[i];
	for (size_t i = 0; i < answer->n_addrs; i++)
		if (answer->addrs[i].family == answer->family &&
		    !ipaddr_is_unspecified(&answer->addrs[i]))
			addrs[n++] = answer->addrs[i];
	n = sort_addrs(addrs, n);
	free(host->addrs);
	host->addrs = addrs;
	host->n_addrs = n;
	choose_targets(host, NULL);
	host->states[answer->family] = answer->state;
	host->ttls_s[answer->family] = answer->ttl_s;
	free(host->errors[answer->family]);
	host->errors[answer->family] = NULL;
	if (answer->state == RESOLVED_FAILED)
		host->errors[answer->family] = xstrdup(answer->error ? answer->error : "no answer");
}

void answers_error(char *const errors[N_FAMILIES], struct buf *ret_text)
{
	const char *v4 = errors[FAMILY_IPV4], *v6 = errors[FAMILY_IPV6];

	buf_reset(ret_text);
	if (v4 && v6 && strcmp(v4, v6) == 0) {
		buf_puts(ret_text, v4);
		return;
	}
	if (v4)
		buf_printf(ret_text, "IPv4: %s", v4);
	if (v6)
		buf_printf(ret_text, "%sIPv6: %s", v4 ? "; " : "", v6);
}

void resolved_free(struct resolved *resolved)
{
	if (!resolved)
		return;
	for (size_t i = 0; i < resolved->n; i++) {
		free(resolved->items[i].name);
		free(resolved->items[i].addrs);
		for (int family = 0; family < N_FAMILIES; family++)
			free(resolved->items[i].errors[family]);
	}
	free(resolved->items);
	never_free(&resolved->own_never);
	*resolved = (struct resolved){ 0 };
}
