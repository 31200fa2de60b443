/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and their paths. */
#ifndef DOCKSIDE_BASE_FILE_H
#define DOCKSIDE_BASE_FILE_H

#include <stddef.h>

struct err;

/*
 * Reads a regular file whole (NUL-terminated; *ret_len excludes the NUL). The caller owns
 * *ret_data. Returns 0 or -errno: -EISDIR for a directory, -EFBIG past max bytes, -EINVAL for
 * anything else that is not a regular file.
 */
int read_file(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err);

/* A path that does not depend on the working directory; the caller owns it. */
char *path_absolute(const char *path);

#endif
