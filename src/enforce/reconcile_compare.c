/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the kernel's tables, and the shim, with the plans. */
#include "reconcile_compare.h"

#include <errno.h>
#include <stdlib.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"

static void collect_rule(void *data, enum table_family family, const char *chain, const char *text,
			 size_t len)
{
	const struct table_comparison *table = &((const struct comparison *)data)->tables[family];
	const struct changes *changes = &table->changes;
	const struct chain_change *change;

	change = changes_find_chain(changes, chain);
	if (change && change->kind == CHANGE_REWRITE)
		rule_texts_add(&table->texts[change - changes->chains].want, text, len);
}

static void chain_texts_free(struct chain_texts *texts)
{
	rule_texts_free(&texts->want);
	rule_texts_free(&texts->have);
}

/* Takes out of the changes the chains that hold just the rules that we would write. */
static void drop_equal_chains(struct table_comparison *table)
{
	struct changes *changes = &table->changes;
	size_t n = 0;

	for (size_t i = 0; i < changes->n_chains; i++) {
		bool rewrite = changes->chains[i].kind == CHANGE_REWRITE;

		if (rewrite && rule_texts_equal(&table->texts[i].want, &table->texts[i].have)) {
			chain_texts_free(&table->texts[i]);
			continue;
		}
		changes->chains[n] = changes->chains[i];
		table->texts[n++] = table->texts[i];
	}
	changes->n_chains = n;
}

/* Finding out what libnftables makes of our rules costs as much as loading them: not where the
 * kernel is known to hold what an older configuration said. */
static bool must_compare_rules(const struct changes *changes, enum compare_depth depth)
{
	for (size_t i = 0; i < changes->n_chains; i++) {
		const struct chain_change *change = &changes->chains[i];

		if (change->kind == CHANGE_REWRITE && (depth == COMPARE_RULES || !change->certain))
			return true;
	}
	return false;
}

/* The changes, and the shim's with them: nothing of one without the other. */
void reconcile_script(const struct comparison *comparison, struct script *script)
{
	for (int i = 0; i < N_TABLES; i++)
		nft_text_changes(&comparison->tables[i].changes, script);
	nft_text_shim(&comparison->shim.changes, script);
}

static int read_texts(struct nft_reader *reader, struct table_comparison *table, struct err *err)
{
	const struct changes *changes = &table->changes;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < changes->n_chains; i++)
		if (changes->chains[i].kind == CHANGE_REWRITE)
			r = nft_read_expressions(reader, table->plan->family,
						 changes->chains[i].name, &table->texts[i].have,
						 err);
	return r;
}

static int compare_rules(struct nft_reader *reader, struct nft_loader *loader,
			 struct comparison *comparison, struct err *err)
{
	struct script script = { 0 };
	int r;

	reconcile_script(comparison, &script);
	r = nft_load(loader, &script, LOAD_CHECK, collect_rule, comparison, err);
	script_free(&script);
	for (int i = 0; r >= 0 && i < N_TABLES; i++)
		r = read_texts(reader, &comparison->tables[i], err);
	/* Chains around a replaced object are rewritten even if their rules are equal. */
	for (int i = 0; r >= 0 && i < N_TABLES; i++)
		if (!changes_replace(&comparison->tables[i].changes))
			drop_equal_chains(&comparison->tables[i]);
	return r;
}

static void free_changes(struct table_comparison *table)
{
	for (size_t i = 0; table->texts && i < table->changes.n_chains; i++)
		chain_texts_free(&table->texts[i]);
	free(table->texts);
	table->texts = NULL;
	changes_free(&table->changes);
}

static void diff_table(struct table_comparison *table, const struct actual *actual,
		       unsigned stale_ttl_s)
{
	diff_plan(table->plan, actual, stale_ttl_s, &table->changes);
	table->texts = xcalloc(table->changes.n_chains + 1, sizeof(*table->texts));
	table->n_chains = actual->n_chains;
	table->n_sets = actual->n_sets;
}

/*
 * The last resort: the table goes and is made anew in one transaction. Anything that somebody has put into it
 * may have a name that no script can say, or be tied together in ways that we do not know. It is the
 * last because a packet may slip through while both tables' chains are hooked (doc/kernel.md, "Replacing rules
 * without losing packets").
 */
static void plan_anew(struct table_comparison *table)
{
	if (table->plan->n_chains == 0)
		return; /* it only goes */
	free_changes(table);
	table->nothing =
		(struct actual){ .family = table->plan->family, .genid = table->actual.genid };
	diff_table(table, &table->nothing, 0);
	table->changes.anew = table->actual.exists;
}

bool reconcile_compare_unchanged(struct nft_reader *reader, const struct comparison *comparison)
{
	uint32_t genid = 0;

	return nft_read_genid(reader, &genid, NULL) >= 0 &&
	       genid == comparison->tables[TABLE_INET].actual.genid;
}

