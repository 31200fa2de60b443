/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_CMD_EDIT_H
#define DOCKSIDE_CLI_CMD_EDIT_H

#include "dockside/cli/command.h"

/* The request that set-network and the like send, which the caller frees; NULL after saying what is wrong with the
 * JSON that was given. */
char *edit_request(const struct call *call);

#endif
