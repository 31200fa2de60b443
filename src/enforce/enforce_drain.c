/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The last policy of a network that is no longer configured stays in force while it drains (doc/design.md,
 * "Draining"). We copy it into the plan from the policy that had it, so that we compare it and put
 * it back like everything else. We do not ask for its names any more; their addresses are
 * permanent. After a restart only the kernel has the policy, marked in the dispatch, and we leave
 * it alone there. If somebody takes it away then, nobody knows it any more: we close the network
 * until its containers have left.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/base/arena.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_client.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/system/log.h"
#include "dockside/table/compile.h"

const struct network *draining_network(const struct draining *draining)
{
	return draining->from ? policy_find_bridge(&draining->from->policy, draining->bridge)
			      : NULL;
}

const char *draining_name(const struct draining *draining)
{
	const struct network *network = draining_network(draining);

	return network ? network->name : draining->bridge;
}

void enforcer_compile(struct enforcer *e, struct running *running)
{
	struct plan *plan = &running->plan;
	unsigned was_accept = plan->forward_was_accept;
	const char **draining;

	plan_free(plan);
	names_fill_resolved(&e->names, &running->resolved, 0);
	compile_policy(&running->policy, &running->resolved, &e->options, plan);
	draining = arena_alloc(&plan->arena, (e->n_draining + 1) * sizeof(*draining));
	for (size_t i = 0; i < e->n_draining; i++) {
		const struct draining *network = &e->draining[i];

		if (policy_find_bridge(&running->policy, network->bridge))
			continue; /* it drains no more */
		if (!network->from || !plan_adopt(plan, &network->from->plan, network->bridge))
			draining[plan->n_draining++] = arena_strdup(&plan->arena, network->bridge);
	}
	plan->draining = draining;
	plan->forward_was_accept = was_accept;
}

/* Bridges are named as their networks, in lower case. */
struct draining *enforce_draining(const struct enforcer *e, const char *name)
{
	for (size_t i = 0; i < e->n_draining; i++)
		if (strcasecmp(e->draining[i].bridge, name) == 0)
			return &e->draining[i];
	return NULL;
}

/* from: the policy that has it, or NULL. */
static struct draining *add(struct enforcer *e, const char *bridge, struct running *from)
{
	struct draining *draining = enforce_draining(e, bridge);

	if (draining)
		return draining;
	if (from)
		from->refs++;
	e->draining = xreallocarray(e->draining, e->n_draining + 1, sizeof(*e->draining));
	e->draining[e->n_draining] = (struct draining){ .bridge = xstrdup(bridge), .from = from };
	return &e->draining[e->n_draining++];
}

void enforce_drain(struct enforcer *e, const char *bridge)
{
	add(e, bridge, e->running);
}

void enforce_drained(struct enforcer *e, const char *bridge)
{
	struct draining *draining = enforce_draining(e, bridge);

	if (!draining)
		return;
	free(draining->bridge); /* which bridge may be */
	running_free(draining->from);
	*draining = e->draining[--e->n_draining];
}

void enforce_drain_configured(struct enforcer *e)
{
	for (size_t i = e->n_draining; i-- > 0;)
		if (policy_find_bridge(&e->running->policy, e->draining[i].bridge))
			enforce_drained(e, e->draining[i].bridge);
}

/* Without the mark it was configured when a daemon or `apply` was last at work. */
static void adopt_elem(struct enforcer *e, const struct elem *elem, const struct policy *policy)
{
	bool marked = elem->comment && strcmp(elem->comment, DRAINING_COMMENT) == 0;
	char bridge[ELEM_KEY_MAX + 1] = "";

	memcpy(bridge, elem->key, ELEM_KEY_MAX);
	if (!policy_find_bridge(policy, bridge) && (marked || docker_socket_listens(e->docker)))
		add(e, bridge, NULL)->occupied |= marked;
}

void enforce_drain_adopt(struct enforcer *e, const struct actual *actual,
			 const struct policy *policy)
{
	for (size_t i = 0; i < actual->n_sets; i++) {
		const struct plan_set *set = &actual->sets[i].set;

		for (size_t k = 0; set->type == MAP_DISPATCH && k < set->n_elems; k++)
			adopt_elem(e, &set->elems[k], policy);
	}
	for (size_t i = 0; i < e->n_draining; i++)
		log_info("network with bridge %s is not configured; its policy stays until no "
			 "container is attached",
			 e->draining[i].bridge);
}
