/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Every commit of anybody raises the ruleset's generation by one, and the kernel tells of each of
 * them, in order. Our knowledge of the table at one generation holds at the next if that
 * generation's transaction touched nothing of ours, or was one of our own whose changes are in what
 * is known. So trust moves on from generation to generation as the events come in, one by one;
 * any other event, and a generation that is left out, ends it for good: only reading the
 * table begins it again.
 *
 * It holds if the last generation that is accounted for is the ruleset's own. The kernel counts
 * first and tells then, so that an event that has not arrived makes it fail to hold, never the other
 * way round. A transaction that comes after that question is one that comes after the reload.
 *
 * Events of generations up to that at which the table was read arrive late, and say nothing new.
 */
#include "dockside/enforce/known.h"

void known_begin(struct known *trust, uint32_t genid)
{
	*trust = (struct known){ .valid = true, .genid = genid };
}

void known_end(struct known *trust)
{
	*trust = (struct known){ 0 };
}

/* Numbers wrap around, and leave out 0, as in the kernel. */
static uint32_t next_genid(uint32_t genid)
{
	return genid + 1 == 0 ? 1 : genid + 1;
}

static bool already_known(const struct known *trust, uint32_t genid)
{
	return trust->genid - genid <= INT32_MAX;
}

void known_transaction(struct known *trust, uint32_t genid, enum deed deed)
{
	if (!trust->valid || already_known(trust, genid))
		return;
	if (deed == DEED_UNKNOWN || genid != next_genid(trust->genid))
		known_end(trust);
	else
		trust->genid = genid;
}

bool known_holds(const struct known *trust, uint32_t genid)
{
	return trust->valid && trust->genid == genid;
}
