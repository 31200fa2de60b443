/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/table/diff.h"

static void add_change(struct changes *changes, enum change_kind kind,
		       const struct plan_object *want, const struct actual_object *have)
{
	changes->objects = array_grow(changes->objects, &changes->cap_objects, changes->n_objects,
				      sizeof(*changes->objects));
	changes->objects[changes->n_objects++] = (struct object_change){
		.kind = kind,
		.object = want ? want->kind : have->kind,
		.name = want ? want->name : have->name,
		.want = want,
	};
}

void diff_objects(struct changes *changes)
{
	const struct actual *actual = changes->actual;
	const struct plan *plan = changes->plan;
	size_t i = 0, k = 0;

	while (i < plan->n_objects || k < actual->n_objects) {
		const struct plan_object *want =
			i < plan->n_objects ? plan->objects_by_name[i] : NULL;
		const struct actual_object *have =
			k < actual->n_objects ? &actual->objects[k] : NULL;
		int order = !want   ? 1
			    : !have ? -1
				    : object_cmp(want->kind, want->name, have->kind, have->name);

		assert(want || have);
		i += order <= 0;
		k += order >= 0;
		if (order < 0)
			add_change(changes, CHANGE_ADD, want, NULL);
		else if (order == 0 && !have->as_ours)
			add_change(changes, CHANGE_REPLACE, want, have);
		else if (order > 0)
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
