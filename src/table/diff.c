/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/diff.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/sorted.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/model.h"

/* ------------------------------------------------------------------ fingerprints */

/* As many hexadecimal digits as let the fingerprints of a network's five chains fit one comment. */
#define FINGERPRINT_DIGITS 8
static_assert(sizeof("OUT= ING= HOST= SRC= NAT=") + 5 * (2 * FINGERPRINT_DIGITS + 1) <= COMMENT_MAX,
	      "the fingerprints of a network fit a comment");
static_assert(sizeof("DNS= GATE= PRIVATE=") + 3 * (2 * FINGERPRINT_DIGITS + 1) <= COMMENT_MAX,
	      "those about DNS as well");
#define FINGERPRINT_STRLEN 64

/* "KIND=WANT.HAVE" */
static void print_fingerprint(const struct plan_chain *want, const struct actual_chain *have,
			      char ret_text[FINGERPRINT_STRLEN])
{
	uint64_t hash = HASH_SEED;
	char *p;

	for (size_t i = 0; i < have->n_rules; i++)
		hash = hash64(hash, &have->rules[i].hash, sizeof(have->rules[i].hash));
	p = stpcpy(ret_text, want->kind);
	*p++ = '=';
	p = hex_format(p, want->hash, FINGERPRINT_DIGITS);
	*p++ = '.';
	hex_format(p, hash, FINGERPRINT_DIGITS);
}

/* A network's chains DNS, GATE and PRIVATE: one comment has no room for these besides the others. */
static bool is_about_dns(const struct plan_chain *chain)
{
	return strcmp(chain->kind, "DNS") == 0 || strcmp(chain->kind, "GATE") == 0 ||
	       strcmp(chain->kind, "PRIVATE") == 0;
}

/* The key of the element that has the chain's fingerprint: its bridge; a chain of no network has one for itself. */
static const char *fingerprint_key(const struct plan_chain *chain, char ret_key[IFNAME_KEY_LEN])
{
	if (chain->bridge && is_about_dns(chain))
		snprintf(ret_key, IFNAME_KEY_LEN, FINGERPRINT_DNS ".%011llx",
			 (unsigned long long)hash64(HASH_SEED, chain->bridge,
						    strlen(chain->bridge)) >>
				 20);
	else if (chain->bridge)
		snprintf(ret_key, IFNAME_KEY_LEN, "%.15s", chain->bridge);
	else
		snprintf(ret_key, IFNAME_KEY_LEN, FINGERPRINT_BASE ".%.10s", chain->kind);
	return ret_key;
}

static const struct elem *find_record(const struct actual *actual, const char *name)
{
	const struct actual_set *set = actual_find_set(actual, FINGERPRINT_SET);

	return set && set->set.type == SET_BRIDGES ? set_find_bridge(&set->set, name) : NULL;
}

/* By enum shim_table. */
static const char *const forward_records[] = { FINGERPRINT_FORWARD, FINGERPRINT_FORWARD6 };

unsigned diff_forward_was_accept(const struct actual *actual)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(forward_records); i++)
		if (find_record(actual, forward_records[i]))
			bits |= 1u << i;
	return bits;
}

/* The comment "OUT=0123… ING=4567…" that is stored for the chain's network, or NULL. */
static const char *stored_fingerprints(const struct actual *actual, const struct plan_chain *chain)
{
	char key[IFNAME_KEY_LEN];
	const struct elem *elem = find_record(actual, fingerprint_key(chain, key));

	return elem ? elem->comment : NULL;
}

/* The stored fingerprint of one chain, which ends at the next blank, or NULL. */
static const char *stored_fingerprint(const struct actual *actual, const struct plan_chain *want)
{
	const char *p = stored_fingerprints(actual, want);
	size_t len = strlen(want->kind);

	while (p && (strncmp(p, want->kind, len) != 0 || p[len] != '=')) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p;
}

/* *ret_ours: the kernel still holds what was loaded last, for these rules or others. */
static bool fingerprint_matches(const struct actual *actual, const struct plan_chain *want,
				const struct actual_chain *have, bool *ret_ours)
{
	const char *stored = stored_fingerprint(actual, want);
	char text[FINGERPRINT_STRLEN];
	size_t len, have_at;

	print_fingerprint(want, have, text);
	len = strlen(text);
	have_at = len - FINGERPRINT_DIGITS - 1;
	*ret_ours = stored && strcspn(stored, " ") == len &&
		    memcmp(stored + have_at, text + have_at, FINGERPRINT_DIGITS + 1) == 0;
	return *ret_ours && memcmp(stored, text, len) == 0;
}

