/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as JSON text. json_parse() reads back whatever is written here, unless it is nested
 * too deep: control characters in strings become blanks, and bytes that are not UTF-8 U+FFFD.
 */
#ifndef DOCKSIDE_JSON_JSON_WRITE_H
#define DOCKSIDE_JSON_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/buf.h"
#include "dockside/json/json_parse.h"

/*
 * A value that is being written, on one line without blanks. key is the member's in an object, NULL
 * in an array and for the outermost value.
 */
struct json_writer {
	struct buf *b;
	bool more; /* the innermost container has a child already */
};

/* bracket: '{' or '[', and the closing one of the same kind. */
void json_write_open(struct json_writer *out, const char *key, char bracket);
void json_write_close(struct json_writer *out, char bracket);
/* A NULL string is null. */
void json_write_string(struct json_writer *out, const char *key, const char *s);
void json_write_int(struct json_writer *out, const char *key, int64_t value);
void json_write_bool(struct json_writer *out, const char *key, bool value);
/* A value that is JSON text already. */
void json_write_text(struct json_writer *out, const char *key, const char *json);
void json_write_node(struct json_writer *out, const char *key, const struct json_node *node);

/* The layout of a text. */
struct json_layout {
	const char *newline; /* "\n" or "\r\n" */
	const char *indent;  /* of the line in which a value begins */
	const char *unit;    /* what each level adds to it */
	bool padded;	     /* braces with something in them have blanks inside */
};

/*
 * A value for people: members in their order, a list or object without objects inside on one line where it fits
 * in 100 columns. Appends to b, which ends with what stands before the value in its line.
 */
void json_write_block(struct buf *b, const struct json_node *node,
		      const struct json_layout *layout);
/* The same on one line, whatever is inside; false, having appended nothing, if that takes more than 100 columns. */
bool json_write_short(struct buf *b, const struct json_node *node,
		      const struct json_layout *layout);
/* A member's key, and what stands between it and the value. */
void json_write_key(struct buf *b, const char *key);

#endif
