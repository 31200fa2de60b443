/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of bridges, and what is at their other ends, by rtnetlink(7). */
#ifndef DOCKSIDE_SYSTEM_LINK_PEERS_H
#define DOCKSIDE_SYSTEM_LINK_PEERS_H

#include "dockside/base/err.h"
#include "dockside/names/ports_join.h"

/*
 * The ports of all bridges of this namespace. The other end is asked for its MAC address where it is up and `history` has
 * none of it: what counts is the first. at: see ports_join.h. Needs CAP_NET_ADMIN. Returns 0 or -errno.
 * port_links_free() when done.
 */
int link_peers_read(const struct ports_history *history, uint64_t at, struct port_links *ret_links,
		    struct err *err);

#endif