/* ------------------------------------------------------------------ elements */

static void add_elem_change(struct set_change *change, enum elem_change_kind kind,
			    const struct elem *elem)
{
	change->elems = array_grow(change->elems, &change->cap_elems, change->n_elems,
				   sizeof(*change->elems));
	change->elems[change->n_elems++] = (struct elem_change){ .kind = kind, .elem = *elem };
}

/* Whether the element is a name's, and has some time to live that a daemon gave it. */
static bool daemon_renews(const struct plan *plan, const struct plan_set *set,
			  const struct elem *want, const struct elem *have)
{
	return plan->beside_daemon && set->n_names > 0 && want->comment && have->timeout_ms != 0;
}

static bool elem_same(const struct plan *plan, const struct plan_set *set, const struct elem *want,
		      const struct elem *have)
{
	if (want->timeout_ms != have->timeout_ms && !daemon_renews(plan, set, want, have))
		return false;
	if (memcmp(want->data, have->data, sizeof(want->data)) != 0)
		return false;
	return text_equal(want->target, have->target) &&
	       (set->interval || text_equal(want->comment, have->comment));
}

static bool host_unanswered(const struct resolved_name *host, const struct plan_set *set)
{
	enum resolved_state state = host->states[set_type_family(set->type)];

	return state == RESOLVED_UNASKED || state == RESOLVED_FAILED;
}

/*
 * An address in the kernel that the plan does not have. It stays while a name that it came from
 * could not be asked for its family; it ages while DNS has only stopped returning it; else it goes (a member
 * deleted from the configuration goes at once; the grace is for DNS only), and so does what names never open.
 */
static void diff_stray(const struct plan *plan, const struct plan_set *want,
		       const struct elem *have, uint64_t stale_ms, struct set_change *change)
{
	struct ipaddr addr = ipaddr_from_bytes(set_type_family(want->type), have->key);
	bool refused = set_refuses(plan, want, &addr);
	struct elem aged = *have;
	bool keep = false, age = false;

	for (size_t i = 0; i < want->n_names; i++) {
		const struct resolved_name *host = want->names[i];

		if (refused || !elem_is_of(have, host->name))
			continue;
		keep |= host_unanswered(host, want);
		age |= host->states[set_type_family(want->type)] == RESOLVED_DNS;
	}
	if (!keep && !age) {
		add_elem_change(change, ELEM_DELETE, have);
		return;
	}
	if (plan->beside_daemon && have->timeout_ms != 0)
		return;
	aged.timeout_ms = keep ? 0 : stale_ms;
	if (keep ? have->timeout_ms != 0 : have->timeout_ms == 0)
		add_elem_change(change, ELEM_RENEW, &aged);
}

/* The names that an address is of: those whose answers have it now, and of those that it was of those
 * that could not be asked for its family, or for which a daemon lets it age. */
static const char *merged_comment(const struct plan *plan, struct arena *arena,
				  const struct plan_set *set, const struct elem *want,
				  const struct elem *have)
{
	char comment[COMMENT_MAX + 1] = "";

	for (size_t i = 0; i < set->n_names; i++) {
		const struct resolved_name *host = set->names[i];
		bool ages = plan->beside_daemon &&
			    host->states[set_type_family(set->type)] == RESOLVED_DNS;

		if (elem_is_of(want, host->name) ||
		    ((ages || host_unanswered(host, set)) && elem_is_of(have, host->name)))
			comment_add_name(comment, host->name);
	}
	return arena_strdup(arena, comment);
}

/* A daemon keeps to a target as long as it is one of the name's addresses (names.c). */
static bool daemon_may_choose(const struct plan *plan, const struct plan_set *map,
			      const struct elem *want, const struct elem *have)
{
	size_t len = family_bytes(set_type_family(map->type));

	for (size_t i = 0; plan->beside_daemon && want->name && i < want->name->n_addrs; i++)
		if (want->name->addrs[i].family == set_type_family(map->type) &&
		    memcmp(want->name->addrs[i].b, have->data, len) == 0)
			return true;
	return false;
}

