/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compile_sets.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/table/compile.h"

/* A set name made of ports stays readable up to here; a longer list is hashed. */
#define PORTS_NAME_MAX 60

void compile_sets_init(struct compile_sets *c, const struct policy *policy,
		       const struct resolved *resolved, struct plan *plan)
{
	*c = (struct compile_sets){ .policy = policy, .resolved = resolved, .plan = plan };
	plan->never = resolved->never;
	c->ipsets = xcalloc(policy->n_ipsets + 1, sizeof(*c->ipsets));
	c->literals = xcalloc(policy->n_ipsets + 1, sizeof(*c->literals));
	c->names = xcalloc(resolved->n + 1, sizeof(*c->names));
}

static void do_nothing(void *node)
{
	(void)node;
}

void compile_sets_free(struct compile_sets *c)
{
	tdestroy(c->port_sets, do_nothing);
	free(c->ipsets);
	free(c->literals);
	free(c->names);
}

struct port_set {
	const struct portrange *ports; /* the policy's */
	size_t n;
	const struct plan_set *set;
};

static int cmp_ports(const void *a, const void *b)
{
	const struct port_set *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(x->ports, y->ports, x->n * sizeof(*x->ports));
}

static const char *ports_name(struct arena *arena, const struct portrange *ports, size_t n)
{
	struct buf b = { 0 };
	const char *name;

	buf_puts(&b, "ports");
	for (size_t i = 0; i < n; i++) {
		buf_putc(&b, '_');
		portrange_put(&b, &ports[i]);
	}
	if (b.len <= PORTS_NAME_MAX)
		name = arena_strdup(arena, b.data);
	else
		name = arena_printf(arena, "ports_%zu_%016llx", n,
				    (unsigned long long)hash64(HASH_SEED, b.data, b.len));
	buf_free(&b);
	return name;
}

/* The set of exactly these ports, made at its first use. */
const struct plan_set *compile_port_set(struct compile_sets *c, const struct portrange *ports,
					size_t n)
{
	struct port_set probe = { .ports = ports, .n = n };
	struct port_set **found = tfind(&probe, &c->port_sets, cmp_ports);
	struct plan_set *set;

	if (found)
		return (*found)->set;
	set = plan_add_set(c->plan, SET_PORTS, ports_name(&c->plan->arena, ports, n), NULL);
	probe.set = set;
	for (size_t i = 0; i < n; i++) {
		struct elem *elem = set_add_elem(set, NULL);

		store_port(elem->key, ports[i].lo);
		store_port(elem->last, ports[i].hi);
		set->interval |= ports[i].lo != ports[i].hi;
	}
	if (!tsearch(arena_memdup(&c->plan->arena, &probe, sizeof(probe)), &c->port_sets,
		     cmp_ports))
		abort(); /* out of memory */
	return set;
}

static void add_prefix(struct plan_set *set, const struct prefix *prefix,
		       const struct origin *origin)
{
	struct elem *elem = set_add_elem(set, origin);
	struct ipaddr first, last;

	prefix_range(prefix, &first, &last);
	memcpy(elem->key, first.b, sizeof(first.b));
	memcpy(elem->last, last.b, sizeof(last.b));
}

static const char *host_comment(struct plan *plan, const char *name)
{
	char text[COMMENT_MAX + 1] = "";

	comment_add_name(text, name);
	return plan_intern(plan, text);
}

static const char *joined_comment(struct plan *plan, const struct elem *elems, size_t n)
{
	char text[COMMENT_MAX + 1] = "";

	for (size_t i = 0; i < n; i++)
		comment_add_name(text, elems[i].comment);
	return plan_intern(plan, text);
}

static int cmp_elem_names(const void *a, const void *b)
{
	const struct elem *x = a, *y = b;
	int r = elem_cmp(x, y);

	return r ? r : strcmp(x->comment ? x->comment : "", y->comment ? y->comment : "");
}

static void add_host_elems(struct plan *plan, struct plan_set *set,
			   const struct resolved_name *host, unsigned timeout_s)
{
	enum family family = set_type_family(set->type);
	const char *name = host_comment(plan, host->name);

	for (size_t i = 0; i < host->n_addrs; i++) {
		struct elem *elem;

		if (host->addrs[i].family != family || set_refuses(plan, set, &host->addrs[i]))
			continue;
		elem = set_add_elem(set, set->origin);
		memcpy(elem->key, host->addrs[i].b, sizeof(host->addrs[i].b));
		memcpy(elem->last, host->addrs[i].b, sizeof(host->addrs[i].b));
		elem->comment = name;
		elem->timeout_ms = 1000ull * timeout_s;
	}
}

/* Literals have no comment. An address of several names becomes one element; one that is a literal
 * too needs no name to stay, and sorts first. */
void compile_host_elems(struct plan *plan, struct plan_set *set, unsigned timeout_s)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_elems; i++)
		if (!set->elems[i].comment)
			set->elems[n++] = set->elems[i];
	set->n_elems = n;
	for (size_t i = 0; i < set->n_names; i++)
		add_host_elems(plan, set, set->names[i], timeout_s);
	if (set->n_elems == 0)
		return;
	qsort(set->elems, set->n_elems, sizeof(*set->elems), cmp_elem_names);
	n = 0;
	for (size_t i = 0, next; i < set->n_elems; i = next) {
		next = i + 1;
		while (next < set->n_elems && elem_cmp(&set->elems[i], &set->elems[next]) == 0)
			next++;
		set->elems[n] = set->elems[i];
		if (next > i + 1 && set->elems[n].comment)
			set->elems[n].comment = joined_comment(plan, &set->elems[i], next - i);
		n++;
	}
	set->n_elems = n;
}

