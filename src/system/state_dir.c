/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define CHECKSUM_DIGITS 16

/* Turns the result of a system call into 0 or -errno. */
static int result(int r)
{
	return r < 0 ? -errno : 0;
}

/* ---- the directory ---- */

/* Whether somebody else could have written what is there. */
static int check_owner(const struct stat *st, const char *what, struct err *err)
{
	if (st->st_uid != geteuid())
		return err_set(err, EPERM,
			       "%s belongs to uid %u, not to uid %u: it is not used; chown it, or "
			       "remove it",
			       what, st->st_uid, geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, EPERM,
			       "others than its owner can write to %s (mode %04o): it is not used; "
			       "chmod go-w it",
			       what, st->st_mode & 07777);
	return 0;
}

static int open_directory(const struct state_dir *dir, struct err *err)
{
	const char *path = dir->path;
	int made = dir->read_only ? -1 : mkdir(path, 0700);
	int code = dir->read_only ? ENOENT : errno, fd;
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(
			err, ELOOP,
			"the state directory %s is a symbolic link: it is not used; give its "
			"target as STATE_DIRECTORY",
			path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && made < 0)
		return err_errno(err, code, "make the state directory %s", path);
	return fd < 0 ? err_errno(err, errno, "open the state directory %s", path) : fd;
}

static int check_and_lock(int fd, const struct state_dir *dir, struct err *err)
{
	cleanup(cleanup_free) char *what = xasprintf("the state directory %s", dir->path);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s", what);
	r = check_owner(&st, what, err);
	if (r < 0)
		return r;
	if (dir->read_only || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, EBUSY,
			       "another daemon uses %s: give each its own as STATE_DIRECTORY",
			       what);
	return err_errno(err, errno, "lock %s", what);
}

static void forget(struct state_dir *dir)
{
	if (dir->opened)
		close(dir->fd);
	dir->opened = false;
}

