/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration in force: the policy, the addresses of its names, who is on which port, the plans that we make
 * of them, one for each of our tables, and the kernel that is to hold both. Knows no event loop; time is a parameter, in
 * milliseconds of CLOCK_MONOTONIC: like the kernel's timeouts, which it counts in jiffies, it
 * stands still while the machine sleeps. By a clock that goes on, all addresses would have run out
 * when it wakes up.
 */
#ifndef DOCKSIDE_ENFORCE_ENFORCER_H
#define DOCKSIDE_ENFORCE_ENFORCER_H

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/enforce/drain.h"
#include "dockside/enforce/known.h"
#include "dockside/enforce/placing.h"
#include "dockside/enforce/reconcile.h"
#include "dockside/enforce/running.h"
#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_sets.h"
#include "dockside/names/names.h"
#include "dockside/names/ports.h"
#include "dockside/table/plan.h"

enum enforcement {
	ENFORCE_POLICY, /* enforcer_policy() */
	ENFORCE_AGAIN,	/* enforcer_again() */
	ENFORCE_PLACED, /* enforcer_place() */
	ENFORCE_HELD,	/* enforcer_confirm() */
};

/* An observer follows every enforcement. Borrowed. */
struct enforcer_observer {
	/* The kernel is about to be compared with a policy; nothing has changed yet. */
	void (*before)(void *data, enum enforcement enforcement);
	/* It holds the running policy. */
	void (*after)(void *data, enum enforcement enforcement);
	/* Before the first policy is compiled: what the kernel's table bridge dockside holds. The observer may tell
	 * the enforcer the ports (enforcer_ports()). May be NULL. */
	void (*first)(void *data, const struct policy *policy, const struct actual *bridge_table);
	void *data;
};

struct enforcer {
	struct nft_reader *reader;
	struct nft_loader *loader;
	struct nft_sets *sets;
	struct names names;
	struct never never;	 /* of the running policy, or of one that is about to */
	struct running *running; /* NULL before the first enforcer_policy() */
	bool untagged;		 /* told_is_untagged() of the kernel's table before that */
	struct told_record told; /* and what that table said */
	unsigned stale_s;
	struct plan_options options;
	struct ports ports;	/* who is on which port */
	char *no_bridge;	/* why the kernel cannot hold table bridge dockside; NULL: it can */
	const char *docker;	/* where it would listen */
	struct drain drain;	/* what is merged into each policy */
	struct placing placing; /* where its external networks are */
	struct known known;	/* what the kernel holds */
	uint64_t n_policies;	/* that were enforced */
	bool gates_changed;	/* enforcer_gates_changed() */
	const struct enforcer_observer *observer; /* or NULL */
};

/* Borrows docker, the path of its socket. Returns 0 or -errno. */
int enforcer_open(struct enforcer *ret_enforcer, unsigned refresh_s, unsigned stale_s,
		  const struct plan_options *options, const char *docker, struct err *err);
void enforcer_close(struct enforcer *enforcer);

/*
 * Whether the kernel surely holds what the running policy says, without having to be read: if all
 * events of the kernel have been told to known.
 */
bool enforcer_holds(struct enforcer *enforcer, uint64_t now_ms);

/* The alarm that networks of the running policy are to be bound and the kernel cannot; NULL: it can, or there is none.
 * The caller frees it. */
char *enforcer_not_bound(const struct enforcer *enforcer);

/* Whether DNS gates in the kernel were turned on or off since it was asked the last time: conversations with name servers
 * that are older are to end (dns_ends.h). */
bool enforcer_gates_changed(struct enforcer *enforcer);

/* From now on; NULL: nobody. */
void enforcer_observe(struct enforcer *enforcer, const struct enforcer_observer *observer);
/* The running policy was to be enforced anew, and enforcer_holds(): the observer follows it as if it had been. */
void enforcer_confirm(struct enforcer *enforcer);

/*
 * Makes the kernel hold a checked policy, which takes the place of the running one; at the start
 * takes over the addresses that the kernel holds for its names. On success candidate is the
 * enforcer's, and the policy that ran before (or NULL) the caller's; on an error candidate stays the
 * caller's and everything is as it was. Returns 0 or -errno.
 */
int enforcer_policy(struct enforcer *enforcer, struct running *candidate, uint64_t now_ms,
		    struct running **ret_before, struct reconcile_result *ret_result,
		    struct err *err);

/*
 * Docker has an external network of the running policy on another bridge, or in other subnets, than it had, as placing
 * has it now: the rules follow it there. Returns 0; or -errno, and then the kernel's rules are not what the policy
 * says: enforcer_again() is called for.
 */
int enforcer_place(struct enforcer *enforcer, uint64_t now_ms, struct err *err);

/* Draining networks have been taken out of the drain: the running policy goes on without them, after an error, too. */
int enforcer_drained(struct enforcer *enforcer, uint64_t now_ms, struct err *err);

/* Compares the kernel with the running policy and repairs what differs. */
int enforcer_again(struct enforcer *enforcer, uint64_t now_ms, struct reconcile_result *ret_result,
		   struct err *err);

/* The same for the shim in Docker's tables alone (shim.h). *ret_changed: it was not as it must be. */
int enforcer_shim(struct enforcer *enforcer, bool *ret_changed, struct err *err);

/* Only compares it; reconcile_shim_comparison_free() when done. */
int enforcer_compare_shim(struct enforcer *enforcer,
			  struct reconcile_shim_comparison *ret_comparison, struct err *err);

/* Only compares, against a plan that is made anew. */
int enforcer_compare(struct enforcer *enforcer, uint64_t now_ms, struct comparison *ret_comparison,
		     struct err *err);

/* The host's own addresses, which names never open; to be told at the start, and of each change. Whether names have
 * an address for which that changes something: the kernel learns of it with the next enforcer_names(). */
bool enforcer_own(struct enforcer *enforcer, const struct ipaddr *addrs, size_t n, uint64_t now_ms);

/* Whether the host's addresses in the running policy's networks, those of the gateways left out, are others than the
 * running rules know, which drop what claims to come from them: enforcer_again() is called for. */
bool enforcer_own_differs(const struct enforcer *enforcer);

/* An answer of the resolver. The kernel learns of it with the next enforcer_names(). */
void enforcer_answer(struct enforcer *enforcer, const struct answer *answer, uint64_t now_ms);

/*
 * Tells who is on which port, before the first enforcer_policy() as well; ports is copied. Brings table bridge dockside up to date with
 * it: where only elements change, as when a container starts or stops, in one transaction of these, and nothing is
 * read. Returns 0; or -errno, and then what the kernel holds is not what we believe: enforcer_again() is called for.
 */
int enforcer_ports(struct enforcer *enforcer, const struct ports *ports, struct err *err);

/*
 * Brings the sets and NAT maps up to date with the names that were touched since since_ms: elements
 * come, are renewed, go, in one transaction. Returns 0; or -errno, and then what the kernel holds is
 * not what we believe: enforcer_again() is called for.
 */
int enforcer_names(struct enforcer *enforcer, uint64_t since_ms, uint64_t now_ms, struct err *err);

/* Makes every address that the sets hold permanent: nobody will renew them. */
int enforcer_release(struct enforcer *enforcer, uint64_t now_ms, struct err *err);

#endif
