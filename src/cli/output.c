/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --output: where the commands that write a text put it. */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/system/disk.h"

/* Write a sibling, flush it to the disk, rename: a reader sees the old file or the new one. */
static int replace_file(const char *path, const struct stat *like, const struct buf *text,
			struct err *err)
{
	cleanup(cleanup_free) char *sibling = xasprintf("%s.%d.tmp", path, (int)getpid());
	int r = disk_write_new(NULL, sibling, like, buf_str(text), text->len, err);

	if (r < 0)
		return r;
	r = disk_rename(NULL, sibling, path, err);
	if (r < 0)
		disk_unlink(NULL, sibling, NULL);
	return r;
}

/* Standard output, a device or a pipe: these must not be replaced by a file. */
static int write_stream(FILE *stream, const char *name, const struct buf *text, struct err *err)
{
	int r = 0;

	if (fwrite(buf_str(text), 1, text->len, stream) < text->len || fflush(stream) != 0) {
		r = err_errno(err, errno, "write to %s", name);
		/* Told once is enough: main() looks at standard output, too. */
		__fpurge(stream);
		clearerr(stream);
	}
	return r;
}

static mode_t mode_of_new(void)
{
	mode_t mask = umask(077);

	umask(mask);
	return 0644 & ~mask;
}

static int write_file(const char *path, const struct buf *text, struct err *err)
{
	/* Through a symbolic link, so that the link stays. */
	cleanup(cleanup_free) char *target = realpath(path, NULL);
	struct stat st = { .st_mode = mode_of_new(), .st_uid = geteuid(), .st_gid = getegid() };
	cleanup(cleanup_fclose) FILE *special = NULL;

	if (!target || stat(target, &st) < 0)
		return replace_file(path, &st, text, err);
	if (S_ISREG(st.st_mode))
		return replace_file(target, &st, text, err);
	special = fopen(target, "we");
	if (!special)
		return err_errno(err, errno, "open %s", path);
	return write_stream(special, path, text, err);
}

int output_text(const char *path, const struct buf *text, struct err *err)
{
	if (path)
		return write_file(path, text, err);
	return write_stream(stdout, "standard output", text, err);
}
