/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that the DNS gate tells the kernel by packets: we can take all of an ipset at once. */
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/kernel/nft_load.h"

int enforcer_forget_told(struct enforcer *e, const char *ipset, struct err *err)
{
	const struct plan *plan = &e->running->plan;
	struct script script = { 0 };
	int r = 0;

	for (size_t i = 0; i < plan->n_sets; i++)
		if (plan->sets[i]->told_ipset &&
		    strcmp(plan->sets[i]->told_ipset->name, ipset) == 0)
			buf_printf(&script.text, "flush set inet dockside %s\n",
				   plan->sets[i]->name);
	if (script.text.len > 0)
		r = nft_load(e->loader, &script, LOAD_COMMIT, NULL, NULL, err);
	script_free(&script);
	return r;
}