static enum dest_set kind_of(const struct prefix *prefix)
{
	bool v4 = prefix->addr.family == FAMILY_IPV4;

	if (prefix_is_address(prefix))
		return v4 ? DEST_SET_V4 : DEST_SET_V6;
	return v4 ? DEST_SET_NET4 : DEST_SET_NET6;
}

static struct plan_set *add_dest_set(struct compile_sets *c, enum dest_set kind, const char *prefix,
				     const char *name, const struct origin *origin)
{
	static const char *const suffixes[] = { "-v4", "-v6", "-net4", "-net6" };
	bool v4 = kind == DEST_SET_V4 || kind == DEST_SET_NET4;
	struct plan_set *set;

	set = plan_add_set(c->plan, v4 ? SET_IPV4 : SET_IPV6,
			   plan_set_name(&c->plan->arena, prefix, name, suffixes[kind]), origin);
	set->interval = kind == DEST_SET_NET4 || kind == DEST_SET_NET6;
	set->timeout = !set->interval;
	set->comment = arena_printf(&c->plan->arena, "%.*s", COMMENT_MAX, origin->entry);
	return set;
}

/* Whether a set of the kind has something in it; with names, one always, so that an empty ipset has a rule that
 * matches nothing. */
static bool is_needed(const struct ipset *ipset, enum dest_set kind, bool names)
{
	if (names && (kind == DEST_SET_V4 || (kind == DEST_SET_V6 && ipset->n_hostnames > 0)))
		return true;
	for (size_t i = 0; i < ipset->n_prefixes; i++)
		if (kind_of(&ipset->prefixes[i]) == kind)
			return true;
	return false;
}

/* The ipset's literals, in sets of that prefix. */
static void add_literals(struct compile_sets *c, const struct ipset *ipset, const char *prefix,
			 bool names, struct dest_sets *sets)
{
	const struct origin *origin = plan_origin(
		c->plan, NULL, arena_printf(&c->plan->arena, "ipset %s", ipset->name), ipset->loc);

	for (int kind = 0; kind < N_DEST_SETS; kind++)
		if (is_needed(ipset, (enum dest_set)kind, names))
			sets->sets[kind] =
				add_dest_set(c, (enum dest_set)kind, prefix, ipset->name, origin);
	for (size_t i = 0; i < ipset->n_prefixes; i++)
		add_prefix(sets->sets[kind_of(&ipset->prefixes[i])], &ipset->prefixes[i], origin);
}

const struct dest_sets *compile_ipset(struct compile_sets *c, size_t index)
{
	const struct ipset *ipset = &c->policy->ipsets[index];
	struct dest_sets *sets = &c->ipsets[index];

	if (sets->sets[DEST_SET_V4])
		return sets;
	add_literals(c, ipset, "ipset-", true, sets);
	if (ipset->n_hostnames == 0)
		return sets;
	for (int kind = DEST_SET_V4; kind <= DEST_SET_V6; kind++) {
		struct plan_set *set = sets->sets[kind];

		set->opens = never_opens_ipset(c->policy, index);
		set->names = arena_alloc(&c->plan->arena,
					 ipset->n_hostnames * sizeof(const struct resolved_name *));
		for (size_t i = 0; i < ipset->n_hostnames; i++)
			set->names[set->n_names++] =
				resolved_find(c->resolved, ipset->hostnames[i]);
		compile_host_elems(c->plan, set, c->resolved->timeout_s);
	}
	return sets;
}

const struct dest_sets *compile_ipset_literals(struct compile_sets *c, size_t index)
{
	const struct ipset *ipset = &c->policy->ipsets[index];
	struct dest_sets *sets = &c->literals[index];
	bool made = false;

	for (int kind = 0; kind < N_DEST_SETS; kind++)
		made |= sets->sets[kind] != NULL;
	if (!made && ipset->n_prefixes > 0)
		add_literals(c, ipset, "literal-", false, sets);
	return sets;
}

const struct dest_sets *compile_name(struct compile_sets *c, const char *name)
{
	const struct resolved_name *host = resolved_find(c->resolved, name);
	struct dest_sets *sets = &c->names[host - c->resolved->items];
	const struct origin *origin;

	if (sets->sets[DEST_SET_V4])
		return sets;
	origin = plan_origin(c->plan, NULL, arena_printf(&c->plan->arena, "host %s", name),
			     (struct loc){ 0 });
	for (int kind = DEST_SET_V4; kind <= DEST_SET_V6; kind++) {
		struct plan_set *set = add_dest_set(c, (enum dest_set)kind, "host-", name, origin);

		sets->sets[kind] = set;
		set->opens = never_opens_name(c->policy, name);
		set->names = arena_alloc(&c->plan->arena, sizeof(const struct resolved_name *));
		set->names[set->n_names++] = host;
		compile_host_elems(c->plan, set, c->resolved->timeout_s);
	}
	return sets;
}
