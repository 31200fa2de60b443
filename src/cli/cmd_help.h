/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_CMD_HELP_H
#define DOCKSIDE_CLI_CMD_HELP_H

#include "dockside/cli/command.h"

/* Prints what a command takes. */
void help_print(const struct command *command);

#endif
