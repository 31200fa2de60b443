/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives the policy to the DNS gate, where no daemon does. A gate whose daemon has gone goes on with the policy that it has,
 * and tells the kernel addresses of names that have left; but it tries again and again to connect to the daemon's socket.
 * So we listen there for a moment.
 */
#ifndef DOCKSIDE_CLI_APPLY_GATE_H
#define DOCKSIDE_CLI_APPLY_GATE_H

#include "dockside/base/err.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

struct apply_gate;

/* Whether a gate may be there: a process of its user has the port that it tells the kernel from, and that it opens itself,
 * whoever holds the ports where questions arrive. */
bool apply_gate_may_live(const struct plan_options *options);

/* Waits for the gate and gives it the policy; once it has taken that, returns 0 and a connection to it, or -errno. Borrows
 * path. apply_gate_close(NULL) is valid. */
int apply_gate_open(const char *path, const struct policy *policy,
		    const struct plan_options *options, struct apply_gate **ret_gate,
		    struct err *err);
void apply_gate_close(struct apply_gate *gate);

/* Whether the kernel did not take back all that the gate had told for names that have left. */
bool apply_gate_missed(const struct apply_gate *gate);

/* Has the gate tell the kernel again what it knows; returns 0 once it has, or -errno. */
int apply_gate_retell(struct apply_gate *gate, struct err *err);

#endif
