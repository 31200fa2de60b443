/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Within the transaction the kernel carries out the lines in order and refuses to delete what is
 * still referred to. So: empty the chains that change or go; take away elements, chains, sets and
 * objects; then add objects, sets, chains, elements and rules; the dispatch elements last, as they refer to chains.
 * Chains that stay keep their place and are filled in place: no packet passes between (doc/kernel.md, "Replacing rules
 * without losing packets").
 */
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/table/nft_script.h"

static bool removes(enum change_kind kind)
{
	return kind == CHANGE_DELETE || kind == CHANGE_REPLACE;
}

static bool makes(enum change_kind kind)
{
	return kind == CHANGE_ADD || kind == CHANGE_REPLACE;
}

static const struct origin *change_origin(const struct set_change *change)
{
	return change->want ? change->want->origin : NULL;
}

static void flush_chains(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_chains; i++) {
		const struct chain_change *change = &changes->chains[i];

		if (change->kind == CHANGE_ADD || change->have->n_rules == 0)
			continue;
		buf_printf(&s->text, "flush chain %s %s", s->table, change->name);
		script_line(s, change->want ? change->want->origin : NULL);
	}
}

/* Every deletion has an addition before it where the element may have expired meanwhile: deleting a
 * missing element would fail the whole transaction (doc/kernel.md, "Deleting what may be missing"). */
static void delete_elem(struct script *s, const struct set_change *change, const struct elem *elem)
{
	const struct plan_set *set = change->want;
	struct buf *b = &s->text;

	if (set->timeout) {
		buf_printf(b, "add element %s %s { ", s->table, change->name);
		text_elem_key(b, set->type, elem);
		buf_puts(b, " }");
		script_line(s, elem->origin);
	}
	buf_printf(b, "delete element %s %s { ", s->table, change->name);
	text_elem_key(b, set->type, elem);
	buf_puts(b, " }");
	script_line(s, elem->origin);
}

static void delete_elems(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_sets; i++) {
		const struct set_change *change = &changes->sets[i];

		for (size_t k = 0; k < change->n_elems; k++)
			if (change->elems[k].kind != ELEM_ADD)
				delete_elem(s, change, &change->elems[k].elem);
	}
}

/* Rules that use them are gone by now; maps may refer to chains that go. */
static void delete_sets(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_sets; i++) {
		const struct set_change *change = &changes->sets[i];

		if (!removes(change->kind))
			continue;
		buf_printf(&s->text, "delete %s %s %s", change->have->map ? "map" : "set", s->table,
			   change->name);
		script_line(s, change_origin(change));
	}
}

static void delete_chains(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_chains; i++) {
		const struct chain_change *change = &changes->chains[i];

		if (!removes(change->kind))
			continue;
		buf_printf(&s->text, "delete chain %s %s", s->table, change->name);
		script_line(s, change->want ? change->want->origin : NULL);
	}
}

static void delete_others(struct script *s, const struct changes *changes)
{
	const struct actual *actual = changes->actual;

	for (size_t i = 0; i < changes->n_objects; i++) {
		const struct object_change *change = &changes->objects[i];

		if (!removes(change->kind))
			continue;
		buf_printf(&s->text, "delete %s %s %s", text_object_word(change->object), s->table,
			   change->name);
		script_line(s, change->want ? change->want->origin : NULL);
	}
	for (size_t i = 0; i < actual->n_others; i++) {
		buf_printf(&s->text, "delete %s %s %s", actual->others[i].word, s->table,
			   actual->others[i].name);
		script_line(s, NULL);
	}
}

static void add_objects(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_objects; i++) {
		const struct object_change *change = &changes->objects[i];

		if (!makes(change->kind))
			continue;
		buf_printf(&s->text, "add %s %s %s ", text_object_word(change->object), s->table,
			   change->name);
		text_object_spec(&s->text, change->object);
		script_line(s, change->want->origin);
	}
}

