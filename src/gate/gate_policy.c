/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list's identity says whether a list of another policy is for the same set of the kernel. The document may name the
 * set ("set"); where it does not, the names in the list have to do: a list with other names is then another list, and
 * addresses are told, or taken back, once too often rather than once too seldom.
 */
#include "gate_policy.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "gate_records.h"

#define GENERATION_MAX 64u
#define NAME_MAX_BYTES 64u
#define LIFE_MAX_S (31u * 86400)
#define SIZE_MAX_ADDRS (1u << 20)
#define LISTS_MAX 65536u
#define NETWORKS_MAX 65536u
/* Bits of all networks' lists: a limit on what a document of a few megabytes can make us allocate. */
#define LIST_BITS_MAX (512u << 20)

struct reader {
	struct gate_policy *policy;
	struct diags *diags;
	bool slots[GATE_SLOTS + 1];
};

static bool fault(struct reader *r, const struct json_node *node, const char *what)
{
	cleanup(cleanup_free) char *pointer = json_pointer(node);

	diag_add(r->diags, SEVERITY_ERROR, node->loc, pointer, "%s", what);
	return false;
}

/* ------------------------------------------------------------------ members */

struct member {
	const char *key;
	enum json_kind kind;
	bool (*read)(struct reader *r, const struct json_node *node, void *object);
	bool optional;
};

static bool read_members(struct reader *r, const struct json_node *node,
			 const struct member *members, size_t n, void *object)
{
	bool ok = true;

	if (node->kind != JSON_OBJECT)
		return fault(r, node, "wanted an object");
	for (size_t i = 0; i < n; i++) {
		const struct json_node *value = json_get(node, members[i].key);

		if (!value && members[i].optional)
			continue;
		if (!value || value->kind != members[i].kind) {
			cleanup(cleanup_free) char *text = xasprintf(
				"%s \"%s\"", value ? "wrong type of" : "no", members[i].key);

			ok = fault(r, value ? value : node, text);
		} else if (!members[i].read(r, value, object)) {
			ok = false;
		}
	}
	/* An unknown member may be a limit that an older gate would not keep. */
	for (size_t i = 0; i < node->u.children.n; i++) {
		const struct json_node *child = &node->u.children.items[i];
		bool known = false;

		for (size_t k = 0; k < n && !known; k++)
			known = strcmp(members[k].key, child->key) == 0;
		if (!known)
			ok = fault(r, child, "unknown member: the gate is older than the daemon");
	}
	return ok;
}

static bool in_range(struct reader *r, const struct json_node *node, int64_t min, int64_t max)
{
	if (node->u.integer >= min && node->u.integer <= max)
		return true;
	return fault(r, node, "out of range");
}

/* ------------------------------------------------------------------ lists */

struct list_reading {
	struct gate_list *list;
	uint32_t index;
	const char *set;
	uint64_t names;
};

static bool read_slot(struct reader *r, const struct json_node *node, void *object)
{
	struct list_reading *l = object;

	if (!in_range(r, node, 0, GATE_SLOTS))
		return false;
	l->list->slot = (uint16_t)node->u.integer;
	if (l->list->slot != 0 && r->slots[l->list->slot])
		return fault(r, node, "a slot of two lists");
	r->slots[l->list->slot] = true;
	return true;
}

static bool read_set(struct reader *r, const struct json_node *node, void *object)
{
	struct list_reading *l = object;

	(void)r;
	l->set = node->u.string.s;
	return true;
}

static bool read_names(struct reader *r, const struct json_node *node, void *object)
{
	struct list_reading *l = object;
	bool ok = true;

	for (size_t i = 0; i < node->u.children.n; i++) {
		const struct json_node *name = &node->u.children.items[i];

		if (name->kind != JSON_STRING || strlen(name->u.string.s) != name->u.string.len ||
		    !gate_table_add(r->policy, name->u.string.s, l->index))
			ok = fault(r, name,
				   "wanted a hostname in lower case, or *. and one of two labels");
		else /* whatever their order */
			l->names += hash64(HASH_SEED, name->u.string.s, name->u.string.len);
	}
	return ok;
}

static const struct member list_members[] = {
	{ "slot", JSON_INT, read_slot, false },
	{ "set", JSON_STRING, read_set, true },
	{ "names", JSON_ARRAY, read_names, false },
};

