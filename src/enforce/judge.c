/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/judge.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/system/link.h"
#include "dockside/system/link_addrs.h"

/* The kernel's interfaces and addresses; links NULL: it could not be asked. */
struct place {
	const struct links *links;
	const struct link_addrs *addrs;
};

static enum judge_link link_of(const struct links *links, const char *bridge,
			       const char **ret_master)
{
	const struct link *link = links ? links_find(links, bridge) : NULL;

	if (!links)
		return JUDGE_LINK_UNKNOWN;
	if (!link)
		return JUDGE_LINK_MISSING;
	if (!link->bridge)
		return JUDGE_LINK_OTHER;
	if (link->master == 0)
		return JUDGE_LINK_BRIDGE;
	*ret_master = links_name(links, link->master);
	return JUDGE_LINK_ENSLAVED;
}

/* The bridge that has the address, unless the one that is meant has it. */
static const char *other_bridge_of(const struct place *place, const struct ipaddr *addr,
				   const char *bridge)
{
	const char *found = NULL;

	for (size_t i = 0; i < place->addrs->n; i++) {
		const struct link_addr *item = &place->addrs->items[i];

		if (ipaddr_cmp(&item->addr, addr) != 0)
			continue;
		if (strcmp(item->name, bridge) == 0)
			return NULL;
		if (links_kind(place->links, item->name) == LINK_BRIDGE)
			found = item->name;
	}
	return found;
}

static const char *gateway_elsewhere(const struct place *place, const struct docker_wanted *wanted,
				     const struct docker_networks *docker)
{
	const struct docker_network *network =
		docker ? docker_find_network(docker, wanted->name) : NULL;
	const char *found = NULL;

	for (size_t i = 0; place->links && network && !found && i < network->n_subnets; i++)
		found = other_bridge_of(place, &network->subnets[i].gateway, wanted->bridge);
	return found;
}

void judge_networks(const struct docker_wanted_list *list, const struct judge_docker *docker,
		    struct judge_result *ret)
{
	struct links links = { 0 };
	struct link_addrs addrs = { 0 };
	bool asked = links_read(&links, NULL) >= 0 && link_addrs_read(&addrs, NULL) >= 0;
	struct place place = { asked ? &links : NULL, &addrs };

	*ret = (struct judge_result){ xcalloc(list->n + 1, sizeof(*ret->items)), list->n, 0 };
	for (size_t i = 0; i < list->n; i++) {
		struct judge_facts facts = {
			.wanted = &list->items[i],
			.docker = docker->networks,
			.docker_failed = docker->failed,
			.legs = docker->legs,
			.rules = JUDGE_RULES_THERE,
		};

		facts.link = link_of(place.links, facts.wanted->bridge, &facts.master);
		facts.gateway_on = gateway_elsewhere(&place, facts.wanted, facts.docker);
		judge_network(&facts, &ret->items[i]);
		ret->n_not += ret->items[i].state == JUDGED_NOT;
	}
	links_free(&links);
	link_addrs_free(&addrs);
}

void judge_result_free(struct judge_result *result)
{
	for (size_t i = 0; i < result->n; i++)
		judged_free(&result->items[i]);
	free(result->items);
	*result = (struct judge_result){ 0 };
}
