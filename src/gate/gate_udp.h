/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions by UDP, read and answered in bunches. */
#ifndef DOCKSIDE_GATE_GATE_UDP_H
#define DOCKSIDE_GATE_GATE_UDP_H

#include <sys/socket.h>

#include "dockside/base/err.h"
#include "gate_desk.h"

struct gate_udp;

/* Takes over a bound socket. Returns 0 or -errno. */
int gate_udp_open(int fd, sa_family_t family, struct gate_udp **ret_udp, struct err *err);
void gate_udp_close(struct gate_udp *udp);
int gate_udp_fd(const struct gate_udp *udp);

/* Reads what there is, up to some hundred questions, and has them answered. */
void gate_udp_read(struct gate_udp *udp, struct gate_desk *desk, uint64_t now_ms);
/* To a client of this socket. Copied, and sent at the latest by gate_udp_flush(). */
void gate_udp_reply(struct gate_udp *udp, const struct gate_client *client, const uint8_t *reply,
		    size_t len);
void gate_udp_flush(struct gate_udp *udp);

#endif
