/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks and repairs that come before a policy is read and enforced. */
#ifndef DOCKSIDE_ENFORCE_PREFLIGHT_H
#define DOCKSIDE_ENFORCE_PREFLIGHT_H

#include "dockside/base/err.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* The user whose packets tell addresses, unless the command line names another one. */
#define GATE_USER "dsfw-gate"

/* Repairs what an interrupted save has left, and logs it. The caller holds the lock and reads the files
 * afterwards. Returns 0 or -errno. */
int preflight_recover_files(const char *network_config, const char *firewall_config,
			    struct err *err);

/* Refuses a managed network whose interface name exists and is no bridge: its policy would be enforced on,
 * say, the uplink. Returns 0 or -errno. */
int preflight_bridges(const struct policy *policy, struct err *err);

/* Finds the user of the DNS gate, unless the options have it. Refuses a policy with a gate if there is none, or if it has
 * more lists of names than the gate can tell apart. Returns 0 or -errno. */
int preflight_gate(const struct policy *policy, struct plan_options *options, struct err *err);

#endif
