/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of this network namespace's interfaces, without their interfaces (link_addrs.h). */
#ifndef DOCKSIDE_SYSTEM_OWN_ADDRS_H
#define DOCKSIDE_SYSTEM_OWN_ADDRS_H

#include "dockside/base/addr.h"
#include "dockside/base/err.h"

struct own_addrs {
	struct ipaddr *items;
	size_t n;
};

/* Reads the addresses of all interfaces, also of those that are down; IPv4 and IPv6. Returns 0 or -errno. own_addrs_free() when done. */
int own_addrs_read(struct own_addrs *ret_addrs, struct err *err);
void own_addrs_free(struct own_addrs *addrs);

#endif
