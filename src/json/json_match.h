/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out which children of a container are which of another. */
#ifndef DOCKSIDE_JSON_JSON_MATCH_H
#define DOCKSIDE_JSON_JSON_MATCH_H

#include "dockside/json/json_parse.h"

#define NO_MATCH SIZE_MAX

/* For each child of wanted, the index of the child of old, a container of the same kind, that it is (json_patch.h), or
 * NO_MATCH. Those of a list are in ascending order: an item that moved is another one. */
void json_match(const struct json_node *old, const struct json_node *wanted, size_t *ret_match);

#endif
