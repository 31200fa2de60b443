/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/source_routes.h"

#include "dockside/system/sysctl.h"

int source_routes_refuse(const struct policy *policy, size_t *ret_n, struct err *err)
{
	unsigned kinds;
	int r = sysctl_source_routes(&kinds, err), one;

	*ret_n = 0;
	if (r < 0 || kinds == 0)
		return r;
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network->placed || !network_has_policy(network))
			continue;
		one = sysctl_refuse_source_routes(network->bridge, kinds, ret_n,
						  r < 0 ? NULL : err);
		if (r >= 0)
			r = one;
	}
	return r;
}
