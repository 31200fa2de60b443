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
 * Raises /proc/sys/PATH (slashes) to at least value, never lowers it. Returns 0, or -errno, of which
 * callers only warn.
 */
int sysctl_raise(const char *path, uint64_t value, struct err *err);

#endif
