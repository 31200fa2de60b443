/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "enforcer_adopt.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/docker/docker_client.h"
#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_read.h"

static uint64_t remaining_ms(const struct elem *elem)
{
	return elem->timeout_ms == 0 ? UINT64_MAX : elem->expires_ms;
}

/* The addresses of a set in the kernel whose comment names one of the set's names. */
static void adopt_set(struct names *names, const struct plan_set *set, const struct plan_set *have,
		      uint64_t now_ms)
{
	enum family family = set_type_family(set->type);

	for (size_t i = 0; i < have->n_elems; i++) {
		const struct elem *elem = &have->elems[i];
		struct ipaddr addr = ipaddr_from_bytes(family, elem->key);

		for (size_t k = 0; k < set->n_names; k++)
			if (elem_is_of(elem, set->names[k]->name))
				names_adopt(names, set->names[k]->name, &addr, remaining_ms(elem),
					    now_ms);
	}
}

/* The targets that the same NAT rules had. */
static void adopt_map(struct names *names, const struct plan_set *map, const struct plan_set *have,
		      uint64_t now_ms)
{
	enum family family = set_type_family(map->type);

	for (size_t i = 0; i < map->n_elems; i++) {
		const struct elem *want = &map->elems[i];
		const struct elem *elem;
		struct ipaddr addr;

		if (!want->name || have->n_elems == 0)
			continue;
		elem = bsearch(want, have->elems, have->n_elems, sizeof(*elem), elem_cmp);
		if (!elem || !elem->comment || strcmp(elem->comment, want->comment) != 0)
			continue;
		addr = ipaddr_from_bytes(family, elem->data);
		names_adopt_target(names, want->name->name, &addr, now_ms);
	}
}

void enforcer_adopt_addresses(struct names *names, const struct plan *plan,
			      const struct actual *actual, uint64_t now_ms)
{
	for (size_t i = 0; i < plan->n_sets; i++) {
		const struct plan_set *set = plan->sets[i];
		const struct actual_set *have = actual_find_set(actual, set->name);

		if (!have || have->set.type != set->type)
			continue;
		if (set->n_names > 0)
			adopt_set(names, set, &have->set, now_ms);
		else if (set->type == MAP_NAT4 || set->type == MAP_NAT6)
			adopt_map(names, set, &have->set, now_ms);
	}
}

int enforcer_adopt_table(struct enforcer *e, const struct policy *policy, struct actual *ret_actual,
			 struct err *err)
{
	int r = nft_read_table(e->reader, TABLE_INET, ret_actual, err);

	if (r < 0)
		return err_prefix(err, "take over");
	e->untagged = told_is_untagged(ret_actual);
	told_record_free(&e->told);
	told_record_of(ret_actual, &e->told);
	drain_adopt(&e->drain, ret_actual, policy, docker_socket_listens(e->docker));
	drain_tell(&e->drain);
	return 0;
}
