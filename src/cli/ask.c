/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/log.h"
#include "show_explain.h"
#include "show_reach.h"
#include "show_status.h"
#include "term.h"

#define STATUS_TIMEOUT_MS 10000
#define TIMEOUT_MS 120000 /* the daemon may have to wait for Docker, DNS and its lock */

const struct option_row ask_options[] = {
	{ .name = "socket",
	  .argument = "PATH",
	  .variable = "DOCKSIDE_FIREWALL_SOCKET",
	  .fallback = CTL_DEFAULT_PATH,
	  .help = "where the daemon listens",
	  .set = option_set_text,
	  .offset = offsetof(struct ask_options, socket) },
	{ .name = "json",
	  .help = "print the daemon's answer as it came",
	  .set = option_set_flag,
	  .offset = offsetof(struct ask_options, json) },
	{ 0 },
};

static void put_place(struct buf *b, const struct json_node *item)
{
	const struct json_node *line = json_member(item, "line", JSON_INT);
	const struct json_node *column = json_member(item, "column", JSON_INT);
	const char *file = json_text(item, "file", NULL);

	if (!file)
		return;
	buf_puts(b, file);
	if (line && column)
		buf_printf(b, ":%lld:%lld", (long long)line->u.integer,
			   (long long)column->u.integer);
	buf_puts(b, ": ");
}

/* One fault of a configuration or request, as diags_print() has it but for the source line; in the
 * journal (the unit's ExecReload=) each has its severity, as the daemon's have. */
static void print_fault(enum severity severity, const struct json_node *item)
{
	const char *message, *hint, *pointer;
	bool journal = log_is_journal(), in_request;
	struct buf b = { 0 };

	if (item->kind != JSON_OBJECT || !(message = json_text(item, "message", NULL)))
		return;
	/* We made the request; the user has not seen it. */
	in_request = strcmp(json_text(item, "file", ""), REQUEST_FILE) == 0;
	if (!in_request)
		put_place(&b, item);
	if (!journal)
		buf_puts(&b, severity == SEVERITY_ERROR ? "error: " : "warning: ");
	buf_puts(&b, message);
	if ((hint = json_text(item, "hint", NULL)))
		buf_printf(&b, "; %s", hint);
	if (!in_request && (pointer = json_text(item, "pointer", NULL)) && pointer[0])
		buf_printf(&b, " (at %s)", pointer);
	if (!journal)
		fprintf(stderr, "%s\n", buf_str(&b));
	else if (severity == SEVERITY_ERROR)
		log_error("%s", buf_str(&b));
	else
		log_warning("%s", buf_str(&b));
	buf_free(&b);
}

static void print_faults(enum severity severity, const struct json_node *list)
{
	for (size_t i = 0; list && i < list->u.children.n; i++)
		print_fault(severity, &list->u.children.items[i]);
}

/* Names that DNS has no answer for: rules on them do less than they read, or nothing. */
static void print_unresolved(const struct json_node *answer)
{
	const struct json_node *list = json_member(answer, "unresolved", JSON_ARRAY);
	const struct json_node *more = json_member(answer, "unresolved_more", JSON_INT);

	for (size_t i = 0; list && i < list->u.children.n; i++) {
		const struct json_node *item = &list->u.children.items[i];
		const struct json_node *n = json_member(item, "addresses", JSON_INT);
		const char *why = json_text(item, "message", "?");

		if (n && n->u.integer > 0)
			log_warning("%s does not resolve: %s; it keeps its addresses, of which "
				    "there are %lld",
				    json_text(item, "name", "?"), why, (long long)n->u.integer);
		else
			log_warning("%s does not resolve: %s; rules on it match nothing",
				    json_text(item, "name", "?"), why);
	}
	if (more)
		log_warning("%lld more names do not resolve: see dsfw-nft status",
			    (long long)more->u.integer);
}

/* Whether the message only repeats the first fault. */
static bool is_summary(const char *message, const struct json_node *faults)
{
	const struct json_node *first =
		faults && faults->u.children.n > 0 ? &faults->u.children.items[0] : NULL;
	const char *text = json_text(first, "message", NULL);

	return text && strncmp(message, text, strlen(text)) == 0;
}

static void print_failure(const char *name, const struct json_node *answer)
{
	const struct json_node *faults = json_member(answer, "errors", JSON_ARRAY);
	const char *message = json_text(answer, "message", NULL);

	print_faults(SEVERITY_ERROR, faults);
	if (!message)
		message = "the daemon says that it failed, but not why";
	if (!is_summary(message, faults))
		log_error("%s: %s", name, message);
}

