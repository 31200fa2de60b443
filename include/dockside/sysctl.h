/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layer 5: settings of the host's network namespace, and what its interfaces are.
 */
#ifndef DOCKSIDE_SYSCTL_H
#define DOCKSIDE_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/err.h"

/*
 * Makes bridged packets pass the inet hooks (SPEC §3): net.bridge.bridge-nf-call-iptables, -ip6tables and
 * -filter-vlan-tagged become 1 and are read back. Returns 0, *ret_changed telling whether one was
 * written; or -errno with a message that names the setting and what to do ("load the module
 * br_netfilter").
 */
int sysctl_bridge_netfilter(bool *ret_changed, struct err *err);

/* The same settings, read only: 0 when all are 1, else -errno and the first that is not. */
int sysctl_bridge_netfilter_check(struct err *err);

/*
 * Raises /proc/sys/PATH (slashes) to at least value, never lowers it. Returns 0, or -errno (which
 * SPEC §9 makes a warning).
 */
int sysctl_raise(const char *path, uint64_t value, struct err *err);

enum link_kind {
	LINK_MISSING,
	LINK_BRIDGE,
	LINK_OTHER,
};

struct link {
	char name[16]; /* IFNAMSIZ */
	bool bridge;
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
void links_free(struct links *links);

/* How many interfaces are ports of the bridge; 0 where there is no such interface. Returns 0 or
 * -errno. */
int link_ports(const char *bridge, size_t *ret_n, struct err *err);

#endif
