/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the end of a request. An object may span lines, and ends with the first line
 * feed after its closing brace; whatever else a client sends is one line. Pure, and fed as bytes arrive. It
 * judges no JSON: what cannot be the object's continuation ends with its line, and the parser says why.
 */
#ifndef DOCKSIDE_CTL_CTL_FRAME_H
#define DOCKSIDE_CTL_CTL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/json/json_parse.h"

#define CTL_FRAME_DEPTH_MAX (JSON_DEPTH_MAX + 1) /* one that the parser refuses */

enum ctl_frame_state {
	CTL_FRAME_START, /* nothing but blanks so far */
	CTL_FRAME_OBJECT,
	CTL_FRAME_STRING,
	CTL_FRAME_ESCAPE, /* in a string, behind its backslash */
	CTL_FRAME_SLASH,  /* perhaps a comment begins */
	CTL_FRAME_LINE_COMMENT,
	CTL_FRAME_COMMENT,
	CTL_FRAME_STAR, /* perhaps a comment ends */
	CTL_FRAME_LINE, /* the next line feed ends it */
	CTL_FRAME_END,
};

/* Zero-initialise. */
struct ctl_frame {
	enum ctl_frame_state state;
	unsigned depth;
	char closing[CTL_FRAME_DEPTH_MAX]; /* of each open bracket */
};

/* Takes the next bytes. True: the request has ended, with the line feed at data[*ret_at]. */
bool ctl_frame_feed(struct ctl_frame *frame, const char *data, size_t len, size_t *ret_at);
/* Whether an object has begun and its closing brace has not come. */
bool ctl_frame_is_open(const struct ctl_frame *frame);

#endif
