/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/told.h"

#include <string.h>

struct emptying {
	const struct plan *plan;
	struct script script;
	struct buf *ipsets;
	int n;
};

static void empty(void *data, const char *ipset)
{
	struct emptying *e = data;
	bool any = false;

	for (size_t i = 0; i < e->plan->n_sets; i++) {
		const struct plan_set *set = e->plan->sets[i];

		if (!set->told_ipset || strcmp(set->told_ipset->name, ipset) != 0)
			continue;
		buf_printf(&e->script.text, "flush set %s %s\n", table_text(TABLE_INET), set->name);
		any = true;
	}
	if (any)
		buf_printf(e->ipsets, "%s%s", e->n++ > 0 ? ", " : "", ipset);
}

int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct gate_past *held,
		   const struct gate_past *now, struct buf *ret_ipsets, struct err *err)
{
	struct emptying e = { .plan = plan, .ipsets = ret_ipsets };
	int r = 0;

	if (held)
		gate_past_lost(held, now, empty, &e);
	else
		gate_past_each(now, empty, &e);
	if (e.n > 0)
		r = nft_load(loader, &e.script, LOAD_COMMIT, NULL, NULL, err);
	script_free(&e.script);
	return r < 0 ? r : e.n;
}
