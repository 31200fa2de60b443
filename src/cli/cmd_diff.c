/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff: what apply would change, network by network, rule by rule.
 *
 * It compares the rules of a chain by their expressions, as longest common subsequence. It prints
 * our text for a rule that comes, and nft's own text for one that goes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_docker.h"
#include "apply_drain.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/enforce/preflight.h"
#include "dockside/enforce/reconcile.h"
#include "dockside/system/lock.h"
#include "dockside/system/log.h"
#include "dockside/system/sysctl.h"
#include "inputs.h"
#include "plans.h"

#define LCS_MAX 4000000 /* entries of the table */

/* ------------------------------------------------------------------ rules */

static void print_want(const struct plan_rule *rule)
{
	struct buf b = { 0 };

	nft_text_rule(&b, rule);
	printf("      + %s", buf_str(&b));
	if (rule->origin && rule->origin->network)
		printf("   # %s", rule->origin->entry);
	putchar('\n');
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

static void print_rewritten(const struct plan_chain *chain, const struct chain_texts *texts,
			    const struct rule_texts *listed)
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

			printf("      - %s\n", at < listed->n ? listed->items[at] : "(a rule)");
		} else if (s.want + i < chain->n_rules) {
			print_want(&chain->rules[s.want + i++]);
		} else {
			i++;
		}
	}
}

static int print_chain(struct nft_loader *loader, enum table_family family,
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

	printf("    chain %s: %s\n", change->name, what[change->kind]);
	if (change->have && change->have->n_rules > 0)
		r = nft_list_chain(loader, family, change->name, collect_text, &listed, err);
	if (r >= 0 && change->kind == CHANGE_REWRITE) {
		print_rewritten(change->want, texts, &listed);
	} else if (r >= 0) {
		for (size_t i = 0; i < listed.n; i++)
			printf("      - %s\n", listed.items[i]);
		for (size_t i = 0; change->want && i < change->want->n_rules; i++)
			print_want(&change->want->rules[i]);
	}
	rule_texts_free(&listed);
	return r;
}

/* ------------------------------------------------------------------ sets */

static void print_elem(char sign, const struct plan_set *set, const struct elem *elem)
{
	struct buf b = { 0 };

	if (elem->unresolved)
		return;
	nft_text_elem(&b, set->type, elem);
	printf("      %c %s\n", sign, buf_str(&b));
	buf_free(&b);
}

static void print_set(const struct set_change *change)
{
	static const char *const what[] = {
		[CHANGE_NONE] = "changed",   [CHANGE_ADD] = "new",
		[CHANGE_REWRITE] = "",	     [CHANGE_REPLACE] = "made anew (wrong type or flags)",
		[CHANGE_DELETE] = "removed",
	};
	static const char signs[] = { [ELEM_ADD] = '+', [ELEM_DELETE] = '-', [ELEM_RENEW] = '~' };
	const struct plan_set *set = change->want ? change->want : &change->have->set;

	bool map = change->want ? set_type_is_map(set->type) : change->have->map;

	printf("    %s %s: %s\n", map ? "map" : "set", change->name, what[change->kind]);
	for (size_t i = 0; i < change->n_elems; i++)
		print_elem(signs[change->elems[i].kind], set, &change->elems[i].elem);
	if (change->kind == CHANGE_ADD || change->kind == CHANGE_REPLACE)
		for (size_t i = 0; i < set->n_elems; i++)
			print_elem('+', set, &set->elems[i]);
}

static void print_object(const struct object_change *change)
{
	printf("    %s %s: %s\n", change->object == OBJECT_LIMIT ? "limit" : "counter",
	       change->name,
	       change->kind == CHANGE_ADD	? "new"
	       : change->kind == CHANGE_REPLACE ? "made anew (wrong rate)"
						: "removed");
}

/* ------------------------------------------------------------------ the whole */

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

/* Counts the characters of the bridge that the name of a chain, set or object begins with; 0: none, it is shared. */
static size_t bridge_length(const char *name)
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

/* The bridge whose chain it is by its name, NULL for one of the shared ones. The caller frees it. */
static char *chain_bridge(const char *name)
{
	size_t len = bridge_length(name), digit = name[0] == '_';

	return len > digit ? xstrndup(name + digit, len - digit) : NULL;
}

struct heading {
	const struct policy *policy;
	char *printed; /* the bridge of the last heading; NULL before the first */
};

static void print_heading(struct heading *heading, const char *name)
{
	char *bridge = chain_bridge(name);
	const char *key = bridge ? bridge : "";
	const struct network *network = bridge ? policy_find_bridge(heading->policy, bridge) : NULL;

	if (heading->printed && strcmp(heading->printed, key) == 0) {
		free(bridge);
		return;
	}
	if (!bridge)
		printf("  shared by all networks\n");
	else if (network)
		printf("  network %s%s\n", network->name, network->draining ? " (draining)" : "");
	else
		printf("  network with bridge %s (no longer configured)\n", bridge);
	free(heading->printed);
	heading->printed = bridge ? bridge : xstrdup("");
}

static const char *table_note(const struct table_comparison *table)
{
	if (table->changes.gone)
		return ": removed";
	if (table->changes.anew)
		return ": deleted and made anew, as what somebody has put into it cannot be undone "
		       "piece by piece";
	if (!table->actual.exists)
		return ": new";
	return table->actual.dormant ? ": dormant, to be woken up" : "";
}

