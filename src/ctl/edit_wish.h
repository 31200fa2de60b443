/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allow and deny: what is asked for, the rules that it is about, and changes of these in the document. */
#ifndef DOCKSIDE_CTL_EDIT_WISH_H
#define DOCKSIDE_CTL_EDIT_WISH_H

#include "dockside/ctl/edit_reach.h"
#include "edit_doc.h"

struct wish {
	struct editor *e;
	struct target target;
	struct view view;
	struct json_node *egress; /* of the document */
	/* allow: */
	enum proto proto;
	struct json_node ports, default_port; /* ports: a list, as it was given */
	struct portrange *ranges;
	bool *needed; /* by port: it does not pass */
	size_t n_needed;
	size_t before; /* the first rule that drops one of these, by position in the model */
};

/* False after saying what is wrong; else wish_end() when done. */
bool wish_begin(struct editor *e, struct wish *ret);
void wish_end(struct wish *w);

/* Between two sentences of the answer. */
const char *wish_separator(const struct wish *w);
/* A rule by its position in the model. */
const struct rule *wish_rule(const struct wish *w, size_t i);
/* The name of a rule's ipset; its list in the document, or NULL; how many rules of all networks use an ipset. */
const char *wish_ipset(const struct wish *w, const struct rule *rule);
struct json_node *wish_ipset_list(struct wish *w, const struct rule *rule);
size_t wish_count_users(const struct policy *policy, size_t ipset);

void wish_add_member(struct doc *doc, struct json_node *object, const char *key, const char *s);
/* Makes a rule be about the target. */
void wish_add_target(struct wish *w, struct json_node *rule);
/* Takes out the rules that go. offset: 1 if a rule was put in at the index. */
void wish_take_out(struct wish *w, size_t index, size_t offset);
/* The index that an index will have without the rules that go. */
size_t wish_index_then(const struct wish *w, size_t index);

#endif
