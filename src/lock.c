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
#define PATH_SIZE 64

/* By namespace: dsfw-nft in one does not wait for dsfw-nft in another. */
static int lock_path(char path[PATH_SIZE], struct err *err)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_errno(err, errno, "/proc/self/ns/net");
	snprintf(path, PATH_SIZE, "/run/dsfw-nft.%llu.lock", (unsigned long long)st.st_ino);
	return 0;
}

/* Who gives the lock back removes its file, so that a lock on a file without a name is worth
 * nothing. Returns the descriptor, -EWOULDBLOCK, or another -errno with a message. */
static int try_lock(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int code;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		code = errno;
	else if (st.st_nlink == 0)
		code = EWOULDBLOCK;
	else
		return fd;
	close(fd);
	return code == EWOULDBLOCK ? -code : err_errno(err, code, "lock %s", path);
}

int lock_take(unsigned timeout_ms, int *ret_fd, struct err *err)
{
	char path[PATH_SIZE];
	int fd = lock_path(path, err);

	if (fd < 0)
		return fd;
	for (unsigned waited = 0; (fd = try_lock(path, err)) == -EWOULDBLOCK;
	     waited += LOCK_POLL_MS) {
		if (waited >= timeout_ms)
			return err_set(err, EBUSY,
				       "another dsfw-nft is at work on this ruleset; if it is the "
				       "daemon, use dsfw-nft reload, or stop it first");
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_POLL_MS * 1000000l }, NULL);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

void lock_give(int fd)
{
	char path[PATH_SIZE];

	if (fd < 0)
		return;
	if (lock_path(path, NULL) == 0)
		unlink(path);
	close(fd);
}
