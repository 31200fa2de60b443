/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain: which rules a packet meets, by the daemon's plan or by the files'. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/cmd_client.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/ctl/explain_request.h"
#include "dockside/report/explain_json.h"
#include "dockside/system/log.h"
#include "dockside/table/compile.h"

/* ---- the question ---- */

static bool is_complete(const struct explain_options *explain)
{
	const char *missing = !explain->from	   ? "--from NETWORK"
			      : !explain->to	   ? "--to ADDRESS|NAME|host"
			      : !explain->protocol ? "--proto tcp|udp|icmp|NUMBER"
						   : NULL;

	if (missing)
		log_error("explain needs %s; see dsfw-nft help", missing);
	return !missing;
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
	/* What is no number is a port out of range. */
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
		log_error("explain: %s; see dsfw-nft help", err.text);
		ok = false;
	}
	diags_free(&diags);
	err_free(&err);
	return ok;
}

/* ---- without a daemon ---- */

static int answer_offline(const struct options *options, const struct explain_question *question,
			  const struct policy *policy, struct buf *ret_json, struct err *err)
{
	struct explain_world world = { .policy = policy };
	struct resolved resolved = { 0 }, more = { 0 };
	struct plan plan = { 0 };
	bool resolve = !options->explain.no_resolve;
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

static int explain_offline(const struct options *options, const struct client_options *client,
			   const struct explain_question *question)
{
	struct policy policy = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	int r;

	if (!load_policy(options, &policy))
		return EXIT_CONFIG;
	r = answer_offline(options, question, &policy, &b, &err);
	if (r < 0) {
		cleanup(cleanup_free) char *json = ctl_error_json(err.text, NULL);

		r = client_print_answer(client, json);
	} else {
		r = client_print_answer(client, buf_str(&b));
	}
	buf_free(&b);
	err_free(&err);
	policy_free(&policy);
	return r;
}

int cmd_explain(const struct options *options)
{
	cleanup(request_free) struct request request = { 0 };
	cleanup(cleanup_free) char *text = NULL;
	struct explain_question question;
	struct client_options client = {
		.action = REQUEST_EXPLAIN,
		.socket = options->socket,
		.json = options->json,
	};

	if (!is_complete(&options->explain))
		return EXIT_USAGE;
	text = request_text(&options->explain);
	if (!read_request(text, &request, &question))
		return EXIT_USAGE;
	if (options->explain.offline)
		return explain_offline(options, &client, &question);
	if (options->explain.no_resolve) {
		log_error("explain: --no-resolve belongs to --offline; see dsfw-nft help");
		return EXIT_USAGE;
	}
	client.request = text;
	return cmd_client(&client);
}

/* ---- the answer as text ---- */

static bool int_of(const struct json_node *object, const char *key, long long *ret_value)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	if (!node)
		return false;
	*ret_value = (long long)node->u.integer;
	return true;
}

static void for_each(const struct json_node *object, const char *key, FILE *out,
		     void (*print)(const struct json_node *item, FILE *out))
{
	const struct json_node *list = json_member(object, key, JSON_ARRAY);

	for (size_t i = 0; list && i < list->u.children.n; i++)
		print(&list->u.children.items[i], out);
}

static void print_note(const struct json_node *note, FILE *out)
{
	if (note->kind == JSON_STRING)
		fprintf(out, "  note: %s\n", note->u.string.s);
}

static void print_lookup(const struct json_node *lookup, FILE *out)
{
	const char *of = json_text(lookup, "of", NULL),
		   *comment = json_text(lookup, "comment", NULL);

	fprintf(out, "      %s is in %s", json_text(lookup, "element", "?"),
		json_text(lookup, "set", "?"));
	if (of)
		fprintf(out, " (%s)", of);
	if (comment)
		fprintf(out, ": %s", comment);
	fputc('\n', out);
}

static void print_origin(const struct json_node *step, FILE *out)
{
	const char *entry = json_text(step, "entry", NULL), *file = json_text(step, "file", NULL);
	long long line, column;

	if (!entry || (!file && strcmp(entry, "built in") == 0))
		return;
	fprintf(out, "      %s%s%s", entry, file ? " at " : " (no longer configured)",
		file ? file : "");
	if (int_of(step, "line", &line) && int_of(step, "column", &column))
		fprintf(out, ":%lld:%lld", line, column);
	fputc('\n', out);
}

static void print_step(const struct json_node *step, FILE *out)
{
	const char *destination = json_text(step, "destination", NULL);
	long long rule, rules = 0, port = 0;

	int_of(step, "rules", &rules);
	fprintf(out, "  %s: %s, ", json_text(step, "hook", "?"), json_text(step, "chain", "?"));
	if (int_of(step, "rule", &rule))
		fprintf(out, "rule %lld of %lld: %s\n", rule, rules, json_text(step, "text", "?"));
	else
		fprintf(out, "none of %lld rule%s matches\n", rules, rules == 1 ? "" : "s");
	print_origin(step, out);
	for_each(step, "lookups", out, print_lookup);
	if (destination && int_of(step, "port", &port))
		fprintf(out, "      the destination becomes %s port %lld\n", destination, port);
}

static const char *verdict_text(const char *verdict)
{
	return strcmp(verdict, "pass") == 0	    ? "let pass"
	       : strcmp(verdict, "drop") == 0	    ? "DROPPED"
	       : strcmp(verdict, "reset") == 0	    ? "REFUSED with a reset"
	       : strcmp(verdict, "not judged") == 0 ? "NOT JUDGED"
						    : verdict;
}

static bool is_number(const char *text)
{
	return *text >= '0' && *text <= '9';
}

static void print_explanation(const struct json_node *item, FILE *out)
{
	const char *mac = json_text(item, "mac", NULL),
		   *protocol = json_text(item, "protocol", "?");
	long long port, type, code;

	fprintf(out, "%s%s from %s", is_number(protocol) ? "protocol " : "", protocol,
		json_text(item, "source", "?"));
	if (mac)
		fprintf(out, " (%s)", mac);
	if (json_is_true(item, "dockside"))
		fprintf(out, ", the dockside container,");
	fprintf(out, " to %s", json_text(item, "destination", "?"));
	if (int_of(item, "port", &port))
		fprintf(out, " port %lld", port);
	if (int_of(item, "type", &type) && int_of(item, "code", &code))
		fprintf(out, " type %lld code %lld", type, code);
	fprintf(out, ", a packet that is %s: %s\n", json_text(item, "state", "?"),
		verdict_text(json_text(item, "verdict", "?")));
	for_each(item, "steps", out, print_step);
	fprintf(out, "  %s\n", json_text(item, "next", "?"));
	for_each(item, "notes", out, print_note);
}

void client_print_explanations(const struct json_node *answer, FILE *out)
{
	for_each(answer, "explanations", out, print_explanation);
	for_each(answer, "notes", out, print_note);
}
