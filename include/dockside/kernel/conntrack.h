/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's connection tracking by ctnetlink (libmnl): goes through all entries of both families
 * and ends those that the caller points out. Needs CAP_NET_ADMIN.
 */
#ifndef DOCKSIDE_KERNEL_CONNTRACK_H
#define DOCKSIDE_KERNEL_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/err.h"
#include "dockside/table/unjudged.h"

struct err;

/* Whether a connection is to end. */
typedef bool (*conntrack_ends_fn)(void *data, const struct flow *flow);

struct conntrack;

/* Returns 0 or -errno. */
int conntrack_open(struct conntrack **ret_conntrack, struct err *err);
void conntrack_close(struct conntrack *conntrack);
/* For an event loop: readable when there is something for conntrack_read(). */
int conntrack_fd(const struct conntrack *conntrack);

/* Begins a pass over all entries; not before the last one is done. Returns 0 or -errno. */
int conntrack_begin(struct conntrack *conntrack, struct err *err);

struct conntrack_pass {
	bool done;
	size_t n_seen;	/* entries */
	size_t n_ended; /* of those that were to end; the others were gone already */
	size_t n_failed; /* or the kernel keeps them, as it does with those that a flowtable forwards */
};

/*
 * Goes on with the pass, some thousand entries at most, without blocking; adds what it did to *pass. Returns 0
 * or -errno, after which the pass is over.
 */
int conntrack_read(struct conntrack *conntrack, conntrack_ends_fn ends, void *data,
		   struct conntrack_pass *pass, struct err *err);

struct nlmsghdr;
/* An entry, in the kernel's words and as the rest of the program knows it. */
typedef void (*conntrack_entry_fn)(void *data, const struct nlmsghdr *entry,
				   const struct flow *flow);

/*
 * The parser by itself: one datagram of a dump, aligned as a struct nlmsghdr. Entries without addresses are left
 * out. Returns 1, 0 at the end of the dump, or -errno: what the kernel says, or -EBADMSG.
 */
int conntrack_parse(const void *datagram, size_t len, conntrack_entry_fn on_entry, void *data);

#endif
