/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_TABLE_COMPILE_BIND_STRANGE_H
#define DOCKSIDE_TABLE_COMPILE_BIND_STRANGE_H

#include "compile_bind_parts.h"

/* Adds these chains. */
void compile_bind_strange(struct binder *b);

#endif
