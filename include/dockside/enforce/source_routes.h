/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_ENFORCE_SOURCE_ROUTES_H
#define DOCKSIDE_ENFORCE_SOURCE_ROUTES_H

#include <stddef.h>

#include "dockside/base/err.h"
#include "dockside/policy/model.h"

/*
 * Has the kernel drop what comes from a managed network's bridge and names its own way (doc/kernel.md, "Source routes").
 * *ret_n: how many settings were changed, also on failure. Where this host takes no source routes at all, nothing is.
 * Returns 0, or -errno with the first that could not be; the others are done.
 */
int source_routes_refuse(const struct policy *policy, size_t *ret_n, struct err *err);

#endif
