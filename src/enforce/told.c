/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * From the moment at which a transaction begins to empty a set until it is committed, packets still find the elements
 * that are to go; but `update` does not, and puts in another one, which stays. So a container that begins one connection
 * after another would keep an address open. Therefore another transaction comes first: until the sets are empty, a table
 * of its own drops whatever would begin a connection out of the gated networks. It belongs to our socket: if we end in
 * between, the kernel removes it.
 */
#include "dockside/enforce/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define HEAD "dsfw-nft-gate-told 1"
#define MARK_MAX 128u

/* ------------------------------------------------------------------ sets */

bool told_is_set(const char *name)
{
	static const char end[] = "-told4";
	size_t len = strlen(name), n = sizeof(end) - 1;

	return len > n && strncmp(name + len - n, end, n - 1) == 0;
}

bool told_has_sets(const struct actual *table)
{
	for (size_t i = 0; i < table->n_sets; i++)
		if (told_is_set(table->sets[i].set.name))
			return true;
	return false;
}

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

#define PAUSE_TABLE "inet dockside-pause"

/* False: no network has a gate. */
static bool write_pause(const struct plan *plan, struct script *script)
{
	const struct plan_set *gated = plan_find_set(plan, DISPATCH_GATE);

	if (!gated || gated->n_elems == 0)
		return false;
	buf_puts(&script->text,
		 "table " PAUSE_TABLE " {\nflags owner;\nchain forward {\n"
		 "type filter hook forward priority raw; policy accept;\niifname { ");
	for (size_t i = 0; i < gated->n_elems; i++)
		buf_printf(&script->text, "%s\"%.*s\"", i > 0 ? ", " : "", (int)IFNAME_KEY_LEN,
			   (const char *)gated->elems[i].key);
	buf_puts(&script->text, " } ct state != established drop\n}\n}\n");
	return true;
}

static int load(struct nft_loader *loader, const struct plan *plan, struct script *script,
		struct err *err)
{
	struct script pause = { 0 };
	bool paused = write_pause(plan, &pause);
	int r = paused ? nft_load(loader, &pause, LOAD_COMMIT, NULL, NULL, err) : 0;

	script_free(&pause);
	if (r < 0)
		return r;
	if (paused)
		buf_puts(&script->text, "delete table " PAUSE_TABLE "\n");
	r = nft_load(loader, script, LOAD_COMMIT, NULL, NULL, err);
	if (r < 0 && paused) {
		struct script end = { 0 };

		buf_puts(&end.text, "delete table " PAUSE_TABLE "\n");
		nft_load(loader, &end, LOAD_COMMIT, NULL, NULL, NULL);
		script_free(&end);
	}
	return r;
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
		r = load(loader, plan, &e.script, err);
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

/* After a start of the machine the kernel has nothing of ours: somebody else may have loaded a dump of before. */
static void put_mark(struct buf *b, enum told_mark mark, const struct gate_past *names)
{
	char boot[40] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f) {
		if (!fgets(boot, sizeof(boot), f))
			boot[0] = '\0';
		fclose(f);
	}
	buf_printf(b, "%s %016" PRIx64 " %.36s\n", mark_words[mark], gate_past_hash(names), boot);
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
	/* One that cannot be written may be of long ago. */
	if (found != TOLD_UNKNOWN && state_dir_write(dir, TOLD_FILE, HEAD, &kept, &err) < 0)
		found = TOLD_UNKNOWN;
	buf_free(&kept);
	err_free(&err);
	return found;
}

int told_mark_write(struct state_dir *dir, enum told_mark mark, const struct gate_past *names)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	int r;

	if (!dir)
		return 0;
	if (mark != TOLD_UNKNOWN)
		put_mark(&text, mark, names);
	r = mark == TOLD_UNKNOWN ? state_dir_remove(dir, TOLD_FILE, &err)
				 : state_dir_write(dir, TOLD_FILE, HEAD, &text, &err);
	if (r < 0)
		log_warning("cannot note which names' addresses are open: %s", err.text);
	buf_free(&text);
	err_free(&err);
	return r < 0 && dir->opened ? r : 0;
}
