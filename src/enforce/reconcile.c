/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads what reconcile_compare.c has found to differ, reads it back, and records it. */
#include "dockside/enforce/reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"
#include "reconcile_compare.h"

/* Somebody else changing our table between our reading and our writing makes us look again. */
#define SYNC_TRIES 5

static int load_changes(struct nft_loader *loader, const struct comparison *comparison,
			struct err *err)
{
	struct script script = { 0 };
	int r;

	reconcile_script(comparison, &script);
	r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err);
	script_free(&script);
	return r;
}

static void count_table(const struct table_comparison *table, struct reconcile_result *result)
{
	const struct changes *changes = &table->changes;

	if (changes->gone) {
		result->n_chains += table->n_chains;
		result->n_sets += table->n_sets;
		return;
	}
	result->n_chains += changes->n_chains;
	result->n_objects += changes->n_objects + changes->actual->n_others;
	for (size_t i = 0; i < changes->n_sets; i++) {
		result->n_sets += changes->sets[i].kind != CHANGE_NONE;
		result->n_elems += changes->sets[i].n_elems;
		if (changes->sets[i].kind == CHANGE_ADD || changes->sets[i].kind == CHANGE_REPLACE)
			result->n_elems += changes->sets[i].want->n_elems;
	}
}

static void count_changes(const struct comparison *comparison, struct reconcile_result *result)
{
	result->shim |= !reconcile_shim_comparison_empty(&comparison->shim);
	result->took_over |= comparison->shim.changes.takes_over;
	for (int i = 0; i < N_TABLES; i++)
		count_table(&comparison->tables[i], result);
}

struct records {
	struct set_op *items;
	size_t n, cap;
};

static void add_records(struct records *records, struct plan *plan, const struct actual *actual)
{
	struct changes changes;

	if (plan->n_chains == 0)
		return;
	diff_fingerprints(plan, actual, &changes);
	for (size_t i = 0; changes.n_sets > 0 && i < changes.sets[0].n_elems; i++) {
		const struct elem_change *change = &changes.sets[0].elems[i];

		records->items = array_grow(records->items, &records->cap, records->n,
					    sizeof(*records->items));
		records->items[records->n++] = (struct set_op){
			.table = plan->family,
			.set = FINGERPRINT_SET,
			.type = SET_BRIDGES,
			.kind = change->kind == ELEM_DELETE ? SET_OP_ABSENT : SET_OP_PRESENT,
			.elem = change->elem,
		};
	}
	changes_free(&changes);
}

/* As operations on elements: for a script with elements libnftables would first read all sets. */
static int record_fingerprints(struct nft_sets *sets, const struct comparison *comparison,
			       struct reconcile_result *result, struct err *err)
{
	struct records records = { 0 };
	int r;

	for (int i = 0; i < N_TABLES; i++)
		add_records(&records, comparison->tables[i].plan, &comparison->tables[i].actual);
	r = nft_sets_commit_all(sets, records.items, records.n, err);
	result->recorded = records.n > 0;
	free(records.items);
	return r < 0 ? err_prefix(err, "record what was loaded") : 0;
}

/* Reads what the changes made: only the rewritten chains where nothing else of the table is new.
 * Afterwards nothing may follow the changes' pointers into what was read before. */
static int read_table_back(struct nft_reader *reader, struct table_comparison *table,
			   struct err *err)
{
	const struct changes *changes = &table->changes;
	cleanup(cleanup_free) const char **names = xcalloc(changes->n_chains + 1, sizeof(char *));
	bool all = changes->gone || changes->table || changes->n_sets > 0 ||
		   changes->n_objects > 0 || changes->actual->n_others > 0;
	struct actual after = { 0 };
	int r;

	for (size_t i = 0; i < changes->n_chains; i++) {
		names[i] = changes->chains[i].name;
		all |= changes->chains[i].kind != CHANGE_REWRITE;
	}
	if (!all)
		return nft_read_chains(reader, names, changes->n_chains, &table->actual, err);
	r = nft_read_table(reader, table->plan->family, &after, err);
	if (r < 0)
		return r;
	actual_free(&table->actual);
	table->actual = after;
	return 0;
}

/* *ret_sure: nobody else committed anything since that generation, so that what was read is what we wrote. */
static int read_back(struct nft_reader *reader, struct comparison *comparison, uint32_t wanted,
		     bool *ret_sure, struct err *err)
{
	int r = 0;

	*ret_sure = true;
	for (int i = 0; r >= 0 && i < N_TABLES; i++) {
		r = read_table_back(reader, &comparison->tables[i], err);
		*ret_sure &= comparison->tables[i].actual.genid == wanted;
	}
	return r;
}

