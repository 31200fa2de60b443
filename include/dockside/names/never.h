/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that a name never opens. Others decide what DNS says, and these addresses lead to the host, to
 * its cloud's metadata, or to other containers. A rule that gives the address itself may open them.
 * Pure: the host's own addresses are a parameter.
 */
#ifndef DOCKSIDE_NAMES_NEVER_H
#define DOCKSIDE_NAMES_NEVER_H

#include <stddef.h>

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/policy/model.h"

struct buf;

/* Zero-initialise. */
struct never {
	struct ipaddr *own; /* sorted; those of the host */
	size_t n_own;
	struct prefix *subnets; /* of managed networks; sorted, disjoint */
	size_t n_subnets;
};

/* Copies what it is given, in place of what was there; never_free() when done. */
void never_set_own(struct never *never, const struct ipaddr *own, size_t n);
void never_set_policy(struct never *never, const struct policy *policy);
/* The host's addresses in a prefix: their number, and the first of them in *ret_first. */
size_t never_own_in(const struct never *never, const struct prefix *prefix,
		    const struct ipaddr **ret_first);
void never_free(struct never *never);

/* Why names do not open the address, as in "... is REASON"; NULL: they may. */
const char *never_reason(const struct never *never, const struct ipaddr *addr);

/* "NAME has ADDRESS, REASON, ..." for people; appends to b. */
void never_tell(const struct never *never, const char *name, const struct ipaddr *addr,
		struct buf *b);

/* Whether a rule that allows, or a NAT rule, of a managed network has the name: rules that drop may have any
 * address, as these open nothing. */
bool never_opens_name(const struct policy *policy, const char *name);
bool never_opens_ipset(const struct policy *policy, size_t ipset);

#endif
