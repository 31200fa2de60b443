/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_NETWORK_H
#define DOCKSIDE_TABLE_COMPILE_BIND_NETWORK_H

#include "compile_bind_parts.h"

#include "dockside/policy/model.h"

/* Adds the chains of one network that is bound. */
void compile_bind_network(const struct binder *b, const struct network *network);

#endif
