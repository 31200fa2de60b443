/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * After each commit the kernel multicasts a message for every object that changed, in the order of
 * the transaction, and last NEWGEN: the new generation and who made it. All carry the sender's port
 * number. Transactions do not mix, as the kernel holds its commit lock meanwhile. There are no
 * messages for elements that expire, for transactions that fail, and for those that change nothing.
 *
 * The kernel tells a reader once that it has fallen behind (ENOBUFS). From then on the reader
 * misses messages until it has emptied its queue, and the kernel does not tell it again. So a loss
 * lasts until then: only a comparison made with the queue empty is sure to have seen the lost
 * changes. As a second safety we count generations: each commit adds one.
 */
#include "dockside/kernel/nft_events.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/table/plan.h"
#include "nft_attr.h"
#include "nft_talk.h"

#define RCVBUF_SIZE (32 * 1024 * 1024) /* only what is queued takes memory */
#define DATAGRAM_SIZE 65536u	       /* bytes; the kernel makes them of some 8 KB */
#define READ_MAX 512		       /* datagrams at once: others in the event loop wait */

struct nft_events {
	struct mnl_socket *socket;
	bool lost;	/* until the queue is empty */
	uint32_t genid; /* of the last transaction, 0 if unknown */
	struct nft_transaction pending;
	alignas(struct nlmsghdr) char datagram[DATAGRAM_SIZE];
};

/* ------------------------------------------------------------------ what is watched */

static bool watched_table(uint8_t family, const char *table, enum watched *ret_watched)
{
	static const struct {
		uint8_t family;
		const char *table;
	} tables[N_WATCHED] = {
		[WATCHED_DOCKSIDE] = { NFPROTO_INET, TABLE_NAME },
		[WATCHED_FILTER4] = { NFPROTO_IPV4, "filter" },
		[WATCHED_FILTER6] = { NFPROTO_IPV6, "filter" },
		[WATCHED_BRIDGE] = { NFPROTO_BRIDGE, TABLE_NAME },
	};

	for (int i = 0; i < N_WATCHED; i++) {
		if (tables[i].family != family || strcmp(tables[i].table, table) != 0)
			continue;
		*ret_watched = (enum watched)i;
		return true;
	}
	return false;
}

static bool is_watched(enum watched table, enum touched_kind kind, const char *name)
{
	if (table == WATCHED_DOCKSIDE || table == WATCHED_BRIDGE)
		return true;
	return kind == TOUCHED_CHAIN &&
	       (strcmp(name, "DOCKER-USER") == 0 || strcmp(name, "DOCKSIDE-DISPATCH") == 0 ||
		strcmp(name, "FORWARD") == 0);
}

static void touch(struct nft_transaction *t, enum watched table, enum touched_kind kind,
		  const char *name, unsigned how)
{
	/* Backwards: messages about the same chain or set follow each other. */
	for (size_t i = t->n_touched; i-- > 0;) {
		struct touched *touched = &t->touched[i];

		if (touched->table != table || touched->kind != kind ||
		    strcmp(touched->name, name) != 0)
			continue;
		touched->how |= how;
		return;
	}
	if (t->n_touched == TOUCHED_MAX) {
		t->overflow = true;
		return;
	}
	t->touched[t->n_touched] = (struct touched){ .table = table, .kind = kind, .how = how };
	snprintf(t->touched[t->n_touched].name, TOUCHED_NAME_SIZE, "%s", name);
	t->n_touched++;
}

/* ------------------------------------------------------------------ messages */

/* NULL for what is no string or does not fit a name. */
static const char *get_name(const struct nlattr *attr)
{
	const char *s;
	size_t len;

	if (!attr)
		return NULL;
	s = mnl_attr_get_payload(attr);
	len = mnl_attr_get_payload_len(attr);
	return memchr(s, '\0', len < TOUCHED_NAME_SIZE ? len : TOUCHED_NAME_SIZE) ? s : NULL;
}

