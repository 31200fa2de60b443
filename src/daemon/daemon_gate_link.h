/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket on which the DNS gate asks for its policy and reports: one process at a time, which runs as the gate's user or
 * as root. */
#ifndef DOCKSIDE_DAEMON_DAEMON_GATE_LINK_H
#define DOCKSIDE_DAEMON_DAEMON_GATE_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "dockside/base/err.h"
#include "dockside/json/json_parse.h"
#include "loop.h"

struct daemon_gate_link;

/* They may send, and not close. */
struct daemon_gate_handler {
	bool (*may)(void *data, uid_t uid); /* whether a process of that user is the gate */
	void (*came)(void *data, pid_t pid);
	/* A message, an object that people may read. */
	void (*said)(void *data, const struct json_node *message);
	void (*went)(void *data);
	void *data;
};

/* path and handler are borrowed. daemon_gate_link_close(NULL) is valid, and takes the socket away. */
int daemon_gate_link_open(struct loop *loop, const char *path,
			  const struct daemon_gate_handler *handler,
			  struct daemon_gate_link **ret_link, struct err *err);
void daemon_gate_link_close(struct daemon_gate_link *link);

/* Gives the gate a policy: see gate_peer_give(). Returns 0; -ENOTCONN; -EAGAIN: not now. */
int daemon_gate_link_give(struct daemon_gate_link *link, int fd, int64_t serial, bool retell);

#endif
