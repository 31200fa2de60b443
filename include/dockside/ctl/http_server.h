/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text for Prometheus over HTTP: GET and HEAD of /metrics, one request a connection, and nothing else. It is small on
 * purpose: the daemon is root's, and whoever reaches the port may send what he likes.
 */
#ifndef DOCKSIDE_CTL_HTTP_SERVER_H
#define DOCKSIDE_CTL_HTTP_SERVER_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "dockside/base/addr.h"
#include "dockside/base/buf.h"

#define HTTP_CONNECTIONS_MAX 16
#define HTTP_TEXTS_MAX (64u << 20) /* bytes that may wait to be read, but for one text more */

struct http_address {
	struct ipaddr ip;
	uint16_t port; /* 0: none is given, do not listen */
};

/* "192.0.2.1:9853" or "[2001:db8::1]:9853". */
bool http_address_parse(const char *text, struct http_address *ret);
char *http_address_format(const struct http_address *address); /* the caller frees it */

/* Appends the text that answers; called when somebody asks and the last one is no longer good enough. */
typedef void http_text_fn(const void *data, struct buf *b);

/* The time that clients may take, in milliseconds. */
struct http_patience {
	unsigned request; /* for the whole request */
	unsigned answer;  /* for each MiB of the answer */
	unsigned rest;	  /* to hang up after it */
	unsigned crowded; /* one that has stood still for so long makes way for another */
};
extern const struct http_patience http_patience;

struct http;

/*
 * Listens at the address, and goes on trying where it cannot, with a line in the log: the rules are worth more. An address
 * that the host does not have yet will do. Nothing here blocks, and dispatching has a lower priority than
 * SD_EVENT_PRIORITY_NORMAL. Borrows event, patience, and data, which make gets. Aborts without memory;
 * http_close(NULL) is valid.
 */
struct http *http_open(sd_event *event, const struct http_address *address,
		       const struct http_patience *patience, http_text_fn *make, const void *data);
void http_close(struct http *http);

#endif
