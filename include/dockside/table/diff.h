/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plan × what the kernel holds → the smallest set of changes. Pure.
 *
 * Chains are compared by fingerprint. After a load the kernel's rules are read back, and for each
 * chain two numbers, one of the rules as we meant them and one of the expressions as the kernel holds
 * them, are kept as comment in the set `fingerprint`. As long as neither changes, they come out the
 * same; if only the first does, the kernel holds what we once loaded and now mean to replace.
 * Everything else (base chains, sets, elements) is compared as it is.
 */
#ifndef DOCKSIDE_TABLE_DIFF_H
#define DOCKSIDE_TABLE_DIFF_H

#include "dockside/base/arena.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

enum change_kind {
	CHANGE_NONE, /* of a set: only its elements change */
	CHANGE_ADD,
	CHANGE_REWRITE, /* of a chain: flushed and filled in place */
	CHANGE_REPLACE, /* deleted and made anew: the wrong hook, type or flags */
	CHANGE_DELETE,
};

struct chain_change {
	enum change_kind kind;
	const char *name;
	const struct plan_chain *want;	 /* NULL for CHANGE_DELETE */
	const struct actual_chain *have; /* NULL for CHANGE_ADD */
	bool certain; /* CHANGE_REWRITE: no need to look whether the rules really differ */
};

enum elem_change_kind {
	ELEM_ADD,
	ELEM_DELETE,
	ELEM_RENEW, /* is there, with another timeout, comment or data */
};

struct elem_change {
	enum elem_change_kind kind;
	struct elem elem; /* as it is to be, or as it is when it goes */
};

struct set_change {
	enum change_kind kind;
	const char *name;
	const struct plan_set *want;   /* NULL for CHANGE_DELETE */
	const struct actual_set *have; /* NULL for CHANGE_ADD */
	struct elem_change *elems;     /* CHANGE_NONE only */
	size_t n_elems;
	size_t cap_elems;
};

struct object_change {
	enum change_kind kind; /* CHANGE_REPLACE: a limit of another rate */
	enum object_kind object;
	const char *name;
	const struct plan_object *want; /* NULL for CHANGE_DELETE */
};

/* Borrows plan and kernel. Chains and sets are sorted by name, objects by kind before. */
struct changes {
	struct arena arena; /* comments that are neither the plan's nor the kernel's */
	const struct plan *plan;
	const struct actual *actual;
	bool table; /* it is missing or dormant */
	bool anew;  /* the table goes first: kernel is one without it */
	bool gone;  /* the table goes, and stays away: the plan has no chains */
	struct chain_change *chains;
	size_t n_chains;
	size_t cap_chains;
	struct set_change *sets;
	size_t n_sets;
	size_t cap_sets;
	struct object_change *objects;
	size_t n_objects;
	size_t cap_objects;
};

/*
 * Compares with the actual table of the plan's family. A plan without chains stands for no table. plan's chains have their hash filled in (nft_text_hash()). stale_ttl_s: seconds that an address
 * stays once DNS has stopped returning it. The set `fingerprint` itself is compared only as
 * far as its declaration goes.
 */
void diff_plan(const struct plan *plan, const struct actual *actual, unsigned stale_ttl_s,
	       struct changes *ret_changes);

/* The part of diff_plan() that is about objects. */
void diff_objects(struct changes *changes);

/* Fills the set `fingerprint` of a plan that has chains from what the kernel holds, and compares that set alone. The
 * elements' comments live in the plan's arena. */
void diff_fingerprints(struct plan *plan, const struct actual *actual, struct changes *ret_changes);

/* The FORWARD policies that were ACCEPT before us, by the record in the kernel's `fingerprint`: bits
 * 1 << enum shim_table. */
unsigned diff_forward_was_accept(const struct actual *actual);

/*
 * Once the kernel has a NAT base chain of ours, it is to stay until teardown, even if no network has nat rules
 * any more. Without any NAT chain of a family the kernel does not translate its open connections
 * either: their packets go to the destination from which we redirected them, and pass unjudged, as
 * they belong to a known connection. (Docker has a chain for IPv4, but not always for IPv6.)
 * Returns whether it added ours to the plan; the caller then hashes the plan again. To be called
 * before diff_plan().
 */
bool diff_keep_nat(struct plan *plan, const struct actual *actual);

/*
 * Whether two plans of a table, whose chains have their hashes, differ in no more than single elements of sets and
 * maps: ret_changes lists them then, set by set, a deletion before an addition of the same key. It borrows both.
 * The set `fingerprint` does not count.
 */
bool diff_elements_only(const struct plan *before, const struct plan *after,
			struct changes *ret_changes);

/* Find the change of a chain, set or object by its name; NULL: nothing happens to it. */
struct chain_change *changes_find_chain(const struct changes *changes, const char *name);
struct set_change *changes_find_set(const struct changes *changes, const char *name);
const struct object_change *changes_find_object(const struct changes *changes,
						const struct plan_object *object);
/* Whether a set or an object is made anew, so that the chains that use it are rewritten whatever they hold. */
bool changes_replace(const struct changes *changes);
bool changes_empty(const struct changes *changes);
void changes_free(struct changes *changes);

#endif
