/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph: the policy of the files as a drawing. */
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/cli/command.h"
#include "dockside/report/graph.h"
#include "dockside/system/log.h"

int cmd_graph(const struct options *options)
{
	struct policy policy = { 0 };
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	if (!load_policy(options, &policy))
		return EXIT_CONFIG;
	graph_policy(&policy, &text);
	r = output_text(options, &text, &err);
	if (r < 0)
		log_error("graph: %s", err.text);
	buf_free(&text);
	err_free(&err);
	policy_free(&policy);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
