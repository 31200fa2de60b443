/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This keeps what we know of our tables, and whether it is still true; while it is, nobody has to
 * read the tables again. Pure; known.c has the rule.
 */
#ifndef DOCKSIDE_ENFORCE_KNOWN_H
#define DOCKSIDE_ENFORCE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* Zero-initialise: nothing is known. known_forget() when done. */
struct known {
	bool valid;
	uint32_t genid; /* the last of the ruleset's generations that is accounted for */
	struct actual tables[N_TABLES]; /* as they were read, but see known.c */
	unsigned uses;			/* since then */
};

/* The effect of a transaction on our tables. */
enum deed {
	DEED_NOTHING,
	DEED_NOTED,   /* ours, of elements, and what is known was changed with them */
	DEED_UNKNOWN, /* anything else */
};

/* Our tables are known, as they were at this generation. */
void known_begin(struct known *known, uint32_t genid);
/* Something may have happened unseen, or is not in what is known. */
void known_end(struct known *known);
/* An event: a transaction made this generation. In the order of the events. */
void known_transaction(struct known *known, uint32_t genid, enum deed deed);
/* genid: the ruleset's generation now, asked for after every event that was there has been told. */
bool known_holds(const struct known *known, uint32_t genid);

/* Called with the tables as they were read after the plans, by enum table_family, were enforced. Keeps the part that
 * known.c needs; if it is as planned, the tables are known from now on. */
void known_keep(struct known *known, struct plan *const plans[N_TABLES]);
/* Whether it was not used too often; counts. */
bool known_may_use(struct known *known);
/* Makes the tables what the kernel holds, for one comparison: they borrow from the running plans. */
void known_recall(struct known *known, struct plan *const plans[N_TABLES]);
void known_forget(struct known *known);

#endif
