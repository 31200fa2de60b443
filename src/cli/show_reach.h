/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_SHOW_REACH_H
#define DOCKSIDE_CLI_SHOW_REACH_H

#include <stdbool.h>

#include "dockside/json/json_parse.h"

/* Shows what DNS says of the name that was allowed or denied, and its addresses that other rules are about. quiet: the
 * look-up is not shown. Returns whether the answer is what was asked for: no address of a denied name can be reached. */
bool show_reach(const struct json_node *answer, bool quiet);

#endif
