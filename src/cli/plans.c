/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plans.h"

#include <stdlib.h>

#include "dockside/enforce/ports_ask.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/table/compile.h"
#include "dockside/table/compile_bind.h"
#include "dockside/table/port_seeds.h"

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

int ports_for_kernel(struct nft_reader *reader, const struct policy *policy, const char *docker,
		     struct ports *ret_ports, struct err *err)
{
	struct actual bridge_table = { 0 };
	struct port_seeds seeds;
	int r = nft_read_table(reader, TABLE_BRIDGE, &bridge_table, err);

	if (r < 0)
		return r;
	port_seeds_of(&bridge_table, &seeds);
	actual_free(&bridge_table);
	r = ports_ask(policy, docker, PORTS_ASK_MS, &seeds, ret_ports, err);
	port_seeds_free(&seeds);
	ret_ports->followed = docker != NULL;
	return r;
}

void plans_free(struct plans *plans)
{
	plan_free(&plans->inet);
	plan_free(&plans->bind);
	free(plans->no_bridge);
	*plans = (struct plans){ 0 };
}
