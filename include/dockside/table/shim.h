/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our rules in the tables of iptables-nft, beside Docker's own rules, and the rules that the
 * iptables version left there: actual rules × wanted rules → operations. Pure.
 *
 * The shim is one jump, first in DOCKER-USER, to DOCKSIDE-DISPATCH. That chain lets packets with
 * the mark of `table inet dockside` pass, and drops all others that come from a managed bridge.
 * Without DOCKER-USER there is no shim: Docker makes that chain itself, and up to version 27 leaves
 * out its own jump to it where it finds one made (doc/kernel.md, "Docker's own rules").
 */
#ifndef DOCKSIDE_TABLE_SHIM_H
#define DOCKSIDE_TABLE_SHIM_H

#include "dockside/base/arena.h"
#include "dockside/table/plan.h"

#define SHIM_CHAIN "DOCKSIDE-DISPATCH"
#define SHIM_USER_CHAIN "DOCKER-USER"
#define SHIM_PREFIX "DOCKSIDE-" /* of every chain of the iptables version, and of ours */
/* Comment of the rule that goes with a FORWARD policy that we changed, by which it is known. */
#define SHIM_FORWARD_COMMENT "dsfw-nft: the FORWARD policy was ACCEPT"
/* An empty chain of this name beside FORWARD says the same where there is no chain for that rule.
 * It lives as long as the policy does. */
#define SHIM_FORWARD_CHAIN "DSFW-FORWARD-WAS-ACCEPT"

enum shim_table {
	SHIM_FILTER4, /* ip filter */
	SHIM_FILTER6, /* ip6 filter */
	SHIM_NAT4,    /* ip nat */
};
#define N_SHIM_TABLES 3
#define N_SHIM_FILTERS 2 /* the first ones, which have a FORWARD chain */

/* "ip filter" */
const char *shim_table_name(enum shim_table table);

enum shim_verdict {
	SHIM_NOTHING, /* it has none, or one of others than these */
	SHIM_ACCEPT,
	SHIM_DROP,
	SHIM_RETURN,
	SHIM_JUMP, /* to target; goto too */
};

/* A rule of the kernel as far as it could be one of ours. */
struct shim_rule {
	uint64_t handle;
	const char *iifname; /* or NULL */
	bool has_mark;
	uint32_t mark_mask, mark_value;
	enum shim_verdict verdict;
	const char *target;
	const char *comment;
	bool is_goto; /* SHIM_JUMP */
	bool other;   /* it matches or does more than that (counters and comments aside) */
};

struct shim_chain {
	enum shim_table table;
	const char *name;
	bool base;
	bool accepts; /* base chain: by policy */
	struct shim_rule *rules;
	size_t n_rules;
	size_t cap_rules;
};

/* Zero-initialise; shim_kernel_free() when done. */
struct shim_kernel {
	struct arena arena;
	bool docker_tables; /* ip docker-bridges: Docker's own nftables backend */
	struct shim_chain *chains;
	size_t n_chains;
	size_t cap_chains;
};

/* The last chain added of that table and name, or NULL. */
struct shim_chain *shim_find_chain(const struct shim_kernel *actual, enum shim_table table,
				   const char *name);
struct shim_chain *shim_add_chain(struct shim_kernel *actual, enum shim_table table,
				  const char *name);
struct shim_rule *shim_add_rule(struct shim_chain *chain);
/* Whether DOCKER-USER (or NULL) has the rule that goes with a FORWARD policy that we changed. */
bool shim_has_forward_rule(const struct shim_chain *user);
void shim_kernel_free(struct shim_kernel *actual);

/* In the order in which they are done. */
enum shim_op_kind {
	SHIM_FLUSH_CHAIN,
	SHIM_DELETE_RULE, /* handle */
	SHIM_DELETE_CHAIN,
	SHIM_ADD_CHAIN,
	SHIM_ADD_JUDGED, /* what is marked returns */
	SHIM_ADD_DROP,	 /* the rest from bridge */
	SHIM_INSERT_JUMP,
};

struct shim_op {
	enum shim_op_kind kind;
	enum shim_table table;
	const char *chain;
	uint64_t handle;
	const char *bridge;
	size_t seq; /* of several of a kind */
};

/* Changes of the FORWARD policy that are to be made, by netlink messages (nft_forward.h). */
enum shim_forward {
	FORWARD_LEAVE,
	FORWARD_DROP,	/* the accept for known connections, then the policy */
	FORWARD_ACCEPT, /* the accept for known connections is missing */
	FORWARD_RESTORE,
};

/* Borrows the kernel's names. */
struct shim_changes {
	struct arena arena;
	uint32_t mark_bit;
	struct shim_op *ops; /* in the order in which they can be done */
	size_t n_ops;
	size_t cap_ops;
	unsigned was_accept; /* on record, or by the rule that goes with it: bits 1 << table */
	bool takes_over;     /* something of the iptables version goes */
	enum shim_forward forward[N_SHIM_FILTERS];
};

/*
 * Compares. A plan without networks wants no shim. was_accept: the tables whose FORWARD policy was
 * ACCEPT before we changed it, by our record (plan.h), bits 1 << table.
 */
void shim_diff(const struct plan *plan, const struct shim_kernel *actual, unsigned was_accept,
	       struct shim_changes *ret_changes);
/* Lists what removes everything of ours; what the iptables version left stays. */
void shim_diff_teardown(const struct shim_kernel *actual, unsigned was_accept,
			struct shim_changes *ret_changes);
/* Whether the changes leave the FORWARD policies alone, with the rules and chains of these. */
bool shim_leaves_forward(const struct shim_changes *changes);
void shim_changes_free(struct shim_changes *changes);

enum shim_state {
	SHIM_NO_DOCKER_USER, /* nothing to hook in */
	SHIM_NOT_NEEDED,     /* no network is managed */
	SHIM_INSTALLED,	     /* as it must be */
	SHIM_DIFFERS,
};

/* The state of what we have in one of the filter tables. */
enum shim_state shim_state(const struct shim_kernel *actual, const struct shim_changes *changes,
			   enum shim_table table);
/* "installed", … */
const char *shim_state_name(enum shim_state state);

#endif
