/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks that are draining, for apply and diff. */
#ifndef DOCKSIDE_CLI_APPLY_DRAIN_H
#define DOCKSIDE_CLI_APPLY_DRAIN_H

#include "apply_ask.h"
#include "dockside/base/err.h"
#include "dockside/cli/options.h"
#include "dockside/enforce/drain.h"
#include "dockside/enforce/placing.h"
#include "dockside/policy/model.h"
#include "dockside/system/last_good.h"

/* The content of the state directory, from earlier runs. */
struct kept {
	struct last_good state;
	struct drain drain;
	struct placing placing;
	char *network_path, *firewall_path; /* absolute */
};

/* Returns 0; or -errno if the directory cannot be used, and then nobody knows what it has. The caller calls
 * kept_close() in either case. */
int kept_open(struct kept *ret_kept, const struct files_options *files, const char *directory,
	      bool read_only, struct err *err);
void kept_close(struct kept *kept);

/*
 * Merges into the policy the networks that the kernel or the drain has, that are no longer configured, and
 * to which Docker says that containers are attached, or does not say; logs each. Returns 0 or -errno.
 */
int find_draining(struct docker_talk *talk, struct drain *drain, struct policy *policy,
		  struct err *err);

#endif