/* An element of both sides. */
static void diff_elem(const struct plan *plan, const struct plan_set *want, const struct elem *w,
		      const struct elem *h, struct arena *arena, struct set_change *change)
{
	struct elem elem = *w;

	if (elem_same(plan, want, w, h))
		return;
	if (w->comment && want->n_names > 1)
		elem.comment = merged_comment(plan, arena, want, w, h);
	if (daemon_may_choose(plan, want, w, h))
		memcpy(elem.data, h->data, family_bytes(set_type_family(want->type)));
	if (!elem_same(plan, want, &elem, h))
		add_elem_change(change, ELEM_RENEW, &elem);
}

/* A NAT target whose name has no address now keeps the address that the same rule had. */
static bool unresolved_same(const struct plan_set *set, const struct elem *want,
			    const struct elem *have)
{
	size_t addr_len = family_bytes(set_type_family(set->type));

	return want->unresolved && text_equal(want->comment, have->comment) &&
	       memcmp(want->data + addr_len, have->data + addr_len, 2) == 0 &&
	       host_unanswered(want->name, set);
}

static void diff_elems(const struct plan *plan, const struct plan_set *want,
		       const struct plan_set *have, uint64_t stale_ms, struct arena *arena,
		       struct set_change *change)
{
	struct sorted_walk walk = {
		.lefts = SORTED_ARRAY(want->elems, want->n_elems),
		.rights = SORTED_ARRAY(have->elems, have->n_elems),
		.cmp = elem_cmp,
	};

	while (sorted_walk_next(&walk)) {
		const struct elem *w = walk.left, *h = walk.right;

		if (!w && want->n_names > 0)
			diff_stray(plan, want, h, stale_ms, change);
		else if (!w)
			add_elem_change(change, ELEM_DELETE, h);
		else if (!h && !w->unresolved)
			add_elem_change(change, ELEM_ADD, w);
		else if (h && w->unresolved && !unresolved_same(want, w, h))
			add_elem_change(change, ELEM_DELETE, h);
		else if (h && !w->unresolved)
			diff_elem(plan, want, w, h, arena, change);
	}
}

/* ------------------------------------------------------------------ sets */

static bool set_same_kind(const struct plan_set *a, const struct plan_set *b)
{
	return a->type == b->type && a->interval == b->interval && a->timeout == b->timeout &&
	       a->counter == b->counter && a->limit == b->limit && a->dynamic == b->dynamic &&
	       a->size == b->size;
}

static struct set_change *add_set_change(struct changes *changes, enum change_kind kind,
					 const struct plan_set *want, const struct actual_set *have)
{
	struct set_change *change;

	assert(want || have);
	changes->sets = array_grow(changes->sets, &changes->cap_sets, changes->n_sets,
				   sizeof(*changes->sets));
	change = &changes->sets[changes->n_sets++];
	*change = (struct set_change){ .kind = kind, .want = want, .have = have };
	change->name = want ? want->name : have->set.name;
	return change;
}

static void diff_set(struct changes *changes, const struct plan_set *want,
		     const struct actual_set *have, uint64_t stale_ms)
{
	struct set_change *change;

	if (!set_same_kind(want, &have->set)) {
		add_set_change(changes, CHANGE_REPLACE, want, have);
		return;
	}
	if (want->dynamic || strcmp(want->name, FINGERPRINT_SET) == 0)
		return;
	if (changes->plan->ports_unknown)
		return;
	change = add_set_change(changes, CHANGE_NONE, want, have);
	diff_elems(changes->plan, want, &have->set, stale_ms, &changes->arena, change);
	if (change->n_elems == 0)
		changes->n_sets--;
}

static int cmp_sets(const void *want, const void *have)
{
	return strcmp((*(struct plan_set *const *)want)->name,
		      ((const struct actual_set *)have)->set.name);
}

static void diff_sets(struct changes *changes, uint64_t stale_ms)
{
	const struct actual *actual = changes->actual;
	const struct plan *plan = changes->plan;
	struct sorted_walk walk = {
		.lefts = SORTED_ARRAY(plan->sets_by_name, plan->n_sets),
		.rights = SORTED_ARRAY(actual->sets, actual->n_sets),
		.cmp = cmp_sets,
	};

	while (sorted_walk_next(&walk)) {
		const struct plan_set *want = sorted_pointer(walk.left);
		const struct actual_set *have = walk.right;

		if (!have)
			add_set_change(changes, CHANGE_ADD, want, NULL);
		else if (want)
			diff_set(changes, want, have, stale_ms);
		else if (!have->anonymous) /* those go with their rules */
			add_set_change(changes, CHANGE_DELETE, NULL, have);
	}
}

