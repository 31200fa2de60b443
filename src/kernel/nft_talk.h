/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request, its answers (libmnl). */
#ifndef DOCKSIDE_KERNEL_NFT_TALK_H
#define DOCKSIDE_KERNEL_NFT_TALK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/err.h"
#include "dockside/table/plan.h"

struct err;

#define REQUEST_SIZE 1024 /* bytes; a request is two headers and two names */
#define DUMP_SIZE 32768	  /* bytes; netlink dumps fill up to this much at once, libmnl's advice */

struct nft_reader {
	struct mnl_socket *socket;
	uint32_t seq;
	char buf[DUMP_SIZE];
};

/* NFPROTO_* */
uint8_t table_nfproto(enum table_family family);

/* A socket to netfilter, bound; flags: SOCK_NONBLOCK, or 0. Returns 0 or -errno. */
int netlink_open(int flags, struct mnl_socket **ret_socket, struct err *err);

/* A datagram. Returns 1 to go on, 0 to stop, or -errno. */
typedef int (*netlink_fn)(void *data, const void *datagram, size_t len);
/*
 * Hands what has come on a socket with SOCK_NONBLOCK to fn, up to max datagrams. Sets *ret_lost where the kernel
 * could not queue some of it; what is in the queue comes all the same. Returns 1 where there may be more, 0
 * where there is none or fn has stopped, or -errno.
 */
int netlink_read(struct mnl_socket *socket, void *buf, size_t size, unsigned max, netlink_fn fn,
		 void *data, bool *ret_lost);

/* The headers of a request to nf_tables (NFT_MSG_*) in a zeroed buf of REQUEST_SIZE; family NFPROTO_*. */
struct nlmsghdr *nft_request(struct nft_reader *reader, char *buf, uint8_t family, int type,
			     uint16_t flags);
/*
 * Sends a request, which is a dump or asks to be acknowledged, and hands each answer to cb. Returns 0
 * or -errno; -EINTR for a dump under which something changed.
 */
int nft_talk(struct nft_reader *reader, const struct nlmsghdr *nlh, mnl_cb_t cb, void *data);

/* Reads by several dumps, afresh each time that it is called. Returns 0 or -errno. */
typedef int (*nft_read_fn)(struct nft_reader *reader, void *data);

/*
 * Calls read until all of it is of one generation of the ruleset: it begins again when somebody
 * commits meanwhile. what is read, for messages. Returns 0 or -errno.
 */
int nft_read_settled(struct nft_reader *reader, nft_read_fn read, void *data, const char *what,
		     uint32_t *ret_genid, struct err *err);

#endif
