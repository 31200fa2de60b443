/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain: which rules a packet meets, by the daemon's plan or by the files'. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/ctl/explain_request.h"
#include "dockside/report/explain_json.h"
#include "dockside/system/log.h"
#include "dockside/table/compile.h"
#include "inputs.h"

struct explain_options {
	struct ask_options ask;
	struct files_options files; /* with offline */
	struct plan_options plan;
	/* The arguments as the user wrote them; NULL: not given. */
	const char *from, *to, *protocol, *port, *type, *src, *mac;
	bool offline, no_resolve;
};

static const struct option_row explain_options[] = {
	{ .name = "from",
	  .argument = "NETWORK|CONTAINER",
	  .help = "some container of the network opens a connection, or that container",
	  .required = true,
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, from) },
	{ .name = "to",
	  .argument = "ADDRESS|NAME|CONTAINER|host[:PORT]",
	  .help = "to there; host: to the Docker host; [ADDRESS]:PORT for IPv6",
	  .required = true,
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, to) },
	{ .name = "proto",
	  .argument = "tcp|udp|icmp|NUMBER",
	  .help = "by that protocol (default tcp; with --type icmp)",
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, protocol) },
	{ .name = "port",
	  .argument = "PORT",
	  .help = "with tcp and udp: the destination's (default with tcp: 443)",
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, port) },
	{ .name = "type",
	  .argument = "TYPE[/CODE]",
	  .help = "with icmp (default echo-request)",
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, type) },
	{ .name = "src",
	  .argument = "ADDRESS",
	  .help = "the container's address (default: one that is free)",
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, src) },
	{ .name = "mac",
	  .argument = "MAC",
	  .help = "the container's MAC address (default: that of some container)",
	  .set = option_set_text,
	  .offset = offsetof(struct explain_options, mac) },
	{ .name = "offline",
	  .help = "go by both files instead of by the daemon's policy",
	  .set = option_set_flag,
	  .offset = offsetof(struct explain_options, offline) },
	{ .name = "no-resolve",
	  .help = "with --offline: ask no DNS; names have no addresses",
	  .set = option_set_flag,
	  .offset = offsetof(struct explain_options, no_resolve) },
	{ 0 },
};

/* ---- the question ---- */

/* Finds the colon before the port in "NAME:443" and "[2001:db8::1]:443"; NULL: there is none. An IPv6
 * address without brackets has no port. */
static const char *find_port(const char *target)
{
	const char *colon = strchr(target, ':');

	if (target[0] == '[') {
		const char *end = strchr(target, ']');

		return end && end[1] == ':' ? end + 1 : NULL;
	}
	return colon && !strchr(colon + 1, ':') ? colon : NULL;
}

/* The target without its port, and without brackets. */
static char *without_port(const char *target, const char *port)
{
	size_t len = port ? (size_t)(port - target) : strlen(target);
	bool brackets = len >= 2 && target[0] == '[' && target[len - 1] == ']';

	return brackets ? xstrndup(target + 1, len - 2) : xstrndup(target, len);
}

static bool has_usual_port(const char *protocol)
{
	return strcmp(protocol, "tcp") == 0 || strcmp(protocol, "6") == 0;
}

/* Fills in what the user has left out. The caller frees *ret_to, to which fields point. */
static bool complete(struct explain_options *explain, char **ret_to)
{
	const char *port = find_port(explain->to);

	if (port && explain->port) {
		log_error("explain: the port stands in --to and in --port; see dsfw-nft help "
			  "explain");
		return false;
	}
	if (port)
		explain->port = port + 1;
	explain->to = *ret_to = without_port(explain->to, port);
	if (!explain->protocol)
		explain->protocol = explain->type ? "icmp" : "tcp";
	if (!explain->port && has_usual_port(explain->protocol))
		explain->port = "443";
	return true;
}

static char *request_text(const struct explain_options *explain)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	uint64_t port = 0;

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(REQUEST_EXPLAIN));
	json_write_string(&out, "from", explain->from);
	json_write_string(&out, "to", explain->to);
	json_write_string(&out, "protocol", explain->protocol);
	/* Text that is no number counts as a port out of range. */
	if (explain->port &&
	    !parse_uint(explain->port, strlen(explain->port), 1, UINT16_MAX, &port))
		port = 0;
	if (explain->port)
		json_write_int(&out, "port", (int64_t)port);
	if (explain->type)
		json_write_string(&out, "type", explain->type);
	if (explain->src)
		json_write_string(&out, "source", explain->src);
	if (explain->mac)
		json_write_string(&out, "mac", explain->mac);
	json_write_close(&out, '}');
	return buf_steal(&b);
}

