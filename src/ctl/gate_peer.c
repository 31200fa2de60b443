/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/ctl/gate_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"

int gate_peer_listen(const char *path, struct stat *ret_st, struct err *err)
{
	int fd = ctl_listen_gate(path, ret_st, err);

	return fd < 0 ? err_prefix(err, "the DNS gate's socket") : fd;
}

void gate_peer_unlink(const char *path, const struct stat *st)
{
	struct stat now;

	if (lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		unlink(path);
}

bool gate_peer_may(const struct plan_options *options, uid_t uid)
{
	return uid == 0 || (options->has_gate_uid && uid == options->gate_uid);
}

int gate_peer_give(int fd, int memfd, int64_t serial, bool retell)
{
	cleanup(cleanup_free) char *text =
		xasprintf("{\"type\":\"policy\",\"serial\":%" PRId64 ",\"retell\":%s}", serial,
			  retell ? "true" : "false");
	struct iovec part = { text, strlen(text) };
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .b = { 0 } };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      .msg_controllen = sizeof(control.b) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &memfd, sizeof(int));
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ------------------------------------------------------------------ messages */

bool gate_peer_has_taken(const struct json_node *message, const char *generation, int64_t serial)
{
	int64_t of = json_integer(message, "serial");

	return strcmp(json_text(message, "type", ""), "taken") == 0 &&
	       strcmp(json_text(message, "generation", ""), generation) == 0 &&
	       (of == 0 || of == serial);
}

static bool is_plain_text(const char *s)
{
	size_t len = strlen(s), n;
	uint32_t code;

	for (; len > 0; s += n, len -= n) {
		n = utf8_char(s, len, &code);
		if (n == 0 || !utf8_is_plain(code))
			return false;
	}
	return true;
}

/* People read it at terminals. JSON has no control characters, but it has characters that turn a line around. */
static bool is_plain(const struct json_node *node)
{
	if (node->key && !is_plain_text(node->key))
		return false;
	if (node->kind == JSON_STRING)
		return is_plain_text(node->u.string.s);
	if (node->kind != JSON_ARRAY && node->kind != JSON_OBJECT)
		return true;
	for (size_t i = 0; i < node->u.children.n; i++)
		if (!is_plain(&node->u.children.items[i]))
			return false;
	return true;
}

bool gate_peer_parse(char *text, size_t len, struct json_tree *ret_tree)
{
	struct src src = { .text = text, .len = len };
	struct diags diags = { 0 };
	bool ok;

	text[len] = '\0';
	ok = json_parse(&src, ret_tree, &diags) && ret_tree->root &&
	     ret_tree->root->kind == JSON_OBJECT && is_plain(ret_tree->root);
	diags_free(&diags);
	return ok;
}

const char *gate_peer_text(const struct json_node *message, const char *key, size_t max,
			   const char *otherwise)
{
	const char *text = json_text(message, key, NULL);

	return text && strlen(text) <= max ? text : otherwise;
}
