/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "enforcer_bind.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/table/compile_bind.h"

void enforcer_compile_bind(const struct enforcer *e, const struct policy *policy,
			   const struct ports *ports, struct plan *ret_plan)
{
	if (!e->no_bridge)
		compile_bind(policy, ports, &e->options, ret_plan);
	else
		*ret_plan = (struct plan){ .family = TABLE_BRIDGE, .options = e->options };
	/* At the start what the daemon before us has bound stays so, until we know more. */
	ret_plan->ports_unknown = !ports->asked;
}

static bool any_bound(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++)
		if (network_bound(&policy->networks[i]))
			return true;
	return false;
}

char *enforcer_not_bound(const struct enforcer *e)
{
	if (!e->no_bridge || !e->running || !any_bound(&e->running->policy))
		return NULL;
	return xasprintf("this kernel cannot filter what bridges forward (%s): containers are not "
			 "bound to their addresses and can pretend to be each other; to mend it: "
			 "a kernel with nf_tables' bridge family, or \"bind\": \"off\" for the "
			 "networks",
			 e->no_bridge);
}

static void *copy_of(const void *items, size_t n, size_t size)
{
	void *copy;

	if (n == 0)
		return NULL;
	copy = xcalloc(n, size);
	memcpy(copy, items, n * size);
	return copy;
}

void enforcer_copy_ports(const struct ports *ports, struct ports *ret_ports)
{
	struct ports copy = { .asked = ports->asked,
			      .followed = ports->followed,
			      .n_answered = ports->n_answered };

	copy.answered = copy_of(ports->answered, ports->n_answered, sizeof(*ports->answered));
	for (size_t i = 0; i < ports->n; i++) {
		const struct port *from = &ports->ports[i];
		struct port *to = ports_add(&copy);

		*to = *from;
		to->container = from->container ? xstrdup(from->container) : NULL;
		to->addrs = copy_of(from->addrs, from->n_addrs, sizeof(*from->addrs));
	}
	*ret_ports = copy;
}

int enforcer_commit_elements(struct nft_sets *sets, const struct changes *changes, struct err *err)
{
	cleanup(cleanup_free) struct set_op *ops = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < changes->n_sets; i++) {
		const struct set_change *change = &changes->sets[i];

		for (size_t k = 0; k < change->n_elems; k++) {
			const struct elem_change *elem = &change->elems[k];

			ops = array_grow(ops, &cap, n, sizeof(*ops));
			ops[n++] = (struct set_op){
				.table = changes->plan->family,
				.set = change->name,
				.type = change->want->type,
				.kind = elem->kind == ELEM_DELETE ? SET_OP_ABSENT : SET_OP_PRESENT,
				.elem = elem->elem,
			};
		}
	}
	return nft_sets_commit_all(sets, ops, n, err);
}
