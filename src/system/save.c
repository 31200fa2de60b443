/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. For each file NAME that changes:
 *
 *   1. the new text is written to NAME.dsfw-new, with NAME's mode and owner, and flushed;
 *   2. NAME.dsfw-old becomes a second name of the old file;
 *   3. one marker, beside network-config, is written and flushed: from here on the save counts;
 *   4. NAME.dsfw-new is renamed to NAME;
 *   5. NAME.dsfw-old becomes NAME.orig, or goes where there is one already;
 *   6. the marker goes.
 *
 * Each step is on the disk before the next one begins. So whoever finds a marker completes 4 to 6: a
 * NAME.dsfw-new that is missing has been renamed. Without a marker, or with an incomplete one, nothing
 * was renamed unless step 4 failed and was being taken back: then the marker went first, and a
 * NAME.dsfw-old without NAME.dsfw-new is still to be renamed back. Therefore NAME.dsfw-old always goes
 * before NAME.dsfw-new when both are thrown away, and before the marker when the save is complete.
 */
#include "dockside/system/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/disk.h"

#define SUFFIX_NEW ".dsfw-new"
#define SUFFIX_OLD ".dsfw-old"
#define SUFFIX_ORIG ".orig"
#define SUFFIX_MARKER ".dsfw-commit"
#define MARKER_HEAD "dsfw-nft save 1\n"
#define MARKER_TAIL "end\n"
#define MARKER_MAX 16384

/* One file of a save; inactive ones are left alone. */
struct target {
	bool active;
	char *path; /* without symbolic links */
	char *new_path, *old_path, *orig_path;
	bool existed;
	struct stat st; /* of the old file */
	char *old_text; /* NULL if there is none */
	size_t old_len;
	const char *text;
};

struct job {
	struct target targets[SAVE_FILES];
	char *marker;
	bool placing; /* step 4 has begun */
	const struct disk_hook *hook;
};

struct save {
	struct job job;
	bool any; /* file is to be written */
};

/* ---- the files ---- */

static void target_free(struct target *target)
{
	free(target->path);
	free(target->new_path);
	free(target->old_path);
	free(target->orig_path);
	free(target->old_text);
}

static void job_free(struct job *job)
{
	for (size_t i = 0; i < SAVE_FILES; i++)
		target_free(&job->targets[i]);
	free(job->marker);
}

static void save_free(struct save *save)
{
	job_free(&save->job);
	free(save);
}

/* The path of a file that may not exist, without symbolic links. */
static int resolve(const char *path, char **ret_path, struct err *err)
{
	cleanup(cleanup_free) char *copy = xstrdup(path);
	char *slash = strrchr(copy, '/'), *directory;
	struct stat st;

	*ret_path = realpath(path, NULL);
	if (*ret_path)
		return 0;
	if (errno != ENOENT || lstat(path, &st) == 0)
		return err_errno(err, errno ? errno : ENOENT, "%s", path);
	if (slash)
		*slash = '\0';
	directory = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!directory)
		return err_errno(err, errno, "directory of %s", path);
	*ret_path = xasprintf("%s/%s", strcmp(directory, "/") == 0 ? "" : directory,
			      slash ? slash + 1 : path);
	free(directory);
	return 0;
}

/* Takes over path. */
static void target_init(struct target *target, char *path)
{
	*target = (struct target){
		.active = true,
		.path = path,
		.new_path = xasprintf("%s" SUFFIX_NEW, path),
		.old_path = xasprintf("%s" SUFFIX_OLD, path),
		.orig_path = xasprintf("%s" SUFFIX_ORIG, path),
	};
}

