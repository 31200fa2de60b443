/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_CMD_ALLOW_H
#define DOCKSIDE_CLI_CMD_ALLOW_H

#include "dockside/cli/command.h"

/* The request that allow and deny send, which the caller frees; NULL after saying what is wrong with the name. */
char *allow_request(const struct call *call);

#endif
