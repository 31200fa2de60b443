/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/enforce/told.h"

#include <inttypes.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define HEAD "dsfw-nft-gate-told 1"
#define MARK_MAX 64u

/* ------------------------------------------------------------------ sets */

struct emptying {
	const struct plan *plan;
	struct script script;
	struct buf ipsets;
	size_t n;
	bool all;
};

static bool is_of(const struct plan_set *set, const char *ipset)
{
	if (!ipset)
		return set->told_ipset || set->told_entry;
	return set->told_ipset && strcmp(set->told_ipset->name, ipset) == 0;
}

/* ipset: NULL: all that a gate tells. */
static void empty(void *data, const char *ipset)
{
	struct emptying *e = data;
	bool any = false;

	for (size_t i = 0; i < e->plan->n_sets; i++) {
		const struct plan_set *set = e->plan->sets[i];

		if (!is_of(set, ipset))
			continue;
		buf_printf(&e->script.text, "flush set %s %s\n", table_text(TABLE_INET), set->name);
		any = true;
	}
	if (!any)
		return;
	e->all = !ipset;
	buf_printf(&e->ipsets, "%s%s", e->n++ > 0 ? ", " : "", ipset ? ipset : "");
}

int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct gate_past *held,
		   const struct gate_past *now, struct buf *ret_what, struct err *err)
{
	struct emptying e = { .plan = plan };
	int r = 0;

	if (held)
		gate_past_lost(held, now, empty, &e);
	else
		empty(&e, NULL);
	if (e.n > 0)
		r = nft_load(loader, &e.script, LOAD_COMMIT, NULL, NULL, err);
	if (e.all)
		buf_puts(ret_what, "all names");
	else
		buf_printf(ret_what, "the ipset%s %s", plural(e.n), buf_str(&e.ipsets));
	script_free(&e.script);
	buf_free(&e.ipsets);
	return r < 0 ? r : e.n > 0;
}

/* ------------------------------------------------------------------ the mark */

static const char *const mark_words[] = { "unknown", "applied", "taken" };

static void put_mark(struct buf *b, enum told_mark mark, const struct gate_past *names)
{
	buf_printf(b, "%s %016" PRIx64 "\n", mark_words[mark], gate_past_hash(names));
}

enum told_mark told_mark_read(struct state_dir *dir, const struct gate_past *names)
{
	struct buf kept = { 0 };
	struct err err = { 0 };
	enum told_mark found = TOLD_UNKNOWN;

	if (dir && state_dir_read(dir, TOLD_FILE, HEAD, MARK_MAX, &kept, &err) >= 0)
		for (enum told_mark mark = TOLD_APPLIED; mark <= TOLD_TAKEN; mark++) {
			struct buf wanted = { 0 };

			put_mark(&wanted, mark, names);
			if (strcmp(buf_str(&wanted), buf_str(&kept)) == 0)
				found = mark;
			buf_free(&wanted);
		}
	buf_free(&kept);
	err_free(&err);
	return found;
}

void told_mark_write(struct state_dir *dir, enum told_mark mark, const struct gate_past *names)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	if (!dir)
		return;
	put_mark(&text, mark, names);
	r = mark == TOLD_UNKNOWN ? state_dir_remove(dir, TOLD_FILE, &err)
				 : state_dir_write(dir, TOLD_FILE, HEAD, &text, &err);
	if (r < 0)
		log_warning("cannot note which names' addresses are open: %s", err.text);
	buf_free(&text);
	err_free(&err);
}
