/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int fill(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0
		       ? -errno
		       : 0;
}

int memfd_sealed(const char *name, const char *text, size_t len, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	if (fd < 0)
		return err_errno(err, errno, "create a memory file");
	r = fill(fd, text, len);
	if (r >= 0)
		return fd;
	close(fd);
	return err_errno(err, -r, "fill a memory file");
}