/* Whether one file's name is made of the other's: they would overwrite each other. */
static bool names_collide(const char *a, const char *b)
{
	static const char *const suffixes[] = { "", SUFFIX_NEW, SUFFIX_OLD, SUFFIX_ORIG,
						SUFFIX_MARKER };
	size_t len = strlen(a);

	if (strncmp(a, b, len) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (strcmp(b + len, suffixes[i]) == 0)
			return true;
	return false;
}

static int job_init(struct job *job, const char *const paths[SAVE_FILES],
		    const struct disk_hook *hook, struct err *err)
{
	const char *network, *firewall;

	*job = (struct job){ .hook = hook };
	for (size_t i = 0; i < SAVE_FILES; i++) {
		char *path;
		int r = resolve(paths[i], &path, err);

		if (r < 0)
			return r;
		target_init(&job->targets[i], path);
		if (strchr(path, '\n'))
			return err_set(err, EINVAL, "%s: a line feed in a file's name", path);
	}
	network = job->targets[SAVE_NETWORK].path;
	firewall = job->targets[SAVE_FIREWALL].path;
	job->marker = xasprintf("%s" SUFFIX_MARKER, network);
	if (names_collide(network, firewall) || names_collide(firewall, network))
		return err_set(err, EINVAL, "%s and %s cannot be the two configuration files",
			       network, firewall);
	return 0;
}

static int sync_directories(const struct job *job, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++)
		if (job->targets[i].active)
			r = disk_sync_directory(job->hook, job->targets[i].path, err);
	return r;
}

/* ---- from the marker on ---- */

static int drop_old(const struct job *job, const struct target *target, struct err *err)
{
	int r;

	if (!disk_exists(target->old_path))
		return 0;
	if (!disk_exists(target->orig_path)) {
		r = disk_link(job->hook, target->old_path, target->orig_path);
		if (r < 0 && r != -EEXIST) /* no second names on this file system */
			return disk_rename(job->hook, target->old_path, target->orig_path, err);
	}
	return disk_unlink(job->hook, target->old_path, err);
}

/* Steps 5 and 6. Where it fails the marker stays: the old files must not outlive it. */
static int finish(const struct job *job, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++)
		if (job->targets[i].active)
			r = drop_old(job, &job->targets[i], err);
	if (r >= 0)
		r = sync_directories(job, err);
	if (r >= 0)
		r = disk_unlink(job->hook, job->marker, err);
	return r < 0 ? r : disk_sync_directory(job->hook, job->marker, err);
}

/* Step 4, what there is left of it. */
static int place(const struct job *job, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++) {
		const struct target *target = &job->targets[i];

		if (target->active && disk_exists(target->new_path))
			r = disk_rename(job->hook, target->new_path, target->path, err);
	}
	return r < 0 ? r : sync_directories(job, err);
}

/* ---- back to before the marker ---- */

static int restore(const struct job *job, const struct target *target, struct err *err)
{
	if (!target->active || disk_exists(target->new_path))
		return 0;
	if (job->placing && !target->existed)
		return disk_unlink(job->hook, target->path, err);
	if (!disk_exists(target->old_path))
		return 0;
	return disk_rename(job->hook, target->old_path, target->path, err);
}

static int throw_away(const struct job *job, const struct target *target, struct err *err)
{
	int r = 0;

	if (!target->active)
		return 0;
	if (disk_exists(target->old_path))
		r = disk_unlink(job->hook, target->old_path, err);
	if (r >= 0 && disk_exists(target->new_path))
		r = disk_unlink(job->hook, target->new_path, err);
	return r;
}

static int undo(const struct job *job, struct err *err)
{
	int r = 0;

	if (disk_exists(job->marker))
		r = disk_unlink(job->hook, job->marker, err);
	if (r >= 0) /* disk_write_new() may have removed it */
		r = disk_sync_directory(job->hook, job->marker, err);
	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++)
		r = restore(job, &job->targets[i], err);
	if (r >= 0)
		r = sync_directories(job, err);
	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++)
		r = throw_away(job, &job->targets[i], err);
	return r;
}

/* ---- recovery ---- */

/* Takes a line off the marker's text. */
static char *marker_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

