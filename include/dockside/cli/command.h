/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Describes a command: main.c has the list of all; each lies in the file of its name, with all that it takes. */
#ifndef DOCKSIDE_CLI_COMMAND_H
#define DOCKSIDE_CLI_COMMAND_H

#include "dockside/base/exit_status.h"
#include "dockside/cli/options.h"

#define COMMAND_USES_MAX 12

struct call;

struct command {
	const char *name;
	const char *summary;
	struct {
		const char *text; /* "NAME MEMBER…"; NULL: it takes none */
		const char *wanted;
		size_t min, max;
	} operands;
	struct option_use takes[COMMAND_USES_MAX]; /* the last one is empty */
	size_t size;				   /* of its struct, which these fill; 0: none */
	const void *initial;			   /* that struct before; NULL: zeroes */
	int (*run)(const struct call *call);	   /* returns an exit status */
};

/* All commands. */
struct program {
	const struct command *const *commands;
	size_t n;
};

/* A command as it was given, with options and operands. */
struct call {
	const struct program *program;
	const struct command *command;
	const void *options; /* the command's own struct */
	char *const *operands;
	size_t n_operands;
};

/* Reads a command line and runs the command; returns the exit status. */
int command_line(const struct program *program, int argc, char **argv);

extern const struct command cmd_init;
extern const struct command cmd_compile, cmd_check;
extern const struct command cmd_apply, cmd_teardown;
extern const struct command cmd_diff;
extern const struct command cmd_gate;
extern const struct command cmd_graph;
extern const struct command cmd_status, cmd_reload, cmd_refresh, cmd_reconcile;
extern const struct command cmd_explain;
extern const struct command cmd_metrics;
extern const struct command cmd_denied, cmd_learn;
extern const struct command cmd_allow, cmd_deny;
extern const struct command cmd_set_network, cmd_remove_network;
extern const struct command cmd_set_ipset, cmd_add_ipset, cmd_del_ipset, cmd_remove_ipset;
extern const struct command cmd_version, cmd_help;

#endif
