/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/plan.h"

#include <assert.h>
#include <netinet/in.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/model.h"

/* nft's data types by number (nftables, include/datatype.h) and how it joins two of them. */
#define NFT_TYPE_INTEGER 4u
#define NFT_TYPE_IPADDR 7u
#define NFT_TYPE_IP6ADDR 8u
#define NFT_TYPE_ETHERADDR 9u
#define NFT_TYPE_INET_PROTOCOL 12u
#define NFT_TYPE_INET_SERVICE 13u
#define NFT_TYPE_MARK 19u
#define NFT_TYPE_IFNAME 41u
#define NFT_TYPE_VERDICT 0xffffff00u /* NFT_DATA_VERDICT, linux/netfilter/nf_tables.h */
#define NFT_TYPE_JOIN(a, b) ((a) << 6 | (b))

/* Set names stay far below the 255 bytes that nft allows (doc/kernel.md, "Names that nft takes"); a longer name
 * is hashed. */
#define SET_NAME_MAX 200

const char *const judging_kinds[N_JUDGING_KINDS] = { "OUT", "ING", "HOST", "SRC", "DNS" };

const char *const bound_kinds[N_BOUND_KINDS] = { "BIND", "UNBOUND", "strange", "BINDTO",
						 "UNBOUNDTO" };

static const struct set_type_info type_infos[] = {
	[SET_IPV4] = { "type ipv4_addr", 4, 0, NFT_TYPE_IPADDR, 0 },
	[SET_IPV6] = { "type ipv6_addr", 16, 0, NFT_TYPE_IP6ADDR, 0 },
	[SET_PORTS] = { "type inet_service", 2, 0, NFT_TYPE_INET_SERVICE, 0 },
	[SET_BRIDGES] = { "type ifname", 16, 0, NFT_TYPE_IFNAME, 0 },
	[SET_MARKS] = { "type mark", 4, 0, NFT_TYPE_MARK, 0 },
	[SET_MAC] = { "type ether_addr", 6, 0, NFT_TYPE_ETHERADDR, 0 },
	[SET_PORT_MAC] = { "type ifname . ether_addr", 24, 0,
			   NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_ETHERADDR), 0 },
	[SET_PORT_IPV4] = { "type ifname . ipv4_addr", 20, 0,
			    NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_IPADDR), 0 },
	[SET_PORT_IPV6] = { "type ifname . ipv6_addr", 32, 0,
			    NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_IP6ADDR), 0 },
	[SET_PORT_MAC_IPV4] = { "type ifname . ether_addr . ipv4_addr", 28, 0,
				NFT_TYPE_JOIN(NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_ETHERADDR),
					      NFT_TYPE_IPADDR),
				0 },
	[SET_PORT_MAC_IPV6] = { "type ifname . ether_addr . ipv6_addr", 40, 0,
				NFT_TYPE_JOIN(NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_ETHERADDR),
					      NFT_TYPE_IP6ADDR),
				0 },
	[SET_ND_TARGET] = { "typeof @th,64,128", 16, 0, NFT_TYPE_INTEGER, 0 },
	[SET_PORT_ND_TARGET] = { "typeof iifname . @th,64,128", 32, 0,
				 NFT_TYPE_JOIN(NFT_TYPE_IFNAME, NFT_TYPE_INTEGER), 0 },
	[MAP_DISPATCH] = { "type ifname : verdict", 16, 0, NFT_TYPE_IFNAME, NFT_TYPE_VERDICT },
	[MAP_TELL] = { "type inet_service : verdict", 2, 0, NFT_TYPE_INET_SERVICE,
		       NFT_TYPE_VERDICT },
	[MAP_NAT4] = { "type inet_proto . inet_service : ipv4_addr . inet_service", 8, 8,
		       NFT_TYPE_JOIN(NFT_TYPE_INET_PROTOCOL, NFT_TYPE_INET_SERVICE),
		       NFT_TYPE_JOIN(NFT_TYPE_IPADDR, NFT_TYPE_INET_SERVICE) },
	[MAP_NAT6] = { "type inet_proto . inet_service : ipv6_addr . inet_service", 8, 20,
		       NFT_TYPE_JOIN(NFT_TYPE_INET_PROTOCOL, NFT_TYPE_INET_SERVICE),
		       NFT_TYPE_JOIN(NFT_TYPE_IP6ADDR, NFT_TYPE_INET_SERVICE) },
	[SET_UNKNOWN] = { "", 0, 0, 0, 0 },
};
static_assert(ARRAY_SIZE(type_infos) == SET_UNKNOWN + 1, "a row for each set type");

const char *table_text(enum table_family family)
{
	return family == TABLE_BRIDGE ? "bridge " TABLE_NAME : "inet " TABLE_NAME;
}

