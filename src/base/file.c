/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

char *path_absolute(const char *path)
{
	char directory[PATH_MAX];

	if (path[0] == '/' || !getcwd(directory, sizeof(directory)))
		return xstrdup(path);
	return xasprintf("%s/%s", directory, path);
}

/* Opens path if it is a regular file of at most max bytes. Returns a descriptor or -errno. */
static int open_regular(const char *path, size_t max, size_t *ret_size)
{
	/* O_NONBLOCK: a FIFO without a writer would block us before we can refuse it. */
	cleanup(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uintmax_t)st.st_size > max)
		return -EFBIG;
	*ret_size = (size_t)st.st_size;
	ret = fd;
	fd = -1;
	return ret;
}

/* Appends what fd gives until its end, which need not be where fstat() said. */
static int read_all(int fd, size_t size, size_t max, struct buf *b)
{
	size_t want = size + 1;

	for (;;) {
		ssize_t n;

		buf_reserve(b, want);
		n = read(fd, b->data + b->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b->len += (size_t)n;
		if (b->len > max)
			return -EFBIG;
		want = 4096;
	}
	buf_add(b, "", 0); /* its NUL */
	return 0;
}

int read_file(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup(buf_free) struct buf b = { 0 };
	cleanup(cleanup_close) int fd = -1;
	size_t size = 0;
	int r;

	assert(max < SIZE_MAX / 8);
	fd = open_regular(path, max, &size);
	r = fd < 0 ? fd : read_all(fd, size, max, &b);
	if (r == -EINVAL)
		return err_set(err, EINVAL, "read %s: not a regular file", path);
	if (r == -EFBIG)
		return err_set(err, EFBIG, "read %s: larger than %zu bytes", path, max);
	if (r < 0)
		return err_errno(err, -r, "read %s", path);
	*ret_len = b.len;
	*ret_data = buf_steal(&b);
	return 0;
}
