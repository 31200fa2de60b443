/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads who was on which port from the sets of table bridge dockside as an earlier run left them. */
#ifndef DOCKSIDE_TABLE_PORT_SEEDS_H
#define DOCKSIDE_TABLE_PORT_SEEDS_H

#include "dockside/names/ports_join.h"
#include "dockside/table/actual.h"

#define PORTS_SET "ports"
#define BINDINGS4_SET "bindings4"
#define BINDINGS6_SET "bindings6"

/*
 * The known ports of the table, each with its only MAC address and its addresses without those of fe80::/10; a port with
 * several MAC addresses is left out. The container's name is the comment of the port's element. The table may be missing.
 * *ret_seeds is a copy: port_seeds_free().
 */
void port_seeds_of(const struct actual *bridge_table, struct port_seeds *ret_seeds);

#endif
