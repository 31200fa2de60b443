/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply_sites.h"

#include <errno.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/docker/docker_sites.h"
#include "dockside/system/log.h"

int find_sites(struct docker_talk *talk, struct placing *placing, struct policy *policy,
	       struct err *err)
{
	int r;

	if (!sites_wanted(policy, NULL))
		return 0;
	r = docker_talk_list(talk, err);
	if (r >= 0 && talk->listed)
		docker_sites_take(&talk->networks, policy, &placing->sites);
	else if (r >= 0)
		log_warning("%s; external networks are taken to be where they were last",
			    talk->error.text);
	sites_apply(&placing->sites, policy);
	return r;
}

static bool is_unplaced(const struct network *network)
{
	return network->external && !network->placed && network_has_policy(network);
}

/* The caller frees it. networks: what Docker has; or NULL. */
static char *why_unplaced(const struct network *network, const struct docker_networks *networks)
{
	size_t n = networks ? docker_count_named(networks, network->name) : 0;
	const char *driver = n == 1 ? docker_find_network(networks, network->name)->driver : "";

	if (network->site_trouble)
		return xstrdup(network->site_trouble);
	if (networks && n == 0)
		return xstrdup("Docker does not have it");
	if (driver[0] && strcmp(driver, "bridge") != 0)
		return xasprintf("its driver is %s in Docker, bridge in the configuration", driver);
	if (n > 1)
		return xasprintf("Docker has %zu networks of that name", n);
	return xstrdup("only Docker knows its bridge, and has not said (\"bridge\" in "
		       "network-config gives it)");
}

void warn_of_unplaced(const struct policy *policy, const struct docker_talk *talk, const char *what)
{
	const struct docker_networks *networks = talk && talk->listed ? &talk->networks : NULL;

	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++) {
		const struct network *network = &policy->networks[i];
		cleanup(cleanup_free) char *why = NULL;

		if (!is_unplaced(network))
			continue;
		why = why_unplaced(network, networks);
		log_warning("network %s: its rules are not %s: %s", network->name, what, why);
	}
}

int check_sites_given(const struct policy *policy, struct err *err)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network->external || !network_has_policy(network) ||
		    (network->placed && network->has_subnet))
			continue;
		return err_set(err, EINVAL,
			       "network %s is external, and this command does not ask Docker where "
			       "it is: give %s in network-config, as \"docker network inspect %s\" "
			       "has %s",
			       network->name,
			       network->placed	     ? "\"subnet\""
			       : network->has_subnet ? "\"bridge\""
						     : "\"bridge\" and \"subnet\"",
			       network->name,
			       network->placed || network->has_subnet ? "it" : "them");
	}
	return 0;
}
