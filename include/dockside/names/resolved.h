/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The known addresses of the names that a policy mentions. Pure: the caller
 * asks DNS.
 */
#ifndef DOCKSIDE_NAMES_RESOLVED_H
#define DOCKSIDE_NAMES_RESOLVED_H

#include <stddef.h>

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/names/never.h"
#include "dockside/policy/model.h"

#define N_FAMILIES 2

/* Each family of a name has its own state: a server that answers for IPv4 may be silent about IPv6. */
enum resolved_state {
	RESOLVED_UNASKED, /* nobody asked: what the kernel holds for it stays */
	RESOLVED_FAILED, /* asked without success (NXDOMAIN included): what the kernel holds stays */
	RESOLVED_DNS,	 /* DNS has these, or none of this family: others that were there age out */
	RESOLVED_STATIC, /* /etc/hosts has: others go at once, the grace is for DNS only */
};

/* The outcome of asking for one family of a name. Everything is borrowed. */
struct answer {
	const char *name;
	enum family family;
	enum resolved_state state; /* not RESOLVED_UNASKED */
	const struct ipaddr *addrs;
	size_t n_addrs;
	/* RESOLVED_DNS: the smallest of the records; without addresses 0 if it is not known. */
	unsigned ttl_s;
	const char *error; /* RESOLVED_FAILED: why */
};

struct resolved_name {
	char *name;	      /* lower case */
	struct ipaddr *addrs; /* of both families, sorted, unique; no unspecified ones */
	size_t n_addrs;
	/* By family: */
	enum resolved_state states[N_FAMILIES];
	char *errors[N_FAMILIES];    /* RESOLVED_FAILED: why */
	unsigned ttls_s[N_FAMILIES]; /* as in struct answer */
	/* The address to translate to where a NAT rule names this host. */
	const struct ipaddr *targets[N_FAMILIES]; /* into addrs; NULL: none */
};

/* Sorted by name. Zero-initialise. */
struct resolved {
	struct resolved_name *items;
	size_t n;
	unsigned timeout_s;	   /* of the elements that their addresses become; 0: permanent */
	const struct never *never; /* addresses that open nothing, borrowed; NULL: there are none */
	struct never own_never;	   /* for callers that have none to lend */
};

/* Every name that a rule, NAT rule or used ipset of a managed network mentions, each RESOLVED_UNASKED in both
 * families; but for names that only rules have for which the gate tells the addresses (rule_told()). */
void resolved_collect(const struct policy *policy, struct resolved *ret_resolved);
/* The same, and the names of ipsets that no rule uses: people want to see what would be in them. */
void resolved_collect_all(const struct policy *policy, struct resolved *ret_resolved);
struct resolved_name *resolved_find(const struct resolved *resolved, const char *name);
/* Replaces the state and the addresses of the answer's family. The addresses are a copy, sorted,
 * without duplicates, unspecified ones and those of the other family. The targets become the lowest
 * addresses: DNS shuffles its answers, and a target should not change with them. */
void resolved_answer(struct resolved_name *host, const struct answer *answer);
/* From now on these addresses open nothing; no target is one of them. */
void resolved_set_never(struct resolved *resolved, const struct never *never);
/* Appends what went wrong, of one family ("IPv6: ...") or of both; nothing when nothing did. */
void answers_error(char *const errors[N_FAMILIES], struct buf *ret_text);
void resolved_free(struct resolved *resolved);

#endif
