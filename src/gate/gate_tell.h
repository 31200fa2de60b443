/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the kernel by packets which addresses a network's answers have, before these go out. */
#ifndef DOCKSIDE_GATE_GATE_TELL_H
#define DOCKSIDE_GATE_GATE_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/base/err.h"

struct gate_tell;

enum gate_tell_outcome {
	GATE_TELL_TAKEN,    /* as far as one can see: see gate_tell_refused() */
	GATE_TELL_NO_RULES, /* the packet went out: the kernel lacks our rules */
	GATE_TELL_FAILED,   /* errno */
};

int gate_tell_open(struct gate_tell **ret_tell, struct err *err);
void gate_tell_close(struct gate_tell *tell);

/* tag: of the policy that it is of. port: a slot, or a slot + GATE_UNTELL (names/gate.h). ifindex: of the network's bridge. */
enum gate_tell_outcome gate_tell_send(struct gate_tell *tell, uint32_t tag, unsigned ifindex,
				      unsigned port, const struct ipaddr *addr);

/* The next tell that the kernel refused; false: no more for now. Of IPv6 it says nothing. */
bool gate_tell_refused(struct gate_tell *tell, struct ipaddr *ret_addr, unsigned *ret_port);
/* Takes away an error whose entry was read, or did not fit: the socket would stay readable. After gate_tell_refused(). */
void gate_tell_settle(struct gate_tell *tell);
/* Readable (EPOLLERR) where there are refusals that nobody has asked for. */
int gate_tell_fd(const struct gate_tell *tell);

#endif
