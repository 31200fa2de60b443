/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft_attr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/model.h"

/* ------------------------------------------------------------------ attributes */

static int on_attr(const struct nlattr *attr, void *data)
{
	struct attrs *a = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		a->at[type] = attr;
	return MNL_CB_OK;
}

/* libmnl's own check takes lengths past INT_MAX for negative, and passes them. */
bool message_fits(const struct nlmsghdr *nlh, int left)
{
	return left > 0 && mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left;
}

struct attrs attrs_of_message(const struct nlmsghdr *nlh)
{
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	const struct nlattr *attr;
	struct attrs a = { 0 };

	/* libmnl's own loop goes on to the aligned end of a message, which may not be there. */
	for (attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));
	     mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr))
		on_attr(attr, &a);
	return a;
}

bool attrs_parse_nested(struct attrs *a, const struct nlattr *nest)
{
	*a = (struct attrs){ 0 };
	return nest && mnl_attr_parse_nested(nest, on_attr, a) == MNL_CB_OK;
}

int attr_left(const struct nlattr *nest, const struct nlattr *pos)
{
	const char *end = (const char *)nest + mnl_attr_get_len(nest);

	return (int)(end - (const char *)pos);
}

uint32_t attr_u32(const struct nlattr *attr)
{
	return attr ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

uint64_t attr_u64(const struct nlattr *attr)
{
	return attr ? be64toh(mnl_attr_get_u64(attr)) : 0;
}

/* ------------------------------------------------------------------ chains and rules */

/* The base chain of ours at a hook; BASE_NONE: there is none. */
static enum base_hook bridge_hook(uint32_t hook)
{
	if (hook == NF_INET_PRE_ROUTING) /* the bridge's hooks have the same numbers */
		return BASE_BIND;
	if (hook == NF_INET_FORWARD)
		return BASE_BIND_TO;
	return hook == NF_INET_LOCAL_OUT ? BASE_BIND_OUTPUT : BASE_NONE;
}

static void read_bridge_hook(struct actual_chain *chain, uint32_t hook, bool filter,
			     int32_t priority)
{
	chain->hook = bridge_hook(hook);
	chain->as_ours = chain->hook != BASE_NONE && filter && priority == -310;
}

static void read_inet_hook(struct actual_chain *chain, uint32_t hook, const char *type,
			   int32_t priority)
{
	bool filter = strcmp(type, "filter") == 0, nat = strcmp(type, "nat") == 0;

	switch (hook) {
	case NF_INET_FORWARD:
		chain->hook = priority == 1 ? BASE_FORWARD_END : BASE_FORWARD;
		chain->as_ours = filter && (priority == -1 || priority == 1);
		break;
	case NF_INET_LOCAL_IN:
		chain->hook = BASE_INPUT;
		chain->as_ours = filter && priority == -1;
		break;
	case NF_INET_PRE_ROUTING:
		chain->hook = nat ? priority == -101 ? BASE_PREROUTING_DNS : BASE_PREROUTING_NAT
				  : BASE_PREROUTING_RAW;
		chain->as_ours = nat ? priority == -101 || priority == -99 : priority == -450;
		break;
	case NF_INET_LOCAL_OUT:
		chain->hook = priority == -301 ? BASE_OUTPUT_TOLD : BASE_OUTPUT;
		chain->as_ours = filter && (priority == -301 || priority == -1);
		break;
	default:
		break;
	}
}

void read_base_chain(enum table_family family, const struct attrs *a, struct actual_chain *chain)
{
	const char *type = a->at[NFTA_CHAIN_TYPE] ? mnl_attr_get_str(a->at[NFTA_CHAIN_TYPE]) : "";
	int32_t priority;
	struct attrs at;
	uint32_t hook;

	if (!a->at[NFTA_CHAIN_HOOK] || !attrs_parse_nested(&at, a->at[NFTA_CHAIN_HOOK]))
		return;
	chain->base = true;
	priority = (int32_t)attr_u32(at.at[NFTA_HOOK_PRIORITY]);
	hook = attr_u32(at.at[NFTA_HOOK_HOOKNUM]);
	if (family == TABLE_BRIDGE)
		read_bridge_hook(chain, hook, strcmp(type, "filter") == 0, priority);
	else
		read_inet_hook(chain, hook, type, priority);
	chain->as_ours &= attr_u32(a->at[NFTA_CHAIN_POLICY]) == NF_ACCEPT;
}

static uint64_t hash_expression(uint64_t hash, const struct nlattr *expression)
{
	const char *name;
	struct attrs a;

	if (!attrs_parse_nested(&a, expression) || !a.at[NFTA_EXPR_NAME])
		return hash;
	name = mnl_attr_get_str(a.at[NFTA_EXPR_NAME]);
	hash = hash64(hash, name, strlen(name) + 1);
	if (!a.at[NFTA_EXPR_DATA] || strcmp(name, "counter") == 0)
		return hash;
	return hash64(hash, mnl_attr_get_payload(a.at[NFTA_EXPR_DATA]),
		      mnl_attr_get_payload_len(a.at[NFTA_EXPR_DATA]));
}

/* Whether an expression is a counter; then what it has counted. */
static bool read_counter(const struct nlattr *expression, uint64_t *ret_packets,
			 uint64_t *ret_bytes)
{
	struct attrs e, counter;

	if (!attrs_parse_nested(&e, expression) || !e.at[NFTA_EXPR_NAME] ||
	    strcmp(mnl_attr_get_str(e.at[NFTA_EXPR_NAME]), "counter") != 0)
		return false;
	if (e.at[NFTA_EXPR_DATA] && attrs_parse_nested(&counter, e.at[NFTA_EXPR_DATA])) {
		*ret_packets = attr_u64(counter.at[NFTA_COUNTER_PACKETS]);
		*ret_bytes = attr_u64(counter.at[NFTA_COUNTER_BYTES]);
	}
	return true;
}

void rule_counter(const struct attrs *a, struct actual_rule *rule)
{
	const struct nlattr *expression;

	if (!a->at[NFTA_RULE_EXPRESSIONS])
		return;
	attr_for_each_nested(expression, a->at[NFTA_RULE_EXPRESSIONS])
	{
		if (read_counter(expression, &rule->packets, &rule->bytes))
			return;
	}
}

uint64_t hash_rule(const struct attrs *a)
{
	const struct nlattr *userdata = a->at[NFTA_RULE_USERDATA];
	const struct nlattr *expression;
	uint64_t hash = HASH_SEED;

	if (a->at[NFTA_RULE_EXPRESSIONS])
		attr_for_each_nested(expression, a->at[NFTA_RULE_EXPRESSIONS]) hash =
			hash_expression(hash, expression);
	if (userdata)
		hash = hash64(hash, mnl_attr_get_payload(userdata),
			      mnl_attr_get_payload_len(userdata));
	return hash;
}

/* ------------------------------------------------------------------ sets */

static bool is_counter(const struct nlattr *expression)
{
	uint64_t packets, bytes;

	return read_counter(expression, &packets, &bytes);
}

/* One `counter`, as in our NAT maps. */
static bool set_counts(const struct attrs *a)
{
	return a->at[NFTA_SET_EXPR] && is_counter(a->at[NFTA_SET_EXPR]);
}

/* Whether these attributes of a limit say so many packets a second. */
static bool limit_is(const struct attrs *limit, uint64_t rate, uint32_t burst)
{
	return attr_u64(limit->at[NFTA_LIMIT_RATE]) == rate &&
	       attr_u64(limit->at[NFTA_LIMIT_UNIT]) == 1 &&
	       attr_u32(limit->at[NFTA_LIMIT_BURST]) == burst &&
	       attr_u32(limit->at[NFTA_LIMIT_TYPE]) == NFT_LIMIT_PKTS &&
	       attr_u32(limit->at[NFTA_LIMIT_FLAGS]) == 0;
}

/* The `limit` of the set of bridges whose DNS replies are heard. */
static bool is_limit(const struct nlattr *expression)
{
	struct attrs e, limit;

	return attrs_parse_nested(&e, expression) && e.at[NFTA_EXPR_NAME] &&
	       strcmp(mnl_attr_get_str(e.at[NFTA_EXPR_NAME]), "limit") == 0 &&
	       attrs_parse_nested(&limit, e.at[NFTA_EXPR_DATA]) &&
	       limit_is(&limit, LOOKUPS_RATE, LOOKUPS_BURST);
}

static bool set_limits(const struct attrs *a)
{
	return a->at[NFTA_SET_EXPR] && is_limit(a->at[NFTA_SET_EXPR]);
}

/* A `quota`, say, that every element gets. */
static bool set_has_other_statements(const struct attrs *a)
{
	return a->at[NFTA_SET_EXPRESSIONS] ||
	       (a->at[NFTA_SET_EXPR] && !set_counts(a) && !set_limits(a));
}

/* A limit on the number of elements; 0: there is none. Of ours only dynamic ones have one. */
static uint32_t set_size(const struct attrs *a)
{
	struct attrs desc;

	return attrs_parse_nested(&desc, a->at[NFTA_SET_DESC])
		       ? attr_u32(desc.at[NFTA_SET_DESC_SIZE])
		       : 0;
}

void read_set(const struct attrs *a, struct actual_set *set)
{
	const uint32_t known = NFT_SET_ANONYMOUS | NFT_SET_INTERVAL | NFT_SET_MAP |
			       NFT_SET_TIMEOUT | NFT_SET_CONCAT | NFT_SET_EXPR | NFT_SET_EVAL;
	uint32_t flags = attr_u32(a->at[NFTA_SET_FLAGS]);
	uint32_t key_type = attr_u32(a->at[NFTA_SET_KEY_TYPE]);
	uint32_t data_type = flags & NFT_SET_MAP ? attr_u32(a->at[NFTA_SET_DATA_TYPE]) : 0;

	set->anonymous = flags & NFT_SET_ANONYMOUS;
	set->map = flags & NFT_SET_MAP;
	set->set.type = SET_UNKNOWN;
	set->set.interval = flags & NFT_SET_INTERVAL;
	set->set.timeout = flags & NFT_SET_TIMEOUT;
	set->set.dynamic = flags & NFT_SET_EVAL;
	set->set.size = set_size(a);
	set->set.counter = set_counts(a);
	set->set.limit = set_limits(a);
	/* These would not do what ours do. */
	if (flags & (uint32_t)~known || a->at[NFTA_SET_TIMEOUT] ||
	    (set->set.size > 0 && !set->set.dynamic) || set_has_other_statements(a))
		return;
	for (int i = 0; i < SET_UNKNOWN; i++) {
		const struct set_type_info *info = set_type_info((enum set_type)i);

		if (info->key_type == key_type && info->data_type == data_type &&
		    info->key_len == attr_u32(a->at[NFTA_SET_KEY_LEN]))
			set->set.type = (enum set_type)i;
	}
}

/* The comment of an element's user data: type, length, string with its NUL (libnftnl/udata.h). */
static const char *udata_comment(const struct nlattr *attr, struct arena *arena)
{
	const uint8_t *data = attr ? mnl_attr_get_payload(attr) : NULL;
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	for (size_t i = 0; i + 2 <= len; i += 2u + data[i + 1]) {
		if (i + 2u + data[i + 1] > len)
			break;
		if (data[i] == NFTNL_UDATA_SET_ELEM_COMMENT)
			return arena_printf(arena, "%.*s", data[i + 1], (const char *)data + i + 2);
	}
	return NULL;
}

static bool get_value(const struct nlattr *attr, uint8_t *ret, size_t len)
{
	struct attrs data;

	if (!attrs_parse_nested(&data, attr) || !data.at[NFTA_DATA_VALUE] ||
	    mnl_attr_get_payload_len(data.at[NFTA_DATA_VALUE]) != len)
		return false;
	memcpy(ret, mnl_attr_get_payload(data.at[NFTA_DATA_VALUE]), len);
	return true;
}

/* The chain that a dispatch leads to; "", which is none of ours, for another verdict. */
static const char *get_goto(const struct nlattr *attr, struct arena *arena)
{
	struct attrs data, verdict;

	if (!attrs_parse_nested(&data, attr) ||
	    !attrs_parse_nested(&verdict, data.at[NFTA_DATA_VERDICT]) ||
	    !verdict.at[NFTA_VERDICT_CHAIN] ||
	    attr_u32(verdict.at[NFTA_VERDICT_CODE]) != (uint32_t)NFT_GOTO)
		return "";
	return arena_strdup(arena, mnl_attr_get_str(verdict.at[NFTA_VERDICT_CHAIN]));
}

/* Whether the key begins with a possible interface name, or is FINGERPRINT_BASE; anything else cannot be quoted for nft
 * or means something to it. */
static bool ifname_key_safe(const uint8_t *key)
{
	size_t len = strnlen((const char *)key, IFNAME_KEY_LEN);

	for (size_t i = 0; i < IFNAME_KEY_LEN; i++)
		if (i < len ? !isalnum(key[i]) && !strchr("_.-", key[i]) : key[i] != 0)
			return false;
	return len > 0 && len < IFNAME_KEY_LEN;
}

bool read_elem(const struct nlattr *item, enum set_type type, struct arena *arena,
	       struct elem *ret_elem, bool *ret_end)
{
	const struct set_type_info *info = set_type_info(type);
	struct elem elem = { 0 };
	struct attrs a;

	if (!attrs_parse_nested(&a, item) || a.at[NFTA_SET_ELEM_KEY_END] ||
	    a.at[NFTA_SET_ELEM_EXPRESSIONS] || a.at[NFTA_SET_ELEM_OBJREF] ||
	    (a.at[NFTA_SET_ELEM_EXPR] &&
	     !(type == SET_BRIDGES && is_limit(a.at[NFTA_SET_ELEM_EXPR])) &&
	     !read_counter(a.at[NFTA_SET_ELEM_EXPR], &elem.packets, &elem.bytes)) ||
	    !get_value(a.at[NFTA_SET_ELEM_KEY], elem.key, info->key_len))
		return false;
	if (set_type_has_ifname(type) && !ifname_key_safe(elem.key))
		return false;
	memcpy(elem.last, elem.key, sizeof(elem.key));
	*ret_end = attr_u32(a.at[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END;
	elem.timeout_ms = attr_u64(a.at[NFTA_SET_ELEM_TIMEOUT]);
	elem.expires_ms = attr_u64(a.at[NFTA_SET_ELEM_EXPIRATION]);
	elem.comment = udata_comment(a.at[NFTA_SET_ELEM_USERDATA], arena);
	if (set_type_is_verdicts(type))
		elem.target = get_goto(a.at[NFTA_SET_ELEM_DATA], arena);
	if (info->data_len > 0 && !get_value(a.at[NFTA_SET_ELEM_DATA], elem.data, info->data_len))
		return false;
	*ret_elem = elem;
	return true;
}

bool read_object(const struct attrs *a, struct actual_object *object)
{
	struct attrs data = { 0 };

	if (a->at[NFTA_OBJ_DATA])
		attrs_parse_nested(&data, a->at[NFTA_OBJ_DATA]);
	switch (attr_u32(a->at[NFTA_OBJ_TYPE])) {
	case NFT_OBJECT_COUNTER:
		object->kind = OBJECT_COUNTER;
		object->as_ours = true;
		object->packets = attr_u64(data.at[NFTA_COUNTER_PACKETS]);
		return true;
	case NFT_OBJECT_LIMIT:
		object->kind = OBJECT_LIMIT;
		object->as_ours = limit_is(&data, PLAN_LOG_RATE, PLAN_LOG_BURST);
		return true;
	default:
		return false;
	}
}

const char *object_word(uint32_t type)
{
	switch (type) {
	case NFT_OBJECT_QUOTA:
		return "quota";
	case NFT_OBJECT_CT_HELPER:
		return "ct helper";
	case NFT_OBJECT_CT_TIMEOUT:
		return "ct timeout";
	case NFT_OBJECT_SECMARK:
		return "secmark";
	case NFT_OBJECT_CT_EXPECT:
		return "ct expectation";
	case NFT_OBJECT_SYNPROXY:
		return "synproxy";
	default:
		return NULL;
	}
}

/* ------------------------------------------------------------------ intervals */

void interval_add(struct interval_reader *reader, const struct elem *elem, bool end)
{
	struct elem **items = end ? &reader->ends : &reader->starts;
	size_t *n = end ? &reader->n_ends : &reader->n_starts;
	size_t *cap = end ? &reader->cap_ends : &reader->cap_starts;

	*items = array_grow(*items, cap, *n, sizeof(*elem));
	(*items)[(*n)++] = *elem;
}

/* key - 1 */
static void decrement(uint8_t *key, size_t len)
{
	while (len > 0 && key[len - 1]-- == 0)
		len--;
}

/* A range lasts until before the next end or the next start, whichever comes first; without either,
 * to the last key there is. */
static void end_range(struct elem *elem, const struct elem *end, const struct elem *next,
		      size_t len)
{
	const struct elem *limit = end;

	if (!limit || (next && memcmp(next->key, limit->key, len) < 0))
		limit = next;
	if (!limit) {
		memset(elem->last, 0xff, len);
		return;
	}
	memcpy(elem->last, limit->key, len);
	decrement(elem->last, len);
}

void interval_finish(struct interval_reader *reader, struct plan_set *set)
{
	size_t len = set_type_info(set->type)->key_len, k = 0;

	if (reader->n_starts > 0)
		qsort(reader->starts, reader->n_starts, sizeof(struct elem), elem_cmp);
	if (reader->n_ends > 0)
		qsort(reader->ends, reader->n_ends, sizeof(struct elem), elem_cmp);
	for (size_t i = 0; i < reader->n_starts; i++) {
		struct elem *elem = set_add_elem(set, NULL);
		bool more = i + 1 < reader->n_starts;

		*elem = reader->starts[i];
		while (k < reader->n_ends && memcmp(reader->ends[k].key, elem->key, len) <= 0)
			k++;
		end_range(elem, k < reader->n_ends ? &reader->ends[k] : NULL,
			  more ? &reader->starts[i + 1] : NULL, len);
	}
	reader->n_starts = reader->n_ends = 0;
}

void interval_free(struct interval_reader *reader)
{
	free(reader->starts);
	free(reader->ends);
	*reader = (struct interval_reader){ 0 };
}
