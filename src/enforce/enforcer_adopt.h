/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_ENFORCE_ENFORCER_ADOPT_H
#define DOCKSIDE_ENFORCE_ENFORCER_ADOPT_H

#include "dockside/names/names.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* Gives names the addresses that the kernel's table holds for them, with the time that these have left. */
void enforcer_adopt_addresses(struct names *names, const struct plan *plan,
			      const struct actual *actual, uint64_t now_ms);

#endif
