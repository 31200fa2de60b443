/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/bridges_learn.h"

#include <errno.h>

#include "dockside/system/link.h"
#include "dockside/system/link_learn.h"

/* The network's bridge, if that learns what it must not; or NULL. */
static const struct link *find_learning(const struct network *network, const struct links *links)
{
	const struct link *link =
		network_bound(network) ? links_find(links, network->bridge) : NULL;

	return link && link->learns ? link : NULL;
}

int bridges_learn_stop(const struct policy *policy, size_t *ret_n, struct err *err)
{
	struct links links;
	int result = 0, r = links_read(&links, err);

	*ret_n = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct link *link = find_learning(&policy->networks[i], &links);

		if (!link)
			continue;
		r = link_learn_stop(link, result < 0 ? NULL : err);
		*ret_n += r == 0;
		if (r == -ENODEV && result == 0)
			err_free(err); /* it has gone: nothing is at its ports */
		else if (r < 0 && result == 0)
			result = r;
	}
	links_free(&links);
	return result;
}

int bridges_learn_check(const struct policy *policy, struct err *err)
{
	struct links links;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < policy->n_networks; i++) {
		const struct link *link = find_learning(&policy->networks[i], &links);

		if (link)
			r = err_set(err, EINVAL, "bridge %s: no_linklocal_learn is 0, not 1",
				    link->name);
	}
	links_free(&links);
	return r;
}
