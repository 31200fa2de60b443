/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/placing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/log.h"

#define HEAD "// dsfw-nft external 1, not for editing, checksum "

static int read_kept(struct placing *placing, struct err *err)
{
	struct buf text = { 0 };
	int r = state_dir_read(placing->dir, PLACING_FILE, HEAD, JSON_SIZE_MAX, &text, err);

	if (r >= 0) {
		r = sites_read(buf_str(&text), text.len, &placing->sites, err);
		if (r < 0)
			err_prefix(err, "%s/" PLACING_FILE, placing->dir->path);
	}
	placing->kept = hash64(HASH_SEED, buf_str(&text), text.len);
	placing->has_kept = r >= 0;
	buf_free(&text);
	return r;
}

void placing_open(struct placing *placing, struct state_dir *dir)
{
	struct err err = { 0 };
	int r;

	placing->dir = dir;
	r = read_kept(placing, &err);
	/* A directory that cannot be used is said elsewhere. */
	if (r == -EBADMSG || r == -EPERM) {
		cleanup(cleanup_free) char *aside = state_dir_set_aside(dir, PLACING_FILE);

		log_error("%s%s%s; where external networks are is not known until Docker answers",
			  err.text, aside ? "; it is now " : "", aside ? aside : "");
	}
	err_free(&err);
}

void placing_close(struct placing *placing)
{
	sites_free(&placing->sites);
	free(placing->trouble);
	*placing = (struct placing){ 0 };
}

static void note_trouble(struct placing *placing, const struct err *err)
{
	if (!placing->trouble || strcmp(placing->trouble, err->text) != 0)
		log_warning(
			"%s; where external networks are is not kept: after a restart their rules "
			"wait for Docker",
			err->text);
	free(placing->trouble);
	placing->trouble = xstrdup(err->text);
}

void placing_save(struct placing *placing, const struct policy *policy)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	bool any = sites_write(&placing->sites, policy, &text);
	uint64_t hash = hash64(HASH_SEED, buf_str(&text), text.len);
	int r = 0;

	if (placing->dir &&
	    (any ? !placing->has_kept || placing->kept != hash : placing->has_kept)) {
		r = any ? state_dir_write(placing->dir, PLACING_FILE, HEAD, &text, &err)
			: state_dir_remove(placing->dir, PLACING_FILE, &err);
		placing->has_kept = r >= 0 && any;
		placing->kept = hash;
		if (r < 0)
			note_trouble(placing, &err);
	}
	buf_free(&text);
	err_free(&err);
}