int state_dir_ensure(struct state_dir *dir, struct err *err)
{
	struct stat st;
	int fd, r;

	if (dir->opened && fstat(dir->fd, &st) == 0 && st.st_nlink > 0)
		return 0;
	forget(dir);
	fd = open_directory(dir, err);
	if (fd < 0)
		return fd;
	r = check_and_lock(fd, dir, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	dir->fd = fd;
	dir->opened = true;
	return 0;
}

int state_dir_open(struct state_dir *dir, const char *path, struct err *err)
{
	free(dir->path);
	dir->path = xstrndup(path, strcspn(path, ":"));
	return state_dir_ensure(dir, err);
}

void state_dir_close(struct state_dir *dir)
{
	forget(dir);
	free(dir->path);
	dir->path = NULL;
}

/* ---- writing ---- */

/* Replaces a file of that name, which a daemon that was killed, or somebody else, may have left. */
static int write_new(const struct state_dir *dir, const char *file_new, const struct buf *text)
{
	cleanup(cleanup_close) int fd = -1;
	int r = disk_before(dir->hook, "unlink");

	if (r >= 0)
		r = result(unlinkat(dir->fd, file_new, 0));
	if (r == -ENOENT)
		r = 0;
	if (r >= 0)
		r = disk_before(dir->hook, "create");
	if (r >= 0) {
		fd = openat(dir->fd, file_new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		r = result(fd);
	}
	if (r >= 0)
		r = disk_before(dir->hook, "write");
	if (r >= 0)
		r = disk_write_all(fd, text->data, text->len);
	if (r >= 0)
		r = disk_before(dir->hook, "sync");
	return r < 0 ? r : result(fsync(fd));
}

/* A file system that cannot flush a directory says EINVAL. */
static int place(const struct state_dir *dir, const char *file_new, const char *file)
{
	int r = disk_before(dir->hook, "rename");

	if (r >= 0)
		r = result(renameat(dir->fd, file_new, dir->fd, file));
	if (r >= 0)
		r = disk_before(dir->hook, "sync directory");
	if (r >= 0)
		r = result(fsync(dir->fd));
	return r == -EINVAL ? 0 : r;
}

static void put_head(struct buf *b, const char *head, const char *body, size_t len)
{
	char checksum[CHECKSUM_DIGITS + 1];

	hex_format(checksum, hash64(HASH_SEED, body, len), CHECKSUM_DIGITS);
	buf_printf(b, "%s%s\n", head, checksum);
}

int state_dir_write(struct state_dir *dir, const char *file, const char *head,
		    const struct buf *body, struct err *err)
{
	cleanup(cleanup_free) char *file_new = xasprintf("%s.new", file);
	cleanup(buf_free) struct buf text = { 0 };
	int r = state_dir_ensure(dir, err);

	if (r < 0)
		return r;
	put_head(&text, head, body->data, body->len);
	buf_add(&text, body->data, body->len);
	r = write_new(dir, file_new, &text);
	if (r >= 0)
		r = place(dir, file_new, file);
	if (r >= 0)
		return 0;
	unlinkat(dir->fd, file_new, 0);
	return err_errno(err, -r, "write %s/%s", dir->path, file);
}

int state_dir_remove(struct state_dir *dir, const char *file, struct err *err)
{
	int r = state_dir_ensure(dir, err);

	if (r < 0)
		return r;
	if (unlinkat(dir->fd, file, 0) == 0 || errno == ENOENT)
		return 0;
	return err_errno(err, errno, "remove %s/%s", dir->path, file);
}

/* ---- reading ---- */

/* Up to max + 1 bytes, so that a longer one is known as such. */
static int read_all(int fd, size_t max, struct buf *b)
{
	char chunk[65536];

	while (b->len <= max) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_add(b, chunk, (size_t)n);
	}
	return -EFBIG;
}

/* O_NONBLOCK: a fifo would hold us up. */
static int read_text(const struct state_dir *dir, const char *file, size_t max, struct buf *text,
		     struct err *err)
{
	cleanup(cleanup_free) char *path = xasprintf("%s/%s", dir->path, file);
	cleanup(cleanup_close) int fd =
		openat(dir->fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "there is no %s", path);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, EPERM, "%s is a symbolic link: it is not used; remove it",
			       path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EPERM, "%s is not a regular file: it is not used; remove it",
			       path);
	r = check_owner(&st, path, err);
	if (r < 0)
		return r;
	r = read_all(fd, max, text);
	return r < 0 ? err_errno(err, -r, "read %s", path) : 0;
}

/* Whether a text has that head, and its body the checksum. *ret_len: the head's length. */
static bool has_head(const struct buf *text, const char *head, size_t *ret_len)
{
	size_t len = strlen(head) + CHECKSUM_DIGITS + 1;
	cleanup(buf_free) struct buf wanted = { 0 };

	*ret_len = len;
	if (text->len < len)
		return false;
	put_head(&wanted, head, text->data + len, text->len - len);
	return memcmp(text->data, wanted.data, len) == 0;
}

int state_dir_read(struct state_dir *dir, const char *file, const char *head, size_t max,
		   struct buf *ret_body, struct err *err)
{
	cleanup(buf_free) struct buf text = { 0 };
	size_t len;
	int r = state_dir_ensure(dir, err);

	if (r >= 0)
		r = read_text(dir, file, max, &text, err);
	if (r < 0)
		return r;
	if (!has_head(&text, head, &len))
		return err_set(err, EBADMSG,
			       "%s/%s is not as it was written, by its checksum: it is not used",
			       dir->path, file);
	buf_add(ret_body, text.data + len, text.len - len);
	return 0;
}

char *state_dir_set_aside(struct state_dir *dir, const char *file)
{
	cleanup(cleanup_free) char *aside = xasprintf("%s.damaged", file);

	if (!dir->opened || dir->read_only || renameat(dir->fd, file, dir->fd, aside) < 0)
		return NULL;
	return xasprintf("%s/%s", dir->path, aside);
}
