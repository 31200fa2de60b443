/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has a name that has left the policy closed where no daemon runs: the DNS gate takes the policy, and what the kernel was
 * told for the name goes. */
#ifndef DOCKSIDE_CLI_APPLY_TOLD_H
#define DOCKSIDE_CLI_APPLY_TOLD_H

#include "dockside/enforce/drain.h"
#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/table/plan.h"
#include "json_report.h"

/* The state of the kernel before the rules are loaded, which may make anew the set of tags and not the others. The record is
 * to be freed. */
struct apply_told_before {
	bool untagged; /* sets of an older version, which do not say whose addresses they have */
	struct told_record record;
};

struct apply_told_before apply_told_look(struct nft_reader *reader, const struct policy *policy);

struct apply_told {
	struct nft_reader *reader;
	struct nft_loader *loader;
	const struct plan *plan;     /* which the kernel holds by now */
	const struct policy *policy; /* that was compiled to it */
	const struct drain *kept;    /* what was accepted last */
	const char *gate_socket;     /* where the gate asks for its policy */
	const struct apply_told_before *before;
};

/* Returns 0, having logged and printed what it did; *open is set if addresses of names that have left may be opened
 * again, as a gate may go on with an older policy; or -errno if they may be, as the kernel did not take it. */
int apply_told(const struct apply_told *told, struct report *report, struct err *open,
	       struct err *err);

#endif
