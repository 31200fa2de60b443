/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
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

/* An object of the kernel alone that a draining network's rules use. */
static bool is_kept(const struct plan *plan, const struct actual_object *have)
{
	struct arena arena = { 0 };
	bool kept = false;

	for (size_t i = 0; i < plan->n_draining; i++) {
		const char *bridge = plan->draining[i];

		if (have->kind == OBJECT_LIMIT)
			kept |= strcmp(have->name, plan_limit_name(&arena, bridge)) == 0;
		for (size_t k = 0; have->kind == OBJECT_COUNTER && k < N_JUDGING_KINDS; k++)
			kept |= strcmp(have->name,
				       plan_tally_name(&arena, bridge, judging_kinds[k])) == 0;
	}
	arena_free(&arena);
	return kept;
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
		else if (order > 0 && !is_kept(plan, have))
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