/* If that fails as well, the first failure is the one to tell. */
static int load_anew(struct nft_loader *loader, struct comparison *comparison, struct err *err)
{
	int code = err ? err->code : EINVAL;

	if (load_changes(loader, comparison, NULL) < 0)
		return -code;
	err_free(err);
	return 0;
}

static int set_forward(struct nft_reader *reader, const struct comparison *comparison,
		       struct err *err)
{
	comparison->tables[TABLE_INET].plan->forward_was_accept |=
		reconcile_shim_forward_bits(&comparison->shim.changes);
	return reconcile_shim_set_forward(reader, &comparison->shim.changes, err);
}

/*
 * The tables enforce without help, the shim does not: where it is the shim that the kernel refuses, which
 * nobody should have to notice by an open network, the tables go in without it.
 */
static int load_without_shim(struct nft_loader *loader, struct comparison *comparison,
			     struct err *err)
{
	int code = err ? err->code : EINVAL;

	comparison->shim.changes.n_ops = 0;
	for (int i = 0; i < N_SHIM_FILTERS; i++)
		comparison->shim.changes.forward[i] = FORWARD_LEAVE;
	comparison->shim.changes.takes_over = false;
	if (!reconcile_compare_tables_equal(comparison) &&
	    load_changes(loader, comparison, NULL) < 0)
		return -code;
	log_error("the shim in Docker's tables: %s; enforcing without it",
		  err ? err->text : "refused by the kernel");
	err_free(err);
	return 0;
}

/* Loads the changes and reads back. *ret_sure as in read_back(). */
static int load_and_record(const struct reconcile_sockets *sockets, struct comparison *comparison,
			   struct reconcile_result *result, bool *ret_sure, struct err *err)
{
	struct nft_reader *reader = sockets->reader;
	struct nft_loader *loader = sockets->loader;
	uint32_t before = comparison->tables[TABLE_INET].actual.genid;
	struct err forward = { 0 };
	/* The script has everything but the FORWARD policy. */
	bool tables = !reconcile_compare_tables_equal(comparison);
	bool loaded = tables || comparison->shim.changes.n_ops > 0;
	int r = 0;

	if (loaded)
		r = load_changes(loader, comparison, err);
	if (r < 0 && comparison->shim.changes.n_ops > 0 &&
	    reconcile_compare_unchanged(reader, comparison)) {
		r = load_without_shim(loader, comparison, err);
		loaded = tables;
	}
	if (r < 0 && reconcile_compare_anew(reader, loader, comparison))
		r = load_anew(loader, comparison, err);
	if (r >= 0)
		r = read_back(reader, comparison, before + loaded, ret_sure, err);
	if (r < 0)
		return r;
	result->changed |= loaded || !shim_leaves_forward(&comparison->shim.changes);
	/* The policy is in force even if this fails. */
	if (set_forward(reader, comparison, &forward) < 0)
		log_error("%s", forward.text);
	err_free(&forward);
	return *ret_sure ? record_fingerprints(sockets->sets, comparison, result, err) : 0;
}

/* Copies the fingerprints that we have recorded to what we read before. It keeps equal texts, so
 * that little adds up in the arena. */
static void note_fingerprints(struct actual *actual, const struct plan *plan)
{
	const struct plan_set *want = plan_find_set(plan, FINGERPRINT_SET);
	struct plan_set *have = &actual_find_set(actual, FINGERPRINT_SET)->set;
	struct plan_set old = *have;
	size_t k = 0;

	have->elems = NULL;
	have->n_elems = have->cap_elems = 0;
	for (size_t i = 0; i < want->n_elems; i++) {
		struct elem *elem = set_add_elem(have, NULL);

		*elem = want->elems[i];
		while (k < old.n_elems && elem_cmp(&old.elems[k], elem) < 0)
			k++;
		if (k < old.n_elems && elem_cmp(&old.elems[k], elem) == 0 && old.elems[k].comment &&
		    strcmp(old.elems[k].comment, elem->comment) == 0)
			elem->comment = old.elems[k].comment;
		else
			elem->comment = arena_strdup(&actual->arena, elem->comment);
	}
	free(old.elems);
}

/* Whether each table that is to be there has its records. */
static bool all_recorded(const struct comparison *comparison)
{
	for (int i = 0; i < N_TABLES; i++)
		if (comparison->tables[i].plan->n_chains > 0 &&
		    !actual_find_set(&comparison->tables[i].actual, FINGERPRINT_SET))
			return false;
	return true;
}

