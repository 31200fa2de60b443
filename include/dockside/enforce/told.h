/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes back what the DNS gate has told the kernel, where the gate itself cannot. */
#ifndef DOCKSIDE_ENFORCE_TOLD_H
#define DOCKSIDE_ENFORCE_TOLD_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/names/gate_lost.h"
#include "dockside/table/plan.h"

/*
 * Empties, in one transaction, the sets of each ipset that has lost a name: nobody knows which of their addresses go with
 * it. held: the names whose addresses they may have; NULL: nobody knows, and all are emptied. Returns how many ipsets
 * they were, which ret_ipsets lists, or -errno.
 */
int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct gate_past *held,
		   const struct gate_past *now, struct buf *ret_ipsets, struct err *err);

#endif
