/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_never.h"

#include "dockside/names/never.h"

const char *gate_never_reason(const struct gate_network *network, const struct ipaddr *addr)
{
	/* The gate does not know the host's own addresses; the kernel's rules refuse these. */
	static const struct never nobodys = { 0 };

	return never_told_reason(&nobodys, addr, network->privates, network->n_privates);
}
