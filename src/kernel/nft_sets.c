/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * We put operations into a transaction run by run. The operations of a run can share messages: they
 * are of one kind in one set, with no key twice, and few enough to fit the 16 bits in which an
 * attribute keeps its length (of a longer list the kernel stores some and reports no error). Each
 * run is one to three messages:
 *
 *	PRESENT           add key (and data); delete key; add everything
 *	RENEW in place    add with timeout and expiration
 *	RENEW otherwise   as PRESENT
 *	ABSENT            add key (and data); delete key
 *
 * Deleting a missing element would fail the whole transaction, hence the add before it. Packets see
 * only the outcome: elements that a transaction adds are inactive, and those that it deletes
 * active, until the kernel commits all of it at once.
 *
 * Before Linux 6.12, adding an element that is there does nothing at all, with any timeout. Since
 * then it updates the attributes that differ; "expiration" starts the time anew.
 *
 * A message's sequence number says which run and which of its messages it is; the kernel's errors
 * carry the offset of the refused element in its message. Together they lead back to the operation.
 */
#include "dockside/kernel/nft_sets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/model.h"
#include "dockside/table/nft_text.h"
#include "nft_attr.h"
#include "nft_batch.h"
#include "nft_talk.h"

#define RUN_MAX 256u	/* operations */
#define RUN_SLOTS 1024u /* of the table that finds a run's duplicates */
#define PHASES 3u	/* messages of a run at most */
#define NAME_SIZE 256u	/* a set's name with its NUL: the kernel's limit */
#define HEAD_SIZE 512u	/* bytes; what a message has besides elements: two names, a list's header */
#define ELEM_SIZE 248u	/* bytes that one element takes at most */
#define TARGET_MAX 32	/* bytes; of the name of a chain that a map leads to */
#define PROBE_ELEMS 3u
#define HOUR_MS 3600000u
#define TRIES 3

/* Attribute headers, key, data, two times, user data with a comment. */
static_assert(4 + (8 + ELEM_KEY_MAX) + (8 + ELEM_DATA_MAX) + 2 * 12 + 4 + 2 + COMMENT_MAX + 1 + 3 <=
		      ELEM_SIZE,
	      "an element fits");
static_assert(4 + (8 + ELEM_KEY_MAX) + (8 + 8 + 4 + TARGET_MAX + 1 + 3) + 4 + 2 + COMMENT_MAX + 1 +
			      3 <=
		      ELEM_SIZE,
	      "an element of a verdict map fits");
static_assert(4 + RUN_MAX * ELEM_SIZE <= UINT16_MAX, "a run fits a 16-bit length");
static_assert(SET_OPS_MAX < INT32_MAX / (PHASES * (ELEM_SIZE + HEAD_SIZE)), "a length is an int");

struct nft_sets {
	struct nft_batch *batch;
	enum renewal renewal;
	struct nftnl_set_elem *elem; /* one after the other */
	uint16_t slots[RUN_SLOTS];
};

/* ------------------------------------------------------------------ elements */

/* Reads the elements of a message. */
enum detail {
	DETAIL_KEY,
	DETAIL_DATA,	/* key, and data in maps */
	DETAIL_ALL,	/* and timeout and comment */
	DETAIL_RENEWAL, /* and expiration, which is the timeout */
	DETAIL_AGED,	/* and expiration, a sixtieth of it: only the probe's */
};

