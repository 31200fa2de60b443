/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: writes what the daemon answers as it comes; a file is replaced once all of it is there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/log.h"
#include "output.h"
#include "term.h"

#define TIMEOUT_MS 10000

struct gathered {
	const char *output; /* NULL: standard output */
	struct buf text;    /* that is not written yet */
	size_t len;	    /* of all of it */
};

static int take(void *data, const char *text, size_t len, struct err *err)
{
	struct gathered *g = data;
	int r = 0;

	buf_add(&g->text, text, len);
	g->len += len;
	if (g->output)
		return 0;
	term_progress_end();
	r = output_text(g->output, &g->text, err);
	buf_reset(&g->text);
	return r;
}

/* The line before the text says how long that is. */
static int check_answer(const struct json_node *answer, size_t len, struct err *err)
{
	const struct json_node *message = json_member(answer, "message", JSON_STRING);
	const struct json_node *length = json_member(answer, "length", JSON_INT);

	if (!length && message)
		return err_set(err, EIO, "%s", message->u.string.s);
	if (!length)
		return err_set(err, EPROTO,
			       "what answers at the socket is no dsfw-nft daemon that can tell");
	if (length->u.integer != (int64_t)len)
		return err_set(err, ECONNRESET, "the daemon hung up in the middle of its answer");
	return 0;
}

static int check_line(char *line, size_t len, struct err *err)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct src src = { .text = line, .len = strlen(line) };
	struct diags diags = { 0 };
	int r;

	json_parse(&src, &tree, &diags);
	r = check_answer(tree.root && tree.root->kind == JSON_OBJECT ? tree.root : NULL, len, err);
	diags_free(&diags);
	return r;
}

struct metrics_options {
	const char *socket;
	const char *output; /* NULL: standard output */
};

static int metrics(const struct call *call)
{
	const struct metrics_options *options = call->options;
	struct gathered gathered = { .output = options->output };
	cleanup(cleanup_free) char *line = NULL;
	struct err err = { 0 };
	int r;

	term_progress("waiting for the daemon");
	r = ctl_call_text(options->socket, "{\"action\":\"metrics\"}", TIMEOUT_MS, take, &gathered,
			  &line, &err);
	term_progress_end();
	if (r >= 0)
		r = check_line(line, gathered.len, &err);
	if (r >= 0 && options->output)
		r = output_text(options->output, &gathered.text, &err);
	if (r < 0)
		log_error("metrics: %s", err.text);
	buf_free(&gathered.text);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_metrics = {
	.name = "metrics",
	.summary = "print what the daemon has measured, in Prometheus' text format",
	.takes = { { socket_option, offsetof(struct metrics_options, socket) },
		   { output_option, offsetof(struct metrics_options, output) } },
	.size = sizeof(struct metrics_options),
	.run = metrics,
};
