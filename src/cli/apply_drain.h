/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_APPLY_DRAIN_H
#define DOCKSIDE_CLI_APPLY_DRAIN_H

#include "dockside/base/err.h"
#include "dockside/policy/model.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/*
 * Puts into the plan's draining networks those that the kernel holds, that are no longer configured, and
 * to which Docker says that containers are attached, or does not say; logs each. socket is the path of
 * Docker's. Returns 0 or -errno.
 */
int find_draining(const char *socket, const struct policy *policy, const struct actual *actual,
		  struct plan *plan, struct err *err);

#endif
