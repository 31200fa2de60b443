/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph: the policy of the files as a drawing. */
#include "dockside/cli/command.h"
#include "dockside/report/graph.h"
#include "dockside/system/log.h"
#include "inputs.h"
#include "output.h"

struct graph_options {
	struct files_options files;
	const char *output; /* NULL: standard output */
};

static int graph(const struct call *call)
{
	const struct graph_options *options = call->options;
	struct policy policy = { 0 };
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	if (!load_policy(&options->files, LOAD_TO_JUDGE, &policy))
		return EXIT_CONFIG;
	graph_policy(&policy, &text);
	r = output_text(options->output, &text, &err);
	if (r < 0)
		log_error("graph: %s", err.text);
	buf_free(&text);
	err_free(&err);
	policy_free(&policy);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_graph = {
	.name = "graph",
	.summary = "draw the policy of both files: text for Graphviz' dot",
	.takes = { { files_options, offsetof(struct graph_options, files) },
		   { output_option, offsetof(struct graph_options, output) } },
	.size = sizeof(struct graph_options),
	.run = graph,
};
