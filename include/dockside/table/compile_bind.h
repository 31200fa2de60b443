/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy and ports to the plan of table bridge dockside. */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_H
#define DOCKSIDE_TABLE_COMPILE_BIND_H

#include "dockside/names/ports.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/*
 * Compiles what binds the ports of managed bridges to their containers. A policy whose networks all have `bind` "off"
 * makes a plan without chains, which stands for no table. Borrows both; free the plan with plan_free().
 */
void compile_bind(const struct policy *policy, const struct ports *ports,
		  const struct plan_options *options, struct plan *ret_plan);

#endif
