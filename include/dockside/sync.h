/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layer 7: makes the kernel hold what a plan says: read, compare, load the difference, record what
 * was loaded.
 */
#ifndef DOCKSIDE_SYNC_H
#define DOCKSIDE_SYNC_H

#include "dockside/diff.h"
#include "dockside/nft_load.h"
#include "dockside/nft_read.h"

/* The rules of a chain that is rewritten, as libnftnl prints their expressions. */
struct chain_texts {
	struct rule_texts want;
	struct rule_texts have;
};

/* What the kernel holds against a plan. Borrows the plan; sync_comparison_free() when done. */
struct comparison {
	struct kernel kernel;
	struct changes changes;
	struct chain_texts *texts; /* by index of changes.chains; of CHANGE_REWRITE only */
	struct kernel nothing;	   /* what the changes are relative to where the table goes first */
};

enum compare_depth {
	COMPARE_CHAINS,
	COMPARE_RULES, /* texts for all rewritten chains */
};

/*
 * Reads the table and compares. Chains whose fingerprint is missing or wrong are compared rule by rule with what libnftables makes
 * of our rules, so that a table that `nft -f` loaded is recognised. Returns 0 or -errno.
 */
int sync_compare(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
		 unsigned stale_ttl_s, enum compare_depth depth, struct comparison *ret_comparison,
		 struct err *err);
void sync_comparison_free(struct comparison *comparison);

struct sync_result {
	bool changed;  /* anything but fingerprints was written */
	bool recorded; /* fingerprints were */
	size_t n_chains, n_sets, n_elems;
};

/*
 * Makes the kernel hold the plan, in one transaction; a second one records the fingerprints. Writes nothing
 * where nothing differs. Returns 0 or -errno; after an error the kernel holds what it held.
 */
int sync_apply(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
	       unsigned stale_ttl_s, struct sync_result *ret_result, struct err *err);

#endif
