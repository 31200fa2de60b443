/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory, and the files that we keep there: each is replaced in one step. */
#ifndef DOCKSIDE_SYSTEM_STATE_DIR_H
#define DOCKSIDE_SYSTEM_STATE_DIR_H

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/system/disk.h"

#define STATE_DIR_DEFAULT "/var/lib/dsfw-nft" /* without $STATE_DIRECTORY */

/* Zero-initialise, but for hook and read_only; state_dir_close(). */
struct state_dir {
	char *path;
	int fd; /* locked while it is open; only with opened */
	bool opened;
	bool read_only;		      /* the directory is neither made nor locked */
	const struct disk_hook *hook; /* NULL but in tests */
};

/*
 * Opens the directory, makes it (0700) where there is none, and locks it for as long as it is open. It
 * has to belong to us, and nobody else may be able to write to it: otherwise -EPERM. -EBUSY: another
 * process has it. Of several paths with colons between them, as systemd gives all those of a unit, the first
 * counts. Returns 0 or -errno; the other functions work after an error all the same, and try again.
 */
int state_dir_open(struct state_dir *dir, const char *path, struct err *err);
void state_dir_close(struct state_dir *dir);

/* Opens it again if somebody has removed it, or if it could not be opened before. */
int state_dir_ensure(struct state_dir *dir, struct err *err);

/*
 * Each file begins with its head, the checksum of its body, and a line feed. The checksum tells a torn or edited
 * file from one that we wrote; nobody but root can write there, so it need not withstand forgery.
 */

/* Replaces a file (0600): whatever happens meanwhile, what is found afterwards is the old text or the new one.
 * Blocks on the disk. */
int state_dir_write(struct state_dir *dir, const char *file, const char *head,
		    const struct buf *body, struct err *err);
/* A file that is not there is no error. */
int state_dir_remove(struct state_dir *dir, const char *file, struct err *err);
/* Renames a file that cannot be used to FILE.damaged, for people to look at. Its name is the caller's to free; NULL:
 * there is none. */
char *state_dir_set_aside(struct state_dir *dir, const char *file);
/* Appends to *ret_body that of a file of at most max bytes. -ENOENT if there is none, -EPERM if somebody else could
 * have written it, -EBADMSG if it is not as it was written. */
int state_dir_read(struct state_dir *dir, const char *file, const char *head, size_t max,
		   struct buf *ret_body, struct err *err);

#endif
