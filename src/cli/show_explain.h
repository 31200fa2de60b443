/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_SHOW_EXPLAIN_H
#define DOCKSIDE_CLI_SHOW_EXPLAIN_H

#include <stdio.h>

#include "dockside/json/json_parse.h"

/* An answer to explain as text for people. */
void show_explain(const struct json_node *answer, FILE *out);

#endif
