/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes an entry of the cache of what name servers said, and says how long it is good for. Pure. */
#ifndef DOCKSIDE_GATE_GATE_RESULT_H
#define DOCKSIDE_GATE_GATE_RESULT_H

#include <stdint.h>

#include "dockside/system/dns_upstream.h"
#include "gate_cache.h"

/* The question that name servers were asked, and when the answer came. */
struct gate_asked {
	const struct dns_name *name;
	unsigned type;
	uint64_t now_ms;
};

/* Returns the entry, borrowed until the next change of the cache. */
struct gate_entry *gate_result_keep(struct gate_cache *cache, const struct gate_asked *asked,
				    const struct dns_upstream_result *result);

#endif
