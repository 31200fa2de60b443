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
#include "json_report.h"
#include "learn_apply.h"
#include "since.h"

struct learn_options {
	const char *socket;
	struct files_options files; /* with apply */
	uint64_t since_ms;	    /* 0: all that is remembered */
	bool json, apply, yes;
};

static const struct option_row learn_options[] = {
	{ .name = "apply",
	  .help = "show the rules, ask, and add them to the network by the daemon",
	  .set = option_set_flag,
	  .offset = offsetof(struct learn_options, apply) },
	{ .name = "yes",
	  .help = "with --apply: do not ask, and leave out what is doubtful: addresses without a "
		  "name, and the like",
	  .set = option_set_flag,
	  .offset = offsetof(struct learn_options, yes) },
	{ 0 },
};

/* It goes into JSON, and into the name of an ipset. */
static bool network_named(const char *name)
{
	static const char set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (name[0] && strlen(name) <= NETWORK_NAME_MAX && strspn(name, set) == strlen(name))
		return true;
	log_error("learn: no network can have that name");
	return false;
}

/* The network's name as the files have it, and "base": older daemons do not say. */
struct learner {
	struct learn learn;
	char *network;
	char *base; /* "": another policy has come between two answers */
};

static void on_learn_answer(void *data, const struct json_node *answer)
{
	const char *network = json_text(answer, "network", NULL);
	const char *base = json_text(answer, "base", NULL);
	struct learner *learner = data;

	if (learner->base && strcmp(learner->base, base ? base : "") != 0)
		base = "";
	free(learner->base);
	learner->base = base ? xstrdup(base) : NULL;

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

static void print_learnt(struct learn *learnt, const char *network)
{
	struct buf b = { 0 };

	learn_print(learnt, network, &b);
	printf("%s", buf_str(&b));
	buf_free(&b);
}

static void print_as_json(struct learn *learnt, const char *network)
{
	struct report report;

	report_begin(&report, true);
	learn_json(learnt, network, &report.out);
	report_print(&report, NULL);
	report_free(&report);
}

static void print_all_left_out(const struct learn *learnt)
{
	print_left_out(learnt->between, "between containers: no rule can allow these");
	print_left_out(learnt->forged,
		       "with forged addresses, or to the host's loopback: no rule can allow these");
	if (learnt->names > 0)
		log_warning("learn: %" PRIu64 " question%s for names that the DNS gate refused, so "
			    "that no packet tells which port they are for: dsfw-nft denied has "
			    "them, and in audit mode learn takes them",
			    learnt->names, learnt->names == 1 ? "" : "s");
	print_left_out(learnt->past_gate,
		       "of DNS to others than the gate: no rule can allow these");
	print_left_out(learnt->unsayable, "of protocols that no rule can name: left out");
}

/* Returns an exit status. */
static int show_or_apply(const struct learn_options *options, struct learner *learner)
{
	const struct learn_apply apply = { options->socket, options->files, learner->base,
					   options->yes };

	if (options->json)
		print_as_json(&learner->learn, learner->network);
	if (!options->json && !options->apply)
		print_learnt(&learner->learn, learner->network);
	if (!options->json)
		print_all_left_out(&learner->learn);
	return options->apply ? learn_apply(&apply, &learner->learn, learner->network) : EXIT_DONE;
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
	int r;

	if (!network_named(q.network))
		return EXIT_USAGE;
	if ((options->yes && !options->apply) || (options->json && options->apply)) {
		log_error("learn: --yes belongs to --apply, and --json does not go with that; see "
			  "dsfw-nft help learn");
		return EXIT_USAGE;
	}
	learner.network = xstrdup(q.network);
	r = ask_denied(&q, &pupil, &learner) < 0 ? EXIT_FAILED : show_or_apply(options, &learner);
	free(learner.network);
	free(learner.base);
	learn_free(&learner.learn);
	return r;
}

const struct command cmd_learn = {
	.name = "learn",
	.summary = "print the rules that would have allowed what was refused",
	.operands = { "NETWORK", "one NETWORK", 1, 1 },
	.takes = { { learn_options, 0 },
		   { since_option, offsetof(struct learn_options, since_ms) },
		   { socket_option, offsetof(struct learn_options, socket) },
		   { files_options, offsetof(struct learn_options, files) },
		   { json_option, offsetof(struct learn_options, json) } },
	.size = sizeof(struct learn_options),
	.run = learn,
};
