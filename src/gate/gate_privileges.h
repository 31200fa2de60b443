/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate parses what strangers send: it gives away all that it could do besides. */
#ifndef DOCKSIDE_GATE_GATE_PRIVILEGES_H
#define DOCKSIDE_GATE_GATE_PRIVILEGES_H

#include "dockside/base/err.h"

/* Becomes the user (NULL: stays who it is, but not root), drops all capabilities, for good. Returns 0 or -errno. */
int gate_drop_privileges(const char *user, struct err *err);

#endif
