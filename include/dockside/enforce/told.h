/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes back what the DNS gate has told the kernel, where the gate itself cannot, and reads whose names' addresses the
 * kernel has. */
#ifndef DOCKSIDE_ENFORCE_TOLD_H
#define DOCKSIDE_ENFORCE_TOLD_H

#include <stdint.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/names/gate_lost.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* Whether a set of that name has what a gate tells. */
bool told_is_set(const char *name);

/* Whether the table has any. */
bool told_has_sets(const struct actual *table);

/* Whether a table says that its sets have addresses of other policies than those with these tags (gate_policy_tag()). */
bool told_has_others(const struct actual *table, const uint32_t *tags, size_t n);
/* Whether it says that they have addresses of these policies alone. False also where it says nothing. */
bool told_is_of(const struct actual *table, const uint32_t *tags, size_t n);

/*
 * Empties, in one transaction, the sets of each ipset that has lost a name: nobody knows which of their addresses go with
 * it. All sets, where a range has left "private". held: the names whose addresses they may have; NULL: nobody knows, and
 * all sets are emptied. Returns 0, 1 if sets were emptied, whose ipsets are appended to ret_what ("the ipset web"), or
 * -errno. If sets were emptied, the kernel has by then that they are of now; else told_note() says so.
 */
int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct gate_past *held,
		   const struct gate_past *now, struct buf *ret_what, struct err *err);

/* Has the kernel write down that the sets have addresses of that policy's names alone. Returns 0 or -errno: then they count
 * as of the policies that they were of. */
int told_note(struct nft_loader *loader, const struct plan *plan, const struct gate_past *now,
	      struct err *err);

#endif
