/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that questions come to: systemd's, which outlive the gate, or the gate's own. */
#ifndef DOCKSIDE_GATE_GATE_SOCKETS_H
#define DOCKSIDE_GATE_GATE_SOCKETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "dockside/base/err.h"

#define GATE_SOCKETS_MAX 4

struct gate_socket {
	int fd;
	sa_family_t family; /* AF_INET or AF_INET6 */
	bool tcp;
};

/* UDP and TCP in both families; without IPv6 where the host has none. Returns their number or -errno. */
int gate_sockets(unsigned port, struct gate_socket ret_sockets[GATE_SOCKETS_MAX], struct err *err);

#endif
