/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks once who is on which port, for commands that run without the daemon. */
#ifndef DOCKSIDE_ENFORCE_PORTS_ASK_H
#define DOCKSIDE_ENFORCE_PORTS_ASK_H

#include "dockside/base/err.h"
#include "dockside/names/ports_join.h"
#include "dockside/policy/model.h"

#define PORTS_ASK_MS 2000 /* for all of Docker's answers */

/*
 * Asks the kernel for the ports, and then Docker, which has that many milliseconds, who is attached to the policy's
 * networks. seeds: the ports that are known by the kernel's sets (port_seeds_of()), or NULL. socket: Docker's; NULL: it is
 * not asked. A Docker that does not answer, or not for all networks, is no error: for these the seeds and the configuration
 * count. Needs CAP_NET_ADMIN. Returns 0 or -errno, if the kernel does not answer. *ret_ports: ports_free().
 */
int ports_ask(const struct policy *policy, const char *socket, unsigned ms,
	      const struct port_seeds *seeds, struct ports *ret_ports, struct err *err);

#endif