/* Whether a table has changes that the kernel refuses by themselves. */
static bool is_refused(struct nft_loader *loader, const struct table_comparison *table)
{
	struct script script = { 0 };
	int r = 0;

	if (changes_empty(&table->changes))
		return false;
	nft_text_changes(&table->changes, &script);
	r = nft_load(loader, &script, LOAD_CHECK, NULL, NULL, NULL);
	script_free(&script);
	return r < 0;
}

bool reconcile_compare_anew(struct nft_reader *reader, struct nft_loader *loader,
			    struct comparison *comparison)
{
	bool any = false;

	if (comparison->assumed || !reconcile_compare_unchanged(reader, comparison))
		return false;
	for (int i = 0; i < N_TABLES; i++) {
		struct table_comparison *table = &comparison->tables[i];

		if (!table->actual.exists || table->changes.anew || table->changes.gone ||
		    !is_refused(loader, table))
			continue;
		plan_anew(table);
		any = true;
	}
	return any;
}

static int check_owner(const struct comparison *c, struct err *err)
{
	for (int i = 0; i < N_TABLES; i++)
		if (c->tables[i].actual.owned)
			return err_set(err, EPERM,
				       "table %s is owned by another process (nft flag owner)",
				       table_text((enum table_family)i));
	return 0;
}

static bool any_rules_to_compare(const struct comparison *c, enum compare_depth depth)
{
	for (int i = 0; i < N_TABLES; i++)
		if (must_compare_rules(&c->tables[i].changes, depth))
			return true;
	return false;
}

static int compare_shim(struct nft_reader *reader, struct comparison *c, struct err *err)
{
	struct table_comparison *inet = &c->tables[TABLE_INET];
	unsigned *was_accept = &inet->plan->forward_was_accept;
	int r = reconcile_shim_compare(reader, inet->plan,
				       *was_accept | diff_forward_was_accept(&inet->actual),
				       &c->shim, err);

	if (r >= 0)
		*was_accept = c->shim.changes.was_accept;
	return r;
}

int reconcile_compare_actual(struct nft_reader *reader, struct nft_loader *loader,
			     unsigned stale_ttl_s, enum compare_depth depth, struct comparison *c,
			     struct err *err)
{
	struct table_comparison *inet = &c->tables[TABLE_INET];
	int r = check_owner(c, err);

	if (r >= 0)
		r = compare_shim(reader, c, err);
	if (r < 0) {
		reconcile_comparison_free(c);
		return r;
	}
	if (diff_keep_nat(inet->plan, &inet->actual))
		nft_text_hash(inet->plan);
	for (int i = 0; i < N_TABLES; i++) {
		diff_table(&c->tables[i], &c->tables[i].actual, stale_ttl_s);
		if (!actual_names_safe(&c->tables[i].actual))
			plan_anew(&c->tables[i]);
	}
	if (any_rules_to_compare(c, depth))
		r = compare_rules(reader, loader, c, err);
	if (r < 0 && reconcile_compare_anew(reader, loader, c)) {
		err_free(err);
		r = 0;
	}
	if (r < 0)
		reconcile_comparison_free(c);
	return r;
}

void reconcile_compare_begin(struct comparison *c, struct plan *const plans[N_TABLES])
{
	*c = (struct comparison){ 0 };
	for (int i = 0; i < N_TABLES; i++)
		c->tables[i].plan = plans[i];
}

int reconcile_compare_read(struct nft_reader *reader, struct comparison *c, struct err *err)
{
	struct actual tables[N_TABLES];
	int r = nft_read_tables(reader, tables, err);

	for (int i = 0; r >= 0 && i < N_TABLES; i++)
		c->tables[i].actual = tables[i];
	return r;
}

int reconcile_compare(struct nft_reader *reader, struct nft_loader *loader,
		      struct plan *const plans[N_TABLES], unsigned stale_ttl_s,
		      enum compare_depth depth, struct comparison *ret_comparison, struct err *err)
{
	int r;

	reconcile_compare_begin(ret_comparison, plans);
	for (int i = 0; i < N_TABLES; i++)
		nft_text_hash(plans[i]);
	r = reconcile_compare_read(reader, ret_comparison, err);
	if (r < 0)
		return r;
	return reconcile_compare_actual(reader, loader, stale_ttl_s, depth, ret_comparison, err);
}

void reconcile_comparison_free(struct comparison *c)
{
	for (int i = 0; i < N_TABLES; i++) {
		free_changes(&c->tables[i]);
		actual_free(&c->tables[i].actual);
	}
	reconcile_shim_comparison_free(&c->shim);
	*c = (struct comparison){ 0 };
}

bool reconcile_compare_tables_equal(const struct comparison *comparison)
{
	for (int i = 0; i < N_TABLES; i++)
		if (!changes_empty(&comparison->tables[i].changes))
			return false;
	return true;
}

bool reconcile_comparison_empty(const struct comparison *comparison)
{
	return reconcile_compare_tables_equal(comparison) &&
	       reconcile_shim_comparison_empty(&comparison->shim);
}
