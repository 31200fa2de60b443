/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out where external networks are, for commands that work without a daemon. */
#ifndef DOCKSIDE_CLI_APPLY_SITES_H
#define DOCKSIDE_CLI_APPLY_SITES_H

#include "apply_ask.h"
#include "dockside/base/err.h"
#include "dockside/enforce/placing.h"
#include "dockside/policy/model.h"

/*
 * Asks Docker where the policy's external networks are, if it has any, and places them; warns of a Docker that does not
 * answer, and then they are where they were last. Returns 0 or -errno.
 */
int find_sites(struct docker_talk *talk, struct placing *placing, struct policy *policy,
	       struct err *err);

/* Warns of external networks that have a policy and no rules, as their bridges are not known or not theirs. talk NULL:
 * Docker was not asked. what: "in force" or the like. */
void warn_of_unplaced(const struct policy *policy, const struct docker_talk *talk,
		      const char *what);

/* 0; or -EINVAL for a policy that cannot be compiled without Docker, with what to do. */
int check_sites_given(const struct policy *policy, struct err *err);

#endif
