/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of ipsets, and their members. */
#ifndef DOCKSIDE_CTL_EDIT_IPSET_H
#define DOCKSIDE_CTL_EDIT_IPSET_H

#include "edit_doc.h"

bool edit_set_ipset(struct editor *e);
bool edit_add_ipset(struct editor *e);
bool edit_del_ipset(struct editor *e);
bool edit_remove_ipset(struct editor *e);

/* A member as all spellings of it are written: in lower case without a final dot; an address or a network in its
 * short form. The caller frees it. */
char *edit_member_text(const char *s);
/* Takes a member, as edit_member_text() has it, out of a list. Returns whether it was there. */
bool edit_remove_member(struct doc *doc, struct json_node *list, const char *text);

#endif
