/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/preflight.h"

#include <errno.h>

#include "dockside/names/gate_lists.h"
#include "dockside/system/link.h"
#include "dockside/system/log.h"
#include "dockside/system/save.h"
#include "dockside/system/user.h"

int preflight_recover_files(const char *network_config, const char *firewall_config,
			    struct err *err)
{
	enum save_recovery recovery;
	int r = save_recover(network_config, firewall_config, NULL, &recovery, err);

	if (r >= 0 && recovery == SAVE_FINISHED)
		log_warning("finished a save of the configuration that was interrupted");
	else if (r >= 0 && recovery == SAVE_UNDONE)
		log_warning("undid a save of the configuration that was interrupted");
	return r;
}

int preflight_bridges(const struct policy *policy, struct err *err)
{
	struct links links;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (network_managed(network) && !network->draining &&
		    links_kind(&links, network->bridge) == LINK_OTHER)
			r = err_set(err, EEXIST,
				    "network %s: interface %s exists and is not a bridge; its "
				    "policy would be enforced on that interface: rename the "
				    "network",
				    network->name, network->bridge);
	}
	links_free(&links);
	return r;
}

static const struct network *first_gated(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated)
			return &policy->networks[i];
	return NULL;
}

static int check_lists(const struct policy *policy, struct err *err)
{
	struct gate_lists lists;
	bool too_many;

	gate_lists_collect(policy, &lists);
	too_many = lists.too_many;
	gate_lists_free(&lists);
	return too_many ? err_set(err, E2BIG,
				  "rules of networks with a DNS gate have more than %d hostnames, "
				  "wildcards and ipsets: put hostnames together into ipsets",
				  GATE_SLOTS)
			: 0;
}

int preflight_gate(const struct policy *policy, struct plan_options *options, struct err *err)
{
	const struct network *network = first_gated(policy);

	/* A network that is draining may have a gate even if this one has none. */
	if (!options->has_gate_uid)
		options->has_gate_uid = user_find(GATE_USER, &options->gate_uid, NULL) >= 0 &&
					options->gate_uid != 0;
	if (!network)
		return 0;
	if (!options->has_gate_uid)
		return err_set(
			err, ENOENT,
			"network %s has a DNS gate, which runs as a user of its own, and there "
			"is no user " GATE_USER ": \"adduser --system --group " GATE_USER
			"\" makes one, or --gate-user names another",
			network->name);
	return check_lists(policy, err);
}
