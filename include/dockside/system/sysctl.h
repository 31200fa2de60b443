/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the host's network namespace. */
#ifndef DOCKSIDE_SYSTEM_SYSCTL_H
#define DOCKSIDE_SYSTEM_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/err.h"

/*
 * Makes bridged packets pass the inet hooks: net.bridge.bridge-nf-call-iptables, -ip6tables and
 * -filter-vlan-tagged become 1 and are read back. Returns 0, *ret_changed telling whether one was
 * written; or -errno with a message that names the setting and what to do ("load the module
 * br_netfilter").
 */
int sysctl_bridge_netfilter(bool *ret_changed, struct err *err);

/* The same settings, read only: 0 when all are 1, else -errno and the first that is not. */
int sysctl_bridge_netfilter_check(struct err *err);

/*
 * Reads which packets that name their own way this host takes, a bit for each kind: it does where the setting of all interfaces
 * and that of the interface are on (Documentation/networking of the kernel: accept_source_route, seg6_enabled,
 * rpl_seg_enabled). A kernel without one of them takes none of that kind. Returns 0 or -errno.
 */
int sysctl_source_routes(unsigned *ret_kinds, struct err *err);

/* Turns these kinds off for that interface, and adds to *changed how many were on; an interface that has gone has none. Returns
 * 0 or -errno. */
int sysctl_refuse_source_routes(const char *interface, unsigned kinds, size_t *changed,
				struct err *err);

/*
 * Raises /proc/sys/PATH (slashes) to at least value, never lowers it. Returns 0, or -errno, of which
 * callers only warn.
 */
int sysctl_raise(const char *path, uint64_t value, struct err *err);

#endif
