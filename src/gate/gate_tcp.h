/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions by TCP: few clients, little patience, small buffers. */
#ifndef DOCKSIDE_GATE_GATE_TCP_H
#define DOCKSIDE_GATE_GATE_TCP_H

#include <sys/socket.h>

#include "dockside/base/err.h"
#include "gate_desk.h"

#define GATE_TCP_CLIENTS_MAX 256u
#define GATE_TCP_IDLE_MS 5000u	/* without a question or an answer */
#define GATE_TCP_LIFE_MS 60000u /* of a connection */
#define GATE_TCP_QUESTIONS_MAX 500u

struct gate_tcp;

struct gate_tcp *gate_tcp_new(struct gate_desk *desk, int epoll);
void gate_tcp_free(struct gate_tcp *tcp);
/* Takes over a bound socket, which listens from now on. Returns 0 or -errno. */
int gate_tcp_listen(struct gate_tcp *tcp, int fd, sa_family_t family, struct err *err);
/* Copied; a client that has gone gets nothing. */
void gate_tcp_reply(struct gate_tcp *tcp, const struct gate_client *client, const uint8_t *reply,
		    size_t len);
/* Once a second: who has had his time goes. */
void gate_tcp_tick(struct gate_tcp *tcp, uint64_t now_ms);
/* After each round of events. */
void gate_tcp_sweep(struct gate_tcp *tcp);
/* No further client. */
void gate_tcp_stop(struct gate_tcp *tcp);

#endif