const struct set_type_info *set_type_info(enum set_type type)
{
	return &type_infos[type];
}

bool set_type_is_map(enum set_type type)
{
	return type_infos[type].data_type != 0;
}

bool set_type_is_verdicts(enum set_type type)
{
	return type == MAP_DISPATCH || type == MAP_TELL;
}

bool set_type_has_ifname(enum set_type type)
{
	return type == SET_BRIDGES || type == MAP_DISPATCH || type == SET_PORT_MAC ||
	       type == SET_PORT_IPV4 || type == SET_PORT_IPV6 || type == SET_PORT_ND_TARGET ||
	       set_type_has_mac_and_ip(type);
}

bool set_type_has_mac_and_ip(enum set_type type)
{
	return type == SET_PORT_MAC_IPV4 || type == SET_PORT_MAC_IPV6;
}

enum family set_type_family(enum set_type type)
{
	return type == SET_IPV4 || type == MAP_NAT4 || type == SET_PORT_IPV4 ||
			       type == SET_PORT_MAC_IPV4
		       ? FAMILY_IPV4
		       : FAMILY_IPV6;
}

const struct origin *plan_origin(struct plan *plan, const char *network, const char *entry,
				 struct loc loc)
{
	struct origin *origin = arena_alloc(&plan->arena, sizeof(*origin));

	*origin = (struct origin){ .network = network, .entry = entry, .loc = loc };
	return origin;
}

static int cmp_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *plan_intern(struct plan *plan, const char *text)
{
	char **found = tfind(text, &plan->texts, cmp_texts);
	char *copy;

	if (found)
		return *found;
	copy = arena_strdup(&plan->arena, text);
	plan->texts_size += strlen(text) + 1;
	if (!tsearch(copy, &plan->texts, cmp_texts))
		abort(); /* out of memory */
	return copy;
}

/* "~" is in no name. */
static void print_name(const char *name, char ret_text[COMMENT_MAX + 1])
{
	size_t len = strlen(name);

	if (len <= COMMENT_MAX)
		memcpy(ret_text, name, len + 1);
	else
		snprintf(ret_text, COMMENT_MAX + 1, "%.*s~%016llx", COMMENT_MAX - 17, name,
			 (unsigned long long)hash64(HASH_SEED, name, len));
}

void comment_add_name(char comment[COMMENT_MAX + 1], const char *name)
{
	size_t len = strlen(comment);
	char text[COMMENT_MAX + 1];
	size_t more;

	print_name(name, text);
	more = strlen(text);
	if (len + (len > 0) + more > COMMENT_MAX)
		return;
	if (len > 0)
		comment[len++] = ' ';
	memcpy(comment + len, text, more + 1);
}

bool elem_is_of(const struct elem *elem, const char *name)
{
	char text[COMMENT_MAX + 1];
	size_t len;

	print_name(name, text);
	len = strlen(text);
	for (const char *p = elem->comment; p && *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, text, n) == 0)
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

struct plan_chain *plan_add_chain(struct plan *plan, const char *name, const struct origin *origin)
{
	struct plan_chain *chain = arena_alloc(&plan->arena, sizeof(*chain));

	chain->name = name;
	chain->kind = name;
	chain->origin = origin;
	plan->chains = array_grow(plan->chains, &plan->cap_chains, plan->n_chains,
				  sizeof(struct plan_chain *));
	plan->chains[plan->n_chains++] = chain;
	return chain;
}

struct plan_set *plan_add_set(struct plan *plan, enum set_type type, const char *name,
			      const struct origin *origin)
{
	struct plan_set *set = arena_alloc(&plan->arena, sizeof(*set));

	set->name = name;
	set->type = type;
	set->origin = origin;
	plan->sets =
		array_grow(plan->sets, &plan->cap_sets, plan->n_sets, sizeof(struct plan_set *));
	plan->sets[plan->n_sets++] = set;
	return set;
}

struct plan_object *plan_add_object(struct plan *plan, enum object_kind kind, const char *name,
				    const struct origin *origin)
{
	struct plan_object *object = arena_alloc(&plan->arena, sizeof(*object));

	*object = (struct plan_object){ kind, name, origin };
	plan->objects = array_grow(plan->objects, &plan->cap_objects, plan->n_objects,
				   sizeof(struct plan_object *));
	plan->objects[plan->n_objects++] = object;
	return object;
}

static int cmp_set_name(const void *key, const void *item)
{
	return strcmp(key, (*(struct plan_set *const *)item)->name);
}

static int cmp_chain_name(const void *key, const void *item)
{
	return strcmp(key, (*(struct plan_chain *const *)item)->name);
}

