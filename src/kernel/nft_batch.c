/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A transaction is one datagram: BATCH_BEGIN, messages, BATCH_END. The kernel judges it within
 * sendto(), so that its answers are in the socket's queue when sendto() returns: an error for each
 * bad message, and an acknowledgement of the last one because it asks for it. Nothing is waited for.
 *
 * The queue may be too small for a great many errors. The first ones are in it then, which is
 * enough; but where neither an error nor the acknowledgement came, the outcome is unknown.
 */
#include "nft_batch.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "nft_talk.h"

#define FRAME_SIZE 64u	     /* bytes; two headers */
#define ANSWER_SIZE 32768u   /* bytes; dumps fill up to this much at once, libmnl's advice */
#define KEEP_SIZE (1u << 20) /* bytes */
#define SNDBUF_SPARE 4096u   /* the kernel wants some for itself */

struct nft_batch {
	struct mnl_socket *socket;
	char *data; /* the datagram */
	size_t len;
	size_t cap;
	size_t last; /* where the last message begins */
	bool transaction;
	int sndbuf; /* what we asked for */
	alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
};

int nft_batch_open(struct nft_batch **ret_batch, struct err *err)
{
	struct mnl_socket *socket;
	int on = 1, r = netlink_open(SOCK_NONBLOCK, &socket, err);

	if (r < 0)
		return r;
	/* Errors with the place of the fault, and without a copy of the message. Kernels that know
	 * neither still tell the message. */
	(void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof(on));
	*ret_batch = xcalloc(1, sizeof(**ret_batch));
	(*ret_batch)->socket = socket;
	return 0;
}

void nft_batch_close(struct nft_batch *batch)
{
	if (!batch)
		return;
	mnl_socket_close(batch->socket);
	free(batch->data);
	free(batch);
}

uint32_t nft_batch_portid(const struct nft_batch *batch)
{
	return mnl_socket_get_portid(batch->socket);
}

/* ------------------------------------------------------------------ messages */

