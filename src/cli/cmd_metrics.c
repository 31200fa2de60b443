/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics: asks the daemon for as many answers as it takes. */
#include <errno.h>
#include <inttypes.h>
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
#define TRIES 5 /* the policy may change between two answers */

/* What the answers so far have said. */
struct gathered {
	struct buf text;
	char *of; /* the version of the lines */
	int64_t next;
	bool more;
};

static void forget(struct gathered *g)
{
	buf_free(&g->text);
	free(g->of);
	*g = (struct gathered){ 0 };
}

static int not_ours(struct err *err)
{
	return err_set(err, EPROTO,
		       "what answers at the socket is no dsfw-nft daemon that can tell");
}

static int read_lines(const struct json_node *lines, struct buf *text, struct err *err)
{
	for (size_t i = 0; i < lines->u.children.n; i++) {
		const struct json_node *line = &lines->u.children.items[i];

		if (line->kind != JSON_STRING)
			return not_ours(err);
		buf_puts(text, line->u.string.s);
		buf_putc(text, '\n');
	}
	return 0;
}

/* -EAGAIN: the lines are of another policy than those before. */
static int read_answer(const struct json_node *answer, struct gathered *g, struct err *err)
{
	const struct json_node *message = json_member(answer, "message", JSON_STRING);
	const struct json_node *lines = json_member(answer, "metrics", JSON_ARRAY);
	const struct json_node *of = json_member(answer, "of", JSON_STRING);
	const struct json_node *next = json_member(answer, "next", JSON_INT);

	if (!lines && message)
		return err_set(err, EIO, "%s", message->u.string.s);
	if (!lines || !of || (next && next->u.integer <= g->next))
		return not_ours(err);
	if (g->of && strcmp(g->of, of->u.string.s) != 0)
		return err_set(err, EAGAIN, "the policy keeps changing");
	if (!g->of)
		g->of = xstrdup(of->u.string.s);
	g->more = next != NULL;
	if (next)
		g->next = next->u.integer;
	return read_lines(lines, &g->text, err);
}

static int ask(const char *path, struct gathered *g, struct err *err)
{
	cleanup(cleanup_free) char *request =
		xasprintf("{\"action\":\"metrics\",\"from\":%" PRId64 "}", g->next);
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct src src = { 0 };
	int r = ctl_call(path, request, TIMEOUT_MS, &src.text, err);

	if (r < 0)
		return r;
	src.len = strlen(src.text);
	if (json_parse(&src, &tree, &diags) && tree.root->kind == JSON_OBJECT)
		r = read_answer(tree.root, g, err);
	else
		r = not_ours(err);
	diags_free(&diags);
	src_free(&src);
	return r;
}

static int gather(const char *path, struct gathered *g, struct err *err)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		forget(g);
		do {
			r = ask(path, g, err);
		} while (r >= 0 && g->more);
	}
	return r;
}

struct metrics_options {
	const char *socket;
	const char *output; /* NULL: standard output */
};

static int metrics(const struct call *call)
{
	const struct metrics_options *options = call->options;
	struct gathered gathered = { 0 };
	struct err err = { 0 };
	int r;

	term_progress("waiting for the daemon");
	r = gather(options->socket, &gathered, &err);
	term_progress_end();
	if (r >= 0)
		r = output_text(options->output, &gathered.text, &err);
	if (r < 0)
		log_error("metrics: %s", err.text);
	forget(&gathered);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_metrics = {
	.name = "metrics",
	.summary = "what the daemon has measured, in Prometheus' text format",
	.takes = { { socket_option, offsetof(struct metrics_options, socket) },
		   { output_option, offsetof(struct metrics_options, output) } },
	.size = sizeof(struct metrics_options),
	.run = metrics,
};
