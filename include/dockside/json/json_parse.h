/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file's text as a checked JSON tree in which every node knows its place. The grammar is
 * RFC 8259 plus // and block comments and a comma after the last item; duplicate keys, control characters in
 * strings (escaped ones too), invalid UTF-8, a byte order mark, lone surrogates, NaN, fractions or exponents in
 * numbers, integers outside int64, trailing text and nesting past JSON_DEPTH_MAX are errors.
 */
#ifndef DOCKSIDE_JSON_JSON_PARSE_H
#define DOCKSIDE_JSON_JSON_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"

#define JSON_DEPTH_MAX 32
#define JSON_SIZE_MAX (16u << 20)  /* bytes of one file */
#define JSON_VALUES_MAX (2u << 20) /* values in one file: some 200 MB of nodes */

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_node {
	enum json_kind kind;
	struct loc loc;	    /* of the value */
	struct loc key_loc; /* of the member's key with its quotes, when the parent is an object */
	const char *key; /* the decoded key, NUL-terminated; NULL unless the parent is an object */
	const struct json_node *parent;
	size_t index; /* position in the parent */
	union {
		bool boolean;
		int64_t integer;
		struct {
			const char *s; /* UTF-8, NUL-terminated, no control characters */
			size_t len;
		} string;
		struct {
			struct json_node *items; /* in source order */
			size_t n;
		} children;
	} u;
};

/* Owns the tree's memory; borrows the source. Zero-initialise. */
struct json_tree {
	struct json_node *root; /* NULL when there was a fault other than duplicate keys */
	struct arena arena;
};

/*
 * Parses src. Faults go to diags, going on after a fault that leaves no doubt about what follows
 * (a duplicate key, a bad string, number or word) and stopping at any other. Returns
 * true and a root when there was none. When duplicate keys were the only faults it returns false, but
 * with a root, so that the caller can look for faults in what the text says; json_get() finds the
 * first of such members. A source without text is false without a diagnostic: src_read() made it.
 */
bool json_parse(const struct src *src, struct json_tree *ret_tree, struct diags *diags);
void json_tree_free(struct json_tree *tree);

/* Whether it is an array or an object. */
bool json_is_container(const struct json_node *node);
/* Member of an object by key, or NULL. */
const struct json_node *json_get(const struct json_node *object, const char *key);
/* The same if it is of that kind; NULL as well for what is no object, or NULL. For texts that are checked
 * as they are read, such as a daemon's answer. */
const struct json_node *json_member(const struct json_node *object, const char *key,
				    enum json_kind kind);
/* The text of a member that is a string, or otherwise; and whether a member is true. */
const char *json_text(const struct json_node *object, const char *key, const char *otherwise);
bool json_is_true(const struct json_node *object, const char *key);
/* The number of a member that is an integer, or 0. */
int64_t json_integer(const struct json_node *object, const char *key);
/* RFC 6901 pointer of a node; the caller owns it. */
char *json_pointer(const struct json_node *node);

/*
 * Reads a file of at most JSON_SIZE_MAX bytes into *ret_src. A file that cannot be read is a
 * diagnostic without line ("FILE: error: cannot read: No such file or directory"); returns false
 * then. if_missing is the hint where there is no such file, or NULL. Either way the caller keeps *ret_src until diags are printed, and then calls src_free().
 */
bool src_read(const char *path, const char *if_missing, struct src *ret_src, struct diags *diags);

#endif
