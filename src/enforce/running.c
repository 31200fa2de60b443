/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/running.h"

#include <stdlib.h>

#include "dockside/base/util.h"

struct running *running_new(void)
{
	return xcalloc(1, sizeof(struct running));
}

void running_free(struct running *running)
{
	if (!running)
		return;
	plan_free(&running->plan);
	plan_free(&running->bind);
	resolved_free(&running->resolved);
	diags_free(&running->diags);
	policy_free(&running->policy);
	free(running);
}
