/* SPDX-License-Identifier: GPL-2.0-or-later */
/* learn --apply: has the daemon take over the rules, after the user has seen them and agreed. */
#ifndef DOCKSIDE_CLI_LEARN_APPLY_H
#define DOCKSIDE_CLI_LEARN_APPLY_H

#include "dockside/cli/options.h"
#include "dockside/report/learn.h"

struct learn_apply {
	const char *socket;
	struct files_options files; /* the daemon's: refused if they are not what runs */
	const char *base; /* of what runs, by the daemon's answer; NULL: it has not said */
	bool yes;	  /* nobody is asked: what is doubtful is left out */
};

/* Returns an exit status. */
int learn_apply(const struct learn_apply *apply, const struct learn *learn, const char *network);

#endif
