/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/preflight.h"

#include <errno.h>

#include "dockside/system/link.h"
#include "dockside/system/log.h"
#include "dockside/system/save.h"

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
