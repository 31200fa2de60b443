/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff: what apply would change, network by network, rule by rule.
 *
 * It compares the rules of a chain by their expressions, as longest common subsequence. It prints
 * our text for a rule that comes, and nft's own text for one that goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_docker.h"
#include "apply_drain.h"
#include "apply_sites.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/enforce/bridges_learn.h"
#include "dockside/enforce/preflight.h"
#include "dockside/enforce/reconcile.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"
#include "inputs.h"
#include "plans.h"
#include "show_diff.h"

#define LCS_MAX 4000000 /* entries of the table */

/* ------------------------------------------------------------------ objects */

/* The length of a name without "-KIND", which a chain has, and with "-denied" its counter; 0 where that is not its end. */
static size_t without_kind(const char *name, const char *kind)
{
	static const char *const ends[] = { "", "-denied" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t end = 1 + strlen(kind) + strlen(ends[i]);
		const char *p = name + len - end;

		if (len > end && p[0] == '-' && strncmp(p + 1, kind, strlen(kind)) == 0 &&
		    strcmp(p + 1 + strlen(kind), ends[i]) == 0)
			return len - end;
	}
	return 0;
}

/* Counts the characters of the network's stem that the name of a chain, set or object begins with; 0: none, it is shared. */
static size_t stem_length(const char *name)
{
	static const char *const kinds[] = { "GATE",	"PRIVATE",	 "NAT",	   "nat4",
					     "nat6",	"log",		 "extra4", "extra-macs",
					     "extra6",	"extra-targets", "EXTRA",  "EXTRATO",
					     "UNBOUND", "UNBOUNDTO" };
	size_t len = 0;

	for (size_t i = 0; len == 0 && i < N_JUDGING_KINDS; i++)
		len = without_kind(name, judging_kinds[i]);
	for (size_t i = 0; len == 0 && i < ARRAY_SIZE(kinds); i++)
		len = without_kind(name, kinds[i]);
	return len;
}

/* The stem of the network whose chain it is by its name, NULL for one of the shared ones. The caller frees it. */
static char *chain_stem(const char *name)
{
	size_t len = stem_length(name), digit = name[0] == '_';

	return len > digit ? xstrndup(name + digit, len - digit) : NULL;
}

static void open_object(struct diff_view *view, const char *what, const char *name, const char *how)
{
	cleanup(cleanup_free) char *stem = chain_stem(name);

	diff_view_open(view, stem, what, name, how);
}

/* ------------------------------------------------------------------ rules */

static void print_want(struct diff_view *view, const struct plan_rule *rule)
{
	bool named = rule->origin && rule->origin->network;
	struct buf b = { 0 };

	nft_text_rule(&b, rule);
	diff_view_line(view, '+', buf_str(&b), named ? rule->origin->entry : NULL);
	buf_free(&b);
}

static void collect_text(void *data, enum table_family family, const char *chain, const char *text,
			 size_t len)
{
	(void)family;
	(void)chain;
	rule_texts_add(data, text, len);
}

/* The rules of a chain that differ, without the equal ones at both ends. */
struct span {
	size_t want, want_end; /* into the wanted rules */
	size_t have, have_end;
};

static bool same_rule(const struct chain_texts *texts, size_t want, size_t have)
{
	return strcmp(texts->want.items[want], texts->have.items[have]) == 0;
}

static struct span differing(const struct chain_texts *texts)
{
	struct span s = { .want_end = texts->want.n, .have_end = texts->have.n };

	while (s.want < s.want_end && s.have < s.have_end && same_rule(texts, s.want, s.have)) {
		s.want++;
		s.have++;
	}
	while (s.want < s.want_end && s.have < s.have_end &&
	       same_rule(texts, s.want_end - 1, s.have_end - 1)) {
		s.want_end--;
		s.have_end--;
	}
	return s;
}

/* Lengths of the longest common subsequences of want[i..] and have[k..], row by row; NULL where that
 * would be too much, and then everything counts as different. */
