/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * From the moment at which a transaction begins to empty a set until it is committed, packets still find the elements
 * that are to go; but `update` does not, and puts in another one, which stays. So a container that begins one connection
 * after another would keep an address open. Therefore another transaction comes first: until the sets are empty, a table
 * of its own drops whatever would begin a connection out of the gated networks. It belongs to our socket: if we end in
 * between, the kernel removes it.
 *
 * Which names' addresses may the sets have? The kernel itself knows: each message of a gate leaves the tag of its policy
 * in TAGS_SET, by the same packet that opens the address. In the transaction that empties sets we put the tag of the policy
 * that is in force in the place of those that we have read. A gate that goes on with another one adds its tag again with
 * the next address; and whoever loads a dump of the table brings the tags that were in it. So no file of ours has to be
 * trusted, and no gate has to be seen.
 */
#include "dockside/enforce/told.h"

#include <byteswap.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/boot.h"

bool told_is_set(const char *name)
{
	static const char end[] = "-told4";
	size_t len = strlen(name), n = sizeof(end) - 1;

	return (len > n && strncmp(name + len - n, end, n - 1) == 0) || strcmp(name, TAGS_SET) == 0;
}

/* ------------------------------------------------------------------ what the kernel has written down */

bool told_is_untagged(const struct actual *table)
{
	if (actual_find_set(table, TAGS_SET))
		return false;
	for (size_t i = 0; i < table->n_sets; i++)
		if (told_is_set(table->sets[i].set.name))
			return true;
	return false;
}

uint32_t told_tag(const struct policy *policy)
{
	struct gate_past past = { 0 };
	uint64_t hash;
	uint32_t tag;

	gate_past_add(&past, policy);
	hash = gate_past_hash(&past);
	gate_past_free(&past);
	tag = (uint32_t)(hash ^ hash >> 32) ^ boot_number();
	return tag ? tag : 1;
}

void told_record_of(const struct actual *table, struct told_record *ret_record)
{
	const struct actual_set *set = actual_find_set(table, TAGS_SET);

	*ret_record = (struct told_record){ 0 };
	if (!set || set->set.type != SET_MARKS)
		return;
	ret_record->n = set->set.n_elems;
	ret_record->marks = xcalloc(ret_record->n + 1, sizeof(*ret_record->marks));
	for (size_t i = 0; i < ret_record->n; i++)
		ret_record->marks[i] = load_mark(set->set.elems[i].key);
}

int told_record_read(struct nft_reader *reader, struct told_record *ret_record, struct err *err)
{
	struct actual table = { .family = TABLE_INET };
	int r = nft_read_sets(reader, TABLE_INET, &table, err);

	if (r < 0)
		return r;
	told_record_of(&table, ret_record);
	actual_free(&table);
	return 0;
}

void told_record_free(struct told_record *record)
{
	free(record->marks);
	*record = (struct told_record){ 0 };
}

/* nft 1.0.6 puts the bytes of a message into the mark as they come, nft 1.1.3 in the host's order (nft --debug=netlink: a
 * byteorder expression). */
static bool is_tag(uint32_t mark, uint32_t tag)
{
	return mark == tag || mark == bswap_32(tag);
}

enum told_of told_of(const struct told_record *record, uint32_t now, const uint32_t *tags, size_t n)
{
	enum told_of of = record->n > 0 ? TOLD_NOW : TOLD_NOTHING;

	for (size_t i = 0; i < record->n; i++) {
		bool known = false;

		if (is_tag(record->marks[i], now))
			continue;
		for (size_t k = 0; k < n && !known; k++)
			known = is_tag(record->marks[i], tags[k]);
		if (!known)
			return TOLD_OTHERS;
		of = TOLD_KNOWN;
	}
	return of;
}

/* It comes first in a transaction: an address that is told behind it brings its tag, and so does one that was told since
 * the record was read. False: no network has a gate. */
static bool write_tag(const struct plan *plan, const struct policy *policy,
		      const struct told_record *record, struct script *script)
{
	const char *table = table_text(TABLE_INET);

	if (!plan_find_set(plan, TAGS_SET))
		return false;
	for (size_t i = 0; i < record->n; i++)
		buf_printf(&script->text, "delete element %s " TAGS_SET " { 0x%08x }\n", table,
			   record->marks[i]);
	buf_printf(&script->text, "add element %s " TAGS_SET " { 0x%08x }\n", table,
		   told_tag(policy));
	return true;
}

int told_note(struct nft_loader *loader, const struct plan *plan, const struct policy *policy,
	      const struct told_record *record, struct err *err)
{
	struct script script = { 0 };
	int r = write_tag(plan, policy, record, &script)
			? nft_load(loader, &script, LOAD_COMMIT, NULL, NULL, err)
			: 0;

	script_free(&script);
	return r < 0 ? r : 0;
}

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

int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct policy *policy,
		   const struct told_record *record, const struct gate_past *held,
		   struct buf *ret_what, struct err *err)
{
	struct emptying e = { .plan = plan };
	struct gate_past now = { 0 };
	int r = 0;

	write_tag(plan, policy, record, &e.script);
	gate_past_add(&now, policy);
	if (held)
		gate_past_lost(held, &now, empty, &e);
	else
		empty(&e, NULL);
	if (e.n > 0)
		r = load(loader, plan, &e.script, err);
	if (e.all)
		buf_puts(ret_what, "all names");
	else
		buf_printf(ret_what, "the ipset%s %s", plural(e.n), buf_str(&e.ipsets));
	gate_past_free(&now);
	script_free(&e.script);
	buf_free(&e.ipsets);
	return r < 0 ? r : e.n > 0;
}
