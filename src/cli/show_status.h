/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_SHOW_STATUS_H
#define DOCKSIDE_CLI_SHOW_STATUS_H

#include <stdio.h>

#include "dockside/json/json_parse.h"
#include "term.h"

/* Prints an answer to status as text for people. Members that it does not have are left out. */
void show_status(const struct json_node *answer, const struct term *term, FILE *out);

#endif
