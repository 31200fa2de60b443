/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/reconcile_shim.h"

#include "dockside/base/err.h"
#include "dockside/system/log.h"

int reconcile_shim_compare(struct nft_reader *reader, const struct plan *plan, unsigned was_accept,
			   struct reconcile_shim_comparison *ret_comparison, struct err *err)
{
	struct reconcile_shim_comparison *c = ret_comparison;
	int r;

	*c = (struct reconcile_shim_comparison){ 0 };
	r = nft_read_shim(reader, &c->actual, err);
	if (r >= 0)
		shim_diff(plan, &c->actual, was_accept, &c->changes);
	return r;
}

void reconcile_shim_comparison_free(struct reconcile_shim_comparison *comparison)
{
	shim_changes_free(&comparison->changes);
	shim_kernel_free(&comparison->actual);
}

bool reconcile_shim_comparison_empty(const struct reconcile_shim_comparison *comparison)
{
	return comparison->changes.n_ops == 0 && shim_leaves_forward(&comparison->changes);
}

unsigned reconcile_shim_forward_bits(const struct shim_changes *changes)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < N_SHIM_FILTERS; i++)
		if (changes->forward[i] != FORWARD_LEAVE)
			bits |= 1u << i;
	return bits;
}

static void log_drop(enum shim_table table)
{
	log_warning("the policy of %s FORWARD was ACCEPT and is DROP now: what no rule accepts is "
		    "forwarded no longer; --forward-policy=allow-accept leaves it alone, teardown "
		    "gives it back",
		    shim_table_name(table));
}

int reconcile_shim_set_forward(struct nft_reader *reader, const struct shim_changes *changes,
			       struct err *err)
{
	struct shim_kernel actual;
	int r;

	if (shim_leaves_forward(changes))
		return 0;
	r = nft_read_shim(reader, &actual, err);
	if (r < 0)
		return r;
	for (int i = 0; r >= 0 && i < N_SHIM_FILTERS; i++) {
		r = nft_set_forward((enum shim_table)i, changes->forward[i], &actual, err);
		if (r >= 0 && changes->forward[i] == FORWARD_DROP)
			log_drop((enum shim_table)i);
	}
	shim_kernel_free(&actual);
	return r;
}

int reconcile_shim_repair(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
			  bool *ret_changed, struct err *err)
{
	struct reconcile_shim_comparison comparison;
	struct script script = { 0 };
	int r = reconcile_shim_compare(reader, plan, plan->forward_was_accept, &comparison, err);

	if (r < 0)
		return r;
	*ret_changed = !reconcile_shim_comparison_empty(&comparison);
	plan->forward_was_accept =
		comparison.changes.was_accept | reconcile_shim_forward_bits(&comparison.changes);
	nft_text_shim(&comparison.changes, &script);
	if (comparison.changes.n_ops > 0)
		r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err);
	if (r >= 0)
		r = reconcile_shim_set_forward(reader, &comparison.changes, err);
	script_free(&script);
	reconcile_shim_comparison_free(&comparison);
	return r;
}
