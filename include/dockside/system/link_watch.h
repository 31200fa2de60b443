/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's word of changes to this network namespace's interfaces and addresses, by rtnetlink(7). */
#ifndef DOCKSIDE_SYSTEM_LINK_WATCH_H
#define DOCKSIDE_SYSTEM_LINK_WATCH_H

#include "dockside/base/err.h"

enum link_watch {
	LINK_WATCH_LINKS = 1, /* interfaces come, go or change */
	LINK_WATCH_ADDRS = 2, /* so do their addresses, IPv4 and IPv6 */
};

/* what: bits of enum link_watch. Returns a descriptor that does not block and is readable after a change, or
 * -errno. The caller closes it. */
int link_watch(unsigned what, struct err *err);
/* Reads and forgets what is there: links_read() and link_addrs_read() say what has changed. */
void link_watch_drain(int fd);

#endif
