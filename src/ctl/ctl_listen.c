/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"

struct place {
	int type;
	mode_t mask;	  /* the umask that gives the socket its mode */
	mode_t directory; /* the mode of its directory, if that has to be made */
};

/* Whether somebody answers there: 1, 0 if the file is left over from somebody who died, -errno. */
static int probe(const struct sockaddr_un *address, int type, struct err *err)
{
	cleanup(cleanup_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "create a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 1;
	if (errno == EAGAIN) /* its backlog is full */
		return 1;
	if (errno == ECONNREFUSED || errno == ENOENT)
		return 0;
	return err_errno(err, errno, "%s is in the way: connect", address->sun_path);
}

/* Makes way at the path. Two that start at the same instant can both get through here, and then
 * the later one has the socket: what keeps daemons apart is their lock. */
static int remove_stale(const struct sockaddr_un *address, int type, struct err *err)
{
	const char *path = address->sun_path;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "%s is in the way: it is not a socket", path);
	r = probe(address, type, err);
	if (r > 0)
		return err_set(err, EADDRINUSE, "%s is in use: is a dsfw-nft daemon running?",
			       path);
	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove the stale socket %s", path);
	return r;
}

/* Its directory alone, and no one above it. */
static int make_directory(const char *path, mode_t mode, struct err *err)
{
	const char *slash = strrchr(path, '/');
	cleanup(cleanup_free) char *directory =
		slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;

	if (directory && mkdir(directory, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "create the socket's directory %s", directory);
	return 0;
}

static int listen_at(const char *path, const struct place *place, struct stat *ret_st,
		     struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup(cleanup_close) int fd = -1;
	mode_t mask;
	int r;

	if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "%s: a socket's path has 1 to %zu bytes", path,
			       sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = make_directory(path, place->directory, err);
	if (r >= 0)
		r = remove_stale(&address, place->type, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, place->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "create a socket");
	/* bind() makes the file: with its mode from the first instant. */
	mask = umask(place->mask);
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return err_errno(err, -r, "bind %s", path);
	/* A long queue: from a full one a client is turned back at random, not in its turn. */
	if (lstat(path, ret_st) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = err_errno(err, errno, "listen on %s", path);
		unlink(path);
		return r;
	}
	r = fd;
	fd = -1;
	return r;
}

int ctl_listen(const char *path, struct stat *ret_st, struct err *err)
{
	static const struct place place = { SOCK_STREAM, 0117, 0750 };

	return listen_at(path, &place, ret_st, err);
}

int ctl_listen_gate(const char *path, struct stat *ret_st, struct err *err)
{
	static const struct place place = { SOCK_SEQPACKET, 0111, 0751 };

	return listen_at(path, &place, ret_st, err);
}
