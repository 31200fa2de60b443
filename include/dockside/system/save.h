/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves both configuration files or neither, even over a crash in between. save.c has the
 * protocol. One process at a time: callers of both functions hold a lock against each other.
 */
#ifndef DOCKSIDE_SYSTEM_SAVE_H
#define DOCKSIDE_SYSTEM_SAVE_H

#include "dockside/base/err.h"
#include "dockside/system/disk.h"

/* The future of one file. */
struct save_file {
	const char *path; /* symbolic links are followed, so that they stay */
	const char *text; /* NULL: leave the file alone */
	/* The new texts were made of this one, and checked with it: where the file no longer says it, neither is
	 * written (-ESTALE), as somebody's edit would be lost, or be half of a pair that nobody has checked. NULL:
	 * whatever is there will do. */
	const char *old_text;
};

enum save_file_index {
	SAVE_NETWORK,
	SAVE_FIREWALL,
	SAVE_FILES,
};

/*
 * Writes the files that have a text. Mode and owner stay; the old file, whose comments and layout
 * cannot survive, is kept as NAME.orig unless there is one already. Blocks on the disk. hook is NULL but in
 * tests. Both functions return 0 or -errno, and after -errno both files are what they were. A process or
 * machine that dies in between leaves what save_recover() repairs.
 *
 * The first function finds the failures that one can foresee (a full disk, a missing permission,
 * somebody's edit), and leaves both files as they are. The caller then calls the second, or
 * save_cancel(); either consumes save.
 */
struct save;
int save_prepare(const struct save_file files[SAVE_FILES], const struct disk_hook *hook,
		 struct save **ret_save, struct err *err);
int save_commit(struct save *save, struct err *err);
void save_cancel(struct save *save);

/* Whether there is something for save_recover() to repair, or a save under way. Changes nothing. */
bool save_pending(const char *network_path, const char *firewall_path);

enum save_recovery {
	SAVE_CLEAN,    /* nothing was left behind */
	SAVE_FINISHED, /* a save was complete but for renaming: it is done now */
	SAVE_UNDONE,   /* a save was not complete: the files are what they were before it */
};

/* Repairs what an interrupted save has left; to be called before the files are read. Returns 0 or
 * -errno. */
int save_recover(const char *network_path, const char *firewall_path, const struct disk_hook *hook,
		 enum save_recovery *ret_recovery, struct err *err);

#endif
