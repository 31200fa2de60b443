/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations on files of which a save is made. Each can be made to fail by a test, or
 * the process be ended right before it.
 */
#ifndef DOCKSIDE_SYSTEM_DISK_H
#define DOCKSIDE_SYSTEM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "dockside/base/err.h"

/* before() is called before each operation; a positive return value is an errno with which it
 * fails. A NULL hook: none. */
struct disk_hook {
	int (*before)(void *data, const char *operation);
	void *data;
};

/* To be called before an operation of that name: 0, or -errno with which it fails. */
int disk_before(const struct disk_hook *hook, const char *operation);

/* They return 0 or -errno. */
int disk_rename(const struct disk_hook *hook, const char *from, const char *to, struct err *err);
/* A file that is not there is no error. */
int disk_unlink(const struct disk_hook *hook, const char *path, struct err *err);
/* Leaves the message to the caller, who may know another way. */
int disk_link(const struct disk_hook *hook, const char *from, const char *to);
/* Flushes the entries of the directory of an absolute path. */
int disk_sync_directory(const struct disk_hook *hook, const char *path, struct err *err);
/* A file that was not there before, flushed but for its directory's entry, with the mode and owner
 * of like (NULL: 0600, ours). After an error it is not there either; one that somebody else made is left alone. */
int disk_write_new(const struct disk_hook *hook, const char *path, const struct stat *like,
		   const char *text, size_t len, struct err *err);

int disk_write_all(int fd, const char *data, size_t len);

/* Whether a file is as it was: the same inode, size, and times of change. */
bool disk_same_file(const struct stat *a, const struct stat *b);
/* Whether there is anything by that name, be it a dangling link. */
bool disk_exists(const char *path);

#endif
