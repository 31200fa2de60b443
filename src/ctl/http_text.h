/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text that answers all who ask at about the same time. */
#ifndef DOCKSIDE_CTL_HTTP_TEXT_H
#define DOCKSIDE_CTL_HTTP_TEXT_H

#include <stdint.h>

#include "dockside/base/buf.h"
#include "dockside/ctl/http_server.h"

struct http_texts;

struct http_text {
	struct buf b;
	size_t holders;
	struct http_texts *of;
};

struct http_texts {
	struct http_text *last; /* also one of its holders */
	uint64_t until_ms;	/* that long it is good enough */
	size_t bytes;		/* of all texts that somebody holds */
};

/* The last text, or a new one; NULL: too much waits to be read. http_text_drop() when done. */
struct http_text *http_texts_take(struct http_texts *texts, http_text_fn *make, const void *data);
void http_text_drop(struct http_text *text);
void http_texts_free(struct http_texts *texts);

#endif
