/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/sync_shim.h"

#include "dockside/system/log.h"

int shim_compare(struct nft_reader *reader, const struct plan *plan, unsigned was_accept,
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
	return comparison->changes.n_ops == 0 && shim_leaves_forward(&comparison->changes);
}

unsigned shim_forward_bits(const struct shim_changes *changes)
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

int shim_set_forward(struct nft_reader *reader, const struct shim_changes *changes, struct err *err)
{
	struct shim_kernel kernel;
	int r;

	if (shim_leaves_forward(changes))
		return 0;
	r = nft_read_shim(reader, &kernel, err);
	if (r < 0)
		return r;
	for (int i = 0; r >= 0 && i < N_SHIM_FILTERS; i++) {
		r = nft_set_forward((enum shim_table)i, changes->forward[i], &kernel, err);
		if (r >= 0 && changes->forward[i] == FORWARD_DROP)
			log_drop((enum shim_table)i);
	}
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
		comparison.changes.was_accept | shim_forward_bits(&comparison.changes);
	nft_text_shim(&comparison.changes, &script);
	if (comparison.changes.n_ops > 0)
		r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err);
	if (r >= 0)
		r = shim_set_forward(reader, &comparison.changes, err);
	script_free(&script);
	shim_comparison_free(&comparison);
	return r;
}
