/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the packets of a network reach the rules that are for it. All that people and programs
 * read about it, in words and in numbers, comes from here; enforce/judge_network.h judges.
 *
 * Rules go by the name of the incoming interface. A managed network is judged if Docker has it on a bridge
 * of the name that the rules are for, and the kernel has a bridge of that name whose packets carry it.
 */
#ifndef DOCKSIDE_REPORT_JUDGED_H
#define DOCKSIDE_REPORT_JUDGED_H

#include <stdbool.h>

enum judged_state {
	JUDGED_ENFORCED,
	JUDGED_AUDIT, /* judged, and nothing is refused */
	JUDGED_UNMANAGED,
	JUDGED_DRAINING, /* removed from the configuration, its last policy in force */
	JUDGED_PENDING,	 /* there is no such network yet, and so no packet; or nobody knows yet */
	JUDGED_NOT,
};
#define JUDGED_STATES (JUDGED_NOT + 1)

/* "enforced", …, "not judged" */
const char *judged_state_name(enum judged_state state);

/* Zero-initialise; judged_free(). */
struct judged {
	enum judged_state state;
	bool docker_differs; /* JUDGED_NOT, for what Docker has */
	bool doubtful;	     /* JUDGED_NOT by comparing Docker's word with what may be younger */
	char *reason;	     /* JUDGED_NOT, and perhaps JUDGED_PENDING; NULL: nothing to say */
	char *mend;	     /* what mends it, commands in quotes; NULL unless JUDGED_NOT */
};

void judged_free(struct judged *judged);
bool judged_equal(const struct judged *a, const struct judged *b);

/* "network ds-prod: its bridge is …: its packets are NOT JUDGED; …", of JUDGED_NOT; the caller frees it. */
char *judged_sentence(const char *network, const struct judged *judged);

#endif
