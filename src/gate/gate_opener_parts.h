/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate_opener.c and gate_follow.c share this: what was told, and what is still to do. */
#ifndef DOCKSIDE_GATE_GATE_OPENER_PARTS_H
#define DOCKSIDE_GATE_GATE_OPENER_PARTS_H

#include "gate_opener.h"

/* One address, and one set that it is to be in, or no longer. */
struct task {
	struct gate_told_net *net;
	struct gate_net *owner;
	struct ipaddr addr;
	uint16_t slot;
	bool untell;
};

struct gate_opener {
	struct gate_told told;
	struct gate_tell *tell;
	struct gate_counts *counts;
	struct gate_report *report;
	struct task *tasks;
	size_t n_tasks, cap_tasks, done;
	struct task *again; /* what was taken back, to be done once more */
	size_t n_again;
	uint64_t repeat_ms; /* when */
	bool repeating;	    /* the tasks are those */
	size_t n_behind;    /* networks */
	bool retell;	    /* everything of these is told again */
	unsigned n_undone;  /* of this second */
	unsigned waited_s;  /* since the last try */
	uint64_t now_ms;    /* as of late */
	uint64_t sure_ms;   /* what was told up to then is to be told again */
	bool missed;	    /* something was not taken back */
	bool refused;	    /* as the rules did not, and they do not say of which network it was */
	bool doubted;	    /* all networks, for that, under this policy: once will do */
};

#endif