static void set_comment(struct nftnl_set_elem *elem, const char *comment)
{
	uint8_t tlv[2 + COMMENT_MAX + 1];
	size_t len = strlen(comment) + 1;

	/* As nft writes it; libnftnl's builder would allocate. */
	tlv[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
	tlv[1] = (uint8_t)len;
	memcpy(tlv + 2, comment, len);
	nftnl_set_elem_set(elem, NFTNL_SET_ELEM_USERDATA, tlv, (uint32_t)(2 + len));
}

/* A map's answer for the key. libnftnl keeps a chain's name as a copy until it is unset. */
static void set_data(struct nftnl_set_elem *build, enum set_type type, const struct elem *elem)
{
	if (type == MAP_DISPATCH) {
		nftnl_set_elem_set_u32(build, NFTNL_SET_ELEM_VERDICT, (uint32_t)NFT_GOTO);
		nftnl_set_elem_set_str(build, NFTNL_SET_ELEM_CHAIN, elem->target);
	} else if (set_type_is_map(type)) {
		nftnl_set_elem_set(build, NFTNL_SET_ELEM_DATA, elem->data,
				   set_type_info(type)->data_len);
	}
}

static void put_elem(struct nlmsghdr *nlh, struct nftnl_set_elem *build, enum set_type type,
		     const struct elem *elem, enum detail detail)
{
	static const uint16_t optional[] = { NFTNL_SET_ELEM_DATA,	NFTNL_SET_ELEM_VERDICT,
					     NFTNL_SET_ELEM_CHAIN,	NFTNL_SET_ELEM_TIMEOUT,
					     NFTNL_SET_ELEM_EXPIRATION, NFTNL_SET_ELEM_USERDATA };
	const struct set_type_info *info = set_type_info(type);

	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		nftnl_set_elem_unset(build, optional[i]);
	nftnl_set_elem_set(build, NFTNL_SET_ELEM_KEY, elem->key, info->key_len);
	if (detail >= DETAIL_DATA)
		set_data(build, type, elem);
	/* Without a timeout it becomes, or stays, permanent. */
	if (detail >= DETAIL_ALL && elem->timeout_ms > 0)
		nftnl_set_elem_set_u64(build, NFTNL_SET_ELEM_TIMEOUT, elem->timeout_ms);
	if (detail >= DETAIL_RENEWAL && elem->timeout_ms > 0)
		nftnl_set_elem_set_u64(build, NFTNL_SET_ELEM_EXPIRATION,
				       detail == DETAIL_AGED ? elem->timeout_ms / 60
							     : elem->timeout_ms);
	if (detail >= DETAIL_ALL && elem->comment)
		set_comment(build, elem->comment);
	nftnl_set_elem_nlmsg_build(nlh, build, NFTA_LIST_ELEM);
}

/* A message about the elements of a run. */
static void put_elems(struct nft_sets *sets, const char *table, int type, enum detail detail,
		      const struct set_op *ops, size_t n, uint32_t seq)
{
	int flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
	struct nlmsghdr *nlh = nft_batch_put(sets->batch, table_nfproto(ops->table), type, flags,
					     seq, HEAD_SIZE + n * ELEM_SIZE);
	struct nlattr *list;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, ops->set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < n; i++)
		put_elem(nlh, sets->elem, ops->type, &ops[i].elem, detail);
	mnl_attr_nest_end(nlh, list);
	nft_batch_end_message(sets->batch, nlh);
}

/* ------------------------------------------------------------------ runs */

/* Remembers the key of ops[i]; false if it is there already. */
static bool add_key(uint16_t *slots, const struct set_op *ops, size_t i)
{
	size_t len = set_type_info(ops->type)->key_len;
	size_t slot = hash64(HASH_SEED, ops[i].elem.key, len) % RUN_SLOTS;

	for (; slots[slot] > 0; slot = (slot + 1) % RUN_SLOTS) {
		if (memcmp(ops[slots[slot] - 1].elem.key, ops[i].elem.key, len) == 0)
			return false;
	}
	slots[slot] = (uint16_t)(i + 1);
	return true;
}

static bool share_messages(const struct set_op *a, const struct set_op *b)
{
	return a->table == b->table && a->kind == b->kind && a->type == b->type &&
	       (a->set == b->set || strcmp(a->set, b->set) == 0);
}

/* Counts the operations of the run that begins with the first; there are n in all. */
static size_t run_length(struct nft_sets *sets, const struct set_op *ops, size_t n)
{
	size_t len = 0;

	memset(sets->slots, 0, sizeof(sets->slots));
	while (len < n && len < RUN_MAX && share_messages(ops, &ops[len]) &&
	       add_key(sets->slots, ops, len))
		len++;
	return len;
}

/* seq is the first message's. */
static void put_run(struct nft_sets *sets, const struct set_op *ops, size_t n, uint32_t seq)
{
	if (ops->kind == SET_OP_RENEW && sets->renewal == RENEWAL_IN_PLACE) {
		put_elems(sets, TABLE_NAME, NFT_MSG_NEWSETELEM, DETAIL_RENEWAL, ops, n, seq);
		return;
	}
	put_elems(sets, TABLE_NAME, NFT_MSG_NEWSETELEM, DETAIL_DATA, ops, n, seq);
	put_elems(sets, TABLE_NAME, NFT_MSG_DELSETELEM, DETAIL_KEY, ops, n, seq + 1);
	if (ops->kind != SET_OP_ABSENT)
		put_elems(sets, TABLE_NAME, NFT_MSG_NEWSETELEM, DETAIL_ALL, ops, n, seq + 2);
}

