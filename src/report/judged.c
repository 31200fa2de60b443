/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/report/judged.h"

#include <assert.h>
#include <stdlib.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

const char *judged_state_name(enum judged_state state)
{
	static const char *const names[] = { "enforced", "audit",   "unmanaged",
					     "draining", "pending", "not judged" };

	static_assert(ARRAY_SIZE(names) == JUDGED_STATES, "a name for each state");
	return names[state];
}

void judged_free(struct judged *judged)
{
	free(judged->reason);
	free(judged->mend);
	*judged = (struct judged){ .state = JUDGED_PENDING };
}

bool judged_equal(const struct judged *a, const struct judged *b)
{
	return a->state == b->state && text_equal(a->reason, b->reason);
}

char *judged_sentence(const char *network, const struct judged *judged)
{
	return xasprintf("network %s: %s: its packets are NOT JUDGED; to mend it: %s", network,
			 judged->reason, judged->mend);
}