static bool get_u32(const struct nlattr *attr, uint32_t *ret)
{
	if (!attr || mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
		return false;
	*ret = ntohl(mnl_attr_get_u32(attr));
	return true;
}

/* A kind of message: the kind of thing that it is about, the attribute with the name of that, and
 * what happened to it. */
struct message {
	enum touched_kind kind;
	uint16_t name; /* attribute */
	unsigned how;
};

/* In every kind of message, the table is the first attribute. */
#define TABLE_ATTR 1
static_assert((int)NFTA_TABLE_NAME == TABLE_ATTR && (int)NFTA_CHAIN_TABLE == TABLE_ATTR &&
		      (int)NFTA_RULE_TABLE == TABLE_ATTR && (int)NFTA_SET_TABLE == TABLE_ATTR &&
		      (int)NFTA_SET_ELEM_LIST_TABLE == TABLE_ATTR &&
		      (int)NFTA_OBJ_TABLE == TABLE_ATTR && (int)NFTA_FLOWTABLE_TABLE == TABLE_ATTR,
	      "one place for the table");

static bool classify(int type, struct message *ret)
{
	switch (type) {
	case NFT_MSG_NEWCHAIN:
		*ret = (struct message){ TOUCHED_CHAIN, NFTA_CHAIN_NAME, TOUCH_DECLARED };
		return true;
	case NFT_MSG_DELCHAIN:
		*ret = (struct message){ TOUCHED_CHAIN, NFTA_CHAIN_NAME, TOUCH_DELETED };
		return true;
	case NFT_MSG_NEWRULE:
		*ret = (struct message){ TOUCHED_CHAIN, NFTA_RULE_CHAIN, TOUCH_ADDED_TO };
		return true;
	case NFT_MSG_DELRULE:
		*ret = (struct message){ TOUCHED_CHAIN, NFTA_RULE_CHAIN, TOUCH_REMOVED_FROM };
		return true;
	case NFT_MSG_NEWSET:
		*ret = (struct message){ TOUCHED_SET, NFTA_SET_NAME, TOUCH_DECLARED };
		return true;
	case NFT_MSG_DELSET:
		*ret = (struct message){ TOUCHED_SET, NFTA_SET_NAME, TOUCH_DELETED };
		return true;
	case NFT_MSG_NEWSETELEM:
		*ret = (struct message){ TOUCHED_SET, NFTA_SET_ELEM_LIST_SET, TOUCH_ADDED_TO };
		return true;
	case NFT_MSG_DELSETELEM:
		*ret = (struct message){ TOUCHED_SET, NFTA_SET_ELEM_LIST_SET, TOUCH_REMOVED_FROM };
		return true;
	case NFT_MSG_NEWOBJ:
		*ret = (struct message){ TOUCHED_OTHER, NFTA_OBJ_NAME, TOUCH_DECLARED };
		return true;
	case NFT_MSG_DELOBJ:
		*ret = (struct message){ TOUCHED_OTHER, NFTA_OBJ_NAME, TOUCH_DELETED };
		return true;
	case NFT_MSG_NEWFLOWTABLE:
		*ret = (struct message){ TOUCHED_OTHER, NFTA_FLOWTABLE_NAME, TOUCH_DECLARED };
		return true;
	case NFT_MSG_DELFLOWTABLE:
		*ret = (struct message){ TOUCHED_OTHER, NFTA_FLOWTABLE_NAME, TOUCH_DELETED };
		return true;
	default:
		return false;
	}
}

static bool parse_change(struct nft_transaction *pending, const struct nlmsghdr *nlh, int type)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	bool of_table = type == NFT_MSG_NEWTABLE || type == NFT_MSG_DELTABLE;
	const char *table, *name;
	struct message message = { 0 };
	enum watched watched;
	struct attrs a;

	if (!of_table && !classify(type, &message))
		return true; /* answers to requests, and what the future brings */
	a = attrs_of_message(nlh);
	table = get_name(a.at[TABLE_ATTR]);
	if (!table)
		return false;
	if (!watched_table(nfg->nfgen_family, table, &watched))
		return true;
	if (of_table) {
		pending->tables[watched] |=
			type == NFT_MSG_NEWTABLE ? TOUCH_DECLARED : TOUCH_DELETED;
		return true;
	}
	name = get_name(a.at[message.name]);
	if (name && is_watched(watched, message.kind, name))
		touch(pending, watched, message.kind, name, message.how);
	return name != NULL;
}

