/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Docker's last word on where networks are (policy/sites.h), over time: that on external networks is kept in the state
 * directory, so that after a restart their rules are in force before Docker answers.
 */
#ifndef DOCKSIDE_ENFORCE_PLACING_H
#define DOCKSIDE_ENFORCE_PLACING_H

#include "dockside/policy/sites.h"
#include "dockside/system/state_dir.h"

#define PLACING_FILE "external.json" /* in the state directory */

/* Zero-initialise; placing_close(). Works without placing_open(): then nothing is kept. */
struct placing {
	struct sites sites;
	struct state_dir *dir; /* borrowed */
	uint64_t kept;	       /* hash of the file; only with has_kept */
	bool has_kept;
	char *trouble; /* why they are not kept; NULL: they are */
};

/* Reads what the state directory has. A file that cannot be used is logged, and left out. */
void placing_open(struct placing *placing, struct state_dir *dir);
void placing_close(struct placing *placing);

/* Keeps the sites of the external networks of a policy's files, if something has changed. That it cannot is logged. */
void placing_save(struct placing *placing, const struct policy *policy);

#endif