static int print_changes(const struct policy *policy, struct nft_loader *loader,
			 const struct table_comparison *table, struct err *err)
{
	const struct changes *changes = &table->changes;
	enum table_family family = table->plan->family;
	struct heading heading = { .policy = policy };
	int r = 0;

	printf("table %s%s\n", table_text(family), table_note(table));
	for (size_t i = 0; r >= 0 && i < changes->n_chains; i++) {
		print_heading(&heading, changes->chains[i].name);
		r = print_chain(loader, family, &changes->chains[i], &table->texts[i], err);
	}
	for (size_t i = 0; i < changes->n_sets; i++) {
		print_heading(&heading, changes->sets[i].name);
		print_set(&changes->sets[i]);
	}
	for (size_t i = 0; i < changes->n_objects; i++) {
		print_heading(&heading, changes->objects[i].name);
		print_object(&changes->objects[i]);
	}
	for (size_t i = 0; !changes->gone && i < changes->actual->n_others; i++)
		printf("    %s %s: removed\n", changes->actual->others[i].word,
		       changes->actual->others[i].name);
	free(heading.printed);
	return r;
}

static void print_shim_op(const struct shim_op *op)
{
	switch (op->kind) {
	case SHIM_FLUSH_CHAIN:
	case SHIM_ADD_JUDGED:
		break; /* of a chain that the other operations tell of */
	case SHIM_DELETE_RULE:
		printf("    chain %s: - rule with handle %llu\n", op->chain,
		       (unsigned long long)op->handle);
		break;
	case SHIM_DELETE_CHAIN:
		printf("    chain %s: removed\n", op->chain);
		break;
	case SHIM_ADD_CHAIN:
		printf("    chain %s: new\n", op->chain);
		break;
	case SHIM_ADD_DROP:
		printf("    chain %s: + what comes from %s unmarked is dropped\n", op->chain,
		       op->bridge);
		break;
	case SHIM_INSERT_JUMP:
		printf("    chain %s: + first, the jump to " SHIM_CHAIN "\n", op->chain);
		break;
	}
}

static void print_shim(const struct shim_changes *changes)
{
	for (int table = 0; table < N_SHIM_TABLES; table++) {
		bool heading = false;

		for (size_t i = 0; i < changes->n_ops; i++) {
			if ((int)changes->ops[i].table != table)
				continue;
			if (!heading)
				printf("table %s\n", shim_table_name((enum shim_table)table));
			heading = true;
			print_shim_op(&changes->ops[i]);
		}
	}
	for (int i = 0; i < N_SHIM_FILTERS; i++) {
		const char *table = shim_table_name((enum shim_table)i);

		if (changes->forward[i] == FORWARD_DROP)
			printf("table %s\n    chain FORWARD: policy accept becomes drop\n", table);
		else if (changes->forward[i] == FORWARD_ACCEPT)
			printf("table %s\n    chain " SHIM_USER_CHAIN
			       ": + known connections are accepted\n",
			       table);
	}
}

struct diff_options {
	struct enforce_options enforce;
	const char *docker; /* the path of its socket */
	const char *state_directory;
};

/* By what the state directory has, which a daemon may be using. */
static int merge_draining(const struct diff_options *options, struct policy *policy,
			  struct err *err)
{
	struct kept kept;
	int r;

	kept_open(&kept, &options->enforce.files, options->state_directory, true, NULL);
	r = find_draining(options->docker, &kept.drain, policy, err);
	kept_close(&kept);
	return r;
}

static int diff(const struct diff_options *options, struct policy *policy, bool *ret_different,
		struct err *err)
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
				r = print_changes(policy, loader, &comparison.tables[i], err);
		print_shim(&comparison.shim.changes);
		reconcile_comparison_free(&comparison);
	}
	plans_free(&plans);
	ports_free(&ports);
	resolved_free(&resolved);
	nft_loader_close(loader);
	nft_reader_close(reader);
	return r;
}

static int run(const struct call *call)
{
	const struct diff_options *options = call->options;
	struct policy policy = { 0 };
	bool different = false, settings = false, judged = true;
	struct err err = { 0 };
	int r;

	if (!load_policy(&options->enforce.files, &policy))
		return EXIT_CONFIG;
	r = preflight_bridges(&policy, &err);
	if (r >= 0)
		r = diff(options, &policy, &different, &err);
	if (r < 0) {
		log_failure("diff", r, err.text);
	} else if (sysctl_bridge_netfilter_check(&err) < 0) {
		printf("host settings\n    %s\n", err.text);
		settings = true;
	}
	if (r >= 0 && apply_docker_judge(options->docker, &policy, &judged, &err) < 0)
		log_failure("diff", r = -err.code, err.text);
	if (r >= 0 && !different && !settings && judged)
		printf("no differences\n");
	err_free(&err);
	policy_free(&policy);
	return r < 0 ? EXIT_FAILED : different || settings || !judged ? EXIT_DIFFERENT : EXIT_DONE;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "show what apply would change; exit status 1 if anything",
	.takes = { TAKES_ENFORCE_OPTIONS(struct diff_options, enforce),
		   { docker_option, offsetof(struct diff_options, docker) },
		   { state_directory_option, offsetof(struct diff_options, state_directory) } },
	.size = sizeof(struct diff_options),
	.run = run,
};
