/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_sites.h"

#include <string.h>

bool docker_sites_take_one(const struct docker_network *network, struct sites *sites)
{
	struct site site = { .name = network->name, .bridge = network->bridge };

	if (strcmp(network->driver, "bridge") != 0 || !network->bridge[0])
		return false;
	for (size_t i = 0; i < network->n_subnets; i++) {
		const struct docker_subnet *subnet = &network->subnets[i];

		if (subnet->prefix.addr.family == FAMILY_IPV4 && !site.has_subnet) {
			site.has_subnet = true;
			site.subnet = subnet->prefix;
			site.gateway = subnet->gateway;
		} else if (subnet->prefix.addr.family == FAMILY_IPV6 && !site.has_subnet6) {
			site.has_subnet6 = true;
			site.subnet6 = subnet->prefix;
			site.gateway6 = subnet->gateway;
		}
	}
	return sites_put(sites, &site);
}

bool docker_sites_take(const struct docker_networks *networks, const struct policy *policy,
		       struct sites *sites)
{
	bool changed = false;

	for (size_t i = 0; i < networks->n; i++) {
		const struct docker_network *network = &networks->items[i];

		changed |= sites_vacate(sites, network->bridge, network->name, policy);
		if (docker_count_named(networks, network->name) == 1 &&
		    docker_sites_take_one(network, sites))
			changed |= sites_wanted(policy, network->name);
	}
	for (size_t i = sites->n; i-- > 0;)
		if (!docker_find_network(networks, sites->items[i].name) &&
		    !sites_wanted(policy, sites->items[i].name))
			sites_forget(sites, sites->items[i].name);
	return changed;
}