/* ------------------------------------------------------------------ chains */

static struct chain_change *add_chain_change(struct changes *changes, enum change_kind kind,
					     const struct plan_chain *want,
					     const struct actual_chain *have)
{
	struct chain_change *change;

	assert(want || have);
	changes->chains = array_grow(changes->chains, &changes->cap_chains, changes->n_chains,
				     sizeof(*changes->chains));
	change = &changes->chains[changes->n_chains++];
	*change = (struct chain_change){ .kind = kind, .want = want, .have = have };
	change->name = want ? want->name : have->name;
	return change;
}

static bool set_replaced(const struct changes *changes, const struct plan_set *set)
{
	const struct set_change *change = set ? changes_find_set(changes, set->name) : NULL;

	return change && change->kind == CHANGE_REPLACE;
}

static bool object_replaced(const struct changes *changes, const struct plan_object *object)
{
	const struct object_change *change = object ? changes_find_object(changes, object) : NULL;

	return change && change->kind == CHANGE_REPLACE;
}

/* A set or an object cannot be deleted while rules use it, so that these are rewritten with it. */
static bool uses_replaced(const struct changes *changes, const struct plan_chain *chain)
{
	if (object_replaced(changes, chain->limit))
		return true;
	for (size_t i = 0; i < chain->n_rules; i++) {
		const struct plan_rule *rule = &chain->rules[i];

		if (set_replaced(changes, rule->set) || set_replaced(changes, rule->update.set) ||
		    set_replaced(changes, rule->tags))
			return true;
		for (size_t k = 0; k < rule->n_matches; k++) {
			const struct match *match = &rule->matches[k];

			if ((match->kind == MATCH_DADDR_SET || match->kind == MATCH_SADDR_SET ||
			     match->kind == MATCH_OIFNAME_SET ||
			     match->kind == MATCH_IIFNAME_SET) &&
			    set_replaced(changes, match->u.set))
				return true;
			if (match->kind == MATCH_FIELD_SET &&
			    set_replaced(changes, match->u.field_set.set))
				return true;
			if (match->kind == MATCH_DPORT_SET &&
			    set_replaced(changes, match->u.dport_set.set))
				return true;
		}
	}
	return false;
}

static void diff_chain(struct changes *changes, const struct plan_chain *want,
		       const struct actual_chain *have)
{
	bool base = want->hook != BASE_NONE, ours;

	if (base != have->base || (base && (want->hook != have->hook || !have->as_ours)))
		add_chain_change(changes, CHANGE_REPLACE, want, have);
	else if (uses_replaced(changes, want))
		add_chain_change(changes, CHANGE_REWRITE, want, have)->certain = true;
	else if (!fingerprint_matches(changes->actual, want, have, &ours))
		add_chain_change(changes, CHANGE_REWRITE, want, have)->certain = ours;
}

static int cmp_chains(const void *want, const void *have)
{
	return strcmp((*(struct plan_chain *const *)want)->name,
		      ((const struct actual_chain *)have)->name);
}

static void diff_chains(struct changes *changes)
{
	const struct actual *actual = changes->actual;
	const struct plan *plan = changes->plan;
	struct sorted_walk walk = {
		.lefts = SORTED_ARRAY(plan->chains_by_name, plan->n_chains),
		.rights = SORTED_ARRAY(actual->chains, actual->n_chains),
		.cmp = cmp_chains,
	};

	while (sorted_walk_next(&walk)) {
		const struct plan_chain *want = sorted_pointer(walk.left);
		const struct actual_chain *have = walk.right;

		if (!have)
			add_chain_change(changes, CHANGE_ADD, want, NULL);
		else if (want)
			diff_chain(changes, want, have);
		else
			add_chain_change(changes, CHANGE_DELETE, NULL, have);
	}
}

/* ------------------------------------------------------------------ the whole */

void diff_plan(const struct plan *plan, const struct actual *actual, unsigned stale_ttl_s,
	       struct changes *ret_changes)
{
	*ret_changes = (struct changes){ .plan = plan, .actual = actual };
	if (plan->n_chains == 0) {
		ret_changes->gone = actual->exists;
		return;
	}
	ret_changes->table = !actual->exists || actual->dormant;
	diff_sets(ret_changes, 1000ull * stale_ttl_s);
	diff_objects(ret_changes);
	diff_chains(ret_changes);
}

