/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the socket that Docker listens on. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_client.h"

#define DEFAULT_PATH "/var/run/docker.sock"
#define SCHEME "unix://"

int docker_socket_path(const char *value, const char **ret_path, struct err *err)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	cleanup(buf_free) struct buf found = { 0 };
	const char *path;

	if (!value || !value[0]) {
		*ret_path = DEFAULT_PATH;
		return 0;
	}
	quote_found(&found, value, strlen(value));
	if (strncmp(value, SCHEME, strlen(SCHEME)) != 0)
		return err_set(err, EINVAL,
			       "DOCKER_HOST is %s: wanted unix:///PATH; Docker is asked on the "
			       "Unix socket of this host only, whose networks are policed",
			       buf_str(&found));
	path = value + strlen(SCHEME);
	if (path[0] != '/' || strlen(path) > max)
		return err_set(err, EINVAL,
			       "DOCKER_HOST is %s: wanted unix:///PATH with an absolute path of at "
			       "most %zu bytes",
			       buf_str(&found), max);
	*ret_path = path;
	return 0;
}

bool docker_socket_absent(int code)
{
	return code == ENOENT || code == ECONNREFUSED;
}

bool docker_socket_listens(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	cleanup(cleanup_close) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
	return fd < 0 || connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 ||
	       (!docker_socket_absent(errno) && errno != ENOTDIR);
}