struct plan_set *plan_find_set(const struct plan *plan, const char *name)
{
	struct plan_set **found = NULL;

	if (plan->n_sets > 0)
		found = bsearch(name, plan->sets_by_name, plan->n_sets, sizeof(struct plan_set *),
				cmp_set_name);
	return found ? *found : NULL;
}

struct plan_chain *plan_find_chain(const struct plan *plan, const char *name)
{
	struct plan_chain **found = NULL;

	if (plan->n_chains > 0)
		found = bsearch(name, plan->chains_by_name, plan->n_chains,
				sizeof(struct plan_chain *), cmp_chain_name);
	return found ? *found : NULL;
}

struct plan_rule *chain_add_rule(struct plan_chain *chain, const struct origin *origin)
{
	struct plan_rule *rule;

	chain->rules =
		array_grow(chain->rules, &chain->cap_rules, chain->n_rules, sizeof(*chain->rules));
	rule = &chain->rules[chain->n_rules++];
	*rule = (struct plan_rule){ .origin = origin };
	return rule;
}

struct match *rule_add_match(struct plan_rule *rule, enum match_kind kind)
{
	struct match *match = &rule->matches[rule->n_matches++];

	assert(rule->n_matches <= RULE_MATCHES_MAX);
	match->kind = kind;
	return match;
}

void plan_add_refuse(struct plan *plan, const struct origin *origin)
{
	struct plan_chain *chain = plan_add_chain(plan, PLAN_REFUSE, origin);
	struct plan_rule *rule = chain_add_rule(chain, origin);

	rule_add_match(rule, MATCH_L4PROTO)->u.l4proto = IPPROTO_TCP;
	rule->verdict = VERDICT_RESET;
	chain_add_rule(chain, origin)->verdict = VERDICT_DROP;
}

struct elem *set_add_elem(struct plan_set *set, const struct origin *origin)
{
	struct elem *elem;

	set->elems = array_grow(set->elems, &set->cap_elems, set->n_elems, sizeof(*set->elems));
	elem = &set->elems[set->n_elems++];
	*elem = (struct elem){ .origin = origin };
	return elem;
}

struct elem *set_add_bridge(struct plan_set *set, const char *bridge, const struct origin *origin)
{
	struct elem *elem = set_add_elem(set, origin);

	memcpy(elem->key, bridge, strlen(bridge));
	memcpy(elem->last, elem->key, sizeof(elem->key));
	return elem;
}

bool set_has_bridges(const struct plan_set *set)
{
	return strcmp(set->name, LOOKUPS_SET) == 0 || strcmp(set->name, MANAGED_SET) == 0;
}

bool set_is_told(const struct plan_set *set, const char *name)
{
	if (set->told_ipset)
		return ipset_has_hostname(set->told_ipset, name) ||
		       ipset_has_pattern_of(set->told_ipset, name);
	if (!set->told_entry)
		return false;
	return set->told_entry[0] == '*' ? pattern_has(set->told_entry, name)
					 : strcmp(set->told_entry, name) == 0;
}

static int cmp_key(const void *key, const void *elem)
{
	return memcmp(key, ((const struct elem *)elem)->key, ELEM_KEY_MAX);
}

const struct elem *set_find_bridge(const struct plan_set *set, const char *bridge)
{
	uint8_t key[ELEM_KEY_MAX] = { 0 };

	if (!set || set->n_elems == 0)
		return NULL;
	memcpy(key, bridge, strnlen(bridge, IFNAME_KEY_LEN));
	return bsearch(key, set->elems, set->n_elems, sizeof(*set->elems), cmp_key);
}

void store_port(uint8_t *bytes, uint16_t port)
{
	bytes[0] = (uint8_t)(port >> 8);
	bytes[1] = (uint8_t)port;
}

