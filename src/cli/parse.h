/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads command lines, by the tables of the commands. */
#ifndef DOCKSIDE_CLI_PARSE_H
#define DOCKSIDE_CLI_PARSE_H

#include "dockside/cli/command.h"

#define PARSE_ROWS_MAX 32

/* All options that a command takes, table after table. */
struct parse_rows {
	struct {
		const struct option_row *row;
		size_t offset; /* of its field in the command's struct */
	} items[PARSE_ROWS_MAX];
	size_t n;
};

void parse_collect(const struct command *command, struct parse_rows *ret);

/* Whether the option can be given without its argument. */
bool parse_argument_optional(const struct option_row *row);

/* The command of that name, or of that option (--help, --version). NULL after saying that there is none. */
const struct command *parse_command(const struct program *program, const char *name);

enum parse_result {
	PARSE_DONE,
	PARSE_HELP, /* --help is among the options */
	PARSE_BAD,  /* and why was said */
};

/*
 * Reads what follows the command: argv[0] is its name. call has program and command; gets the operands. *options is
 * the command's struct, which gets arguments, the environment, and defaults, in that order of precedence.
 */
enum parse_result parse_call(struct call *call, int argc, char **argv, void *options);

#endif