/* The request as the daemon would read it, so that a bad one is bad usage with it and without. */
static bool read_request(const char *text, struct request *request,
			 struct explain_question *ret_question)
{
	struct diags diags = { 0 };
	struct err err = { 0 };
	bool ok;

	*request = (struct request){
		.src = { .name = xstrdup(REQUEST_FILE),
			 .text = xstrdup(text),
			 .len = strlen(text) },
	};
	ok = request_parse(request, 0, &diags);
	diags_print(&diags, stderr);
	if (ok && explain_request_read(request, ret_question, &err) < 0) {
		log_error("explain: %s; see dsfw-nft help explain", err.text);
		ok = false;
	}
	diags_free(&diags);
	err_free(&err);
	return ok;
}

/* ---- without a daemon ---- */

static int answer_offline(const struct explain_options *options,
			  const struct explain_question *question, const struct policy *policy,
			  struct buf *ret_json, struct err *err)
{
	struct explain_world world = { .policy = policy };
	struct resolved resolved = { 0 }, more = { 0 };
	struct plan plan = { 0 };
	bool resolve = !options->no_resolve;
	int r = 0;

	if (!policy_find_network(policy, question->from, err))
		return -EINVAL; /* before DNS takes its time */
	if (resolve)
		r = resolve_names(policy, RESOLVE_FOR_TEXT, &resolved, err);
	else
		resolved_collect(policy, &resolved);
	if (r >= 0) {
		compile_policy(policy, &resolved, &options->plan, &plan);
		world.plan = &plan;
		r = explain_answer(question, &world, ret_json, err);
	}
	if (r == -ENOENT && resolve) {
		err_free(err);
		r = resolve_name(question->to, &more, err);
		if (r >= 0) {
			world.resolved = more.items[0].addrs;
			world.n_resolved = more.items[0].n_addrs;
			r = explain_answer(question, &world, ret_json, err);
		}
	}
	plan_free(&plan);
	resolved_free(&resolved);
	resolved_free(&more);
	return r;
}

static int explain_offline(const struct explain_options *options,
			   const struct explain_question *question)
{
	struct policy policy = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	int r;

	if (!load_policy(&options->files, LOAD_TO_ENFORCE, &policy))
		return EXIT_CONFIG;
	r = answer_offline(options, question, &policy, &b, &err);
	if (r < 0) {
		cleanup(cleanup_free) char *json = ctl_error_json(err.text, NULL);

		r = ask_show_answer(&options->ask, json);
	} else {
		r = ask_show_answer(&options->ask, buf_str(&b));
	}
	buf_free(&b);
	err_free(&err);
	policy_free(&policy);
	return r;
}

static int run(const struct call *call)
{
	struct explain_options options = *(const struct explain_options *)call->options;
	cleanup(request_free) struct request request = { 0 };
	cleanup(cleanup_free) char *to = NULL, *text = NULL;
	struct explain_question question;

	if (!complete(&options, &to))
		return EXIT_USAGE;
	text = request_text(&options);
	if (!read_request(text, &request, &question))
		return EXIT_USAGE;
	if (options.offline)
		return explain_offline(&options, &question);
	if (options.no_resolve) {
		log_error("explain: --no-resolve belongs to --offline; see dsfw-nft help explain");
		return EXIT_USAGE;
	}
	return ask_daemon(&options.ask, text);
}

const struct command cmd_explain = {
	.name = "explain",
	.summary = "show which rules a container's packet meets, and what comes of it",
	.takes = { { explain_options, 0 },
		   { ask_options, offsetof(struct explain_options, ask) },
		   { files_options, offsetof(struct explain_options, files) },
		   { mark_bit_option, offsetof(struct explain_options, plan) } },
	.size = sizeof(struct explain_options),
	.initial = &(const struct explain_options){ .ask = { .action = REQUEST_EXPLAIN },
						    .plan = { .log_group = LOG_GROUP_DEFAULT } },
	.run = run,
};
