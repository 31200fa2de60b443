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

/* Returns how many bridges it has asked for; of the failures the first goes to ret_trouble. */
static size_t ask_all(const struct policy *policy, const struct links *links,
		      struct err *ret_trouble)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct link *link = find_learning(&policy->networks[i], links);

		if (!link)
			continue;
		link_learn_stop(link, ret_trouble->code ? NULL : ret_trouble);
		if (ret_trouble->code == ENODEV)
			err_free(ret_trouble); /* it has gone: nothing is at its ports */
		n++;
	}
	return n;
}

/* Counts those of the bridges that learnt before and do not now; returns the first that still learns, or NULL. A bridge that
 * has gone is neither. */
static const struct link *compare(const struct policy *policy, const struct links *before,
				  const struct links *after, size_t *ret_n)
{
	const struct link *learning = NULL;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct link *link = find_learning(&policy->networks[i], before);
		const struct link *now = link ? links_find(after, link->name) : NULL;

		if (!now || now->index != link->index)
			continue;
		*ret_n += !now->learns;
		if (now->learns && !learning)
			learning = now;
	}
	return learning;
}

/* Goes by the setting that the kernel holds afterwards, and not by its answers. */
static int read_back(const struct policy *policy, const struct links *before,
		     const struct err *trouble, size_t *ret_n, struct err *err)
{
	const struct link *learning;
	struct links after;
	int r = links_read(&after, err);

	if (r < 0)
		return r;
	learning = compare(policy, before, &after, ret_n);
	if (learning && trouble->code)
		r = err_set(err, trouble->code, "%s", trouble->text);
	else if (learning)
		r = err_set(err, EOPNOTSUPP,
			    "bridge %s: this kernel has no setting no_linklocal_learn, which is of "
			    "Linux 5.0",
			    learning->name);
	links_free(&after);
	return r;
}

int bridges_learn_stop(const struct policy *policy, size_t *ret_n, struct err *err)
{
	struct err trouble = { 0 };
	struct links before;
	int r = links_read(&before, err);

	*ret_n = 0;
	if (r < 0)
		return r;
	if (ask_all(policy, &before, &trouble) > 0)
		r = read_back(policy, &before, &trouble, ret_n, err);
	err_free(&trouble);
	links_free(&before);
	return r;
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
