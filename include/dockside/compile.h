/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 3: policy to plan (SPEC §3). */
#ifndef DOCKSIDE_COMPILE_H
#define DOCKSIDE_COMPILE_H

#include "dockside/model.h"
#include "dockside/plan.h"

/*
 * Compiles a checked policy. Hostname-backed sets hold the addresses that hosts knows, as permanent
 * elements. The plan borrows both; free it with plan_free().
 */
void compile_policy(const struct policy *policy, const struct hosts *hosts, struct plan *ret_plan);

#endif