static bool read_lists(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_policy *policy = object;
	size_t n = node->u.children.n;
	bool ok = true;

	if (n > LISTS_MAX)
		return fault(r, node, "too many lists");
	policy->lists = arena_alloc(&policy->arena, (n + 1) * sizeof(*policy->lists));
	policy->n_lists = n;
	for (size_t i = 0; i < n; i++) {
		struct list_reading l = { .list = &policy->lists[i], .index = (uint32_t)i };

		ok &= read_members(r, &node->u.children.items[i], list_members,
				   ARRAY_SIZE(list_members), &l);
		l.list->identity = l.set ? hash64(HASH_SEED + 1, l.set, strlen(l.set))
					 : hash64(HASH_SEED, &l.names, sizeof(l.names));
	}
	return ok;
}

/* ------------------------------------------------------------------ networks */

static bool read_text(struct reader *r, const struct json_node *node, size_t max,
		      const char **ret_text)
{
	if (node->u.string.len == 0 || node->u.string.len > max)
		return fault(r, node, "too short or too long");
	*ret_text = arena_strndup(&r->policy->arena, node->u.string.s, node->u.string.len);
	return true;
}

static bool read_name(struct reader *r, const struct json_node *node, void *object)
{
	return read_text(r, node, NAME_MAX_BYTES, &((struct gate_network *)object)->name);
}

static bool read_bridge(struct reader *r, const struct json_node *node, void *object)
{
	return read_text(r, node, GATE_BRIDGE_MAX, &((struct gate_network *)object)->bridge);
}

static bool read_network_lists(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_network *network = object;
	size_t n = node->u.children.n, words = r->policy->n_lists / 64 + 1;

	network->lists = arena_alloc(&r->policy->arena, (n + 1) * sizeof(*network->lists));
	network->list_bits = arena_alloc(&r->policy->arena, words * sizeof(*network->list_bits));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *item = &node->u.children.items[i];
		uint64_t index;

		if (item->kind != JSON_INT)
			return fault(r, item, "wanted the number of a list");
		if (!in_range(r, item, 0, (int64_t)r->policy->n_lists - 1))
			return false;
		index = (uint64_t)item->u.integer;
		if (!(network->list_bits[index / 64] >> index % 64 & 1))
			network->lists[network->n_lists++] = (uint32_t)index;
		network->list_bits[index / 64] |= UINT64_C(1) << index % 64;
	}
	return true;
}

static bool read_ipv6(struct reader *r, const struct json_node *node, void *object)
{
	(void)r;
	((struct gate_network *)object)->ipv6 = node->u.boolean;
	return true;
}

static bool read_audit(struct reader *r, const struct json_node *node, void *object)
{
	(void)r;
	((struct gate_network *)object)->audit = node->u.boolean;
	return true;
}

static bool read_life(struct reader *r, const struct json_node *node, void *object)
{
	((struct gate_network *)object)->life_s = (uint32_t)node->u.integer;
	return in_range(r, node, GATE_MAX_TTL_S, LIFE_MAX_S);
}

static bool read_size(struct reader *r, const struct json_node *node, void *object)
{
	((struct gate_network *)object)->size = (uint32_t)node->u.integer;
	return in_range(r, node, 1, SIZE_MAX_ADDRS);
}

static bool read_types(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_network *network = object;

	for (size_t i = 0; i < node->u.children.n; i++) {
		const struct json_node *item = &node->u.children.items[i];
		uint32_t bit = item->kind == JSON_STRING ? gate_type_bit(item->u.string.s) : 0;

		if (bit == 0)
			return fault(r, item, "not a type of record that the gate knows");
		network->types |= bit;
	}
	return true;
}

static bool read_privates(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_network *network = object;
	size_t n = node->u.children.n;

	network->privates = arena_alloc(&r->policy->arena, (n + 1) * sizeof(*network->privates));
	for (size_t i = 0; i < n; i++) {
		const struct json_node *item = &node->u.children.items[i];

		if (item->kind != JSON_STRING ||
		    !prefix_parse(item->u.string.s, item->u.string.len, &network->privates[i]))
			return fault(r, item, "wanted a prefix");
	}
	network->n_privates = n;
	return true;
}

static const struct member network_members[] = {
	{ "name", JSON_STRING, read_name, false },
	{ "bridge", JSON_STRING, read_bridge, false },
	{ "lists", JSON_ARRAY, read_network_lists, false },
	{ "ipv6", JSON_BOOL, read_ipv6, false },
	{ "life", JSON_INT, read_life, false },
	{ "types", JSON_ARRAY, read_types, true },
	{ "private", JSON_ARRAY, read_privates, true },
	{ "size", JSON_INT, read_size, false },
	{ "audit", JSON_BOOL, read_audit, true },
};

static int cmp_bridges(const void *a, const void *b)
{
	const struct gate_network *left = a, *right = b;

	return strcmp(left->bridge, right->bridge);
}

