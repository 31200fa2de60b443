/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plans.h"

#include <stdlib.h>

#include "dockside/kernel/nft_load.h"
#include "dockside/table/compile.h"
#include "dockside/table/compile_bind.h"

void plans_compile(struct plans *plans, const struct policy *policy,
		   const struct resolved *resolved, const struct ports *ports,
		   const struct plan_options *options)
{
	compile_policy(policy, resolved, options, &plans->inet);
	plans->bind = (struct plan){ .family = TABLE_BRIDGE, .options = *options };
	if (!plans->no_bridge)
		compile_bind(policy, ports, options, &plans->bind);
	plans->bind.ports_unknown = !ports->asked;
	plans->tables[TABLE_INET] = &plans->inet;
	plans->tables[TABLE_BRIDGE] = &plans->bind;
}

void plans_compile_for_kernel(struct plans *plans, const struct policy *policy,
			      const struct resolved *resolved, const struct ports *ports,
			      const struct plan_options *options)
{
	plans->no_bridge = nft_probe_bridge();
	plans_compile(plans, policy, resolved, ports, options);
}

void plans_free(struct plans *plans)
{
	plan_free(&plans->inet);
	plan_free(&plans->bind);
	free(plans->no_bridge);
	*plans = (struct plans){ 0 };
}
