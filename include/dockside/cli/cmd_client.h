/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that ask the daemon (SPEC §5), one for each action of its socket but apply. */
#ifndef DOCKSIDE_CLI_CMD_CLIENT_H
#define DOCKSIDE_CLI_CMD_CLIENT_H

#include <stdio.h>

#include "dockside/cli/term.h"
#include "dockside/ctl/request.h"

struct client_options {
	enum request_action action; /* not REQUEST_APPLY */
	const char *socket;	    /* NULL: where the unit has it */
	bool json;		    /* print the answer as it came */
	bool force;		    /* remove-network */
	const char *network;	    /* set-network: JSON, or @FILE; NULL: not given */
	const char *firewall;	    /* likewise */
	bool wait;		    /* status: for the networks, wait_s seconds at most */
	unsigned wait_s;
	const char *request; /* explain: the request, which is made already */
	char *const *operands;
	size_t n_operands;
};

/* Returns an exit status: done, failed, or bad usage. */
int cmd_client(const struct client_options *options);

/* Waits until every configured network is in Docker, and those that are managed are judged; prints why not.
 * Returns an exit status. */
int client_wait_networks(const struct client_options *options);
/* The request's text, without a line feed, which the caller frees; NULL after reporting bad usage. */
char *client_request(const struct client_options *options);
/* An answer that has come: returns an exit status. */
int client_print_answer(const struct client_options *options, const char *text);
/* Answers to explain as text for people. */
void client_print_explanations(const struct json_node *answer, FILE *out);
/* An answer to status as text for people. What it does not have is left out. */
void client_print_status(const struct json_node *answer, const struct term *term, FILE *out);

#endif
