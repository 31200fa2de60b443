/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of diff, as text at once or as members of its JSON object. */
#ifndef DOCKSIDE_CLI_SHOW_DIFF_H
#define DOCKSIDE_CLI_SHOW_DIFF_H

#include "dockside/policy/model.h"
#include "json_report.h"

/* diff_view_free() when done. */
struct diff_view {
	struct report *report;
	const struct policy *policy;
	char *heading; /* the stem of the last heading, "" for the shared ones; NULL: there was none */
	bool in_table;
};

/* how is what happens to the whole table, or NULL. */
void diff_view_table(struct diff_view *view, const char *table, const char *how);
/* An object of the table: "chain", its name, "new"; stem NULL: it belongs to all networks. Lines follow. */
void diff_view_open(struct diff_view *view, const char *stem, const char *what, const char *name,
		    const char *how);
/* entry: of the configuration, or NULL. */
void diff_view_line(struct diff_view *view, char sign, const char *text, const char *entry);
void diff_view_close(struct diff_view *view);
/* A whole change in a table of Docker's, which it begins where it is not the last one. */
void diff_view_shared(struct diff_view *view, const char *table, const char *what, const char *name,
		      const char *how);
/* After the last table. */
void diff_view_end(struct diff_view *view);

#endif
