/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_ENFORCE_BRIDGES_LEARN_H
#define DOCKSIDE_ENFORCE_BRIDGES_LEARN_H

#include <stddef.h>

#include "dockside/base/err.h"
#include "dockside/policy/model.h"

/*
 * Keeps the bridges of the networks that bind their ports from learning from frames that pass no rule (link_learn.h). *ret_n: how
 * many were changed, also on failure. Returns 0, or -errno with the first that could not be; the others are done.
 */
int bridges_learn_stop(const struct policy *policy, size_t *ret_n, struct err *err);

/* Changes nothing: 0 if there is nothing to change, else -errno and the first bridge. */
int bridges_learn_check(const struct policy *policy, struct err *err);

#endif
