/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status, reload, refresh, reconcile: requests that have a name and nothing more. */
#include <string.h>

#include "ask.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/system/log.h"
#include "wait.h"
#include "watch.h"

#define WAIT_DEFAULT 60 /* seconds */
#define WAIT_MAX 86400

struct wait_option {
	bool given;
	unsigned seconds;
};

struct status_options {
	struct ask_options ask;
	struct wait_option wait;
	bool watch;
	unsigned interval_s;
};

static bool set_wait(void *field, const char *argument)
{
	uint64_t seconds = WAIT_DEFAULT;

	if (argument && !parse_uint(argument, strlen(argument), 0, WAIT_MAX, &seconds))
		return false;
	*(struct wait_option *)field = (struct wait_option){ true, (unsigned)seconds };
	return true;
}

static const struct option_row status_options[] = {
	{ .name = "wait-networks",
	  .argument = "[=SECONDS]",
	  .help = "print nothing; wait until Docker has all networks, and they are judged "
		  "(default 60)",
	  .wanted = "a number of seconds from 0 to 86400",
	  .set = set_wait,
	  .offset = offsetof(struct status_options, wait) },
	{ .name = "watch",
	  .help = "show a page of it that follows what happens, until q is pressed",
	  .set = option_set_flag,
	  .offset = offsetof(struct status_options, watch) },
	{ .name = "interval",
	  .argument = "SECONDS",
	  .fallback = "2",
	  .help = "ask again after so long, with --watch",
	  .wanted = OPTION_INTERVAL_WANTED,
	  .set = option_set_interval,
	  .offset = offsetof(struct status_options, interval_s) },
	{ 0 },
};

static int ask(const struct call *call)
{
	const struct ask_options *options = call->options;
	cleanup(cleanup_free) char *request =
		xasprintf("{\"action\":\"%s\"}", request_action_name(options->action));

	return ask_daemon(options, request);
}

static int status(const struct call *call)
{
	const struct status_options *options = call->options;

	if (options->wait.given && (options->watch || options->ask.json)) {
		log_error("status: --wait-networks goes neither with --watch nor with --json");
		return EXIT_USAGE;
	}
	if (options->wait.given)
		return wait_networks(options->ask.socket, options->wait.seconds);
	if (options->watch && options->ask.json) {
		log_error("status: --watch and --json do not go together");
		return EXIT_USAGE;
	}
	return options->watch ? watch(options->ask.socket, options->interval_s) : ask(call);
}

const struct command cmd_status = {
	.name = "status",
	.summary = "show what the daemon enforces, and how it fares",
	.takes = { { status_options, 0 }, { ask_options, offsetof(struct status_options, ask) } },
	.size = sizeof(struct status_options),
	.initial = &(const struct status_options){ .ask = { .action = REQUEST_STATUS } },
	.run = status,
};

const struct command cmd_reload = {
	.name = "reload",
	.summary = "have the daemon read both files again",
	.takes = { { ask_options, 0 } },
	.size = sizeof(struct ask_options),
	.initial = &(const struct ask_options){ .action = REQUEST_RELOAD },
	.run = ask,
};

const struct command cmd_refresh = {
	.name = "refresh",
	.summary = "have the daemon ask DNS for every name now",
	.takes = { { ask_options, 0 } },
	.size = sizeof(struct ask_options),
	.initial = &(const struct ask_options){ .action = REQUEST_REFRESH },
	.run = ask,
};

const struct command cmd_reconcile = {
	.name = "reconcile",
	.summary = "have the daemon compare the kernel with its policy",
	.takes = { { ask_options, 0 } },
	.size = sizeof(struct ask_options),
	.initial = &(const struct ask_options){ .action = REQUEST_RECONCILE },
	.run = ask,
};
