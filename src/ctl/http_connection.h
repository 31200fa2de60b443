/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection of an HTTP client, from the first byte of its request until it has hung up. */
#ifndef DOCKSIDE_CTL_HTTP_CONNECTION_H
#define DOCKSIDE_CTL_HTTP_CONNECTION_H

#include <stdbool.h>

#include "http_request.h"
#include "http_text.h"

#define HTTP_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10) /* the daemon's own work goes first */
#define HTTP_ACCURACY_US 50000

enum http_state {
	HTTP_READING, /* the request */
	HTTP_WRITING, /* the answer */
	HTTP_DRAINING, /* until the client hangs up: what it still sends would make its system discard the answer */
};

struct http_connection {
	struct http *http;
	size_t slot;
	enum http_state state;
	int fd;
	sd_event_source *io, *timer;
	uint64_t moved_ms; /* when it last came nearer to its end */
	char in[HTTP_REQUEST_MAX + 1];
	size_t n_in;
	struct buf head;	/* of the answer, or all of it */
	struct http_text *text; /* behind the head; or NULL */
	size_t sent, drained;
};

struct http {
	sd_event *event;
	struct http_address address;
	const struct http_patience *patience;
	http_text_fn *make;
	const void *data;
	int fd;			      /* -1: it could not be opened yet */
	sd_event_source *io, *resume; /* resume: tries again to listen, or to accept */
	bool complained;
	struct http_texts texts;
	struct http_connection *slots[HTTP_CONNECTIONS_MAX];
	size_t n;
};

/* Takes over fd; there has to be room. */
void http_connection_add(struct http *http, int fd);
void http_connection_hang_up(struct http_connection *c);

#endif
