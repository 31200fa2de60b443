/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"

int disk_before(const struct disk_hook *hook, const char *operation)
{
	int code = hook ? hook->before(hook->data, operation) : 0;

	return code > 0 ? -code : 0;
}

static int result(int r)
{
	return r < 0 ? -errno : 0;
}

int disk_rename(const struct disk_hook *hook, const char *from, const char *to, struct err *err)
{
	int r = disk_before(hook, "rename");

	if (r >= 0)
		r = result(rename(from, to));
	return r < 0 ? err_errno(err, -r, "rename %s to %s", from, to) : 0;
}

int disk_unlink(const struct disk_hook *hook, const char *path, struct err *err)
{
	int r = disk_before(hook, "unlink");

	if (r >= 0)
		r = result(unlink(path));
	return r < 0 && r != -ENOENT ? err_errno(err, -r, "remove %s", path) : 0;
}

int disk_link(const struct disk_hook *hook, const char *from, const char *to)
{
	int r = disk_before(hook, "link");

	return r < 0 ? r : result(link(from, to));
}

int disk_sync_directory(const struct disk_hook *hook, const char *path, struct err *err)
{
	cleanup(cleanup_free) char *directory =
		xstrndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	cleanup(cleanup_close) int fd = -1;
	int r = disk_before(hook, "sync directory");

	if (r >= 0)
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r >= 0)
		r = fd < 0 ? -errno : result(fsync(fd));
	/* A file system that cannot flush a directory says EINVAL. */
	return r < 0 && r != -EINVAL ? err_errno(err, -r, "flush directory %s", directory) : 0;
}

int disk_write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Owner first: a change of owner clears mode bits. */
static int copy_attributes(const struct disk_hook *hook, int fd, const struct stat *like)
{
	struct stat st;
	int r = disk_before(hook, "owner");

	if (r >= 0)
		r = result(fstat(fd, &st));
	if (r >= 0 && (st.st_uid != like->st_uid || st.st_gid != like->st_gid))
		r = result(fchown(fd, like->st_uid, like->st_gid));
	if (r >= 0)
		r = disk_before(hook, "mode");
	return r < 0 ? r : result(fchmod(fd, like->st_mode & 07777));
}

int disk_write_new(const struct disk_hook *hook, const char *path, const struct stat *like,
		   const char *text, size_t len, struct err *err)
{
	cleanup(cleanup_close) int fd = -1;
	int r = disk_before(hook, "create");

	if (r >= 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = fd < 0 ? -errno : 0;
	}
	if (r >= 0)
		r = disk_before(hook, "write");
	if (r >= 0)
		r = disk_write_all(fd, text, len);
	if (r >= 0 && like)
		r = copy_attributes(hook, fd, like);
	if (r >= 0)
		r = disk_before(hook, "sync");
	if (r >= 0)
		r = result(fsync(fd));
	if (r < 0 && fd >= 0)
		unlink(path);
	return r < 0 ? err_errno(err, -r, "write %s", path) : 0;
}

bool disk_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool disk_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}
