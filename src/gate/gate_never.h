/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that the gate neither answers nor opens. The kernel has the same list, and the last word. Pure. */
#ifndef DOCKSIDE_GATE_GATE_NEVER_H
#define DOCKSIDE_GATE_GATE_NEVER_H

#include "gate_policy.h"

/* Why the network is not to have the address; NULL: it may. The `private` ranges of the network lift the ban on what is
 * private or reserved, but none that names/never.h has of its own. */
const char *gate_never_reason(const struct gate_network *network, const struct ipaddr *addr);

#endif
