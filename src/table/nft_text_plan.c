/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/table/nft_script.h"

/* Elements of a plain set share a line, up to this many. */
#define ELEMS_PER_LINE 12

static bool elem_is_plain(const struct plan_set *set, const struct elem *elem)
{
	return !set_type_is_map(set->type) && !elem->comment && elem->timeout_ms == 0;
}

static void print_elems(struct script *s, const struct plan_set *set)
{
	size_t on_line = 0, written = 0, total = 0;

	for (size_t i = 0; i < set->n_elems; i++)
		total += !set->elems[i].unresolved;
	if (total == 0)
		return;
	buf_puts(&s->text, "\t\telements = { ");
	for (size_t i = 0; i < set->n_elems; i++) {
		const struct elem *elem = &set->elems[i];

		if (elem->unresolved)
			continue;
		nft_text_elem(&s->text, set->type, elem);
		if (++written == total)
			break;
		buf_putc(&s->text, ',');
		if (elem_is_plain(set, elem) && ++on_line < ELEMS_PER_LINE) {
			buf_putc(&s->text, ' ');
			continue;
		}
		on_line = 0;
		script_line(s, elem->origin);
		buf_puts(&s->text, "\t\t\t     ");
	}
	buf_puts(&s->text, " }");
	script_line(s, set->elems[set->n_elems - 1].origin);
}

static void print_set(struct script *s, const struct plan_set *set)
{
	struct buf *b = &s->text;

	buf_printf(b, "\t%s %s {", text_set_word(set), set->name);
	script_line(s, set->origin);
	buf_puts(b, "\t\t");
	text_set_spec(b, set);
	script_line(s, set->origin);
	print_elems(s, set);
	buf_puts(b, "\t}");
	script_line(s, set->origin);
	script_line(s, NULL);
}

/* As `nft list` does, first: rules refer to them. */
static void print_objects(struct script *s, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_objects; i++) {
		const struct plan_object *object = plan->objects_by_name[i];

		buf_printf(&s->text, "\t%s %s ", text_object_word(object->kind), object->name);
		text_object_spec(&s->text, object->kind);
		script_line(s, object->origin);
	}
	if (plan->n_objects > 0)
		script_line(s, NULL);
}

static void print_chain(struct script *s, const struct plan_chain *chain)
{
	const char *base = text_base_chain(chain->hook);
	struct buf *b = &s->text;

	buf_printf(b, "\tchain %s {", chain->name);
	script_line(s, chain->origin);
	if (base) {
		buf_printf(b, "\t\t%s", base);
		script_line(s, chain->origin);
	}
	for (size_t i = 0; i < chain->n_rules; i++) {
		buf_puts(b, "\t\t");
		nft_text_rule(b, &chain->rules[i]);
		script_line(s, chain->rules[i].origin);
	}
	buf_puts(b, "\t}");
	script_line(s, chain->origin);
}

/* A limit that is there is not changed by another declaration; now that no rule uses it, it can go. */
static void print_old_limits(struct script *s, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_objects; i++) {
		const struct plan_object *object = plan->objects_by_name[i];
		const char *word = text_object_word(object->kind);

		if (object->kind != OBJECT_LIMIT)
			continue;
		buf_printf(&s->text, "add %s %s %s ", word, s->table, object->name);
		text_object_spec(&s->text, object->kind);
		script_line(s, object->origin);
		buf_printf(&s->text, "delete %s %s %s", word, s->table, object->name);
		script_line(s, object->origin);
	}
}

/* Without this a set of an older script would keep its elements, and a map refuse new data. */
static void print_preamble(struct script *s, const struct plan *plan)
{
	struct buf *b = &s->text;

	if (s->n_lines == 0) {
		buf_puts(b, "#!/usr/sbin/nft -f");
		script_line(s, NULL);
		buf_puts(b, "# Firewall policy of Docker bridge networks, compiled by dsfw-nft.");
		script_line(s, NULL);
	}
	buf_puts(b, "# First empty what an older one left, all in one transaction.");
	script_line(s, NULL);
	buf_printf(b, "add table %s", s->table);
	script_line(s, NULL);
	buf_printf(b, "flush table %s", s->table);
	script_line(s, NULL);
	for (size_t i = 0; i < plan->n_sets; i++) {
		const struct plan_set *set = plan->sets[i];
		const char *word = text_set_word(set);

		buf_printf(b, "add %s %s %s { ", word, s->table, set->name);
		text_set_spec(b, set);
		buf_puts(b, "; }");
		script_line(s, set->origin);
		if (set->dynamic)
			continue; /* it keeps what the gate has told */
		buf_printf(b, "flush %s %s %s", word, s->table, set->name);
		script_line(s, set->origin);
	}
	print_old_limits(s, plan);
	script_line(s, NULL);
}

void nft_text_plan(const struct plan *plan, struct script *script)
{
	struct script *s = script;

	if (plan->n_chains == 0)
		return;
	s->table = table_text(plan->family);
	if (s->n_lines > 0)
		script_line(s, NULL);
	print_preamble(s, plan);
	buf_printf(&s->text, "table %s {", s->table);
	script_line(s, NULL);
	print_objects(s, plan);
	for (size_t i = 0; i < plan->n_sets; i++)
		print_set(s, plan->sets[i]);
	for (size_t i = 0; i < plan->n_chains; i++) {
		if (i > 0)
			script_line(s, NULL);
		print_chain(s, plan->chains[i]);
	}
	buf_putc(&s->text, '}');
	script_line(s, NULL);
}

void nft_text_no_table(enum table_family family, struct script *script)
{
	static const char *const verbs[] = { "add", "delete" };

	script_line(script, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		buf_printf(&script->text, "%s table %s", verbs[i], table_text(family));
		script_line(script, NULL);
	}
}
