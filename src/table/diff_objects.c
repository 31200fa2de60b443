/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/sorted.h"
#include "dockside/base/util.h"
#include "dockside/table/diff.h"

static void add_change(struct changes *changes, enum change_kind kind,
		       const struct plan_object *want, const struct actual_object *have)
{
	assert(want || have);
	changes->objects = array_grow(changes->objects, &changes->cap_objects, changes->n_objects,
				      sizeof(*changes->objects));
	changes->objects[changes->n_objects++] = (struct object_change){
		.kind = kind,
		.object = want ? want->kind : have->kind,
		.name = want ? want->name : have->name,
		.want = want,
	};
}

static int cmp_objects(const void *want, const void *have)
{
	const struct plan_object *w = *(struct plan_object *const *)want;
	const struct actual_object *h = have;

	return object_cmp(w->kind, w->name, h->kind, h->name);
}

void diff_objects(struct changes *changes)
{
	const struct actual *actual = changes->actual;
	const struct plan *plan = changes->plan;
	struct sorted_walk walk = {
		.lefts = SORTED_ARRAY(plan->objects_by_name, plan->n_objects),
		.rights = SORTED_ARRAY(actual->objects, actual->n_objects),
		.cmp = cmp_objects,
	};

	while (sorted_walk_next(&walk)) {
		const struct plan_object *want = sorted_pointer(walk.left);
		const struct actual_object *have = walk.right;

		if (!have)
			add_change(changes, CHANGE_ADD, want, NULL);
		else if (want && !have->as_ours)
			add_change(changes, CHANGE_REPLACE, want, have);
		else if (!want)
			add_change(changes, CHANGE_DELETE, NULL, have);
	}
}

static int cmp_change(const void *a, const void *b)
{
	const struct object_change *x = a, *y = b;

	return object_cmp(x->object, x->name, y->object, y->name);
}

const struct object_change *changes_find_object(const struct changes *changes,
						const struct plan_object *object)
{
	const struct object_change key = { .object = object->kind, .name = object->name };

	if (changes->n_objects == 0)
		return NULL;
	return bsearch(&key, changes->objects, changes->n_objects, sizeof(key), cmp_change);
}
