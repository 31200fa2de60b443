/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 5: the addresses of this network namespace's interfaces, and word of when they change, by rtnetlink(7). */
#ifndef DOCKSIDE_OWN_H
#define DOCKSIDE_OWN_H

#include "dockside/addr.h"
#include "dockside/err.h"

struct own_addrs {
	struct ipaddr *items;
	size_t n;
};

/* Of all interfaces, also those that are down; IPv4 and IPv6. Returns 0 or -errno. own_addrs_free() when done. */
int own_addrs_read(struct own_addrs *ret_addrs, struct err *err);
void own_addrs_free(struct own_addrs *addrs);

/* A descriptor that is readable when an address has come or gone; the caller closes it. Returns 0 or -errno. */
int own_addrs_watch(int *ret_fd, struct err *err);
/* Takes what is there to be read: what has changed, own_addrs_read() says. */
void own_addrs_drain(int fd);

#endif
