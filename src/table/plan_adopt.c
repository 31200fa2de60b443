/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network's part of one plan, copied into another. Nothing of the copy points into the first
 * plan. If the other plan has an object of the same name, such as a set, it keeps its own: a
 * draining network's rules use an ipset with its present contents.
 */
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/table/plan.h"

struct adoption {
	struct plan *plan;
	const struct plan *from;
	const char *bridge;
	const struct origin *origin; /* of what has none */
	void *origins;		     /* of copy_origin() */
};

static const char *copy_text(struct adoption *a, const char *text)
{
	return text ? arena_strdup(&a->plan->arena, text) : NULL;
}

struct origin_copy {
	const struct origin *from, *copy;
};

static int cmp_copies(const void *a, const void *b)
{
	const struct origin_copy *x = a, *y = b;

	return ((uintptr_t)x->from > (uintptr_t)y->from) -
	       ((uintptr_t)x->from < (uintptr_t)y->from);
}

/*
 * The copy names the entry, but not its place in the file, which says something else by now. Each
 * origin gets one copy only: rules with the same origin pointer belong together.
 */
static const struct origin *copy_origin(struct adoption *a, const struct origin *origin)
{
	struct origin_copy key = { .from = origin }, **found, *made;

	if (!origin)
		return a->origin;
	found = tfind(&key, &a->origins, cmp_copies);
	if (found)
		return (*found)->copy;
	made = xcalloc(1, sizeof(*made));
	made->from = origin;
	made->copy = plan_origin(a->plan, copy_text(a, origin->network),
				 copy_text(a, origin->entry), (struct loc){ 0 });
	if (!tsearch(made, &a->origins, cmp_copies))
		abort(); /* out of memory */
	return made->copy;
}

/* Not by plan_find_set(), which knows only what was there when the plan was finished. */
static struct plan_set *find_set(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_sets; i++)
		if (strcmp(plan->sets[i]->name, name) == 0)
			return plan->sets[i];
	return NULL;
}

static const struct plan_object *adopt_object(struct adoption *a, const struct plan_object *object)
{
	const struct plan *plan = a->plan;

	if (!object)
		return NULL;
	for (size_t i = 0; i < plan->n_objects; i++)
		if (object_cmp(plan->objects[i]->kind, plan->objects[i]->name, object->kind,
			       object->name) == 0)
			return plan->objects[i];
	return plan_add_object(a->plan, object->kind, copy_text(a, object->name),
			       copy_origin(a, object->origin));
}

static bool has_chain(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_chains; i++)
		if (strcmp(plan->chains[i]->name, name) == 0)
			return true;
	return false;
}

/* Nobody asks for its names any more: what they had last is permanent. */
static void copy_elem(struct adoption *a, struct plan_set *set, const struct elem *elem)
{
	struct elem *copy = set_add_elem(set, copy_origin(a, elem->origin));

	memcpy(copy->key, elem->key, sizeof(copy->key));
	memcpy(copy->last, elem->last, sizeof(copy->last));
	memcpy(copy->data, elem->data, sizeof(copy->data));
	copy->target = copy_text(a, elem->target);
	copy->comment = copy_text(a, elem->comment);
}

/* Its elements are bridges of networks. */
static bool is_of_bridges(const struct plan_set *set)
{
	return set->type == MAP_DISPATCH || set_has_bridges(set);
}

/* We copy a set of bridges without elements: they belong to other networks. */
static struct plan_set *adopt_set(struct adoption *a, const struct plan_set *set)
{
	struct plan_set *copy = find_set(a->plan, set->name);

	if (copy)
		return copy;
	copy = plan_add_set(a->plan, set->type, copy_text(a, set->name),
			    copy_origin(a, set->origin));
	copy->interval = set->interval;
	copy->timeout = set->timeout;
	copy->counter = set->counter;
	copy->limit = set->limit;
	copy->comment = copy_text(a, set->comment);
	for (size_t i = 0; !is_of_bridges(set) && i < set->n_elems; i++)
		if (!set->elems[i].unresolved)
			copy_elem(a, copy, &set->elems[i]);
	return copy;
}

