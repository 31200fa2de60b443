/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of iptables-legacy, which nf_tables knows nothing of (linux/netfilter_ipv4/ip_tables.h). */
#ifndef DOCKSIDE_KERNEL_XTABLES_LEGACY_H
#define DOCKSIDE_KERNEL_XTABLES_LEGACY_H

#include <stdbool.h>

/* Whether the legacy table `filter` of IPv4 has a chain of that name. Does not load the table where
 * nobody has; false also where it cannot be known. */
bool xtables_legacy_has_chain(const char *name);

/* Finds what the iptables version has in the legacy tables `filter` and `nat`, and the command that removes it: a
 * line, which the caller frees; NULL where there is nothing, or where it cannot be known. */
char *xtables_legacy_leftovers(void);

#endif
