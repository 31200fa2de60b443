/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

static void end_table(struct diff_view *view)
{
	if (view->report->json && view->in_table) {
		json_write_close(&view->report->out, ']');
		json_write_close(&view->report->out, '}');
	}
	view->in_table = false;
	free(view->heading);
	view->heading = NULL;
}

void diff_view_table(struct diff_view *view, const char *table, const char *how)
{
	struct json_writer *out = &view->report->out;

	end_table(view);
	view->in_table = true;
	if (!view->report->json) {
		printf("table %s%s%s\n", table, how ? ": " : "", how ? how : "");
		return;
	}
	json_write_open(out, NULL, '{');
	json_write_string(out, "table", table);
	json_write_string(out, "change", how);
	json_write_open(out, "objects", '[');
}

static void print_heading(struct diff_view *view, const char *stem)
{
	const char *key = stem ? stem : "";
	const struct network *network = stem ? policy_find_stem(view->policy, stem) : NULL;

	if (view->heading && strcmp(view->heading, key) == 0)
		return;
	if (!stem)
		printf("  shared by all networks\n");
	else if (network)
		printf("  network %s%s\n", network->name, network->draining ? " (draining)" : "");
	else
		printf("  network %s (no longer configured)\n", stem);
	free(view->heading);
	view->heading = xstrdup(key);
}

void diff_view_open(struct diff_view *view, const char *stem, const char *what, const char *name,
		    const char *how)
{
	const struct network *network = stem ? policy_find_stem(view->policy, stem) : NULL;
	struct json_writer *out = &view->report->out;

	if (!view->report->json) {
		print_heading(view, stem);
		printf("    %s %s: %s\n", what, name, how);
		return;
	}
	json_write_open(out, NULL, '{');
	json_write_string(out, "network", network ? network->name : NULL);
	json_write_string(out, "stem", stem);
	json_write_string(out, "kind", what);
	json_write_string(out, "name", name);
	json_write_string(out, "change", how);
	json_write_open(out, "lines", '[');
}

void diff_view_shared(struct diff_view *view, const char *table, const char *what, const char *name,
		      const char *how)
{
	bool same = view->in_table && view->heading && strcmp(view->heading, table) == 0;

	if (!same) {
		diff_view_table(view, table, NULL);
		view->heading = xstrdup(table);
	}
	if (!view->report->json) {
		printf("    %s %s: %s\n", what, name, how);
		return;
	}
	diff_view_open(view, NULL, what, name, how);
	diff_view_close(view);
}

void diff_view_line(struct diff_view *view, char sign, const char *text, const char *entry)
{
	struct json_writer *out = &view->report->out;

	if (!view->report->json) {
		printf("      %c %s%s%s\n", sign, text, entry ? "   # " : "", entry ? entry : "");
		return;
	}
	json_write_open(out, NULL, '{');
	json_write_string(out, "change", sign == '+' ? "add" : sign == '-' ? "remove" : "renew");
	json_write_string(out, "text", text);
	json_write_string(out, "entry", entry);
	json_write_close(out, '}');
}

void diff_view_close(struct diff_view *view)
{
	if (!view->report->json)
		return;
	json_write_close(&view->report->out, ']');
	json_write_close(&view->report->out, '}');
}

void diff_view_end(struct diff_view *view)
{
	end_table(view);
}