static struct nlmsghdr *put(struct nft_batch *batch, uint16_t type, int flags, uint32_t seq,
			    size_t room)
{
	struct nlmsghdr *nlh;

	room += FRAME_SIZE;
	if (batch->cap - batch->len < room) {
		batch->cap = 2 * (batch->len + room);
		batch->data = xreallocarray(batch->data, batch->cap, 1);
	}
	/* libmnl leaves padding as it is. */
	memset(batch->data + batch->len, 0, room);
	batch->last = batch->len;
	nlh = mnl_nlmsg_put_header(batch->data + batch->len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = seq;
	return nlh;
}

static void put_generic(struct nlmsghdr *nlh, uint8_t family, uint16_t resource)
{
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(resource);
}

static void put_frame(struct nft_batch *batch, uint16_t type)
{
	struct nlmsghdr *nlh = put(batch, type, 0, 0, 0);

	put_generic(nlh, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_batch_end_message(batch, nlh);
}

struct nlmsghdr *nft_batch_put(struct nft_batch *batch, uint8_t family, int type, int flags,
			       uint32_t seq, size_t room)
{
	struct nlmsghdr *nlh =
		put(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, seq, room);

	put_generic(nlh, family, 0);
	return nlh;
}

void nft_batch_end_message(struct nft_batch *batch, const struct nlmsghdr *nlh)
{
	batch->len += nlh->nlmsg_len;
	assert(batch->len <= batch->cap && batch->len % MNL_ALIGNTO == 0);
}

void nft_batch_begin_request(struct nft_batch *batch)
{
	batch->len = 0;
	batch->transaction = false;
}

void nft_batch_begin(struct nft_batch *batch)
{
	batch->len = 0;
	batch->transaction = true;
	put_frame(batch, NFNL_MSG_BATCH_BEGIN);
}

static struct nlmsghdr *message_at(const struct nft_batch *batch, size_t place)
{
	return (struct nlmsghdr *)(void *)(batch->data + place);
}

const struct nlmsghdr *nft_batch_find(const struct nft_batch *batch, uint32_t seq)
{
	const struct nlmsghdr *nlh = message_at(batch, 0);
	int left = (int)batch->len;

	for (; left > 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq == seq)
			return nlh;
	}
	return NULL;
}

void nft_batch_shrink(struct nft_batch *batch)
{
	if (batch->cap <= KEEP_SIZE)
		return;
	free(batch->data);
	batch->data = NULL;
	batch->len = batch->cap = 0;
}

/* ------------------------------------------------------------------ answers */

struct reading {
	struct batch_answers *answers;
	nft_batch_fn on_message;
	void *data;
};

static void read_offset(struct batch_answers *answers, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const char *tail = mnl_nlmsg_get_payload_tail(nlh);
	const struct nlattr *attr;
	size_t skip = sizeof(*e);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) /* the rest of the message comes before */
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	if (skip > mnl_nlmsg_get_payload_len(nlh))
		return;
	for (attr = mnl_nlmsg_get_payload_offset(nlh, skip);
	     mnl_attr_ok(attr, (int)(tail - (const char *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_OFFS ||
		    mnl_attr_get_payload_len(attr) < sizeof(uint32_t))
			continue;
		answers->has_offset = true;
		answers->offset = mnl_attr_get_u32(attr);
	}
}

static void on_error(struct batch_answers *answers, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
		answers->lost = true;
	} else if (e->error == 0) {
		answers->done = true;
	} else if (answers->error == 0) { /* what comes later may only follow from it */
		answers->error = abs(e->error);
		answers->seq = e->msg.nlmsg_seq;
		read_offset(answers, nlh);
	}
}

static void on_answer(const struct reading *reading, const struct nlmsghdr *nlh)
{
	struct batch_answers *answers = reading->answers;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		on_error(answers, nlh);
	} else if (nlh->nlmsg_type == NLMSG_DONE) { /* a dump's end */
		answers->done = true;
	} else if (reading->on_message) {
		reading->on_message(reading->data, nlh);
	}
}

static int on_answers(void *data, const void *datagram, size_t len)
{
	const struct nlmsghdr *nlh = datagram;

	for (int left = (int)len; left > 0 && mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left))
		on_answer(data, nlh);
	return 1;
}

/* A datagram has to fit the send buffer whole. If we cannot get so large a one, sending will fail
 * and say so. */
static void make_room(struct nft_batch *batch)
{
	int wanted = (int)(batch->len + SNDBUF_SPARE);

	if (batch->sndbuf >= wanted)
		return;
	if (setsockopt(mnl_socket_get_fd(batch->socket), SOL_SOCKET, SO_SNDBUFFORCE, &wanted,
		       sizeof(wanted)) == 0)
		batch->sndbuf = wanted;
}

int nft_batch_send(struct nft_batch *batch, nft_batch_fn on_message, void *data,
		   struct batch_answers *ret_answers)
{
	struct batch_answers answers = { 0 };
	struct reading reading = { &answers, on_message, data };
	int r;

	if (batch->transaction) {
		/* Not BATCH_END: kernels before 6.10 do not acknowledge that. */
		message_at(batch, batch->last)->nlmsg_flags |= NLM_F_ACK;
		put_frame(batch, NFNL_MSG_BATCH_END);
	}
	make_room(batch);
	if (mnl_socket_sendto(batch->socket, batch->data, batch->len) < 0)
		return -errno;
	/* All that are there, which is all that will come. */
	r = netlink_read(batch->socket, batch->answer, sizeof(batch->answer), UINT_MAX, on_answers,
			 &reading, &answers.lost);
	if (r < 0)
		return r;
	if (answers.error == 0 && (answers.lost || !answers.done))
		return -ENOBUFS;
	*ret_answers = answers;
	return 0;
}
