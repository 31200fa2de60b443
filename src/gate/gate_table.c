/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hash table has the names and the B of all patterns *.B, each with the lists that it is in. A look-up tries the
 * name, then each of its ends that has at least two labels and at most as many as the longest B.
 */
#include <string.h>

#include "dockside/base/util.h"
#include "gate_message.h"
#include "gate_policy.h"

struct list_ids {
	uint32_t *ids;
	size_t n, cap;
};

struct table_name {
	struct gate_node node;
	struct list_ids exact, below; /* of the name itself, and of *.NAME */
	uint8_t len;
	uint8_t b[];
};

static struct table_name *find(const struct gate_policy *policy, const uint8_t *b, size_t len,
			       uint64_t hash)
{
	struct gate_node *node = gate_map_first(&policy->names, hash);

	for (; node; node = gate_map_next(node)) {
		struct table_name *name = (struct table_name *)node;

		if (name->len == len && memcmp(name->b, b, len) == 0)
			return name;
	}
	return NULL;
}

static struct table_name *intern(struct gate_policy *policy, const struct dns_name *name)
{
	uint64_t hash = gate_map_hash(&policy->names, name->b, name->len);
	struct table_name *found = find(policy, name->b, name->len, hash);

	if (found)
		return found;
	found = arena_alloc(&policy->arena, sizeof(*found) + name->len);
	found->len = (uint8_t)name->len;
	memcpy(found->b, name->b, name->len);
	gate_map_add(&policy->names, &found->node, hash);
	return found;
}

/* Lists come in ascending order, so that the same one can only be the last. */
static void add_id(struct gate_policy *policy, struct list_ids *ids, uint32_t id)
{
	if (ids->n > 0 && ids->ids[ids->n - 1] == id)
		return;
	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? 2 * ids->cap : 1;
		uint32_t *more = arena_alloc(&policy->arena, cap * sizeof(*more));

		if (ids->n > 0)
			memcpy(more, ids->ids, ids->n * sizeof(*more));
		ids->ids = more;
		ids->cap = cap;
	}
	ids->ids[ids->n++] = id;
}

static unsigned count_labels(const struct dns_name *name)
{
	unsigned n = 0;

	for (size_t at = 0; name->b[at] != 0; at += 1u + name->b[at])
		n++;
	return n;
}

static bool has_upper(const char *s)
{
	return s[strcspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0';
}

bool gate_table_add(struct gate_policy *policy, const char *text, uint32_t list)
{
	bool pattern = strncmp(text, "*.", 2) == 0;
	const char *s = pattern ? text + 2 : text;
	size_t len = strlen(s);
	struct dns_name name;
	struct table_name *entry;
	unsigned labels;

	if (!hostname_valid(s, len) || has_upper(s) || !dns_name_parse(s, &name))
		return false;
	labels = count_labels(&name);
	if (pattern && labels < 2)
		return false;
	entry = intern(policy, &name);
	if (pattern && labels > policy->max_base)
		policy->max_base = labels;
	add_id(policy, pattern ? &entry->below : &entry->exact, list);
	return true;
}

/* ------------------------------------------------------------------ look-ups */

static bool has_list(const struct gate_network *network, uint32_t id)
{
	return network->list_bits[id / 64] >> id % 64 & 1;
}

static void add_match(struct gate_match *match, uint32_t id)
{
	for (size_t i = 0; i < match->n; i++)
		if (match->lists[i] == id)
			return;
	if (match->n == GATE_MATCH_MAX)
		match->overflow = true;
	else
		match->lists[match->n++] = id;
}

static bool take(const struct gate_policy *policy, const struct gate_network *network,
		 const struct list_ids *ids, struct gate_match *match)
{
	bool any = false;

	for (size_t i = 0; i < ids->n; i++) {
		if (!has_list(network, ids->ids[i]))
			continue;
		any = true;
		if (policy->lists[ids->ids[i]].slot != 0)
			add_match(match, ids->ids[i]);
	}
	match->allowed |= any;
	return any;
}

void gate_table_match(const struct gate_policy *policy, const struct gate_network *network,
		      const struct dns_name *name, struct gate_match *ret_match)
{
	unsigned labels = count_labels(name);
	const struct table_name *found;

	ret_match->allowed = ret_match->exact = ret_match->overflow = false;
	ret_match->n = 0;
	if (!gate_name_is_plain(name))
		return;
	found = find(policy, name->b, name->len, gate_map_hash(&policy->names, name->b, name->len));
	if (found)
		ret_match->exact = take(policy, network, &found->exact, ret_match);
	for (size_t at = 1u + name->b[0]; labels-- > 2; at += 1u + name->b[at]) {
		size_t len = name->len - at;

		if (labels > policy->max_base)
			continue;
		found = find(policy, name->b + at, len,
			     gate_map_hash(&policy->names, name->b + at, len));
		if (found)
			take(policy, network, &found->below, ret_match);
	}
}