static int cmp_chain_owner(const void *a, const void *b)
{
	const struct plan_chain *x = *(const struct plan_chain *const *)a;
	const struct plan_chain *y = *(const struct plan_chain *const *)b;
	char key_x[IFNAME_KEY_LEN], key_y[IFNAME_KEY_LEN];
	int r = strcmp(fingerprint_key(x, key_x), fingerprint_key(y, key_y));

	return r ? r : strcmp(x->kind, y->kind);
}

void diff_fingerprints(struct plan *plan, const struct actual *actual, struct changes *ret_changes)
{
	struct plan_set *set = plan_find_set(plan, FINGERPRINT_SET);
	const struct actual_set *have = actual_find_set(actual, FINGERPRINT_SET);
	struct plan_chain **chains = xcalloc(plan->n_chains + 1, sizeof(struct plan_chain *));
	char text[FINGERPRINT_STRLEN];
	struct set_change *change;

	*ret_changes = (struct changes){ .plan = plan, .actual = actual };
	set->n_elems = 0;
	memcpy(chains, plan->chains, plan->n_chains * sizeof(struct plan_chain *));
	qsort(chains, plan->n_chains, sizeof(struct plan_chain *), cmp_chain_owner);
	for (size_t i = 0; i < plan->n_chains; i++) {
		const struct actual_chain *chain = actual_find_chain(actual, chains[i]->name);
		char buffer[IFNAME_KEY_LEN];
		const char *key = fingerprint_key(chains[i], buffer);
		struct elem *elem = set->n_elems > 0 ? &set->elems[set->n_elems - 1] : NULL;

		if (!chain)
			continue;
		if (!elem || strncmp((char *)elem->key, key, IFNAME_KEY_LEN) != 0)
			elem = set_add_bridge(set, key, NULL);
		print_fingerprint(chains[i], chain, text);
		elem->comment = elem->comment
					? arena_printf(&plan->arena, "%s %s", elem->comment, text)
					: arena_strdup(&plan->arena, text);
	}
	free(chains);
	for (unsigned i = 0; i < ARRAY_SIZE(forward_records); i++)
		if (plan->forward_was_accept & 1u << i)
			set_add_bridge(set, forward_records[i], NULL)->comment =
				"the policy was ACCEPT";
	if (set->n_elems > 0)
		qsort(set->elems, set->n_elems, sizeof(*set->elems), elem_cmp);
	if (!have)
		return;
	change = add_set_change(ret_changes, CHANGE_NONE, set, have);
	diff_elems(plan, set, &have->set, 0, &ret_changes->arena, change);
	if (change->n_elems == 0)
		ret_changes->n_sets--;
}

static int cmp_set_change(const void *name, const void *change)
{
	return strcmp(name, ((const struct set_change *)change)->name);
}

static int cmp_chain_change(const void *name, const void *change)
{
	return strcmp(name, ((const struct chain_change *)change)->name);
}

struct chain_change *changes_find_chain(const struct changes *changes, const char *name)
{
	if (changes->n_chains == 0)
		return NULL;
	return bsearch(name, changes->chains, changes->n_chains, sizeof(*changes->chains),
		       cmp_chain_change);
}

struct set_change *changes_find_set(const struct changes *changes, const char *name)
{
	if (changes->n_sets == 0)
		return NULL;
	return bsearch(name, changes->sets, changes->n_sets, sizeof(*changes->sets),
		       cmp_set_change);
}

bool changes_empty(const struct changes *changes)
{
	if (changes->gone)
		return false;
	return !changes->table && changes->n_chains == 0 && changes->n_sets == 0 &&
	       changes->n_objects == 0 &&
	       (changes->plan->n_chains == 0 || changes->actual->n_others == 0);
}

bool changes_replace(const struct changes *changes)
{
	for (size_t i = 0; i < changes->n_sets; i++)
		if (changes->sets[i].kind == CHANGE_REPLACE)
			return true;
	for (size_t i = 0; i < changes->n_objects; i++)
		if (changes->objects[i].kind == CHANGE_REPLACE)
			return true;
	return false;
}

void changes_free(struct changes *changes)
{
	for (size_t i = 0; i < changes->n_sets; i++)
		free(changes->sets[i].elems);
	free(changes->chains);
	free(changes->objects);
	free(changes->sets);
	arena_free(&changes->arena);
	*changes = (struct changes){ 0 };
}
