/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_ENFORCE_ENFORCER_ADOPT_H
#define DOCKSIDE_ENFORCE_ENFORCER_ADOPT_H

#include "dockside/base/err.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/names/names.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* Gives names the addresses that the kernel's table holds for them, with the time that these have left. */
void enforcer_adopt_addresses(struct names *names, const struct plan *plan,
			      const struct actual *actual, uint64_t now_ms);

/* Before the first policy: reads the kernel's table, and notes which of its networks are draining. Returns 0 or -errno;
 * actual_free() when done. */
int enforcer_adopt_table(struct enforcer *enforcer, const struct policy *policy,
			 struct actual *ret_actual, struct err *err);

#endif
