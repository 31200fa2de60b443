/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes back what the DNS gate has told the kernel, where the gate itself cannot; and keeps in mind whether it had to. */
#ifndef DOCKSIDE_ENFORCE_TOLD_H
#define DOCKSIDE_ENFORCE_TOLD_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/names/gate_lost.h"
#include "dockside/system/state_dir.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

#define TOLD_FILE "gate-told" /* in the state directory */

/* Whether a set of that name has what a gate tells. */
bool told_is_set(const char *name);

/* Whether the table has any. */
bool told_has_sets(const struct actual *table);

/*
 * Empties, in one transaction, the sets of each ipset that has lost a name: nobody knows which of their addresses go with
 * it. All sets, where a range has left "private". held: the names whose addresses they may have; NULL: nobody knows, and
 * all sets are emptied. Returns 0, 1 if sets were emptied, whose ipsets are appended to ret_what ("the ipset web"), or
 * -errno.
 */
int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct gate_past *held,
		   const struct gate_past *now, struct buf *ret_what, struct err *err);

/* Whether somebody knows the names whose addresses the sets have. */
enum told_mark {
	TOLD_UNKNOWN,
	TOLD_APPLIED, /* no others than those, and no gate that `apply` knows of would tell more */
	TOLD_TAKEN,   /* no others than those, and the gate has taken the policy */
};

/* dir: NULL: nothing is kept. The mark that is there, if it is of the same names and of this start of the machine, and
 * if the directory can be written; else TOLD_UNKNOWN. Blocks on the disk. */
enum told_mark told_mark_read(struct state_dir *dir, const struct gate_past *names);
/* TOLD_UNKNOWN removes it, and has no names. Returns 0 or -errno: the failure was logged. Where dir is NULL or cannot be
 * opened, no mark is kept, and that is no error. Blocks on the disk. */
int told_mark_write(struct state_dir *dir, enum told_mark mark, const struct gate_past *names);

#endif
