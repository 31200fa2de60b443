/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last pair of configuration files that was accepted, in the state directory. The daemon
 * enforces it where the files have errors when it starts. The format is in last_good.c.
 */
#ifndef DOCKSIDE_SYSTEM_LAST_GOOD_H
#define DOCKSIDE_SYSTEM_LAST_GOOD_H

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/system/state_dir.h"

#define LAST_GOOD_FILE "last-good"

/* Two texts that were accepted together. Zero-initialise; last_good_pair_free(). */
struct last_good_pair {
	struct src network, firewall; /* their names are the paths of the files */
	uint64_t at_s;		      /* since 1970 */
};

/* Zero-initialise, but for the directory's hook; last_good_close(). */
struct last_good {
	struct state_dir dir;
	/* The pair that is there, as a hash, and its file; only with has_kept. */
	uint64_t kept;
	struct stat kept_st;
	bool has_kept;
};

/* As state_dir_open(). The other functions work after an error all the same, and try again. */
int last_good_open(struct last_good *state, const char *directory, struct err *err);
void last_good_close(struct last_good *state);

/*
 * Replaces the pair in one step: even after a crash the directory has either the old pair or the
 * new one. Does nothing if that pair is there already. Blocks on the disk. Returns 0 or -errno; the
 * old pair is still there then.
 */
int last_good_keep(struct last_good *state, const struct last_good_pair *pair, struct err *err);

/*
 * Reads the pair. It has to be of the two files with these paths. Returns 0 or -errno: -ENOENT if there
 * is none, -EBADMSG if it is not what we wrote, -EPERM if somebody else could have written it, -EXDEV if
 * it is of other files.
 */
int last_good_read(struct last_good *state, const char *network_path, const char *firewall_path,
		   struct last_good_pair *ret_pair, struct err *err);
void last_good_pair_free(struct last_good_pair *pair);

#endif