static void put_ops(struct nft_sets *sets, const struct set_op *ops, size_t n)
{
	nft_batch_begin(sets->batch);
	for (size_t i = 0, len; i < n; i += len) {
		len = run_length(sets, ops + i, n - i);
		put_run(sets, ops + i, len, (uint32_t)(1 + PHASES * i));
	}
}

/* The run's first operation, from a sequence number. */
static size_t run_of(uint32_t seq)
{
	return (seq - 1) / PHASES;
}

/* ------------------------------------------------------------------ operations */

static bool takes_ops(enum set_type type)
{
	switch (type) {
	case SET_IPV4:
	case SET_IPV6:
	case SET_BRIDGES:
	case SET_MAC:
	case SET_PORT_MAC:
	case SET_PORT_IPV4:
	case SET_PORT_IPV6:
	case SET_PORT_MAC_IPV4:
	case SET_PORT_MAC_IPV6:
	case SET_ND_TARGET:
	case SET_PORT_ND_TARGET:
	case MAP_DISPATCH:
	case MAP_NAT4:
	case MAP_NAT6:
		return true;
	case SET_PORTS:
	case SET_MARKS:
	case MAP_TELL:
	case SET_UNKNOWN:
		return false;
	}
	return false;
}

static int check_op(const struct set_op *op, struct err *err)
{
	const struct set_type_info *info = set_type_info(op->type);

	if (op->set[0] == '\0' || strlen(op->set) >= NAME_SIZE)
		return err_set(err, EINVAL, "\"%s\" cannot be a set's name", op->set);
	if (!takes_ops(op->type))
		return err_set(err, EINVAL,
			       "set %s: not a set of addresses or interfaces, or a map of ours",
			       op->set);
	if (op->type == MAP_DISPATCH && (!op->elem.target || strlen(op->elem.target) > TARGET_MAX))
		return err_set(err, EINVAL, "map %s: no chain, or one whose name is too long",
			       op->set);
	if (op->elem.unresolved || memcmp(op->elem.key, op->elem.last, info->key_len) != 0)
		return err_set(err, EINVAL, "set %s: not a single element", op->set);
	if (op->elem.comment && strlen(op->elem.comment) > COMMENT_MAX)
		return err_set(err, EINVAL, "set %s: a comment of %zu bytes, not up to %d", op->set,
			       strlen(op->elem.comment), COMMENT_MAX);
	return 0;
}

