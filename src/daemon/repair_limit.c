/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/daemon/repair_limit.h"

bool repair_limit_last(const struct repair_limit *repairs, uint64_t *ret_ms)
{
	if (repairs->total == 0)
		return false;
	*ret_ms = repairs->times_ms[(repairs->total - 1) % REPAIR_LIMIT_AT_ONCE];
	return true;
}

bool repair_limit_limited(const struct repair_limit *repairs, uint64_t now_ms)
{
	uint64_t oldest = repairs->times_ms[repairs->total % REPAIR_LIMIT_AT_ONCE];

	return repairs->total >= REPAIR_LIMIT_AT_ONCE && now_ms < oldest + REPAIR_LIMIT_WINDOW_MS;
}

uint64_t repair_limit_when(const struct repair_limit *repairs, uint64_t now_ms)
{
	uint64_t last;

	if (!repair_limit_limited(repairs, now_ms) || !repair_limit_last(repairs, &last) ||
	    now_ms >= last + REPAIR_LIMIT_SLOW_MS)
		return now_ms;
	return last + REPAIR_LIMIT_SLOW_MS;
}

void repair_limit_note(struct repair_limit *repairs, uint64_t now_ms)
{
	repairs->times_ms[repairs->total++ % REPAIR_LIMIT_AT_ONCE] = now_ms;
}
