/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/sync_shim.h"

int shim_compare(struct nft_reader *reader, const struct plan *plan, bool was_accept,
		 struct shim_comparison *ret_comparison, struct err *err)
{
	struct shim_comparison *c = ret_comparison;
	int r;

	*c = (struct shim_comparison){ 0 };
	r = nft_read_shim(reader, &c->kernel, err);
	if (r >= 0)
		shim_diff(plan, &c->kernel, was_accept, &c->changes);
	return r;
}

void shim_comparison_free(struct shim_comparison *comparison)
{
	shim_changes_free(&comparison->changes);
	shim_kernel_free(&comparison->kernel);
}

bool shim_comparison_empty(const struct shim_comparison *comparison)
{
	return comparison->changes.n_ops == 0 && comparison->changes.forward == FORWARD_LEAVE;
}

int shim_set_forward(struct nft_reader *reader, enum shim_forward forward, struct err *err)
{
	struct shim_kernel kernel;
	int r;

	if (forward == FORWARD_LEAVE)
		return 0;
	r = nft_read_shim(reader, &kernel, err);
	if (r < 0)
		return r;
	r = nft_set_forward(forward, &kernel, err);
	shim_kernel_free(&kernel);
	return r;
}

int shim_repair(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
		bool *ret_changed, struct err *err)
{
	struct shim_comparison comparison;
	struct script script = { 0 };
	int r = shim_compare(reader, plan, plan->forward_was_accept, &comparison, err);

	if (r < 0)
		return r;
	*ret_changed = !shim_comparison_empty(&comparison);
	plan->forward_was_accept =
		comparison.changes.was_accept || comparison.changes.forward != FORWARD_LEAVE;
	nft_text_shim(&comparison.changes, &script);
	if (comparison.changes.n_ops > 0)
		r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err);
	if (r >= 0)
		r = shim_set_forward(reader, comparison.changes.forward, err);
	script_free(&script);
	shim_comparison_free(&comparison);
	return r;
}
