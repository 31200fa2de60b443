/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts for other processes: files without a name that nobody can change any more. */
#ifndef DOCKSIDE_SYSTEM_MEMFD_H
#define DOCKSIDE_SYSTEM_MEMFD_H

#include <stddef.h>

#include "dockside/base/err.h"

/* Returns a descriptor, which the caller closes, or -errno. name is for people who look at /proc. */
int memfd_sealed(const char *name, const char *text, size_t len, struct err *err);

#endif
