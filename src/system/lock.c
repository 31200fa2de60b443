/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dockside/base/err.h"

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

/*
 * A daemon has a record lock on the file besides, which says who it is (F_GETLK), and which like the
 * lock itself ends with the process: nothing that is written could be trusted after a crash.
 */
static int mark_daemon(int fd)
{
	struct flock mark = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &mark) < 0 ? -errno : 0;
}

/* Whether a daemon has the lock; *ret_pid is 0 where it is of another pid namespace. */
static bool held_by_daemon(int fd, pid_t *ret_pid)
{
	struct flock mark = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &mark) < 0 || mark.l_type == F_UNLCK)
		return false;
	*ret_pid = mark.l_pid;
	return true;
}

static int busy_daemon(pid_t pid, struct err *err)
{
	if (pid <= 0)
		return err_set(err, EBUSY, "the daemon is running: stop it first");
	return err_set(err, EBUSY, "the daemon (pid %d) is running: stop it first", (int)pid);
}

/* The process that gives the lock back removes its file, so that a lock on a file without a name is worth
 * nothing. Returns the descriptor, -EWOULDBLOCK, or another -errno with a message. */
static int try_lock(const char *path, enum lock_role role, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	pid_t pid = 0;
	struct stat st;
	int code = 0;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		code = errno;
	else if (st.st_nlink == 0)
		code = EWOULDBLOCK;
	else if (role == LOCK_DAEMON)
		code = -mark_daemon(fd);
	if (code == 0)
		return fd;
	if (code == EWOULDBLOCK && held_by_daemon(fd, &pid))
		code = -busy_daemon(pid, err);
	else if (code != EWOULDBLOCK)
		err_errno(err, code, "lock %s", path);
	close(fd);
	return -code;
}

int lock_take(enum lock_role role, unsigned timeout_ms, int *ret_fd, struct err *err)
{
	char path[PATH_SIZE];
	int fd = lock_path(path, err);

	if (fd < 0)
		return fd;
	for (unsigned waited = 0; (fd = try_lock(path, role, err)) == -EWOULDBLOCK;
	     waited += LOCK_POLL_MS) {
		if (waited >= timeout_ms)
			return err_set(err, EBUSY,
				       "another dsfw-nft has been at work on this ruleset for %u s",
				       timeout_ms / 1000);
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_POLL_MS * 1000000l }, NULL);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

bool lock_has_daemon(struct err *err)
{
	char path[PATH_SIZE];
	bool running = false;
	pid_t pid = 0;
	int fd;

	if (lock_path(path, NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	running = held_by_daemon(fd, &pid);
	if (running)
		busy_daemon(pid, err);
	close(fd);
	return running;
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
