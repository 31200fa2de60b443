/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the interfaces of this network namespace, by rtnetlink(7). */
#ifndef DOCKSIDE_SYSTEM_LINK_H
#define DOCKSIDE_SYSTEM_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/err.h"

enum link_kind {
	LINK_MISSING,
	LINK_BRIDGE,
	LINK_OTHER,
};

struct link {
	char name[16]; /* IFNAMSIZ */
	bool bridge;
	bool learns; /* a bridge that learns from frames for reserved addresses (link_learn.h) */
	unsigned index, master; /* master: the interface that it is a part of; 0: none */
	bool veth;
	bool up;       /* it has a carrier: both ends of a veth are up */
	unsigned peer; /* index of a veth's other end; 0: it is gone */
	bool away;     /* the other end is in another network namespace */
	int namespace; /* which: the kernel's number for it, in this one (NETNSA_NSID) */
};

/* Sorted by name. */
struct links {
	struct link *items;
	size_t n;
	size_t cap;
};

/* The interfaces of this namespace, by RTM_GETLINK (rtnetlink(7)): one question, however many are of
 * interest. Returns 0 or -errno. links_free() when done. */
int links_read(struct links *ret_links, struct err *err);
enum link_kind links_kind(const struct links *links, const char *name);
/* NULL where there is none. */
const struct link *links_find(const struct links *links, const char *name);
const char *links_name(const struct links *links, unsigned index);
void links_free(struct links *links);

/* Counts the interfaces that are ports of the bridge; 0 where there is no such interface. Returns 0 or
 * -errno. */
int link_ports(const char *bridge, size_t *ret_n, struct err *err);

#endif
