/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out whose UDP port it is. */
#ifndef DOCKSIDE_SYSTEM_PORT_OWNER_H
#define DOCKSIDE_SYSTEM_PORT_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a process of the user may have the UDP port, in this network namespace: a socket of its own, or one that root
 * has handed over, as systemd does. False is sure; where not all processes can be seen, the answer is true. */
bool port_may_be_of(unsigned port, uint32_t uid);

#endif