/* Hands over what the kernel holds now, unless somebody else's transaction makes it doubtful. */
static void keep_known(struct nft_reader *reader, struct comparison *comparison, bool recorded,
		       struct actual known[N_TABLES])
{
	uint32_t genid = comparison->tables[TABLE_INET].actual.genid, now = 0;

	if (!all_recorded(comparison))
		return;
	if (recorded && (nft_read_genid(reader, &now, NULL) < 0 || now != genid + 1))
		return;
	for (int i = 0; i < N_TABLES; i++) {
		struct table_comparison *table = &comparison->tables[i];

		table->actual.genid = genid + recorded;
		if (recorded && table->plan->n_chains > 0)
			note_fingerprints(&table->actual, table->plan);
		known[i] = table->actual;
		table->actual = (struct actual){ 0 };
	}
}

/* Whether it changes what is redirected to the DNS gate: then open conversations with name servers are not what they are
 * to be. */
static bool changes_gates(const struct changes *changes)
{
	const struct set_change *dispatch = changes_find_set(changes, DISPATCH_GATE);

	if (dispatch && (dispatch->kind != CHANGE_NONE || dispatch->n_elems > 0))
		return true;
	for (size_t i = 0; i < changes->n_chains; i++) {
		const struct plan_chain *want = changes->chains[i].want;

		if (want && (want->hook == BASE_PREROUTING_DNS ||
			     (want->bridge && strcmp(want->kind, "GATE") == 0)))
			return true;
	}
	return changes->gone && actual_find_set(changes->actual, DISPATCH_GATE);
}

/* One try; consumes known. *ret_sure: no need for another, also after an error. */
static int apply_once(const struct reconcile_sockets *sockets, struct plan *const plans[N_TABLES],
		      unsigned stale_ttl_s, struct actual known[N_TABLES],
		      struct reconcile_result *result, bool *ret_sure, struct err *err)
{
	struct nft_reader *reader = sockets->reader;
	bool recorded_before = result->recorded, assumed = known[TABLE_INET].genid != 0;
	struct comparison comparison;
	uint32_t seen, now = 0;
	int r = 0;

	reconcile_compare_begin(&comparison, plans);
	comparison.assumed = assumed;
	for (int i = 0; i < N_TABLES; i++) {
		comparison.tables[i].actual = known[i];
		known[i] = (struct actual){ 0 };
	}
	*ret_sure = true;
	result->recorded = false;
	if (!assumed)
		r = reconcile_compare_read(reader, &comparison, err);
	if (r < 0)
		return r;
	seen = comparison.tables[TABLE_INET].actual.genid;
	r = reconcile_compare_actual(reader, sockets->loader, stale_ttl_s, COMPARE_CHAINS,
				     &comparison, err);
	if (r >= 0 && reconcile_comparison_empty(&comparison)) {
		r = record_fingerprints(sockets->sets, &comparison, result, err);
	} else if (r >= 0) {
		result->gates |= changes_gates(&comparison.tables[TABLE_INET].changes);
		r = load_and_record(sockets, &comparison, result, ret_sure, err);
		if (r >= 0)
			count_changes(&comparison, result);
	}
	if (r >= 0 && *ret_sure)
		keep_known(reader, &comparison, result->recorded, known);
	result->recorded |= recorded_before;
	reconcile_comparison_free(&comparison);
	if (r < 0) /* what was to be changed may be gone */
		*ret_sure = !assumed && nft_read_genid(reader, &now, NULL) >= 0 && now == seen;
	return r;
}

int reconcile_apply(const struct reconcile_sockets *sockets, struct plan *const plans[N_TABLES],
		    unsigned stale_ttl_s, struct actual known[N_TABLES],
		    struct reconcile_result *ret_result, struct err *err)
{
	*ret_result = (struct reconcile_result){ 0 };
	for (int i = 0; i < N_TABLES; i++)
		nft_text_hash(plans[i]);
	for (int i = 0; i < SYNC_TRIES; i++) {
		bool sure = true;
		int r = apply_once(sockets, plans, stale_ttl_s, known, ret_result, &sure, err);

		if (sure || (r < 0 && i + 1 == SYNC_TRIES))
			return r;
		if (r < 0) /* look again, before it is said to be impossible */
			err_free(err);
	}
	return err_set(err, EAGAIN, "somebody else keeps changing our tables");
}
