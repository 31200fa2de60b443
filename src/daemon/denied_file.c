/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "denied_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/system/log.h"

void denied_file_init(struct denied_file *file, const char *path)
{
	*file = (struct denied_file){ .path = path, .fd = -1 };
}

void denied_file_close(struct denied_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	buf_free(&file->lines);
}

static void fail(struct denied_file *file, const char *what)
{
	if (!file->failed)
		log_error("%s %s: %s; what is refused is kept in memory only", what, file->path,
			  strerror(errno));
	file->failed = true;
}

void denied_file_open(struct denied_file *file)
{
	struct stat st;

	if (!file->path)
		return;
	if (file->fd >= 0)
		close(file->fd);
	file->failed = false;
	/* It may be a pipe that nobody reads, and we do not wait for that. */
	file->fd = open(file->path,
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (file->fd < 0)
		fail(file, "open");
	else if (fstat(file->fd, &st) == 0 && st.st_size == 0)
		file->torn = false;
}

void denied_file_add(struct denied_file *file, const char *line)
{
	if (file->fd < 0)
		return;
	buf_puts(&file->lines, line);
	buf_putc(&file->lines, '\n');
}

/* The next event is a line of its own, once there is room for it. */
static bool end_torn_line(struct denied_file *file)
{
	if (file->torn && write(file->fd, "\n", 1) == 1)
		file->torn = false;
	return !file->torn;
}

void denied_file_write(struct denied_file *file)
{
	if (file->lines.len > 0 && file->fd >= 0) {
		ssize_t n = end_torn_line(file) ? write(file->fd, file->lines.data, file->lines.len)
						: -1;

		if (n > 0)
			file->torn = file->lines.data[n - 1] != '\n';
		if (n >= 0 && (size_t)n < file->lines.len)
			errno = ENOSPC;
		if (n < 0 || (size_t)n < file->lines.len)
			fail(file, "write to");
		else
			file->failed = false;
	}
	buf_reset(&file->lines);
}
