/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_help.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"
#include "parse.h"

static int run(struct call *call, int argc, char **argv, void *options)
{
	switch (parse_call(call, argc, argv, options)) {
	case PARSE_DONE:
		return call->command->run(call);
	case PARSE_HELP:
		help_print(call->command);
		return EXIT_DONE;
	case PARSE_BAD:
		break;
	}
	return EXIT_USAGE;
}

int command_line(const struct program *program, int argc, char **argv)
{
	cleanup(cleanup_free) void *options = NULL;
	struct call call = { .program = program };
	int status;

	if (argc < 2) {
		log_error("no command given; see dsfw-nft help");
		return EXIT_USAGE;
	}
	call.command = parse_command(program, argv[1]);
	if (!call.command)
		return EXIT_USAGE;
	options = xcalloc(1, call.command->size + 1);
	if (call.command->initial)
		memcpy(options, call.command->initial, call.command->size);
	status = run(&call, argc - 1, argv + 1, options);
	errno = 0; /* where an earlier write failed, nothing says any more why */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("%s: write to standard output: %s", call.command->name,
			  errno ? strerror(errno) : "an earlier write failed");
		return EXIT_FAILED;
	}
	return status;
}
