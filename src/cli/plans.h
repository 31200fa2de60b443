/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plans of both tables, as commands make them without a daemon. */
#ifndef DOCKSIDE_CLI_PLANS_H
#define DOCKSIDE_CLI_PLANS_H

#include "dockside/kernel/nft_read.h"
#include "dockside/names/ports.h"
#include "dockside/policy/model.h"
#include "dockside/table/plan.h"

/* Zero-initialise; plans_free() when done. */
struct plans {
	struct plan inet, bind;
	struct plan *tables[N_TABLES]; /* these, by enum table_family */
	char *no_bridge; /* why the kernel cannot hold table bridge dockside; NULL: it can */
};

/* Borrows policy, resolved and ports. */
void plans_compile(struct plans *plans, const struct policy *policy,
		   const struct resolved *resolved, const struct ports *ports,
		   const struct plan_options *options);
/* The same for this kernel: where it has no bridge family, that table is left out. */
void plans_compile_for_kernel(struct plans *plans, const struct policy *policy,
			      const struct resolved *resolved, const struct ports *ports,
			      const struct plan_options *options);
/*
 * Asks the kernel, its table bridge dockside and Docker for the ports and who is on them; docker is the path of its
 * socket where a daemon is at work, and NULL where nobody will follow what happens to the ports. Returns 0 or -errno. *ret_ports: ports_free().
 */
int ports_for_kernel(struct nft_reader *reader, const struct policy *policy, const char *docker,
		     struct ports *ret_ports, struct err *err);
void plans_free(struct plans *plans);

#endif
