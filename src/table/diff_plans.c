/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One plan of a table against the next one. */
#include <string.h>

#include "dockside/base/sorted.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/table/diff.h"

static bool same_chains(const struct plan *a, const struct plan *b)
{
	if (a->n_chains != b->n_chains)
		return false;
	for (size_t i = 0; i < a->n_chains; i++) {
		const struct plan_chain *x = a->chains_by_name[i], *y = b->chains_by_name[i];

		if (strcmp(x->name, y->name) != 0 || x->hook != y->hook || x->hash != y->hash)
			return false;
	}
	return true;
}

static bool same_objects(const struct plan *a, const struct plan *b)
{
	if (a->n_objects != b->n_objects)
		return false;
	for (size_t i = 0; i < a->n_objects; i++) {
		const struct plan_object *x = a->objects_by_name[i], *y = b->objects_by_name[i];

		if (object_cmp(x->kind, x->name, y->kind, y->name) != 0)
			return false;
	}
	return true;
}

static bool same_declaration(const struct plan_set *a, const struct plan_set *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type && a->interval == b->interval &&
	       a->timeout == b->timeout && a->counter == b->counter && a->limit == b->limit &&
	       a->dynamic == b->dynamic && a->size == b->size;
}

static bool same_elem(const struct elem *a, const struct elem *b)
{
	return a->timeout_ms == b->timeout_ms && a->unresolved == b->unresolved &&
	       memcmp(a->data, b->data, sizeof(a->data)) == 0 && text_equal(a->target, b->target) &&
	       text_equal(a->comment, b->comment);
}

static void add_elem(struct set_change *change, enum elem_change_kind kind, const struct elem *elem)
{
	if (elem->unresolved)
		return; /* it is not in the kernel */
	change->elems = array_grow(change->elems, &change->cap_elems, change->n_elems,
				   sizeof(*change->elems));
	change->elems[change->n_elems++] = (struct elem_change){ .kind = kind, .elem = *elem };
}

static void diff_elems(const struct plan_set *before, const struct plan_set *after,
		       struct set_change *change)
{
	struct sorted_walk walk = {
		.lefts = SORTED_ARRAY(after->elems, after->n_elems),
		.rights = SORTED_ARRAY(before->elems, before->n_elems),
		.cmp = elem_cmp,
	};

	while (sorted_walk_next(&walk)) {
		const struct elem *want = walk.left, *had = walk.right;

		if (want && had && same_elem(want, had))
			continue;
		if (had)
			add_elem(change, ELEM_DELETE, had);
		if (want)
			add_elem(change, ELEM_ADD, want);
	}
}

/* False: the sets differ in more than single elements. */
static bool diff_set(struct changes *changes, const struct plan_set *before,
		     const struct plan_set *after)
{
	struct set_change change = { .kind = CHANGE_NONE, .name = after->name, .want = after };

	if (!same_declaration(before, after))
		return false;
	if (strcmp(after->name, FINGERPRINT_SET) == 0)
		return true;
	diff_elems(before, after, &change);
	if (change.n_elems == 0)
		return true;
	changes->sets = array_grow(changes->sets, &changes->cap_sets, changes->n_sets,
				   sizeof(*changes->sets));
	changes->sets[changes->n_sets++] = change;
	return !after->interval;
}

bool diff_elements_only(const struct plan *before, const struct plan *after,
			struct changes *ret_changes)
{
	struct changes changes = { .plan = after };
	bool only = !before->ports_unknown && before->n_sets == after->n_sets &&
		    same_chains(before, after) && same_objects(before, after);

	for (size_t i = 0; only && i < after->n_sets; i++)
		only = diff_set(&changes, before->sets_by_name[i], after->sets_by_name[i]);
	if (only)
		*ret_changes = changes;
	else
		changes_free(&changes);
	return only;
}
