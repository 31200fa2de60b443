/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes what a text says, and nothing else of it: whatever means the same before and after stays byte for byte,
 * comments, blanks and order included.
 */
#ifndef DOCKSIDE_JSON_JSON_PATCH_H
#define DOCKSIDE_JSON_JSON_PATCH_H

#include <stdbool.h>

#include "dockside/base/buf.h"
#include "dockside/json/json_parse.h"

/*
 * Appends to b the text of src, whose tree is old, changed to mean wanted.
 *
 * Members of an object are the same if they have the same key; new ones come last, and members in another order
 * change nothing. A node of wanted may be a copy out of a tree of src, and has that one's loc then. In a list that is
 * such a copy, the items that are copies are the old ones, and others are new. In another list, items are the same if
 * they are equal or are objects with the same "name", or if as many lists and objects stand between those.
 *
 * A child that is removed takes the rest of its line along where it stood alone there: its comma, the comment behind it.
 * Comments on lines of their own stay. A new child is written like its neighbours, on a line of its own if they
 * have one, in their indentation. A comma stands behind the last item if there was one before.
 */
void json_patch(struct buf *b, const struct src *src, const struct json_node *old,
		const struct json_node *wanted);

/* Whether both mean the same: the members of an object may be in any order. Of trees without duplicate keys. */
bool json_equal(const struct json_node *a, const struct json_node *b);

#endif
