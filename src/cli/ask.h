/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that ask the daemon one thing: sending the request, showing the answer. */
#ifndef DOCKSIDE_CLI_ASK_H
#define DOCKSIDE_CLI_ASK_H

#include "dockside/cli/options.h"
#include "dockside/ctl/request.h"

struct ask_options {
	enum request_action action; /* what is asked; each command has its own */
	const char *socket;
	bool json; /* print the answer as it came */
};
extern const struct option_row ask_options[];

/* Sends a request, a line of JSON without its line feed, and shows the answer. Returns an exit status. */
int ask_daemon(const struct ask_options *options, const char *request);
/* An answer that has come. Returns an exit status. */
int ask_show_answer(const struct ask_options *options, const char *text);

#endif