static int check_ops(const struct set_op *ops, size_t n, struct err *err)
{
	if (n > SET_OPS_MAX)
		return err_set(err, E2BIG, "%zu elements at once, not up to %u", n, SET_OPS_MAX);
	for (size_t i = 0; i < n; i++) {
		int r = check_op(&ops[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The number of the element at an offset of a message. */
static bool find_elem(const struct nlmsghdr *nlh, uint32_t offset, size_t *ret_i)
{
	const struct nlattr *item;
	struct attrs a = { 0 };
	size_t i = 0;

	if (nlh)
		a = attrs_of_message(nlh);
	if (!a.at[NFTA_SET_ELEM_LIST_ELEMENTS])
		return false;
	attr_for_each_nested(item, a.at[NFTA_SET_ELEM_LIST_ELEMENTS])
	{
		size_t start = (size_t)((const char *)item - (const char *)nlh);

		if (offset >= start && offset < start + mnl_attr_get_len(item)) {
			*ret_i = i;
			return true;
		}
		i++;
	}
	return false;
}

static const char *kind_verb(enum set_op_kind kind)
{
	switch (kind) {
	case SET_OP_PRESENT:
		return "add";
	case SET_OP_RENEW:
		return "renew";
	case SET_OP_ABSENT:
		return "remove";
	}
	return "change";
}

static int refused(struct nft_sets *sets, const struct set_op *ops, size_t n,
		   const struct batch_answers *answers, struct err *err)
{
	const struct set_op *op;
	struct buf b = { 0 };
	size_t i = 0;
	int r;

	if (answers->seq == 0 || run_of(answers->seq) >= n)
		return err_errno(err, answers->error, "update sets");
	op = &ops[run_of(answers->seq)];
	if (!answers->has_offset ||
	    !find_elem(nft_batch_find(sets->batch, answers->seq), answers->offset, &i))
		return err_errno(err, answers->error, "set %s", op->set);
	op += i;
	nft_text_elem(&b, op->type, &op->elem);
	r = err_errno(err, answers->error, "set %s: %s %s", op->set, kind_verb(op->kind),
		      buf_str(&b));
	buf_free(&b);
	return r;
}

/* Until the answers are clear: operations can be repeated. Returns 0 or -errno. */
static int transact(struct nft_sets *sets, const struct set_op *ops, size_t n,
		    struct batch_answers *ret_answers)
{
	int r = -ENOBUFS;

	for (int i = 0; r == -ENOBUFS && i < TRIES; i++) {
		put_ops(sets, ops, n);
		r = nft_batch_send(sets->batch, NULL, NULL, ret_answers);
	}
	return r;
}

int nft_sets_commit(struct nft_sets *sets, const struct set_op *ops, size_t n, struct err *err)
{
	struct batch_answers answers;
	int r;

	r = check_ops(ops, n, err);
	if (r < 0 || n == 0)
		return r;
	r = transact(sets, ops, n, &answers);
	if (r < 0)
		r = err_errno(err, -r, "update sets");
	else if (answers.error > 0)
		r = refused(sets, ops, n, &answers, err);
	nft_batch_shrink(sets->batch);
	return r;
}

int nft_sets_commit_all(struct nft_sets *sets, const struct set_op *ops, size_t n, struct err *err)
{
	int r = 0;

	for (size_t done = 0; r >= 0 && done < n; done += SET_OPS_MAX)
		r = nft_sets_commit(sets, ops + done,
				    n - done < SET_OPS_MAX ? n - done : SET_OPS_MAX, err);
	return r;
}

/* ------------------------------------------------------------------ what this kernel does */

static struct set_op probe_op(uint8_t i, uint64_t timeout_ms)
{
	return (struct set_op){ .set = "s",
				.type = SET_IPV4,
				.elem = { .key = { 192, 0, 2, i }, .timeout_ms = timeout_ms } };
}

/* A set in a table that goes with our socket, should we die before we delete it. */
static void put_scratch(struct nft_sets *sets, const char *table)
{
	const struct set_type_info *info = set_type_info(SET_IPV4);
	struct nlmsghdr *nlh;

	nlh = nft_batch_put(sets->batch, NFPROTO_INET, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
			    1, HEAD_SIZE);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	nft_batch_end_message(sets->batch, nlh);
	nlh = nft_batch_put(sets->batch, NFPROTO_INET, NFT_MSG_NEWSET, NLM_F_CREATE, 2, HEAD_SIZE);
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, "s");
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htonl(NFT_SET_TIMEOUT));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htonl(info->key_type));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(info->key_len));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(1));
	nft_batch_end_message(sets->batch, nlh);
}

static void put_probe_elems(struct nft_sets *sets, const char *table, const uint64_t *timeouts_ms,
			    enum detail detail)
{
	struct set_op ops[PROBE_ELEMS];

	for (uint8_t i = 0; i < PROBE_ELEMS; i++)
		ops[i] = probe_op(i, timeouts_ms[i]);
	put_elems(sets, table, NFT_MSG_NEWSETELEM, detail, ops, PROBE_ELEMS, 3);
}

/* Returns 0 or -errno, by the socket's error or the kernel's answer. */
static int probe_send(struct nft_sets *sets, nft_batch_fn on_message, void *data)
{
	struct batch_answers answers;
	int r = nft_batch_send(sets->batch, on_message, data, &answers);

	return r < 0 ? r : -answers.error;
}

/* Milliseconds until the elements of the probe expire, UINT64_MAX where that is never. */
struct probe_left {
	uint64_t ms[PROBE_ELEMS];
};

static void on_probe_elem(struct probe_left *left, const struct nlattr *item)
{
	struct attrs a, key;
	const uint8_t *address;

	if (!attrs_parse_nested(&a, item) || !attrs_parse_nested(&key, a.at[NFTA_SET_ELEM_KEY]) ||
	    !key.at[NFTA_DATA_VALUE] || mnl_attr_get_payload_len(key.at[NFTA_DATA_VALUE]) != 4)
		return;
	address = mnl_attr_get_payload(key.at[NFTA_DATA_VALUE]);
	if (address[3] >= PROBE_ELEMS)
		return;
	left->ms[address[3]] = UINT64_MAX;
	if (a.at[NFTA_SET_ELEM_EXPIRATION])
		left->ms[address[3]] = attr_u64(a.at[NFTA_SET_ELEM_EXPIRATION]);
}