/* In the plan's order, not by name: `nft list` prints them as they were made. */
static void add_sets(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->plan->n_sets; i++) {
		const struct plan_set *set = changes->plan->sets[i];
		const struct set_change *change = changes_find_set(changes, set->name);

		if (!change || !makes(change->kind))
			continue;
		buf_printf(&s->text, "add %s %s %s { ", text_set_word(set), s->table, set->name);
		text_set_spec(&s->text, set);
		buf_puts(&s->text, "; }");
		script_line(s, set->origin);
	}
}

static void add_chains(struct script *s, const struct changes *changes)
{
	for (size_t i = 0; i < changes->plan->n_chains; i++) {
		const struct plan_chain *chain = changes->plan->chains[i];
		const struct chain_change *change = changes_find_chain(changes, chain->name);
		const char *base = text_base_chain(chain->hook);

		if (!change || !makes(change->kind))
			continue;
		buf_printf(&s->text, "add chain %s %s", s->table, chain->name);
		if (base)
			buf_printf(&s->text, " { %s }", base);
		script_line(s, chain->origin);
	}
}

/* Opens an `add element` with its first element, or goes on with the next on a line of its own. */
static void add_elem(struct script *s, const struct set_change *change, const struct elem *elem,
		     bool *open)
{
	if (elem->unresolved)
		return;
	if (*open)
		buf_putc(&s->text, ',');
	else
		buf_printf(&s->text, "add element %s %s {", s->table, change->name);
	script_line(s, elem->origin);
	*open = true;
	buf_putc(&s->text, '\t');
	nft_text_elem(&s->text, change->want->type, elem);
}

static void add_elems(struct script *s, const struct changes *changes, bool dispatch)
{
	for (size_t i = 0; i < changes->n_sets; i++) {
		const struct set_change *change = &changes->sets[i];
		bool open = false;

		if (!change->want || set_type_is_verdicts(change->want->type) != dispatch)
			continue;
		for (size_t k = 0; makes(change->kind) && k < change->want->n_elems; k++)
			add_elem(s, change, &change->want->elems[k], &open);
		for (size_t k = 0; k < change->n_elems; k++)
			if (change->elems[k].kind != ELEM_DELETE)
				add_elem(s, change, &change->elems[k].elem, &open);
		if (!open)
			continue;
		buf_puts(&s->text, " }");
		script_line(s, change->want->origin);
	}
}

/* As blocks: less to parse than as many `add rule`. */
static void add_rules(struct script *s, const struct changes *changes)
{
	bool open = false;

	for (size_t i = 0; i < changes->n_chains; i++) {
		const struct plan_chain *chain = changes->chains[i].want;

		if (!chain || chain->n_rules == 0)
			continue;
		if (!open) {
			buf_printf(&s->text, "table %s {", s->table);
			script_line(s, NULL);
			open = true;
		}
		buf_printf(&s->text, "chain %s {", chain->name);
		script_line(s, chain->origin);
		for (size_t k = 0; k < chain->n_rules; k++) {
			nft_text_rule(&s->text, &chain->rules[k]);
			script_line(s, chain->rules[k].origin);
		}
		buf_putc(&s->text, '}');
		script_line(s, chain->origin);
	}
	if (open) {
		buf_putc(&s->text, '}');
		script_line(s, NULL);
	}
}

void nft_text_changes(const struct changes *changes, struct script *script)
{
	struct script *s = script;

	s->table = table_text(changes->plan->family);
	if (changes->anew || changes->gone) {
		buf_printf(&s->text, "delete table %s", s->table);
		script_line(s, NULL);
	}
	if (changes->plan->n_chains == 0)
		return;
	if (changes->table) {
		/* Adding a table that is dormant without that flag wakes it up. */
		buf_printf(&s->text, "add table %s", s->table);
		script_line(s, NULL);
	}
	flush_chains(s, changes);
	delete_elems(s, changes);
	delete_sets(s, changes);
	delete_chains(s, changes);
	delete_others(s, changes);
	add_objects(s, changes);
	add_sets(s, changes);
	add_chains(s, changes);
	add_elems(s, changes, false);
	add_rules(s, changes);
	add_elems(s, changes, true);
}