/* Fills in the targets from the marker. False: there is no complete one. */
static bool read_marker(const char *marker, struct target targets[SAVE_FILES])
{
	cleanup(cleanup_free) char *text = NULL;
	char *paths[SAVE_FILES], *rest;
	size_t len, head = strlen(MARKER_HEAD);

	if (read_file(marker, MARKER_MAX, &text, &len, NULL) < 0 || strlen(text) != len ||
	    strncmp(text, MARKER_HEAD, head) != 0)
		return false;
	rest = text + head;
	for (size_t i = 0; i < SAVE_FILES; i++) {
		paths[i] = marker_line(&rest);
		if (!paths[i] || (paths[i][0] != '/' && paths[i][0] != '\0'))
			return false;
	}
	if (strcmp(rest, MARKER_TAIL) != 0)
		return false;
	for (size_t i = 0; i < SAVE_FILES; i++)
		if (paths[i][0])
			target_init(&targets[i], xstrdup(paths[i]));
	return true;
}

static bool anything_left(const struct job *job)
{
	for (size_t i = 0; i < SAVE_FILES; i++)
		if (disk_exists(job->targets[i].new_path) || disk_exists(job->targets[i].old_path))
			return true;
	return disk_exists(job->marker);
}

/* Finishes the files that the marker names; they need not be ours. */
static int finish_marked(const struct job *job, struct err *err)
{
	struct job marked = { .marker = xstrdup(job->marker), .hook = job->hook };
	int r = 0;

	if (read_marker(job->marker, marked.targets)) {
		r = place(&marked, err);
		if (r >= 0)
			r = finish(&marked, err);
		if (r >= 0)
			r = 1;
	}
	job_free(&marked);
	return r;
}

static int recover(const struct job *job, enum save_recovery *ret_recovery, struct err *err)
{
	int r;

	*ret_recovery = SAVE_CLEAN;
	if (!anything_left(job))
		return 0;
	r = finish_marked(job, err);
	if (r < 0) {
		err_prefix(err, "finish an interrupted save");
		return r;
	}
	if (r > 0)
		*ret_recovery = SAVE_FINISHED;
	if (!anything_left(job))
		return 0;
	if (r == 0)
		*ret_recovery = SAVE_UNDONE;
	r = undo(job, err);
	if (r < 0)
		err_prefix(err, "undo an interrupted save");
	return r;
}

bool save_pending(const char *network_path, const char *firewall_path)
{
	const char *const paths[SAVE_FILES] = { network_path, firewall_path };
	struct job job;
	bool pending = job_init(&job, paths, NULL, NULL) >= 0 && anything_left(&job);

	job_free(&job);
	return pending;
}

/* Whether a save was interrupted after its decision: the marker lies beside network-config. */
static bool is_marked(const char *network_path)
{
	cleanup(cleanup_free) char *path = NULL, *marker = NULL;

	if (resolve(network_path, &path, NULL) < 0)
		return false;
	marker = xasprintf("%s" SUFFIX_MARKER, path);
	return disk_exists(marker);
}

int save_recover(const char *network_path, const char *firewall_path, const struct disk_hook *hook,
		 enum save_recovery *ret_recovery, struct err *err)
{
	const char *const paths[SAVE_FILES] = { network_path, firewall_path };
	struct job job;
	int r = job_init(&job, paths, hook, err);

	if (r >= 0) {
		r = recover(&job, ret_recovery, err);
	} else if (r == -ENOENT && !is_marked(network_path)) {
		/* Nobody saves into a directory that is missing. The caller reads the files next, and says what
		 * to do about those that are not there. */
		*ret_recovery = SAVE_CLEAN;
		err_free(err);
		r = 0;
	}
	job_free(&job);
	return r;
}

/* ---- saving ---- */

static bool same_text(const struct target *target, const char *text)
{
	return target->old_text && target->old_len == strlen(text) &&
	       memcmp(target->old_text, text, target->old_len) == 0;
}

/* Looks at the file as it is; decides whether it is to be written. One that is not has to be as it was, too: what
 * is written has been checked together with it. */
