/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection of the socket, from the first byte of its request to the last one of its answer. */
#ifndef DOCKSIDE_CTL_CTL_CONNECTION_H
#define DOCKSIDE_CTL_CTL_CONNECTION_H

#include <sys/stat.h>

#include "ctl_frame.h"
#include "ctl_log.h"
#include "dockside/base/buf.h"
#include "dockside/ctl/ctl_server.h"

#define CTL_ACCURACY_US 50000

enum ctl_state {
	STATE_READING,	/* until the line feed, the end, or too much of it */
	STATE_PENDING,	/* the handler has it; we only watch for the client's leaving */
	STATE_WRITING,	/* the answer */
	STATE_DRAINING, /* answered before the client had finished: it reads only then */
};

struct ctl_request {
	struct ctl *ctl;
	size_t slot;
	enum ctl_state state;
	int fd;
	sd_event_source *io, *timer;
	struct ucred peer;
	uint64_t serial; /* counts connections: the smallest is the oldest */
	struct buf in;
	struct ctl_frame frame;
	size_t discarded;
	bool unfinished; /* the client is still sending */
	struct request request;
	struct buf out;
	size_t sent;
	bool is_text; /* it counts for ctl->texts */
};

struct ctl {
	sd_event *event;
	const struct ctl_handler *handler;
	void *data;
	int fd;
	char *path;
	struct stat st; /* of the socket file */
	sd_event_source *io, *resume;
	struct ctl_log_writer log;
	struct ctl_request *slots[CTL_CONNECTIONS_MAX];
	size_t n;
	uint64_t serial;
	size_t texts; /* bytes that wait for users other than root */
	unsigned timeout_ms;
	bool full; /* and said so */
};

/* Takes over fd. */
void ctl_connection_add(struct ctl *ctl, int fd, const struct ucred *peer);
/* Closes it at once, whatever it is doing; the handler that has its request hears of that. */
void ctl_connection_hang_up(struct ctl_request *c);
/* The same, but after one try to send an answer that is ready. */
void ctl_connection_end(struct ctl_request *c);
/* Unread input would make the client's read fail before it has seen the answer. */
void ctl_connection_drain(int fd);

#endif
