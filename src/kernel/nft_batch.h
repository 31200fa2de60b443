/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables transactions as netlink datagrams (libmnl), and the
 * kernel's answers.
 */
#ifndef DOCKSIDE_KERNEL_NFT_BATCH_H
#define DOCKSIDE_KERNEL_NFT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/err.h"

struct err;
struct nft_batch;
struct nlmsghdr;

int nft_batch_open(struct nft_batch **ret_batch, struct err *err);
void nft_batch_close(struct nft_batch *batch);
uint32_t nft_batch_portid(const struct nft_batch *batch);

/* Begins a datagram: a transaction, or a request by itself. */
void nft_batch_begin(struct nft_batch *batch);
void nft_batch_begin_request(struct nft_batch *batch);
/*
 * A message with its headers (family NFPROTO_*) at the end, and room for more bytes: libmnl's functions
 * add attributes without looking. The pointer lasts until nft_batch_end_message(), which follows.
 * Errors remind of seq; 0 stands for the transaction as such.
 */
struct nlmsghdr *nft_batch_put(struct nft_batch *batch, uint8_t family, int type, int flags,
			       uint32_t seq, size_t room);
void nft_batch_end_message(struct nft_batch *batch, const struct nlmsghdr *nlh);

struct batch_answers {
	int error;	 /* errno value of the first message that was refused, or 0 */
	uint32_t seq;	 /* of that message; 0: the transaction as such */
	bool has_offset; /* whether the kernel says which part of that message */
	uint32_t offset; /* of that part, in bytes from the message's header */
	bool done;	 /* all of it was accepted */
	bool lost;	 /* answers were */
};

/* An answer that is no error. */
typedef void (*nft_batch_fn)(void *data, const struct nlmsghdr *nlh);

/*
 * Sends what was put, once (a transaction is closed first), and reads all answers. Returns 0 when
 * the kernel accepted it or refused a message (ret_answers->error); else -errno: it could not be
 * sent, or, -ENOBUFS, the answers were lost and it may have happened. on_message may be NULL.
 */
int nft_batch_send(struct nft_batch *batch, nft_batch_fn on_message, void *data,
		   struct batch_answers *ret_answers);

/* The message sent with that number, until the next begin; NULL if there is none. */
const struct nlmsghdr *nft_batch_find(const struct nft_batch *batch, uint32_t seq);
/* Gives back the memory of an uncommonly large datagram. */
void nft_batch_shrink(struct nft_batch *batch);

#endif