static unsigned *lcs_table(const struct chain_texts *texts, struct span s)
{
	size_t w = s.want_end - s.want, h = s.have_end - s.have;
	unsigned *table;

	if ((w + 1) * (h + 1) > LCS_MAX)
		return NULL;
	table = xcalloc((w + 1) * (h + 1), sizeof(*table));
	for (size_t i = w; i-- > 0;) {
		for (size_t k = h; k-- > 0;) {
			unsigned down = table[(i + 1) * (h + 1) + k];
			unsigned right = table[i * (h + 1) + k + 1];

			if (same_rule(texts, s.want + i, s.have + k))
				table[i * (h + 1) + k] = table[(i + 1) * (h + 1) + k + 1] + 1;
			else
				table[i * (h + 1) + k] = down > right ? down : right;
		}
	}
	return table;
}

static void print_rewritten(struct diff_view *view, const struct plan_chain *chain,
			    const struct chain_texts *texts, const struct rule_texts *listed)
{
	struct span s = differing(texts);
	size_t w = s.want_end - s.want, h = s.have_end - s.have, i = 0, k = 0;
	cleanup(cleanup_free) unsigned *table = lcs_table(texts, s);

	while (i < w || k < h) {
		bool gone = k < h && (i == w || !table ||
				      table[i * (h + 1) + k + 1] >= table[(i + 1) * (h + 1) + k]);

		if (table && i < w && k < h && same_rule(texts, s.want + i, s.have + k)) {
			i++;
			k++;
		} else if (gone) {
			size_t at = s.have + k++;

			diff_view_line(view, '-', at < listed->n ? listed->items[at] : "(a rule)",
				       NULL);
		} else if (s.want + i < chain->n_rules) {
			print_want(view, &chain->rules[s.want + i++]);
		} else {
			i++;
		}
	}
}

static int print_chain(struct diff_view *view, struct nft_loader *loader, enum table_family family,
		       const struct chain_change *change, const struct chain_texts *texts,
		       struct err *err)
{
	static const char *const what[] = {
		[CHANGE_NONE] = "",
		[CHANGE_ADD] = "new",
		[CHANGE_REWRITE] = "changed",
		[CHANGE_REPLACE] = "made anew (wrong hook, priority or policy)",
		[CHANGE_DELETE] = "removed",
	};
	struct rule_texts listed = { 0 };
	int r = 0;

	open_object(view, "chain", change->name, what[change->kind]);
	if (change->have && change->have->n_rules > 0)
		r = nft_list_chain(loader, family, change->name, collect_text, &listed, err);
	if (r >= 0 && change->kind == CHANGE_REWRITE) {
		print_rewritten(view, change->want, texts, &listed);
	} else if (r >= 0) {
		for (size_t i = 0; i < listed.n; i++)
			diff_view_line(view, '-', listed.items[i], NULL);
		for (size_t i = 0; change->want && i < change->want->n_rules; i++)
			print_want(view, &change->want->rules[i]);
	}
	diff_view_close(view);
	rule_texts_free(&listed);
	return r;
}

/* ------------------------------------------------------------------ sets */

static void print_elem(struct diff_view *view, char sign, const struct plan_set *set,
		       const struct elem *elem)
{
	struct buf b = { 0 };

	if (elem->unresolved)
		return;
	nft_text_elem(&b, set->type, elem);
	diff_view_line(view, sign, buf_str(&b), NULL);
	buf_free(&b);
}

static void print_set(struct diff_view *view, const struct set_change *change)
{
	static const char *const what[] = {
		[CHANGE_NONE] = "changed",   [CHANGE_ADD] = "new",
		[CHANGE_REWRITE] = "",	     [CHANGE_REPLACE] = "made anew (wrong type or flags)",
		[CHANGE_DELETE] = "removed",
	};
	static const char signs[] = { [ELEM_ADD] = '+', [ELEM_DELETE] = '-', [ELEM_RENEW] = '~' };
	const struct plan_set *set = change->want ? change->want : &change->have->set;

	bool map = change->want ? set_type_is_map(set->type) : change->have->map;

	open_object(view, map ? "map" : "set", change->name, what[change->kind]);
	for (size_t i = 0; i < change->n_elems; i++)
		print_elem(view, signs[change->elems[i].kind], set, &change->elems[i].elem);
	if (change->kind == CHANGE_ADD || change->kind == CHANGE_REPLACE)
		for (size_t i = 0; i < set->n_elems; i++)
			print_elem(view, '+', set, &set->elems[i]);
	diff_view_close(view);
}

