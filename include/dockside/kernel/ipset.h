/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's ipsets (libmnl; linux/netfilter/ipset/ip_set.h), to clean up after the iptables version. */
#ifndef DOCKSIDE_KERNEL_IPSET_H
#define DOCKSIDE_KERNEL_IPSET_H

#include <stddef.h>

#include "dockside/base/err.h"

struct err;

/* The names of all sets; the caller frees them and the array. A kernel without ipset has none. Returns 0
 * or -errno. */
int ipset_list(char ***ret_names, size_t *ret_n, struct err *err);
/* Returns 0, also where there is no such set; or -errno: -EBUSY while a rule uses it. */
int ipset_destroy(const char *name, struct err *err);

#endif
