/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users of the system by name. */
#ifndef DOCKSIDE_SYSTEM_USER_H
#define DOCKSIDE_SYSTEM_USER_H

#include <stdint.h>

#include "dockside/base/err.h"

/* Returns 0 or -errno: -ENOENT if there is no such user. */
int user_find(const char *name, uint32_t *ret_uid, struct err *err);

#endif
