/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy to plan. */
#ifndef DOCKSIDE_TABLE_COMPILE_H
#define DOCKSIDE_TABLE_COMPILE_H

#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/*
 * Compiles a checked policy. Hostname-backed sets hold the addresses that hosts knows, as permanent
 * elements. The plan borrows both; free it with plan_free().
 */
void compile_policy(const struct policy *policy, const struct resolved *resolved,
		    const struct plan_options *options, struct plan *ret_plan);

/* Hashes the host's addresses in managed networks' subnets that are no gateways: no packet of a container comes from
 * these. Another hash means other rules. never may be NULL. */
uint64_t compile_own_hash(const struct policy *policy, const struct never *never);

/* Makes a set's elements again of its literals and the present addresses of its hostnames;
 * timeout_s as in struct resolved. */
void compile_host_elems(struct plan *plan, struct plan_set *set, unsigned timeout_s);

/* The same for an element of a NAT map whose target is a name. */
void compile_nat_target(struct elem *elem, enum set_type type);

#endif