uint16_t load_port(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint32_t load_mark(const uint8_t *bytes)
{
	uint32_t mark;

	memcpy(&mark, bytes, sizeof(mark));
	return mark;
}

bool set_refuses(const struct plan *plan, const struct plan_set *set, const struct ipaddr *addr)
{
	return set->opens && plan->never && never_reason(plan->never, addr);
}

int elem_cmp(const void *a, const void *b)
{
	const struct elem *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	return r ? r : memcmp(x->last, y->last, sizeof(x->last));
}

/* Whether range b begins inside range a or right after it; b does not begin before a. */
static bool ranges_join(const struct elem *a, const struct elem *b, size_t len)
{
	uint8_t next[ELEM_KEY_MAX];
	size_t i = len;

	if (memcmp(b->key, a->last, len) <= 0)
		return true;
	memcpy(next, a->last, len);
	while (i > 0 && ++next[i - 1] == 0)
		i--;
	return i > 0 && memcmp(b->key, next, len) == 0;
}

/* nft refuses an interval set with overlapping elements unless it merges them itself, which does
 * not go with timeouts (doc/kernel.md, "Interval sets"); and touching ones read back ambiguously. */
static void merge_intervals(struct plan_set *set)
{
	size_t len = set_type_info(set->type)->key_len, n = 0;

	for (size_t i = 0; i < set->n_elems; i++) {
		struct elem *elem = &set->elems[i], *top = n > 0 ? &set->elems[n - 1] : NULL;

		if (!top || !ranges_join(top, elem, len))
			set->elems[n++] = *elem;
		else if (memcmp(elem->last, top->last, len) > 0)
			memcpy(top->last, elem->last, len);
	}
	set->n_elems = n;
}

static int cmp_sets(const void *a, const void *b)
{
	return strcmp((*(struct plan_set *const *)a)->name, (*(struct plan_set *const *)b)->name);
}

static int cmp_chains(const void *a, const void *b)
{
	return strcmp((*(struct plan_chain *const *)a)->name,
		      (*(struct plan_chain *const *)b)->name);
}

int object_cmp(enum object_kind kind_a, const char *name_a, enum object_kind kind_b,
	       const char *name_b)
{
	return kind_a != kind_b ? (kind_a > kind_b) - (kind_a < kind_b) : strcmp(name_a, name_b);
}

static int cmp_objects(const void *a, const void *b)
{
	const struct plan_object *x = *(struct plan_object *const *)a;
	const struct plan_object *y = *(struct plan_object *const *)b;

	return object_cmp(x->kind, x->name, y->kind, y->name);
}

static void sort_objects(struct plan *plan)
{
	free(plan->objects_by_name);
	plan->objects_by_name = xcalloc(plan->n_objects + 1, sizeof(struct plan_object *));
	for (size_t i = 0; i < plan->n_objects; i++)
		plan->objects_by_name[i] = plan->objects[i];
	qsort(plan->objects_by_name, plan->n_objects, sizeof(struct plan_object *), cmp_objects);
}

void plan_finish(struct plan *plan)
{
	free(plan->sets_by_name);
	free(plan->chains_by_name);
	sort_objects(plan);
	plan->sets_by_name = xcalloc(plan->n_sets + 1, sizeof(struct plan_set *));
	plan->chains_by_name = xcalloc(plan->n_chains + 1, sizeof(struct plan_chain *));
	for (size_t i = 0; i < plan->n_chains; i++)
		plan->chains_by_name[i] = plan->chains[i];
	for (size_t i = 0; i < plan->n_sets; i++) {
		struct plan_set *set = plan->sets[i];

		plan->sets_by_name[i] = set;
		if (set->n_elems > 0)
			qsort(set->elems, set->n_elems, sizeof(*set->elems), elem_cmp);
		if (set->interval)
			merge_intervals(set);
	}
	qsort(plan->sets_by_name, plan->n_sets, sizeof(struct plan_set *), cmp_sets);
	qsort(plan->chains_by_name, plan->n_chains, sizeof(struct plan_chain *), cmp_chains);
}

/* The arena has it. */
static void keep_text(void *text)
{
	(void)text;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sets; i++)
		free(plan->sets[i]->elems);
	for (size_t i = 0; i < plan->n_chains; i++)
		free(plan->chains[i]->rules);
	free(plan->sets);
	free(plan->sets_by_name);
	free(plan->chains);
	free(plan->chains_by_name);
	free(plan->objects);
	free(plan->objects_by_name);
	tdestroy(plan->texts, keep_text);
	arena_free(&plan->arena);
	*plan = (struct plan){ 0 };
}

/* Networks' names may begin with a digit, which no chain name may; none begins with "_". */
const char *plan_chain_name(struct arena *arena, const char *stem, const char *kind)
{
	bool digit = stem[0] >= '0' && stem[0] <= '9';

	return arena_printf(arena, "%s%s-%s", digit ? "_" : "", stem, kind);
}

const char *plan_set_name(struct arena *arena, const char *prefix, const char *name,
			  const char *suffix)
{
	size_t len = strlen(name);

	if (len <= SET_NAME_MAX)
		return arena_printf(arena, "%s%s%s", prefix, name, suffix);
	return arena_printf(arena, "%s%.*s_%016llx%s", prefix, SET_NAME_MAX - 40, name,
			    (unsigned long long)hash64(HASH_SEED, name, len), suffix);
}

const char *plan_limit_name(struct arena *arena, const char *stem)
{
	return plan_chain_name(arena, stem, "log");
}

const char *plan_tally_name(struct arena *arena, const char *stem, const char *kind)
{
	return arena_printf(arena, "%s-denied", plan_chain_name(arena, stem, kind));
}
