/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_counters.h"

#include <stdlib.h>

#include "dockside/base/util.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/system/clock.h"

#define FAST_MS 5	/* a table that is read within that is read each time */
#define REST 10		/* any other, after so many times what that has taken */
#define AGE_MAX_MS 3000 /* at the latest */

struct daemon_counters {
	struct enforcer *enforcer;
	struct actual actual, bind;
	struct reconcile_shim_comparison shim;
	bool failed;
	uint64_t read_ms;
	uint64_t until_ms; /* they are good enough until then */
};

struct daemon_counters *daemon_counters_open(struct enforcer *enforcer)
{
	struct daemon_counters *k = xcalloc(1, sizeof(*k));

	k->enforcer = enforcer;
	return k;
}

void daemon_counters_close(struct daemon_counters *k)
{
	if (!k)
		return;
	daemon_counters_forget(k);
	free(k);
}

void daemon_counters_forget(struct daemon_counters *k)
{
	actual_free(&k->actual);
	actual_free(&k->bind);
	reconcile_shim_comparison_free(&k->shim);
	k->until_ms = 0;
}

/* Not by the event loop's clock, which stands still while we read. */
static bool counters_stale(const struct daemon_counters *k)
{
	return monotonic_ms() >= k->until_ms;
}

static void read_all(struct daemon_counters *k)
{
	uint64_t start_ms = monotonic_ms(), took_ms;

	daemon_counters_forget(k);
	k->read_ms = start_ms;
	k->failed = nft_read_table(k->enforcer->reader, TABLE_INET, &k->actual, NULL) < 0;
	/* Perhaps the kernel has no such family. */
	(void)nft_read_objects(k->enforcer->reader, TABLE_BRIDGE, &k->bind, NULL);
	enforcer_compare_shim(k->enforcer, &k->shim, NULL);
	took_ms = monotonic_ms() - start_ms;
	if (took_ms >= FAST_MS)
		k->until_ms =
			start_ms + (took_ms < AGE_MAX_MS / REST ? took_ms * REST : AGE_MAX_MS);
}

struct counters_view daemon_counters_read(struct daemon_counters *k)
{
	if (counters_stale(k))
		read_all(k);
	return (struct counters_view){ &k->actual, &k->bind, k->failed, &k->shim, k->read_ms };
}
