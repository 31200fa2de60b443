/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps bridges from learning from the wrong frames which MAC address is at which port, by rtnetlink(7). */
#ifndef DOCKSIDE_SYSTEM_LINK_LEARN_H
#define DOCKSIDE_SYSTEM_LINK_LEARN_H

#include <stddef.h>

#include "dockside/base/err.h"
#include "dockside/system/link.h"

/*
 * Asks the kernel to keep the bridge from learning from frames for 01:80:c2:00:00:00 to 0f, which pass no rule before it
 * learns (no_linklocal_learn, doc/kernel.md "What a bridge learns"). Older kernels ignore what they do not know and say
 * nothing: links_read() tells afterwards whether it learns. Needs CAP_NET_ADMIN. Returns 0 or -errno.
 */
int link_learn_stop(const struct link *bridge, struct err *err);

#endif
