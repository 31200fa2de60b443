/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports of the commands that need no daemon: text for people, or with --json one object on standard output, which
 * doc/schema/ describes. Messages of the work itself go to standard error either way.
 */
#ifndef DOCKSIDE_CLI_JSON_REPORT_H
#define DOCKSIDE_CLI_JSON_REPORT_H

#include <stdbool.h>

#include "dockside/base/diag.h"
#include "dockside/cli/options.h"
#include "dockside/json/json_write.h"
#include "inputs.h"

/* report_begin(), and report_free() before the policy is freed, into which the diagnostics point. */
struct report {
	bool json;
	struct diags diags; /* of the files */
	struct buf body;    /* the command's own members */
	struct json_writer out;
};

extern const struct option_row json_option[]; /* bool */

void report_begin(struct report *report, bool json);
/* Reads both files. The diagnostics are printed, or kept for the object. The caller frees *ret_policy either way. */
bool report_load(struct report *report, const struct files_options *files, enum load_for what,
		 struct policy *ret_policy);
/* Prints the object, if that is wanted: what went wrong, or NULL; the diagnostics; the command's own members. */
void report_print(struct report *report, const char *trouble);
void report_free(struct report *report);

#endif
