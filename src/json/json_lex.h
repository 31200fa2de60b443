/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokens of a JSON text and the faults in it. Everything that is
 * reported carries the JSON pointer of the value that is being parsed.
 */
#ifndef DOCKSIDE_JSON_JSON_LEX_H
#define DOCKSIDE_JSON_JSON_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

#define LEX_END (-1) /* what stands at the end of the file */

/* A container that is still open, and which of its children is being parsed, if any. */
struct lex_level {
	size_t open; /* offset of its bracket */
	bool in_child;
	const char *key; /* the child's; NULL in an array */
	size_t index;
};

struct lexer {
	const struct src *src;
	size_t pos;
	struct diags *diags;
	size_t n_faults;
	struct arena *arena; /* of what is decoded */
	struct lex_level levels[JSON_DEPTH_MAX];
	size_t depth;
};

/* The byte at the lexer's position, or LEX_END. */
static inline int lex_peek(const struct lexer *lex)
{
	return lex->pos < lex->src->len ? (unsigned char)lex->src->text[lex->pos] : LEX_END;
}
struct loc lex_place(const struct lexer *lex, size_t from, size_t to);
/* Skips white space and comments. Returns false, having reported it, if a comment does not end. */
bool lex_skip_blanks(struct lexer *lex);
/* The same, where there is nothing to skip half of the time. */
static inline bool lex_skip_blank(struct lexer *lex)
{
	int c = lex_peek(lex);

	return (c > ' ' && c != '/') || lex_skip_blanks(lex);
}
/* Appends a step of a JSON pointer: the key, or the index where key is NULL. */
void lex_pointer_step(struct buf *b, const char *key, size_t index);
/* Adds an error; returns it as diag_add() does. */
struct diag *lex_fault(struct lexer *lex, struct loc loc, const char *fmt, ...) printf_like(3, 4);
/* Reports that something else stands at the lexer's position than what, which may stand there.
 * Returns false. */
bool lex_expected(struct lexer *lex, const char *what);

/*
 * Decodes the string at the lexer's position (a double quote) and moves past it. After a fault
 * within it ret_s is its source text, so that different keys stay different. Returns false if it
 * does not end.
 */
bool lex_string(struct lexer *lex, const char **ret_s, size_t *ret_len, struct loc *ret_loc);
/* Decodes the number, true, false or null at the lexer's position into node, moves past it, reports
 * anything else. Returns false if there is not even a word. */
bool lex_word(struct lexer *lex, struct json_node *node);

#endif
