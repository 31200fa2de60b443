/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out whether a user has a UDP port. */
#ifndef DOCKSIDE_SYSTEM_PORT_OWNER_H
#define DOCKSIDE_SYSTEM_PORT_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a socket that a process of the user has made may have the UDP port of all IPv4 addresses, in this network
 * namespace. False is sure. For a moment nobody else can bind the port. */
bool port_may_be_of(unsigned port, uint32_t uid);

#endif
