/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"
#include "dockside/table/diff.h"

/* Whether a name is that of a draining network's chain or map of one of these kinds. */
static bool is_draining(const struct plan *plan, const char *name, const char *const *kinds,
			size_t n_kinds)
{
	struct arena arena = { 0 };
	bool found = false;

	for (size_t i = 0; i < plan->n_draining; i++)
		for (size_t k = 0; k < n_kinds; k++)
			found |= strcmp(name,
					plan_chain_name(&arena, plan->draining[i], kinds[k])) == 0;
	arena_free(&arena);
	return found;
}

bool diff_keeps_chain(const struct plan *plan, const char *name)
{
	static const char *const shared[] = { "refuse", "input", "prerouting" };
	static const char *const kinds[] = { "OUT", "ING", "HOST", "SRC", "NAT" };

	for (size_t i = 0; plan->n_draining > 0 && i < ARRAY_SIZE(shared); i++)
		if (strcmp(name, shared[i]) == 0)
			return true;
	return is_draining(plan, name, kinds, ARRAY_SIZE(kinds));
}

bool diff_keeps_map(const struct plan *plan, const char *name)
{
	static const char *const kinds[] = { "nat4", "nat6" };

	return is_draining(plan, name, kinds, ARRAY_SIZE(kinds));
}

/* Whether the kernel still leads a bridge's packets to rules. */
static bool is_enforced(const struct actual *actual, const char *bridge)
{
	const struct actual_set *map = actual_find_set(actual, "dispatch");

	for (size_t i = 0; map && map->set.type == MAP_DISPATCH && i < map->set.n_elems; i++) {
		const struct elem *elem = &map->set.elems[i];
		const struct actual_chain *chain;

		if (strncmp((const char *)elem->key, bridge, ELEM_KEY_MAX) != 0)
			continue;
		if (strcmp(elem->target, PLAN_REFUSE) == 0)
			return false; /* closed before */
		chain = actual_find_chain(actual, elem->target);
		return chain && chain->n_rules > 0;
	}
	return false;
}

static bool has_element(const struct plan_set *map, const char *bridge)
{
	for (size_t i = 0; i < map->n_elems; i++)
		if (strncmp((const char *)map->elems[i].key, bridge, ELEM_KEY_MAX) == 0)
			return true;
	return false;
}

void diff_close_lost(struct plan *plan, const struct actual *actual)
{
	struct plan_set *map = plan_find_set(plan, "dispatch");

	for (size_t i = 0; i < plan->n_draining; i++) {
		const char *bridge = plan->draining[i];
		struct elem *elem;

		if (is_enforced(actual, bridge) || has_element(map, bridge))
			continue;
		if (!plan_find_chain(plan, PLAN_REFUSE))
			plan_add_refuse(plan, map->origin);
		elem = set_add_bridge(map, bridge, map->origin);
		elem->target = PLAN_REFUSE;
		elem->comment = DRAINING_COMMENT;
		plan_finish(plan);
	}
}
