/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shim in Docker's tables, compared and put right. */
#ifndef DOCKSIDE_ENFORCE_RECONCILE_SHIM_H
#define DOCKSIDE_ENFORCE_RECONCILE_SHIM_H

#include "dockside/base/err.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/kernel/nft_read_shim.h"

/* Borrows nothing; reconcile_shim_comparison_free() when done. */
struct reconcile_shim_comparison {
	struct shim_kernel actual;
	struct shim_changes changes;
};

/* Reads the tables and compares. was_accept as in shim_diff(). Returns 0 or -errno. */
int reconcile_shim_compare(struct nft_reader *reader, const struct plan *plan, unsigned was_accept,
			   struct reconcile_shim_comparison *ret_comparison, struct err *err);
void reconcile_shim_comparison_free(struct reconcile_shim_comparison *comparison);
bool reconcile_shim_comparison_empty(const struct reconcile_shim_comparison *comparison);

/* Changes the FORWARD policies as needed, once the operations are loaded; logs that one is DROP now.
 * Returns 0 or -errno. */
int reconcile_shim_set_forward(struct nft_reader *reader, const struct shim_changes *changes,
			       struct err *err);
/* The FORWARD policies that are or will have been changed: bits 1 << table. */
unsigned reconcile_shim_forward_bits(const struct shim_changes *changes);

/*
 * Puts the shim right in a transaction of its own, where the table is known to be as it must be.
 * *ret_changed: it was not. Returns 0 or -errno.
 */
int reconcile_shim_repair(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
			  bool *ret_changed, struct err *err);

#endif
