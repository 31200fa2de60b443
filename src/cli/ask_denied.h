/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the daemon what was refused. An answer has a limited size, and a connection one answer: so this asks again
 * from where the last answer ended. The shapes of request, answer and events are in ctl_server.h and denied.h.
 */
#ifndef DOCKSIDE_CLI_ASK_DENIED_H
#define DOCKSIDE_CLI_ASK_DENIED_H

#include <stdbool.h>
#include <stdint.h>

#include "dockside/json/json_parse.h"

#define AFTER_NONE UINT64_MAX

/* ask_denied() keeps in it where to go on. */
struct denied_question {
	const char *command, *socket, *network;
	uint64_t since_ms;
	uint64_t after; /* or AFTER_NONE */
	bool follow;	/* a daemon that goes away may come back */
	bool quiet;	/* the caller says what went wrong */
	bool waiting;	/* for that, and it was said */
	bool polls; /* the daemon is an older one, which answers at once, whether there is something or not */
};

/* The caller's functions for an answer: take() gets the whole of it first, then event() each event;
 * end(), unless NULL, comes after the last event that there is for the moment. */
struct denied_taker {
	void (*take)(void *data, const struct json_node *answer);
	void (*event)(void *data, const struct json_node *event);
	void (*end)(void *data, const struct json_node *answer);
};

/* Goes through all that there is. Returns 0, or -errno after saying why; -EAGAIN: the daemon may be there again
 * later. */
int ask_denied(struct denied_question *q, const struct denied_taker *taker, void *data);

#endif