/* Processes choose their names. */
static void set_process(struct nft_transaction *t, const char *name)
{
	size_t i = 0;

	for (; name && name[i] && i < PROCESS_NAME_SIZE - 1; i++)
		t->process[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	t->process[i] = '\0';
}

/* The generation message says who made a transaction, and ends it. */
static bool parse_generation(struct nft_transaction *pending, const struct nlmsghdr *nlh)
{
	struct attrs a = attrs_of_message(nlh);

	if (!get_u32(a.at[NFTA_GEN_ID], &pending->genid))
		return false;
	if (!get_u32(a.at[NFTA_GEN_PROC_PID], &pending->pid))
		pending->pid = 0;
	set_process(pending, get_name(a.at[NFTA_GEN_PROC_NAME]));
	pending->portid = nlh->nlmsg_pid;
	return true;
}

/* Not by assignment: the names are 16 KB. */
static void forget(struct nft_transaction *pending)
{
	memset(pending->tables, 0, sizeof(pending->tables));
	pending->n_touched = 0;
	pending->overflow = false;
}

bool nft_events_parse(struct nft_transaction *pending, const void *datagram, size_t len,
		      nft_transaction_fn on_transaction, void *data)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;

	for (; message_fits(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		int type = nlh->nlmsg_type & 0xff;

		if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
			return false;
		if (type != NFT_MSG_NEWGEN) {
			if (!parse_change(pending, nlh, type))
				return false;
			continue;
		}
		if (!parse_generation(pending, nlh))
			return false;
		on_transaction(data, pending);
		forget(pending);
	}
	return left <= 0; /* padding counts: the last message may lack it */
}

/* ------------------------------------------------------------------ the socket */

int nft_events_open(struct nft_events **ret_events, struct err *err)
{
	int size = RCVBUF_SIZE, group = NFNLGRP_NFTABLES;
	struct mnl_socket *socket;
	int r = netlink_open(SOCK_NONBLOCK, &socket, err);

	if (r < 0)
		return r;
	/* Without the privilege it stays small: losses are noticed, and we need the privilege for
	 * everything else. */
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		r = err_errno(err, errno, "listen to nf_tables");
		mnl_socket_close(socket);
		return r;
	}
	*ret_events = xcalloc(1, sizeof(**ret_events));
	(*ret_events)->socket = socket;
	return 0;
}

void nft_events_close(struct nft_events *events)
{
	if (!events)
		return;
	mnl_socket_close(events->socket);
	free(events);
}

int nft_events_fd(const struct nft_events *events)
{
	return mnl_socket_get_fd(events->socket);
}

/* ------------------------------------------------------------------ reading */

struct reading {
	struct nft_events *events;
	nft_transaction_fn on_transaction;
	void *data;
};

static void on_pending(void *data, const struct nft_transaction *transaction)
{
	struct reading *reading = data;
	struct nft_events *events = reading->events;
	uint32_t next = events->genid + 1;

	if (next == 0)
		next = 1; /* as the kernel does */
	if (events->genid != 0 && transaction->genid != next)
		events->lost = true;
	events->genid = transaction->genid;
	reading->on_transaction(reading->data, transaction);
}

static int on_datagram(void *data, const void *datagram, size_t len)
{
	struct reading *reading = data;
	struct nft_events *events = reading->events;

	if (!nft_events_parse(&events->pending, datagram, len, on_pending, reading))
		events->lost = true;
	return 1;
}

int nft_events_read(struct nft_events *events, nft_transaction_fn on_transaction, void *data,
		    struct nft_events_state *ret_state, struct err *err)
{
	struct reading reading = { events, on_transaction, data };
	int r = netlink_read(events->socket, events->datagram, sizeof(events->datagram), READ_MAX,
			     on_datagram, &reading, &events->lost);

	if (r < 0)
		return err_errno(err, -r, "read what happens to nf_tables");
	*ret_state = (struct nft_events_state){ .lost = events->lost, .more = r > 0 };
	if (r == 0 && events->lost) {
		/* We may have a part of a transaction; the comparison will see all of it. */
		forget(&events->pending);
		events->genid = 0;
		events->lost = false;
	}
	return 0;
}
