/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_OUTPUT_H
#define DOCKSIDE_CLI_OUTPUT_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"

/* Writes a text to a file, which is replaced in one step; or to standard output where path is NULL.
 * Returns 0 or -errno. */
int output_text(const char *path, const struct buf *text, struct err *err);

#endif