static void print_object(struct diff_view *view, const struct object_change *change)
{
	open_object(view, change->object == OBJECT_LIMIT ? "limit" : "counter", change->name,
		    change->kind == CHANGE_ADD	     ? "new"
		    : change->kind == CHANGE_REPLACE ? "made anew (wrong rate)"
						     : "removed");
	diff_view_close(view);
}

/* ------------------------------------------------------------------ the whole */

static const char *table_note(const struct table_comparison *table)
{
	if (table->changes.gone)
		return "removed";
	if (table->changes.anew)
		return "deleted and made anew, as what somebody has put into it cannot be undone "
		       "piece by piece";
	if (!table->actual.exists)
		return "new";
	return table->actual.dormant ? "dormant, to be woken up" : NULL;
}

static int print_changes(struct diff_view *view, struct nft_loader *loader,
			 const struct table_comparison *table, struct err *err)
{
	const struct changes *changes = &table->changes;
	enum table_family family = table->plan->family;
	int r = 0;

	diff_view_table(view, table_text(family), table_note(table));
	for (size_t i = 0; r >= 0 && i < changes->n_chains; i++)
		r = print_chain(view, loader, family, &changes->chains[i], &table->texts[i], err);
	for (size_t i = 0; i < changes->n_sets; i++)
		print_set(view, &changes->sets[i]);
	for (size_t i = 0; i < changes->n_objects; i++)
		print_object(view, &changes->objects[i]);
	for (size_t i = 0; !changes->gone && i < changes->actual->n_others; i++) {
		diff_view_open(view, NULL, changes->actual->others[i].word,
			       changes->actual->others[i].name, "removed");
		diff_view_close(view);
	}
	return r;
}

/* A change of one chain, which the caller has to free; NULL: other operations tell of it. */
static char *shim_op_text(const struct shim_op *op)
{
	switch (op->kind) {
	case SHIM_FLUSH_CHAIN:
	case SHIM_ADD_JUDGED:
		return NULL;
	case SHIM_DELETE_RULE:
		return xasprintf("- rule with handle %llu", (unsigned long long)op->handle);
	case SHIM_DELETE_CHAIN:
		return xstrdup("removed");
	case SHIM_ADD_CHAIN:
		return xstrdup("new");
	case SHIM_ADD_DROP:
		return xasprintf("+ what comes from %s unmarked is dropped", op->bridge);
	case SHIM_INSERT_JUMP:
		return xstrdup("+ first, the jump to " SHIM_CHAIN);
	}
	abort();
}

static void print_shim_chain(struct diff_view *view, enum shim_table table, const char *chain,
			     const char *how)
{
	diff_view_shared(view, shim_table_name(table), "chain", chain, how);
}

static void print_shim(struct diff_view *view, const struct shim_changes *changes)
{
	for (int table = 0; table < N_SHIM_TABLES; table++) {
		for (size_t i = 0; i < changes->n_ops; i++) {
			const struct shim_op *op = &changes->ops[i];
			cleanup(cleanup_free) char *text =
				(int)op->table == table ? shim_op_text(op) : NULL;

			if (text)
				print_shim_chain(view, op->table, op->chain, text);
		}
	}
	for (int i = 0; i < N_SHIM_FILTERS; i++) {
		if (changes->forward[i] == FORWARD_DROP)
			print_shim_chain(view, (enum shim_table)i, "FORWARD",
					 "policy accept becomes drop");
		else if (changes->forward[i] == FORWARD_ACCEPT)
			print_shim_chain(view, (enum shim_table)i, SHIM_USER_CHAIN,
					 "+ known connections are accepted");
	}
}

struct diff_options {
	struct enforce_options enforce;
	const char *docker; /* the path of its socket */
	const char *state_directory;
	bool json;
};

/* By what the state directory has, which a daemon may be using. */
static int merge_draining(const struct diff_options *options, struct policy *policy,
			  struct err *err)
{
	struct docker_talk talk = { .socket = options->docker };
	struct kept kept;
	int r;

	kept_open(&kept, &options->enforce.files, options->state_directory, true, NULL);
	r = find_sites(&talk, &kept.placing, policy, err);
	if (r >= 0)
		r = find_draining(&talk, &kept.drain, policy, err);
	docker_talk_close(&talk);
	kept_close(&kept);
	return r;
}