static void print_list(const struct json_node *answer, const char *key, const char *title)
{
	const struct json_node *list = json_member(answer, key, JSON_ARRAY);

	if (!list || list->u.children.n == 0)
		return;
	printf("%s:\n", title);
	for (size_t i = 0; i < list->u.children.n; i++) {
		const struct json_node *item = &list->u.children.items[i];

		if (item->kind == JSON_STRING)
			printf("  %s\n", item->u.string.s);
	}
}

static bool list_is_empty(const struct json_node *answer, const char *key)
{
	const struct json_node *list = json_member(answer, key, JSON_ARRAY);

	return !list || list->u.children.n == 0;
}

static const char *success_text(enum request_action action, const struct json_node *answer)
{
	if (action == REQUEST_RECONCILE && list_is_empty(answer, "repaired") &&
	    list_is_empty(answer, "removed_chains") && list_is_empty(answer, "removed_ipsets"))
		return "nothing to repair";
	return "done";
}

static void print_success(enum request_action action, const struct json_node *answer)
{
	const char *message = json_text(answer, "message", NULL);

	if (action == REQUEST_STATUS) {
		struct term term = term_of(stdout);

		show_status(answer, &term, stdout);
		return;
	}
	if (action == REQUEST_EXPLAIN) {
		show_explain(answer, stdout);
		return;
	}
	printf("%s\n", message ? message : success_text(action, answer));
	print_list(answer, "not_judged", "NOT JUDGED (dsfw-nft status says why)");
	print_list(answer, "repaired", "repaired");
	print_list(answer, "removed_chains", "removed chains");
	print_list(answer, "removed_ipsets", "removed sets");
	print_list(answer, "docker_orphans",
		   "Docker networks that the configuration does not have (left alone)");
}

/* The worst answer decides where there are several addresses. */
static int explain_exit(const struct json_node *answer)
{
	const struct json_node *list = json_member(answer, "explanations", JSON_ARRAY);
	int r = EXIT_DONE;

	for (size_t i = 0; list && i < list->u.children.n; i++) {
		const char *verdict = json_text(&list->u.children.items[i], "verdict", "");

		if (strcmp(verdict, "not judged") == 0)
			return EXIT_FAILED;
		if (strcmp(verdict, "pass") != 0)
			r = EXIT_REFUSED;
	}
	return r;
}

/* The daemon has done what it was asked for; the status also says whether all is well. */
static int exit_of(enum request_action action, const struct json_node *answer)
{
	if (action == REQUEST_EXPLAIN)
		return explain_exit(answer);
	if (!list_is_empty(answer, "not_judged"))
		return EXIT_FAILED;
	if (action == REQUEST_STATUS &&
	    (!json_is_true(answer, "ready") || !list_is_empty(answer, "alarms")))
		return EXIT_FAILED;
	return EXIT_DONE;
}

int ask_show_answer(const struct ask_options *options, const char *text)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { .text = xstrdup(text), .len = strlen(text) };
	const char *name = request_action_name(options->action), *status = NULL;
	struct diags diags = { 0 };
	int r = EXIT_FAILED;

	if (json_parse(&src, &tree, &diags) && tree.root->kind == JSON_OBJECT)
		status = json_text(tree.root, "status", NULL);
	if (options->json)
		printf("%s\n", text);
	if (!status) {
		log_error("%s: what answers at the socket is no dsfw-nft daemon", name);
	} else if (strcmp(status, "ok") == 0) {
		if (!options->json)
			print_success(options->action, tree.root);
		print_faults(SEVERITY_WARNING, json_member(tree.root, "warnings", JSON_ARRAY));
		print_unresolved(tree.root);
		r = show_reach(tree.root, options->json) ? exit_of(options->action, tree.root)
							 : EXIT_FAILED;
	} else {
		print_failure(name, tree.root);
	}
	diags_free(&diags);
	src_free(&src);
	return r;
}

int ask_daemon(const struct ask_options *options, const char *request)
{
	unsigned timeout_ms = options->action == REQUEST_STATUS ? STATUS_TIMEOUT_MS : TIMEOUT_MS;
	cleanup(cleanup_free) char *answer = NULL;
	struct err err = { 0 };
	int r;

	term_progress("waiting for the daemon");
	r = ctl_call(options->socket, request, timeout_ms, &answer, &err);
	term_progress_end();
	if (r < 0)
		log_error("%s: %s", request_action_name(options->action), err.text);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : ask_show_answer(options, answer);
}
