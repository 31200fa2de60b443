/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

/* Somebody else changing our table between our reading and our writing makes us look again. */
#define SYNC_TRIES 5

/* ------------------------------------------------------------------ comparing */

struct collector {
	const struct changes *changes;
	struct chain_texts *texts;
};

static void collect_rule(void *data, const char *chain, const char *text, size_t len)
{
	const struct collector *collector = data;
	const struct changes *changes = collector->changes;
	const struct chain_change *change;

	change = changes_find_chain(changes, chain);
	if (change && change->kind == CHANGE_REWRITE)
		rule_texts_add(&collector->texts[change - changes->chains].want, text, len);
}

static void chain_texts_free(struct chain_texts *texts)
{
	rule_texts_free(&texts->want);
	rule_texts_free(&texts->have);
}

/* Takes out of the changes the chains that hold just the rules that we would write. */
static void drop_equal_chains(struct comparison *comparison)
{
	struct changes *changes = &comparison->changes;
	size_t n = 0;

	for (size_t i = 0; i < changes->n_chains; i++) {
		bool rewrite = changes->chains[i].kind == CHANGE_REWRITE;

		if (rewrite &&
		    rule_texts_equal(&comparison->texts[i].want, &comparison->texts[i].have)) {
			chain_texts_free(&comparison->texts[i]);
			continue;
		}
		changes->chains[n] = changes->chains[i];
		comparison->texts[n++] = comparison->texts[i];
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
static void make_script(const struct comparison *comparison, struct script *ret_script)
{
	nft_text_changes(&comparison->changes, ret_script);
	nft_text_shim(&comparison->shim.changes, ret_script);
}

static int compare_rules(struct nft_reader *reader, struct nft_loader *loader,
			 struct comparison *comparison, struct err *err)
{
	struct changes *changes = &comparison->changes;
	struct collector collector = { .changes = changes, .texts = comparison->texts };
	struct script script;
	int r;

	make_script(comparison, &script);
	r = nft_load(loader, &script, LOAD_CHECK, collect_rule, &collector, err);
	script_free(&script);
	for (size_t i = 0; r >= 0 && i < changes->n_chains; i++)
		if (changes->chains[i].kind == CHANGE_REWRITE)
			r = nft_read_expressions(reader, changes->chains[i].name,
						 &comparison->texts[i].have, err);
	/* Chains around a replaced object are rewritten even if their rules are equal. */
	if (r >= 0 && !changes_replace(changes))
		drop_equal_chains(comparison);
	return r;
}

/*
 * The last resort: the table goes and is made anew in one transaction. Anything that somebody has put into it
 * may have a name that no script can say, or be tied together in ways that we do not know. It is the
 * last because a packet may slip through while both tables' chains are hooked (doc/kernel.md, "Replacing rules
 * without losing packets").
 */
static void plan_anew(struct plan *plan, struct comparison *c)
{
	for (size_t i = 0; c->texts && i < c->changes.n_chains; i++)
		chain_texts_free(&c->texts[i]);
	free(c->texts);
	changes_free(&c->changes);
	c->nothing = (struct actual){ .genid = c->actual.genid };
	diff_plan(plan, &c->nothing, 0, &c->changes);
	c->changes.anew = c->actual.exists;
	c->texts = xcalloc(c->changes.n_chains + 1, sizeof(*c->texts));
}

/* Nobody has changed the ruleset since it was read. */
static bool unchanged(struct nft_reader *reader, const struct comparison *comparison)
{
	uint32_t genid = 0;

	return nft_read_genid(reader, &genid, NULL) >= 0 && genid == comparison->actual.genid;
}

/* A refusal by the kernel that neither somebody else's change nor an error of ours explains. */
static bool may_retry_anew(struct nft_reader *reader, const struct comparison *comparison)
{
	return comparison->actual.exists && !comparison->changes.anew && !comparison->assumed &&
	       unchanged(reader, comparison);
}

/* With c->actual, which is freed on an error. The plan's chains have their hashes. */
static int compare(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
		   unsigned stale_ttl_s, enum compare_depth depth, struct comparison *c,
		   struct err *err)
{
	int r = 0;

	if (c->actual.owned) {
		actual_free(&c->actual);
		return err_set(err, EPERM,
			       "table inet " TABLE_NAME
			       " is owned by another process (nft flag owner)");
	}
	r = reconcile_shim_compare(reader, plan,
				   plan->forward_was_accept | diff_forward_was_accept(&c->actual),
				   &c->shim, err);
	if (r < 0) {
		actual_free(&c->actual);
		return r;
	}
	plan->forward_was_accept = c->shim.changes.was_accept;
	if (diff_keep_nat(plan, &c->actual))
		nft_text_hash(plan);
	diff_plan(plan, &c->actual, stale_ttl_s, &c->changes);
	c->texts = xcalloc(c->changes.n_chains + 1, sizeof(*c->texts));
	if (!actual_names_safe(&c->actual))
		plan_anew(plan, c);
	if (must_compare_rules(&c->changes, depth))
		r = compare_rules(reader, loader, c, err);
	if (r < 0 && may_retry_anew(reader, c)) {
		plan_anew(plan, c);
		err_free(err);
		r = 0;
	}
	if (r < 0)
		reconcile_comparison_free(c);
	return r;
}

int reconcile_compare(struct nft_reader *reader, struct nft_loader *loader, struct plan *plan,
		      unsigned stale_ttl_s, enum compare_depth depth,
		      struct comparison *ret_comparison, struct err *err)
{
	int r;

	*ret_comparison = (struct comparison){ 0 };
	nft_text_hash(plan);
	r = nft_read_table(reader, &ret_comparison->actual, err);
	if (r < 0)
		return r;
	return compare(reader, loader, plan, stale_ttl_s, depth, ret_comparison, err);
}

void reconcile_comparison_free(struct comparison *c)
{
	for (size_t i = 0; c->texts && i < c->changes.n_chains; i++)
		chain_texts_free(&c->texts[i]);
	free(c->texts);
	changes_free(&c->changes);
	reconcile_shim_comparison_free(&c->shim);
	actual_free(&c->actual);
	*c = (struct comparison){ 0 };
}

bool reconcile_comparison_empty(const struct comparison *comparison)
{
	return changes_empty(&comparison->changes) &&
	       reconcile_shim_comparison_empty(&comparison->shim);
}

/* ------------------------------------------------------------------ applying */

static int load_changes(struct nft_loader *loader, const struct comparison *comparison,
			struct err *err)
{
	struct script script;
	int r;

	make_script(comparison, &script);
	r = nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err);
	script_free(&script);
	return r;
}

static void count_changes(const struct comparison *comparison, struct reconcile_result *result)
{
	const struct changes *changes = &comparison->changes;

	result->shim |= !reconcile_shim_comparison_empty(&comparison->shim);
	result->took_over |= comparison->shim.changes.takes_over;
	result->n_chains += changes->n_chains;
	result->n_objects += changes->n_objects + changes->actual->n_others;
	for (size_t i = 0; i < changes->n_sets; i++) {
		result->n_sets += changes->sets[i].kind != CHANGE_NONE;
		result->n_elems += changes->sets[i].n_elems;
		if (changes->sets[i].kind == CHANGE_ADD || changes->sets[i].kind == CHANGE_REPLACE)
			result->n_elems += changes->sets[i].want->n_elems;
	}
}

static struct set_op record_op(const struct elem_change *change)
{
	return (struct set_op){
		.set = FINGERPRINT_SET,
		.type = SET_BRIDGES,
		.kind = change->kind == ELEM_DELETE ? SET_OP_ABSENT : SET_OP_PRESENT,
		.elem = change->elem,
	};
}

/* As operations on elements: for a script with elements libnftables would first read all sets. */
static int record_fingerprints(struct nft_sets *sets, struct plan *plan,
			       const struct actual *actual, struct reconcile_result *result,
			       struct err *err)
{
	cleanup(cleanup_free) struct set_op *ops = NULL;
	struct changes changes;
	size_t n = 0;
	int r;

	diff_fingerprints(plan, actual, &changes);
	if (changes.n_sets > 0) {
		const struct set_change *change = &changes.sets[0];

		ops = xcalloc(change->n_elems, sizeof(*ops));
		for (; n < change->n_elems; n++)
			ops[n] = record_op(&change->elems[n]);
	}
	r = nft_sets_commit_all(sets, ops, n, err);
	result->recorded = n > 0;
	changes_free(&changes);
	return r < 0 ? err_prefix(err, "record what was loaded") : 0;
}

/* Reads what the changes made: only the rewritten chains where nothing else of the table is new.
 * Afterwards nothing may follow the changes' pointers into what was read before. */
static int read_back(struct nft_reader *reader, struct comparison *comparison, struct err *err)
{
	const struct changes *changes = &comparison->changes;
	cleanup(cleanup_free) const char **names = xcalloc(changes->n_chains + 1, sizeof(char *));
	bool table = changes->table || changes->n_sets > 0 || changes->n_objects > 0 ||
		     changes->actual->n_others > 0;
	struct actual after = { 0 };
	int r;

	for (size_t i = 0; i < changes->n_chains; i++) {
		names[i] = changes->chains[i].name;
		table |= changes->chains[i].kind != CHANGE_REWRITE;
	}
	if (!table)
		return nft_read_chains(reader, names, changes->n_chains, &comparison->actual, err);
	r = nft_read_table(reader, &after, err);
	if (r < 0)
		return r;
	actual_free(&comparison->actual);
	comparison->actual = after;
	return 0;
}

/* If that fails as well, the first failure is the one to tell. */
static int load_anew(struct nft_loader *loader, struct plan *plan, struct comparison *comparison,
		     struct err *err)
{
	int code = err ? err->code : EINVAL;

	plan_anew(plan, comparison);
	if (load_changes(loader, comparison, NULL) < 0)
		return -code;
	err_free(err);
	return 0;
}

static int set_forward(struct nft_reader *reader, struct plan *plan,
		       const struct comparison *comparison, struct err *err)
{
	plan->forward_was_accept |= reconcile_shim_forward_bits(&comparison->shim.changes);
	return reconcile_shim_set_forward(reader, &comparison->shim.changes, err);
}

/*
 * The table enforces without help, the shim does not: where it is the shim that the kernel refuses, which
 * nobody should have to notice by an open network, the table goes in without it.
 */
static int load_without_shim(struct nft_loader *loader, struct comparison *comparison,
			     struct err *err)
{
	int code = err ? err->code : EINVAL;

	comparison->shim.changes.n_ops = 0;
	for (int i = 0; i < N_SHIM_FILTERS; i++)
		comparison->shim.changes.forward[i] = FORWARD_LEAVE;
	comparison->shim.changes.takes_over = false;
	if (!changes_empty(&comparison->changes) && load_changes(loader, comparison, NULL) < 0)
		return -code;
	log_error("the shim in Docker's tables: %s; enforcing without it",
		  err ? err->text : "refused by the kernel");
	err_free(err);
	return 0;
}

/* Loads the changes and reads back. *ret_sure: nobody else committed anything in between, so that
 * what was read is what we wrote. */
static int load_and_record(const struct reconcile_sockets *sockets, struct plan *plan,
			   struct comparison *comparison, struct reconcile_result *result,
			   bool *ret_sure, struct err *err)
{
	struct nft_reader *reader = sockets->reader;
	struct nft_loader *loader = sockets->loader;
	uint32_t before = comparison->actual.genid;
	struct err forward = { 0 };
	/* The script has everything but the FORWARD policy. */
	bool table = !changes_empty(&comparison->changes);
	bool loaded = table || comparison->shim.changes.n_ops > 0;
	int r = 0;

	if (loaded)
		r = load_changes(loader, comparison, err);
	if (r < 0 && comparison->shim.changes.n_ops > 0 && unchanged(reader, comparison)) {
		r = load_without_shim(loader, comparison, err);
		loaded = table;
	}
	if (r < 0 && may_retry_anew(reader, comparison))
		r = load_anew(loader, plan, comparison, err);
	if (r >= 0)
		r = read_back(reader, comparison, err);
	if (r < 0)
		return r;
	*ret_sure = comparison->actual.genid == before + loaded;
	result->changed |= loaded || !shim_leaves_forward(&comparison->shim.changes);
	/* The policy is in force even if this fails. */
	if (set_forward(reader, plan, comparison, &forward) < 0)
		log_error("%s", forward.text);
	err_free(&forward);
	return *ret_sure
		       ? record_fingerprints(sockets->sets, plan, &comparison->actual, result, err)
		       : 0;
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

/* Hands over what the kernel holds now, unless somebody else's transaction makes it doubtful. */
static void keep_known(struct nft_reader *reader, const struct plan *plan,
		       struct comparison *comparison, bool recorded, struct actual *known)
{
	struct actual *actual = &comparison->actual;
	uint32_t genid = 0;

	if (!actual_find_set(actual, FINGERPRINT_SET))
		return;
	if (recorded) {
		if (nft_read_genid(reader, &genid, NULL) < 0 || genid != actual->genid + 1)
			return;
		actual->genid = genid;
		note_fingerprints(actual, plan);
	}
	*known = *actual;
	*actual = (struct actual){ 0 };
}

/* One try; consumes known. *ret_sure: no need for another, also after an error. */
static int apply_once(const struct reconcile_sockets *sockets, struct plan *plan,
		      unsigned stale_ttl_s, struct actual *known, struct reconcile_result *result,
		      bool *ret_sure, struct err *err)
{
	struct nft_reader *reader = sockets->reader;
	struct comparison comparison = { .actual = *known, .assumed = known->genid != 0 };
	bool recorded_before = result->recorded, assumed = comparison.assumed;
	uint32_t seen, now = 0;
	int r = 0;

	*known = (struct actual){ 0 };
	*ret_sure = true;
	result->recorded = false;
	if (!assumed)
		r = nft_read_table(reader, &comparison.actual, err);
	if (r < 0)
		return r;
	seen = comparison.actual.genid;
	r = compare(reader, sockets->loader, plan, stale_ttl_s, COMPARE_CHAINS, &comparison, err);
	if (r >= 0 && reconcile_comparison_empty(&comparison)) {
		r = record_fingerprints(sockets->sets, plan, &comparison.actual, result, err);
	} else if (r >= 0) {
		r = load_and_record(sockets, plan, &comparison, result, ret_sure, err);
		if (r >= 0)
			count_changes(&comparison, result);
	}
	if (r >= 0 && *ret_sure)
		keep_known(reader, plan, &comparison, result->recorded, known);
	result->recorded |= recorded_before;
	reconcile_comparison_free(&comparison);
	if (r < 0) /* what was to be changed may be gone */
		*ret_sure = !assumed && nft_read_genid(reader, &now, NULL) >= 0 && now == seen;
	return r;
}

int reconcile_apply(const struct reconcile_sockets *sockets, struct plan *plan,
		    unsigned stale_ttl_s, struct actual *known, struct reconcile_result *ret_result,
		    struct err *err)
{
	*ret_result = (struct reconcile_result){ 0 };
	nft_text_hash(plan);
	for (int i = 0; i < SYNC_TRIES; i++) {
		bool sure = true;
		int r = apply_once(sockets, plan, stale_ttl_s, known, ret_result, &sure, err);

		if (sure || (r < 0 && i + 1 == SYNC_TRIES))
			return r;
		if (r < 0) /* look again, before it is said to be impossible */
			err_free(err);
	}
	return err_set(err, EAGAIN, "somebody else keeps changing table inet " TABLE_NAME);
}
