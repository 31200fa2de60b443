/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json_report.h"

#include <stdio.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"

const struct option_row json_option[] = {
	{ .name = "json", .help = "print the result as a JSON object", .set = option_set_flag },
	{ 0 },
};

void report_begin(struct report *report, bool json)
{
	*report = (struct report){ .json = json };
	report->out.b = &report->body;
}

bool report_load(struct report *report, const struct files_options *files, enum load_for what,
		 struct policy *ret_policy)
{
	bool ok = read_policy(files, ret_policy, &report->diags);

	if (what == LOAD_TO_ENFORCE)
		diags_drop(&report->diags, SEVERITY_NOTE);
	if (!report->json)
		diags_print(&report->diags, stderr);
	return ok;
}

void report_print(struct report *report, const char *trouble)
{
	cleanup(buf_free) struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	if (!report->json)
		return;
	json_write_open(&out, NULL, '{');
	json_write_string(&out, "status", trouble ? "error" : "ok");
	json_write_string(&out, "message", trouble);
	ctl_put_diags(&out, "errors", &report->diags, SEVERITY_ERROR);
	ctl_put_diags(&out, "warnings", &report->diags, SEVERITY_WARNING);
	ctl_put_diags(&out, "notes", &report->diags, SEVERITY_NOTE);
	if (report->body.len > 0)
		buf_printf(&b, ",%s", buf_str(&report->body));
	json_write_close(&out, '}');
	printf("%s\n", buf_str(&b));
}

void report_free(struct report *report)
{
	diags_free(&report->diags);
	buf_free(&report->body);
}
