/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of an HTTP request. Pure. */
#ifndef DOCKSIDE_CTL_HTTP_REQUEST_H
#define DOCKSIDE_CTL_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_MAX 8192 /* bytes, with the empty line at its end */

/* The judgement of a request; all but the first are HTTP's numbers. */
enum http_status {
	HTTP_UNFINISHED,
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_BAD_METHOD = 405,
	HTTP_TIMEOUT = 408,
	HTTP_TOO_LARGE = 431,
	HTTP_BUSY = 503,
	HTTP_BAD_VERSION = 505,
};

/*
 * Judges what has come so far: unfinished, or how to answer it. Only GET and HEAD of /metrics are answered, of HTTP/1.x;
 * what RFC 9112 leaves to the receiver's taste is refused. *ret_head: the answer is to have no body.
 */
enum http_status http_request_judge(const char *text, size_t len, bool *ret_head);

#endif