static int diff(const struct diff_options *options, struct policy *policy, struct diff_view *view,
		bool *ret_different, struct err *err)
{
	struct nft_loader *loader = NULL;
	struct nft_reader *reader = NULL;
	struct comparison comparison = { 0 };
	struct resolved resolved = { 0 };
	struct plan_options plan = options->enforce.plan;
	struct plans plans = { 0 };
	struct ports ports = { 0 };
	int r;

	r = preflight_gate(policy, &plan, err);
	if (r >= 0)
		r = merge_draining(options, policy, err);
	if (r >= 0)
		r = nft_reader_open(&reader, err);
	if (r < 0)
		return r;
	nft_loader_open(&loader);
	r = resolve_names(policy, RESOLVE_FOR_KERNEL, &resolved, err);
	if (r >= 0)
		r = ports_for_kernel(reader, policy, lock_has_daemon(NULL) ? options->docker : NULL,
				     &ports, err);
	if (r >= 0) {
		plans_compile_for_kernel(&plans, policy, &resolved, &ports, &plan);
		plans.inet.beside_daemon = lock_has_daemon(NULL);
		r = reconcile_compare(reader, loader, plans.tables, options->enforce.stale_ttl_s,
				      COMPARE_RULES, &comparison, err);
	}
	if (r >= 0) {
		*ret_different = !reconcile_comparison_empty(&comparison);
		for (int i = 0; r >= 0 && i < N_TABLES; i++)
			if (!changes_empty(&comparison.tables[i].changes))
				r = print_changes(view, loader, &comparison.tables[i], err);
		print_shim(view, &comparison.shim.changes);
		reconcile_comparison_free(&comparison);
	}
	plans_free(&plans);
	ports_free(&ports);
	resolved_free(&resolved);
	nft_loader_close(loader);
	nft_reader_close(reader);
	return r;
}

/* Everything that is not as the files say, as text or as members of the object. Returns 0 or -errno. */
static int find_differences(const struct diff_options *options, struct policy *policy,
			    struct report *report, bool *ret_different, struct err *err)
{
	struct diff_view view = { .report = report, .policy = policy };
	struct err setting = { 0 };
	bool different = false, judged = true;
	int r;

	json_write_open(&report->out, "tables", '[');
	r = diff(options, policy, &view, &different, err);
	diff_view_end(&view);
	json_write_close(&report->out, ']');
	if (r >= 0 &&
	    (sysctl_bridge_netfilter_check(&setting) < 0 ||
	     bridges_learn_check(policy, &setting) < 0) &&
	    !report->json)
		printf("host settings\n    %s\n", setting.text);
	json_write_string(&report->out, "settings", setting.text);
	*ret_different = different || setting.code;
	err_free(&setting);
	if (r >= 0)
		r = apply_docker_judge(options->docker, policy, report, &judged, err);
	*ret_different |= !judged;
	json_write_bool(&report->out, "different", *ret_different);
	return r;
}

static int run(const struct call *call)
{
	const struct diff_options *options = call->options;
	struct policy policy = { 0 };
	bool loaded, different = false;
	struct report report;
	struct err err = { 0 };
	int r = -EINVAL;

	report_begin(&report, options->json);
	loaded = report_load(&report, &options->enforce.files, LOAD_TO_ENFORCE, &policy);
	if (loaded)
		r = preflight_bridges(&policy, &err);
	if (loaded && r >= 0)
		r = find_differences(options, &policy, &report, &different, &err);
	if (loaded && r < 0)
		log_failure("diff", r, err.text);
	else if (loaded && !different && !report.json)
		printf("no differences\n");
	report_print(&report, !loaded ? "the configuration has errors" : r < 0 ? err.text : NULL);
	report_free(&report);
	err_free(&err);
	policy_free(&policy);
	return !loaded ? EXIT_CONFIG : r < 0 ? EXIT_FAILED : different ? EXIT_DIFFERENT : EXIT_DONE;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "show what apply would change; exit status 1 if anything",
	.takes = { TAKES_ENFORCE_OPTIONS(struct diff_options, enforce),
		   { docker_option, offsetof(struct diff_options, docker) },
		   { state_directory_option, offsetof(struct diff_options, state_directory) },
		   { json_option, offsetof(struct diff_options, json) } },
	.size = sizeof(struct diff_options),
	.run = run,
};
