/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_POLL_MS 20

/* By namespace: dsfw-nft in one does not wait for dsfw-nft in another. */
static int open_lock(struct err *err)
{
	char path[64];
	struct stat st;
	int fd;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_errno(err, errno, "/proc/self/ns/net");
	snprintf(path, sizeof(path), "/run/dsfw-nft.%llu.lock", (unsigned long long)st.st_ino);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd >= 0 ? fd : err_errno(err, errno, "open %s", path);
}

int lock_take(unsigned timeout_ms, int *ret_fd, struct err *err)
{
	int fd = open_lock(err);

	if (fd < 0)
		return fd;
	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK || waited >= timeout_ms) {
			int code = errno;

			close(fd);
			return code == EWOULDBLOCK
				       ? err_set(err, EBUSY,
						 "another dsfw-nft is at work on this ruleset; if "
						 "it is the "
						 "daemon, use dsfw-nft reload, or stop it first")
				       : err_errno(err, code, "lock");
		}
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_POLL_MS * 1000000l }, NULL);
	}
	*ret_fd = fd;
	return 0;
}
