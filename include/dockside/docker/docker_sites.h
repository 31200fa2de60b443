/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's word on where the networks are that others make. */
#ifndef DOCKSIDE_DOCKER_DOCKER_SITES_H
#define DOCKSIDE_DOCKER_DOCKER_SITES_H

#include "dockside/docker/docker_parse.h"
#include "dockside/policy/sites.h"

/*
 * Notes where networks are by Docker's complete list: all of them, as another policy may have them. An external network
 * of the policy's files that is not there, or of whose name there are several, stays where it was last, unless Docker has
 * another network on that bridge. Returns whether anything has changed for that policy.
 */
bool docker_sites_take(const struct docker_networks *networks, const struct policy *policy,
		       struct sites *sites);

/* The same for one network, which Docker has made a moment ago. */
bool docker_sites_take_one(const struct docker_network *network, struct sites *sites);

#endif
