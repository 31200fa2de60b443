/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other kind of trouble: a *diagnostic* is a fault in input. It carries where it was found, is
 * collected, and is printed with its source line and a caret.
 */
#ifndef DOCKSIDE_BASE_DIAG_H
#define DOCKSIDE_BASE_DIAG_H

#include <stddef.h>
#include <stdio.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

/* A file's text as the user wrote it. Locations borrow it, so it outlives them. */
struct src {
	char *name; /* as given by the user, for messages */
	char *text; /* NUL-terminated; may be NULL when the file could not be read */
	size_t len;
};

void src_free(struct src *src);

/* A stretch of a source text in bytes; src NULL means "no place". */
struct loc {
	const struct src *src;
	size_t off;
	size_t len;
};

/* 1-based line and column (in characters, not bytes) of a location; 0 and 0 if it has no text. */
void loc_line_column(struct loc loc, unsigned *ret_line, unsigned *ret_column);

enum severity {
	SEVERITY_ERROR,
	SEVERITY_WARNING,
	SEVERITY_NOTE,
};

struct diag {
	enum severity severity;
	struct loc loc;
	char *pointer; /* RFC 6901, "" for the whole document */
	char *message; /* what was found and what is allowed */
	char *hint;    /* "did you mean …?" or NULL */
	struct loc other;
	char *other_message; /* "first defined here" or NULL */
};

#define DIAGS_MAX 20

/* Zero-initialise. Beyond DIAGS_MAX diagnostics of a severity further ones are only counted. */
struct diags {
	struct diag *items;
	size_t n;
	size_t cap;
	size_t count[3];     /* by severity, the ones not kept included */
	struct diag scratch; /* what diag_add() returns past DIAGS_MAX */
};

/*
 * Adds a diagnostic and returns it, so that the caller can set hint, other and other_message (owned
 * strings) until the next diag_add(). Never NULL: past DIAGS_MAX a scratch record is returned that
 * nobody prints. The location's source outlives diags.
 */
struct diag *diag_add(struct diags *diags, enum severity severity, struct loc loc,
		      const char *pointer, const char *fmt, ...) printf_like(5, 6);
/* Text as found in input, made fit for a message: in double quotes, cut at 40 characters, control
 * characters and invalid bytes as \xNN. Appends to b. */
void quote_found(struct buf *b, const char *s, size_t len);
/* Prints every diagnostic, by file then offset, like a compiler:
 *   FILE:LINE:COL: error: MESSAGE; HINT (at POINTER)
 *   source line
 *        ^^^^
 *   FILE:LINE:COL: note: OTHER_MESSAGE
 *   source line
 *   ^^^^
 * "FILE: error: …" where the source has no text, "error: …" where there is no source. Bytes
 * that could upset a terminal come out as U+FFFD. Ends with "… and N more errors" where some were
 * not kept.
 */
void diags_print(const struct diags *diags, FILE *out);
/* Removes all of that severity. */
void diags_drop(struct diags *diags, enum severity severity);
void diags_free(struct diags *diags);

#endif
