/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of this network namespace's interfaces. */
#ifndef DOCKSIDE_SYSTEM_LINK_ADDRS_H
#define DOCKSIDE_SYSTEM_LINK_ADDRS_H

#include <stddef.h>

#include "dockside/base/addr.h"
#include "dockside/base/err.h"

struct link_addr {
	char name[16];	      /* of the interface, IFNAMSIZ */
	struct ipaddr addr;   /* the host's own */
	struct prefix prefix; /* what is behind the interface */
};

struct link_addrs {
	struct link_addr *items;
	size_t n;
	size_t cap;
};

/* Returns 0 or -errno. link_addrs_free() when done. */
int link_addrs_read(struct link_addrs *ret_addrs, struct err *err);
void link_addrs_free(struct link_addrs *addrs);

#endif
