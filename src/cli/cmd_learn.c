/* SPDX-License-Identifier: GPL-2.0-or-later */
/* learn: prints the rules that would have allowed what was refused. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/policy/model.h"
#include "dockside/report/learn.h"
#include "dockside/system/log.h"
#include "since.h"

struct learn_options {
	const char *socket;
	uint64_t since_ms; /* 0: all that is remembered */
};

/* It goes into JSON, and into the name of an ipset. */
static bool network_named(const char *name)
{
	static const char set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (name[0] && strlen(name) <= BRIDGE_NAME_MAX && strspn(name, set) == strlen(name))
		return true;
	log_error("learn: no network can have that name");
	return false;
}

/* The network's name as the files have it: older daemons do not say. */
struct learner {
	struct learn learn;
	char *network;
};

static void on_learn_answer(void *data, const struct json_node *answer)
{
	const char *network = json_text(answer, "network", NULL);
	struct learner *learner = data;

	if (!network || !network_named(network))
		return;
	free(learner->network);
	learner->network = xstrdup(network);
}

static void on_learn(void *data, const struct json_node *event)
{
	learn_add(&((struct learner *)data)->learn, event);
}

static const struct denied_taker pupil = { on_learn_answer, on_learn, NULL };

static void print_left_out(uint64_t n, const char *what)
{
	if (n > 0)
		log_warning("learn: %" PRIu64 " packet%s %s", n, n == 1 ? "" : "s", what);
}

static int learn(const struct call *call)
{
	const struct learn_options *options = call->options;
	struct denied_question q = {
		.command = "learn",
		.socket = options->socket,
		.network = call->operands[0],
		.since_ms = options->since_ms,
		.after = AFTER_NONE,
	};
	struct learner learner = { 0 };
	struct buf b = { 0 };
	int r;

	if (!network_named(q.network))
		return EXIT_USAGE;
	learner.network = xstrdup(q.network);
	r = ask_denied(&q, &pupil, &learner);
	if (r >= 0) {
		learn_print(&learner.learn, learner.network, &b);
		printf("%s", buf_str(&b));
		print_left_out(learner.learn.between,
			       "between containers: no rule can allow these");
		print_left_out(
			learner.learn.forged,
			"with forged addresses, or to the host's loopback: no rule can allow "
			"these");
		print_left_out(learner.learn.past_gate,
			       "of DNS to others than the gate: no rule can allow these");
		print_left_out(learner.learn.unsayable,
			       "of protocols that no rule can name: left out");
	}
	buf_free(&b);
	free(learner.network);
	learn_free(&learner.learn);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_learn = {
	.name = "learn",
	.summary = "print the rules that would have allowed what was refused",
	.operands = { "NETWORK", "one NETWORK", 1, 1 },
	.takes = { { since_option, offsetof(struct learn_options, since_ms) },
		   { socket_option, offsetof(struct learn_options, socket) } },
	.size = sizeof(struct learn_options),
	.run = learn,
};
