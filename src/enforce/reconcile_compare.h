/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The half of reconcile.h that compares, for the half that applies. */
#ifndef DOCKSIDE_ENFORCE_RECONCILE_COMPARE_H
#define DOCKSIDE_ENFORCE_RECONCILE_COMPARE_H

#include "dockside/enforce/reconcile.h"

/* An empty comparison, which borrows the plans. */
void reconcile_compare_begin(struct comparison *ret_comparison, struct plan *const plans[N_TABLES]);
/* Reads the actual tables. Returns 0 or -errno. */
int reconcile_compare_read(struct nft_reader *reader, struct comparison *comparison,
			   struct err *err);
/*
 * Compares the plans, whose chains have their hashes, with the actual tables that the comparison has already.
 * Returns 0 or -errno; an error frees the comparison.
 */
int reconcile_compare_actual(struct nft_reader *reader, struct nft_loader *loader,
			     unsigned stale_ttl_s, enum compare_depth depth,
			     struct comparison *comparison, struct err *err);

/* The tables have no changes; the shim may have some. */
bool reconcile_compare_tables_equal(const struct comparison *comparison);
/* Nobody has changed the ruleset since it was read. */
bool reconcile_compare_unchanged(struct nft_reader *reader, const struct comparison *comparison);
/*
 * After a refusal by the kernel that neither somebody else's change nor an error of ours explains: plans to make the
 * tables anew whose changes it refuses. False: there is none.
 */
bool reconcile_compare_anew(struct nft_reader *reader, struct nft_loader *loader,
			    struct comparison *comparison);

#endif
