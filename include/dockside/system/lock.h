/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dsfw-nft at a time changes the ruleset. */
#ifndef DOCKSIDE_SYSTEM_LOCK_H
#define DOCKSIDE_SYSTEM_LOCK_H

#include <stdbool.h>

#include "dockside/base/err.h"

enum lock_role {
	LOCK_ONE_SHOT,
	LOCK_DAEMON,
};

/* Takes the lock of this network namespace, waiting up to timeout_ms for a command that has it; for
 * a daemon, which will not give it back soon, nobody waits. It is given back by lock_give(), or when
 * the process ends. Returns 0 or -errno, -EBUSY with who has it. */
int lock_take(enum lock_role role, unsigned timeout_ms, int *ret_fd, struct err *err);
/* Whether a daemon has the lock now; in err who, as lock_take() would say. Takes nothing. */
bool lock_has_daemon(struct err *err);
/* Leaves no file behind. Nothing happens for a negative descriptor. */
void lock_give(int fd);

#endif
