/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refused packets as lines for people: repeats are one line, columns are as wide as what is in them, and where the
 * terminal is too narrow for that, dates, files and addresses are left out before anything else is cut.
 */
#ifndef DOCKSIDE_CLI_SHOW_DENIED_H
#define DOCKSIDE_CLI_SHOW_DENIED_H

#include <stdbool.h>
#include <stdint.h>

#include "dockside/json/json_parse.h"
#include "term.h"

enum denied_column {
	DENIED_TIME,
	DENIED_NETWORK,
	DENIED_FROM,
	DENIED_TO,
	DENIED_PROTOCOL,
	DENIED_RULE,
	N_DENIED_COLUMNS
};

struct denied_cell {
	char *full, *brief; /* brief: without what is not needed */
};

/* Packets that differ in their time alone. */
struct denied_row {
	struct denied_cell cells[N_DENIED_COLUMNS];
	uint64_t first_ms, last_ms; /* since 1970 */
	uint64_t count, shown;
	uint64_t printed_ms; /* since 1970; of the last line about it */
};

/* denied_rows_begin(), denied_rows_free(). */
struct denied_rows {
	struct term term;
	struct denied_row *items;
	size_t n, cap;
	bool titled, clock, brief_rule;
	size_t width[N_DENIED_COLUMNS];
};

void denied_rows_begin(struct denied_rows *rows);
void denied_rows_free(struct denied_rows *rows);
void denied_rows_add(struct denied_rows *rows, const struct json_node *event);
/* Prints what has come since the last call, but at most the last tail lines; of a row that it has printed before,
 * how often it came again, now and then. */
void denied_rows_print(struct denied_rows *rows, size_t tail);

/* Forgets older rows where there are many; the last ones stay. */
void denied_rows_forget(struct denied_rows *rows);

/* The cells of an event. */
void denied_cells(const struct json_node *event, struct denied_cell cells[N_DENIED_COLUMNS]);
void denied_cells_free(struct denied_cell cells[N_DENIED_COLUMNS]);
/* An IP address; of a frame that has none, the MAC address. Borrowed. */
const char *denied_destination(const struct json_node *event);
/* An event of the DNS gate may stand for several questions: so many. */
uint64_t denied_times(const struct json_node *event);
/* 2026-01-02 03:04:05, or the clock alone; local. The caller frees it. */
char *denied_time(uint64_t ms, bool clock);

#endif