static void on_probe_elems(void *data, const struct nlmsghdr *nlh)
{
	const struct nlattr *item;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	attr_for_each_nested(item, a.at[NFTA_SET_ELEM_LIST_ELEMENTS]) on_probe_elem(data, item);
}

static int read_probe_elems(struct nft_sets *sets, const char *table, struct probe_left *left)
{
	struct nlmsghdr *nlh;

	nft_batch_begin_request(sets->batch);
	nlh = nft_batch_put(sets->batch, NFPROTO_INET, NFT_MSG_GETSETELEM, NLM_F_DUMP, 1,
			    HEAD_SIZE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, "s");
	nft_batch_end_message(sets->batch, nlh);
	return probe_send(sets, on_probe_elems, left);
}

static int delete_scratch(struct nft_sets *sets, const char *table)
{
	struct nlmsghdr *nlh;

	nft_batch_begin(sets->batch);
	nlh = nft_batch_put(sets->batch, NFPROTO_INET, NFT_MSG_DELTABLE, 0, 1, HEAD_SIZE);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	nft_batch_end_message(sets->batch, nlh);
	return probe_send(sets, NULL, NULL);
}

static bool nearly_an_hour(uint64_t ms)
{
	return ms > HOUR_MS / 2 && ms <= HOUR_MS;
}

/*
 * All that a renewal can mean, tried: of an hour a minute is left, and it is to be an hour again;
 * permanent to timed; timed to permanent.
 */
static int probe_renewal(struct nft_sets *sets, const char *table, bool *ret_in_place)
{
	static const uint64_t before[PROBE_ELEMS] = { HOUR_MS, 0, HOUR_MS };
	static const uint64_t after[PROBE_ELEMS] = { HOUR_MS, HOUR_MS, 0 };
	struct probe_left left = { 0 };
	int r;

	*ret_in_place = false;
	nft_batch_begin(sets->batch);
	put_scratch(sets, table);
	put_probe_elems(sets, table, before, DETAIL_AGED);
	r = probe_send(sets, NULL, NULL);
	/* The owner flag is of Linux 5.12: what does not know it does not renew in place either. */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	nft_batch_begin(sets->batch);
	put_probe_elems(sets, table, after, DETAIL_RENEWAL);
	r = probe_send(sets, NULL, NULL);
	if (r == 0)
		r = read_probe_elems(sets, table, &left);
	*ret_in_place = nearly_an_hour(left.ms[0]) && nearly_an_hour(left.ms[1]) &&
			left.ms[2] == UINT64_MAX;
	return r < 0 ? r : delete_scratch(sets, table);
}

static int find_out_renewal(struct nft_sets *sets, struct err *err)
{
	bool in_place = false;
	char table[64];
	int r;

	/* No other socket has our port number, so that nobody else uses the name. */
	snprintf(table, sizeof(table), TABLE_NAME "-probe-%u", nft_sets_portid(sets));
	r = probe_renewal(sets, table, &in_place);
	if (r < 0)
		return err_errno(err, -r, "find out how elements are renewed, in table inet %s",
				 table);
	sets->renewal = in_place ? RENEWAL_IN_PLACE : RENEWAL_REPLACE;
	return 0;
}

/* ------------------------------------------------------------------ the socket */

int nft_sets_open(struct nft_sets **ret_sets, enum renewal renewal, struct err *err)
{
	struct nft_sets *sets = xcalloc(1, sizeof(*sets));
	int r;

	sets->renewal = renewal;
	sets->elem = nftnl_set_elem_alloc();
	if (!sets->elem)
		abort(); /* out of memory */
	r = nft_batch_open(&sets->batch, err);
	if (r == 0 && renewal == RENEWAL_PROBE)
		r = find_out_renewal(sets, err);
	if (r < 0) {
		nft_sets_close(sets);
		return r;
	}
	*ret_sets = sets;
	return 0;
}

void nft_sets_close(struct nft_sets *sets)
{
	if (!sets)
		return;
	nft_batch_close(sets->batch);
	if (sets->elem)
		nftnl_set_elem_free(sets->elem);
	free(sets);
}

enum renewal nft_sets_renewal(const struct nft_sets *sets)
{
	return sets->renewal;
}

uint32_t nft_sets_portid(const struct nft_sets *sets)
{
	return nft_batch_portid(sets->batch);
}