static bool read_networks(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_policy *policy = object;
	size_t n = node->u.children.n;
	bool ok = true;

	if (n > NETWORKS_MAX || n * (policy->n_lists + 64) > LIST_BITS_MAX)
		return fault(r, node, "too many networks");
	policy->networks = arena_alloc(&policy->arena, (n + 1) * sizeof(*policy->networks));
	policy->n_networks = n;
	for (size_t i = 0; i < n; i++)
		ok &= read_members(r, &node->u.children.items[i], network_members,
				   ARRAY_SIZE(network_members), &policy->networks[i]);
	if (!ok)
		return false;
	if (n > 0)
		qsort(policy->networks, n, sizeof(*policy->networks), cmp_bridges);
	for (size_t i = 1; i < n; i++)
		if (strcmp(policy->networks[i - 1].bridge, policy->networks[i].bridge) == 0)
			ok = fault(r, node, "two networks have one bridge");
	return ok;
}

/* ------------------------------------------------------------------ the document */

static bool read_version(struct reader *r, const struct json_node *node, void *object)
{
	(void)object;
	return node->u.integer == 1 ||
	       fault(r, node,
		     "this version of the document is not known: the gate and the daemon "
		     "are of different versions");
}

static bool read_generation(struct reader *r, const struct json_node *node, void *object)
{
	return read_text(r, node, GENERATION_MAX, &((struct gate_policy *)object)->generation);
}

static bool read_tag(struct reader *r, const struct json_node *node, void *object)
{
	((struct gate_policy *)object)->tag = (uint32_t)node->u.integer;
	return in_range(r, node, 0, UINT32_MAX);
}

static bool read_upstream(struct reader *r, const struct json_node *node, void *object)
{
	struct gate_policy *policy = object;

	if (node->u.children.n > GATE_UPSTREAM_MAX)
		return fault(r, node, "wanted at most 8 name servers");
	for (size_t i = 0; i < node->u.children.n; i++) {
		const struct json_node *item = &node->u.children.items[i];

		if (item->kind != JSON_STRING || !ipaddr_parse(item->u.string.s, item->u.string.len,
							       &policy->upstream.servers[i].addr))
			return fault(r, item, "wanted an address");
	}
	policy->upstream.n_servers = node->u.children.n;
	return true;
}

/* In the order in which they are read: networks refer to lists. */
static const struct member policy_members[] = {
	{ "version", JSON_INT, read_version, false },
	{ "generation", JSON_STRING, read_generation, false },
	{ "tag", JSON_INT, read_tag, true },
	{ "upstream", JSON_ARRAY, read_upstream, false },
	{ "lists", JSON_ARRAY, read_lists, false },
	{ "networks", JSON_ARRAY, read_networks, false },
};

struct gate_policy *gate_policy_parse(const struct src *src, struct diags *diags)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct gate_policy *policy;
	struct reader *r;
	bool ok;

	if (!json_parse(src, &tree, diags))
		return NULL;
	policy = xcalloc(1, sizeof(*policy));
	gate_map_init(&policy->names);
	r = xcalloc(1, sizeof(*r));
	r->policy = policy;
	r->diags = diags;
	ok = read_members(r, tree.root, policy_members, ARRAY_SIZE(policy_members), policy);
	free(r);
	if (!ok) {
		gate_policy_free(policy);
		return NULL;
	}
	policy->document = arena_strndup(&policy->arena, src->text, src->len);
	policy->document_len = strlen(policy->document);
	return policy;
}

void gate_policy_free(struct gate_policy *policy)
{
	if (!policy)
		return;
	gate_map_free(&policy->names);
	arena_free(&policy->arena);
	free(policy);
}

const struct gate_network *gate_policy_network(const struct gate_policy *policy, const char *bridge)
{
	const struct gate_network key = { .bridge = bridge };

	if (policy->n_networks == 0)
		return NULL;
	return bsearch(&key, policy->networks, policy->n_networks, sizeof(*policy->networks),
		       cmp_bridges);
}

uint16_t gate_policy_slot(const struct gate_policy *policy, uint64_t identity)
{
	for (size_t i = 0; i < policy->n_lists; i++)
		if (policy->lists[i].identity == identity)
			return policy->lists[i].slot;
	return 0;
}

uint64_t gate_policy_identity(const struct gate_policy *policy, uint16_t slot)
{
	for (size_t i = 0; i < policy->n_lists; i++)
		if (policy->lists[i].slot == slot)
			return policy->lists[i].identity;
	return 0;
}
