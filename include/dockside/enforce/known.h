/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what is known of our table is still true, so that it need not be read again.
 * Pure; known.c has the rule.
 */
#ifndef DOCKSIDE_ENFORCE_KNOWN_H
#define DOCKSIDE_ENFORCE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialise: nothing is known. */
struct known {
	bool valid;
	uint32_t genid; /* the last of the ruleset's generations that is accounted for */
};

/* The effect of a transaction on our table. */
enum deed {
	DEED_NOTHING,
	DEED_NOTED,   /* ours, of elements, and what is known was changed with them */
	DEED_UNKNOWN, /* anything else */
};

/* Our table is known, as it was at this generation. */
void known_begin(struct known *trust, uint32_t genid);
/* Something may have happened unseen, or is not in what is known. */
void known_end(struct known *trust);
/* An event: a transaction made this generation. In the order of the events. */
void known_transaction(struct known *trust, uint32_t genid, enum deed deed);
/* genid: the ruleset's generation now, asked for after every event that was there has been told. */
bool known_holds(const struct known *trust, uint32_t genid);

#endif
