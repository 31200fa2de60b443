/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/daemon/repairs.h"

bool repairs_last(const struct repairs *repairs, uint64_t *ret_ms)
{
	if (repairs->total == 0)
		return false;
	*ret_ms = repairs->times_ms[(repairs->total - 1) % REPAIRS_AT_ONCE];
	return true;
}

bool repairs_limited(const struct repairs *repairs, uint64_t now_ms)
{
	uint64_t oldest = repairs->times_ms[repairs->total % REPAIRS_AT_ONCE];

	return repairs->total >= REPAIRS_AT_ONCE && now_ms < oldest + REPAIRS_WINDOW_MS;
}

uint64_t repairs_when(const struct repairs *repairs, uint64_t now_ms)
{
	uint64_t last;

	if (!repairs_limited(repairs, now_ms) || !repairs_last(repairs, &last) ||
	    now_ms >= last + REPAIRS_SLOW_MS)
		return now_ms;
	return last + REPAIRS_SLOW_MS;
}

void repairs_note(struct repairs *repairs, uint64_t now_ms)
{
	repairs->times_ms[repairs->total++ % REPAIRS_AT_ONCE] = now_ms;
}