static int prepare(struct target *target, const struct save_file *file, struct err *err)
{
	int r;

	target->active = false;
	if (!file->text && !file->old_text)
		return 0;
	target->text = file->text;
	target->existed = stat(target->path, &target->st) == 0;
	if (!target->existed && errno != ENOENT)
		return err_errno(err, errno, "%s", target->path);
	if (!target->existed) {
		target->st =
			(struct stat){ .st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid() };
	} else {
		r = read_file(target->path, JSON_SIZE_MAX, &target->old_text, &target->old_len,
			      err);
		if (r < 0)
			return r;
	}
	if (file->old_text && !same_text(target, file->old_text))
		return err_set(err, ESTALE,
			       "%s has been changed since it was read: reload before you change "
			       "the configuration by request",
			       target->path);
	target->active = file->text && !same_text(target, file->text);
	return 0;
}

/* Step 2. Where the file system has no second names, a copy has to do. */
static int keep_old(const struct job *job, const struct target *target, struct err *err)
{
	int r;

	if (!target->existed)
		return 0;
	r = disk_link(job->hook, target->path, target->old_path);
	if (r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK || r == -ENOSYS)
		return disk_write_new(job->hook, target->old_path, &target->st, target->old_text,
				      target->old_len, err);
	return r < 0 ? err_errno(err, -r, "link %s to %s", target->path, target->old_path) : 0;
}

static int stage(const struct job *job, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++) {
		const struct target *target = &job->targets[i];

		if (target->active)
			r = disk_write_new(job->hook, target->new_path, &target->st, target->text,
					   strlen(target->text), err);
	}
	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++)
		if (job->targets[i].active)
			r = keep_old(job, &job->targets[i], err);
	return r < 0 ? r : sync_directories(job, err);
}

/* Step 3. */
static int commit(const struct job *job, struct err *err)
{
	struct buf b = { 0 };
	int r;

	buf_puts(&b, MARKER_HEAD);
	for (size_t i = 0; i < SAVE_FILES; i++)
		buf_printf(&b, "%s\n", job->targets[i].active ? job->targets[i].path : "");
	buf_puts(&b, MARKER_TAIL);
	r = disk_write_new(job->hook, job->marker, NULL, buf_str(&b), b.len, err);
	buf_free(&b);
	return r < 0 ? r : disk_sync_directory(job->hook, job->marker, err);
}

int save_prepare(const struct save_file files[SAVE_FILES], const struct disk_hook *hook,
		 struct save **ret_save, struct err *err)
{
	const char *const paths[SAVE_FILES] = { files[SAVE_NETWORK].path,
						files[SAVE_FIREWALL].path };
	struct save *save = xcalloc(1, sizeof(*save));
	struct job *job = &save->job;
	enum save_recovery recovery;
	int r;

	r = job_init(job, paths, hook, err);
	if (r >= 0)
		r = recover(job, &recovery, err);
	for (size_t i = 0; r >= 0 && i < SAVE_FILES; i++) {
		r = prepare(&job->targets[i], &files[i], err);
		save->any |= job->targets[i].active;
	}
	if (r >= 0 && save->any) {
		r = stage(job, err);
		if (r < 0)
			undo(job, NULL);
	}
	if (r < 0) {
		save_free(save);
		err_prefix(err, "save the configuration");
		return r;
	}
	*ret_save = save;
	return 0;
}

int save_commit(struct save *save, struct err *err)
{
	struct job *job = &save->job;
	int r = save->any ? commit(job, err) : 0;

	if (r >= 0 && save->any) {
		job->placing = true;
		r = place(job, err);
	}
	if (r < 0)
		undo(job, NULL);
	else if (save->any) /* what fails now is tidied up by the next recovery */
		finish(job, NULL);
	save_free(save);
	if (r < 0)
		err_prefix(err, "save the configuration");
	return r;
}

void save_cancel(struct save *save)
{
	if (save->any)
		undo(&save->job, NULL);
	save_free(save);
}
