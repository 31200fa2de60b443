/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document that is being edited: its tree, whose nodes an edit replaces, adds or takes out. A node that moves from
 * the request into a document is copied, its children are shared; both trees live until the texts are written.
 */
#ifndef DOCKSIDE_CTL_EDIT_DOC_H
#define DOCKSIDE_CTL_EDIT_DOC_H

#include "dockside/base/buf.h"
#include "dockside/ctl/request.h"
#include "dockside/policy/fields.h"

struct doc {
	struct json_tree tree;
	bool changed;
};

struct editor {
	struct reader r; /* for its diags */
	const struct request *request;
	const struct policy *policy; /* that the texts are of */
	struct doc network, firewall;
	struct buf message; /* what was done, where there is more to say than that */
};

/* ---- trees ---- */

struct json_node *doc_find(struct json_node *object, size_t n, const char *key);
/* A member of the given kind, or NULL. */
struct json_node *doc_get(struct json_node *object, const char *key, enum json_kind kind);
/* The same, made empty where it is missing or null; NULL: it is of another kind. */
struct json_node *doc_get_or_add(struct doc *doc, struct json_node *object, const char *key,
				 enum json_kind kind);
/* Makes room for another n children; pointers to those that are there are stale then. */
void doc_reserve(struct doc *doc, struct json_node *container, size_t n);
struct json_node *doc_append_reserved(struct json_node *container, const char *key,
				      const struct json_node *value);
void doc_append(struct doc *doc, struct json_node *list, const struct json_node *value);
void doc_insert(struct doc *doc, struct json_node *list, size_t index,
		const struct json_node *value);
void doc_replace_value(struct json_node *node, const struct json_node *value);
/* Sets one member of an object, noticing whether that changes anything. */
void doc_set(struct doc *doc, struct json_node *object, const char *key,
	     const struct json_node *value);
void doc_remove(struct doc *doc, struct json_node *container, struct json_node *child);
/* A string that the document owns. */
struct json_node doc_string(struct doc *doc, const char *s);

/* ---- what edits have in common ---- */

const struct json_node *edit_name(const struct editor *e);
/* "there is no WHAT NAME"; false. */
bool edit_no_such(struct editor *e, const char *what, struct json_node *container,
		  const char *more);
/* The texts have been checked: only a mistake of ours leads here. False. */
bool edit_bad_document(struct editor *e, const char *what);

#endif
