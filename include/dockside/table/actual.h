/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table as the kernel actually holds it, as data. nft_read.c fills it in. Rules come back as
 * expressions, not text; each is kept as a hash of them.
 */
#ifndef DOCKSIDE_TABLE_ACTUAL_H
#define DOCKSIDE_TABLE_ACTUAL_H

#include "dockside/base/arena.h"
#include "dockside/table/plan.h"

struct actual_rule {
	uint64_t hash;		 /* of its expressions without counter values, and its user data */
	uint64_t packets, bytes; /* of its counter, if it has one */
};

struct actual_chain {
	const char *name;
	bool base;
	enum base_hook hook;	   /* BASE_NONE for a base chain that is none of ours */
	bool as_ours;		   /* base chain: type, priority and policy are those of hook */
	struct actual_rule *rules; /* in order */
	size_t n_rules;
	size_t cap_rules;
};

struct actual_set {
	struct plan_set set; /* elems sorted by key; type SET_UNKNOWN if it is none of ours */
	bool anonymous;
	bool map;
};

struct actual_object {
	enum object_kind kind;
	const char *name;
	bool as_ours;	  /* a limit: it is of our rate */
	uint64_t packets; /* a counter: so many */
};

struct actual_other {
	const char *word; /* nft's, "quota" */
	const char *name;
};

/* Zero-initialise; actual_free() when done. */
struct actual {
	struct arena arena;
	enum table_family family;
	uint32_t genid;		     /* generation of the ruleset that all of this was read at */
	bool exists;		     /* the table */
	bool dormant;		     /* the table's flag: nothing in it is evaluated */
	bool owned;		     /* by another process: nobody else may change it */
	struct actual_chain *chains; /* sorted by name */
	size_t n_chains;
	size_t cap_chains;
	struct actual_set *sets; /* sorted by name */
	size_t n_sets;
	size_t cap_sets;
	struct actual_object *objects; /* sorted by kind, then name */
	size_t n_objects;
	size_t cap_objects;
	struct actual_other *others; /* other objects and flowtables in the table: none of ours */
	size_t n_others;
	size_t cap_others;
};

struct actual_chain *actual_find_chain(const struct actual *actual, const char *name);
struct actual_set *actual_find_set(const struct actual *actual, const char *name);
struct actual_object *actual_find_object(const struct actual *actual, enum object_kind kind,
					 const char *name);
/*
 * Whether every name in the table is one that nft's grammar takes (doc/kernel.md, "Names that
 * nft takes"). Other programs can make others, by netlink messages of their own; none of them may reach a script.
 */
bool actual_names_safe(const struct actual *actual);
/* Sorts chains, sets, objects and elements once everything is in. */
void actual_finish(struct actual *actual);
void actual_free(struct actual *actual);

#endif
