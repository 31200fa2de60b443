/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This keeps what we know of our table, and whether it is still true; while it is, nobody has to
 * read the table again. Pure; known.c has the rule.
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
	uint32_t genid;	     /* the last of the ruleset's generations that is accounted for */
	struct actual table; /* as it was read, but see known.c */
	unsigned uses;	     /* since then */
};

/* The effect of a transaction on our table. */
enum deed {
	DEED_NOTHING,
	DEED_NOTED,   /* ours, of elements, and what is known was changed with them */
	DEED_UNKNOWN, /* anything else */
};

/* Our table is known, as it was at this generation. */
void known_begin(struct known *known, uint32_t genid);
/* Something may have happened unseen, or is not in what is known. */
void known_end(struct known *known);
/* An event: a transaction made this generation. In the order of the events. */
void known_transaction(struct known *known, uint32_t genid, enum deed deed);
/* genid: the ruleset's generation now, asked for after every event that was there has been told. */
bool known_holds(const struct known *known, uint32_t genid);

/* Called with the table as it was read after the plan was enforced. Keeps the part that known.c
 * needs; if it is as planned, the table is known from now on. */
void known_keep(struct known *known, const struct plan *plan);
/* Whether it was not used too often; counts. */
bool known_may_use(struct known *known);
/* Makes the table what the kernel holds, for one comparison: it borrows from the running plan. */
void known_recall(struct known *known, const struct plan *plan);
void known_forget(struct known *known);

bool known_same_comment(const struct elem *a, const struct elem *b);

#endif
