/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/log.h"
#include "gate_loop.h"
#include "gate_policy.h"

#define MESSAGE_MAX 4096u
#define FDS_MAX 8u
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct gate_link {
	struct gate_watch watch;
	const char *path;
	int epoll;
	gate_policy_fn fn;
	void *data;
	int said; /* the errno of the last failure that was logged */
};

static void hang_up(struct gate_link *link)
{
	if (link->watch.fd >= 0)
		close(link->watch.fd);
	link->watch.fd = -1;
}

bool gate_link_is_up(const struct gate_link *link)
{
	return link->watch.fd >= 0;
}

bool gate_link_send(struct gate_link *link, const char *text, size_t len)
{
	return link->watch.fd >= 0 &&
	       send(link->watch.fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* ------------------------------------------------------------------ documents */

int gate_link_read_memfd(int fd, char **ret_text, size_t *ret_len, const char **ret_why)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	size_t at = 0;
	char *text;

	*ret_why = "it is no memfd that is sealed against all changes";
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0)
		return -EINVAL;
	*ret_why = "it is too large";
	if (st.st_size < 0 || (uint64_t)st.st_size > GATE_POLICY_BYTES_MAX)
		return -EFBIG;
	text = xmalloc((size_t)st.st_size + 1);
	while (at < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + at, (size_t)st.st_size - at, (off_t)at);

		if (n <= 0) {
			free(text);
			*ret_why = "it cannot be read";
			return -EIO;
		}
		at += (size_t)n;
	}
	text[at] = '\0';
	*ret_text = text;
	*ret_len = at;
	*ret_why = NULL;
	return 0;
}

/* ------------------------------------------------------------------ messages */

static size_t take_fds(struct msghdr *msg, int fds[FDS_MAX])
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t n = 0;

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (n < FDS_MAX)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

static void on_policy(struct gate_link *link, const struct json_node *root, const int *fds,
		      size_t n_fds)
{
	struct gate_given given = {
		.why = "no descriptor came with it, or several, or the gate has none left",
		.retell = json_is_true(root, "retell"),
		.serial = json_integer(root, "serial"),
	};

	if (n_fds == 1)
		gate_link_read_memfd(fds[0], &given.text, &given.len, &given.why);
	link->fn(link->data, &given);
}

static void on_message(struct gate_link *link, char *message, size_t len, const int *fds,
		       size_t n_fds)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { .text = message, .len = len };
	struct diags diags = { 0 };
	bool ok = json_parse(&src, &tree, &diags);

	if (ok && strcmp(json_text(tree.root, "type", ""), "policy") == 0)
		on_policy(link, tree.root, fds, n_fds);
	else
		log_warning("the daemon sent a message that the gate does not know");
	diags_free(&diags);
}

static void on_link(void *data, uint32_t events)
{
	struct gate_link *link = data;
	char message[MESSAGE_MAX + 1];
	struct iovec part = { message, MESSAGE_MAX };
	union {
		char b[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      .msg_controllen = sizeof(control.b) };
	int fds[FDS_MAX];
	size_t n_fds;
	ssize_t n;

	(void)events;
	n = recvmsg(link->watch.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_warning("the daemon has gone; the gate goes on with the policy that it has");
		hang_up(link);
		return;
	}
	n_fds = take_fds(&msg, fds);
	message[n] = '\0';
	if (!(msg.msg_flags & MSG_TRUNC)) /* CTRUNC: we had no room for a descriptor */
		on_message(link, message, (size_t)n, fds, msg.msg_flags & MSG_CTRUNC ? 0 : n_fds);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* ------------------------------------------------------------------ connecting */

static int try_connect(const struct gate_link *link)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd, r;

	if (strlen(link->path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, link->path, strlen(link->path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		r = -errno;
	else if (peer.uid != 0 && peer.uid != geteuid())
		r = -EPERM;
	else
		return fd;
	close(fd);
	return r;
}

static void say_failure(struct gate_link *link, int error)
{
	if (link->said == error)
		return;
	link->said = error;
	if (error == EPERM)
		log_error(
			"%s: neither root nor the gate's own user listens there; the gate takes no "
			"policy from it",
			link->path);
	else
		log_warning("%s: cannot connect to the daemon: %s; the gate goes on trying",
			    link->path, strerror(error));
}

bool gate_link_tick(struct gate_link *link)
{
	int r;

	if (link->watch.fd >= 0)
		return false;
	r = try_connect(link);
	if (r >= 0) {
		link->watch.fd = r;
		r = gate_loop_watch(link->epoll, &link->watch, EPOLLIN);
	}
	if (r < 0) {
		hang_up(link);
		say_failure(link, -r);
		return false;
	}
	link->said = 0;
	log_info("connected to the daemon at %s", link->path);
	return true;
}

struct gate_link *gate_link_new(const char *path, int epoll, gate_policy_fn fn, void *data)
{
	struct gate_link *link = xcalloc(1, sizeof(*link));

	link->watch = (struct gate_watch){ -1, on_link, link };
	link->path = path;
	link->epoll = epoll;
	link->fn = fn;
	link->data = data;
	return link;
}

void gate_link_free(struct gate_link *link)
{
	if (!link)
		return;
	hang_up(link);
	free(link);
}
