/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "dockside/base/util.h"

#define SOCKETS_MAX 16 /* of one port */

/* Those of root, by inode. */
struct sockets {
	unsigned long inodes[SOCKETS_MAX];
	bool seen[SOCKETS_MAX]; /* we have found a process that has it */
	size_t n;
};

/* ------------------------------------------------------------------ the port's sockets */

/* Adds root's sockets of one family. Returns whether one may be of the user. */
static bool find_sockets(const char *path, unsigned port, uint32_t uid, struct sockets *sockets)
{
	cleanup(cleanup_fclose) FILE *f = fopen(path, "re");
	char line[512];

	if (!f)
		return errno != ENOENT ||
		       access("/proc/net/udp", F_OK) < 0; /* else there is no IPv6 */
	while (fgets(line, sizeof(line), f)) {
		unsigned its_port, its_uid;
		unsigned long inode;

		if (sscanf(line, " %*[0-9]: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %u %*s %lu",
			   &its_port, &its_uid, &inode) != 3 ||
		    its_port != port)
			continue;
		if (its_uid == uid || sockets->n == SOCKETS_MAX)
			return true;
		if (its_uid == 0)
			sockets->inodes[sockets->n++] = inode;
	}
	return false;
}

/* ------------------------------------------------------------------ who has them */

/* Opens a file of a process, a name in /proc. */
static int open_of(int proc, const char *pid, const char *name, int flags)
{
	cleanup(cleanup_free) char *path = xasprintf("%s/%s", pid, name);

	return openat(proc, path, flags | O_RDONLY | O_CLOEXEC);
}

static bool runs_as(int proc, const char *pid, uint32_t uid)
{
	int fd = open_of(proc, pid, "status", 0);
	cleanup(cleanup_fclose) FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	unsigned real, effective;
	char line[256];

	if (!f && fd >= 0)
		close(fd);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
			return real == uid || effective == uid;
	return false; /* it has ended */
}

/* Marks the sockets that a process has. Returns whether it has any. */
static bool has_any(int proc, const char *pid, struct sockets *sockets)
{
	int fd = open_of(proc, pid, "fd", O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool any = false;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		char link[64] = "";
		unsigned long inode;

		if (readlinkat(fd, entry->d_name, link, sizeof(link) - 1) < 0 ||
		    sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < sockets->n; i++)
			if (sockets->inodes[i] == inode)
				any = sockets->seen[i] = true;
	}
	if (dir)
		closedir(dir);
	return any;
}

static bool any_handed_over(struct sockets *sockets, uint32_t uid)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) &&
			has_any(dirfd(dir), entry->d_name, sockets) &&
			runs_as(dirfd(dir), entry->d_name, uid);
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < sockets->n; i++)
		found |= !sockets->seen[i]; /* we cannot see who has it */
	return found;
}

bool port_may_be_of(unsigned port, uint32_t uid)
{
	struct sockets sockets = { .n = 0 };

	return find_sockets("/proc/net/udp", port, uid, &sockets) ||
	       find_sockets("/proc/net/udp6", port, uid, &sockets) ||
	       any_handed_over(&sockets, uid);
}
