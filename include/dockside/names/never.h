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

struct never_range {
	struct prefix prefix;
	const char *reason;
};

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

/*
 * For answers of the DNS gate, which open addresses by themselves, more is refused: private and special-purpose
 * addresses, but for those in `private`. Why the address is one of these; NULL: it is none.
 */
const char *never_private_reason(const struct ipaddr *addr);
/* Why an answer does not open the address in a network with that `private`; NULL: it does. */
const char *never_told_reason(const struct never *never, const struct ipaddr *addr,
			      const struct prefix *private, size_t n);

typedef void (*never_prefix_fn)(void *data, const struct prefix *prefix);
/* Calls fn for the prefixes that never_told_reason() refuses whatever `private` is, the host's own addresses left out; and
 * for those that it refuses unless `private` has them. They may overlap. */
void never_ranges(const struct policy *policy, never_prefix_fn fn, void *data);
void never_private_ranges(never_prefix_fn fn, void *data);

/* Whether a rule that allows, or a NAT rule, of a managed network has the name: rules that drop may have any
 * address, as these open nothing; and rules for which the gate tells the addresses have none of these. */
bool never_opens_name(const struct policy *policy, const char *name);
bool never_opens_ipset(const struct policy *policy, size_t ipset);

#endif
