/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 5: one dsfw-nft at a time changes the ruleset. */
#ifndef DOCKSIDE_LOCK_H
#define DOCKSIDE_LOCK_H

#include "dockside/err.h"

/* Takes the lock of this network namespace, waiting up to timeout_ms for another process. It is
 * given back by lock_give(), or when the process ends. Returns 0 or -errno. */
int lock_take(unsigned timeout_ms, int *ret_fd, struct err *err);
/* Leaves no file behind. Nothing happens for a negative descriptor. */
void lock_give(int fd);

#endif