static void copy_rule(struct adoption *a, struct plan_chain *chain, const struct plan_rule *rule)
{
	const struct origin *origin = copy_origin(a, rule->origin);
	struct plan_rule *copy = chain_add_rule(chain, origin);

	*copy = *rule;
	copy->origin = origin;
	copy->target = copy_text(a, rule->target);
	copy->comment = copy_text(a, rule->comment);
	copy->log = copy_text(a, rule->log);
	copy->tally = adopt_object(a, rule->tally);
	copy->limit = adopt_object(a, rule->limit);
	if (rule->set)
		copy->set = adopt_set(a, rule->set);
	for (size_t i = 0; i < copy->n_matches; i++) {
		struct match *match = &copy->matches[i];

		if (match->kind == MATCH_OIFNAME)
			match->u.name = copy_text(a, match->u.name);
		else if (match->kind == MATCH_DADDR_SET || match->kind == MATCH_SADDR_SET ||
			 match->kind == MATCH_OIFNAME_SET || match->kind == MATCH_IIFNAME_SET)
			match->u.set = adopt_set(a, match->u.set);
		else if (match->kind == MATCH_DPORT_SET)
			match->u.dport_set.set = adopt_set(a, match->u.dport_set.set);
	}
}

static void adopt_chain(struct adoption *a, const struct plan_chain *chain)
{
	struct plan_chain *copy;

	if (has_chain(a->plan, chain->name))
		return;
	copy = plan_add_chain(a->plan, copy_text(a, chain->name), copy_origin(a, chain->origin));
	copy->bridge = copy_text(a, chain->bridge);
	copy->kind = copy_text(a, chain->kind);
	copy->hook = chain->hook;
	copy->tally = adopt_object(a, chain->tally);
	copy->limit = adopt_object(a, chain->limit);
	for (size_t i = 0; i < chain->n_rules; i++)
		copy_rule(a, copy, &chain->rules[i]);
}

static bool is_of(const struct elem *elem, const char *bridge)
{
	return strncmp((const char *)elem->key, bridge, ELEM_KEY_MAX) == 0;
}

static void adopt_bridge(struct adoption *a, const struct plan_set *set)
{
	for (size_t i = 0; i < set->n_elems; i++) {
		struct plan_set *to;

		if (!is_of(&set->elems[i], a->bridge))
			continue;
		to = adopt_set(a, set);
		copy_elem(a, to, &set->elems[i]);
		if (set->type == MAP_DISPATCH)
			to->elems[to->n_elems - 1].comment = DRAINING_COMMENT;
	}
}

bool plan_adopt(struct plan *plan, const struct plan *from, const char *bridge)
{
	struct adoption a = { .plan = plan, .from = from, .bridge = bridge };
	bool found = false;

	a.origin = plan_origin(plan, NULL, arena_printf(&plan->arena, "draining %s", bridge),
			       (struct loc){ 0 });
	for (size_t i = 0; i < from->n_chains; i++)
		found |= from->chains[i]->bridge && strcmp(from->chains[i]->bridge, bridge) == 0;
	if (!found)
		return false;
	for (size_t i = 0; i < from->n_chains; i++) {
		const struct plan_chain *chain = from->chains[i];

		/* Those that are no bridge's lead to it, or it to them. */
		if (!chain->bridge || strcmp(chain->bridge, bridge) == 0)
			adopt_chain(&a, chain);
	}
	for (size_t i = 0; i < from->n_sets; i++)
		if (is_of_bridges(from->sets[i]))
			adopt_bridge(&a, from->sets[i]);
	tdestroy(a.origins, free);
	plan_finish(plan);
	return true;
}
