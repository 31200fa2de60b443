/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the kernel hold the tables of two plans, one of each family: reads, compares, loads the difference
 * of both in one transaction, and records the loaded chains.
 */
#ifndef DOCKSIDE_ENFORCE_RECONCILE_H
#define DOCKSIDE_ENFORCE_RECONCILE_H

#include "dockside/base/err.h"
#include "dockside/enforce/reconcile_shim.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/kernel/nft_sets.h"
#include "dockside/table/diff.h"

/* The rules of a chain that is rewritten, as libnftnl prints their expressions. */
struct chain_texts {
	struct rule_texts want;
	struct rule_texts have;
};

/* The difference between a table of the kernel and its plan. */
struct table_comparison {
	struct plan *plan; /* borrowed */
	struct actual actual;
	struct changes changes;
	struct chain_texts *texts; /* by index of changes.chains; of CHANGE_REWRITE only */
	struct actual nothing;	   /* what the changes are relative to where the table goes first */
	size_t n_chains, n_sets;   /* that it had */
};

/* The difference between the kernel and two plans. Borrows the plans; reconcile_comparison_free() when done. */
struct comparison {
	struct table_comparison tables[N_TABLES]; /* by enum table_family */
	struct reconcile_shim_comparison shim;	  /* what we have in Docker's tables */
	bool assumed; /* the kernel was not read for this: somebody knew */
};

enum compare_depth {
	COMPARE_CHAINS,
	COMPARE_RULES, /* texts for all rewritten chains */
};

/*
 * Reads both tables and compares them with the plans, by enum table_family. Chains whose fingerprint is missing or wrong are compared rule by rule with what libnftables makes
 * of our rules, so that a table that `nft -f` loaded is recognised. Returns 0 or -errno.
 */
int reconcile_compare(struct nft_reader *reader, struct nft_loader *loader,
		      struct plan *const plans[N_TABLES], unsigned stale_ttl_s,
		      enum compare_depth depth, struct comparison *ret_comparison, struct err *err);
void reconcile_comparison_free(struct comparison *comparison);
/* Nothing differs. */
bool reconcile_comparison_empty(const struct comparison *comparison);
/* Adds to the script all that is to change, the shim included. */
void reconcile_script(const struct comparison *comparison, struct script *script);

struct reconcile_result {
	bool changed;  /* anything but fingerprints was written */
	bool recorded; /* fingerprints were */
	size_t n_chains, n_sets, n_elems, n_objects;
	bool shim; /* the shim was put right */
	bool gates; /* networks' DNS may go to the gate, or elsewhere, that did not before: dns_ends.h */
	bool took_over; /* from the iptables version: its ipsets are to go, too */
};

/* Borrowed. */
struct reconcile_sockets {
	struct nft_reader *reader;
	struct nft_loader *loader;
	struct nft_sets *sets;
};

/*
 * Makes the kernel hold the plans, in one transaction; a second one records the fingerprints. Writes nothing
 * if nothing differs. The caller gives the kernel's tables at the generation known->genid in known;
 * with genid 0 this function reads them. Afterwards known has the kernel's tables of now; they are empty
 * after an error, and if somebody else's transaction came in between. actual_free() when done.
 * Returns 0 or -errno; an error leaves the kernel's tables as they were.
 */
int reconcile_apply(const struct reconcile_sockets *sockets, struct plan *const plans[N_TABLES],
		    unsigned stale_ttl_s, struct actual known[N_TABLES],
		    struct reconcile_result *ret_result, struct err *err);

#endif
