/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of the tables' hash sets and maps, many in one transaction (libnftnl, libmnl). */
#ifndef DOCKSIDE_KERNEL_NFT_SETS_H
#define DOCKSIDE_KERNEL_NFT_SETS_H

#include "dockside/base/err.h"
#include "dockside/table/plan.h"

#define SET_OPS_MAX (1u << 17) /* in one call; netlink wants up to 720 bytes for each at once */

/* The way in which an element that is there gets a new timeout. */
enum renewal {
	RENEWAL_PROBE,	  /* nft_sets_open() finds out */
	RENEWAL_IN_PLACE, /* Linux 6.12 and later: the element stays, comment and counter included */
	RENEWAL_REPLACE,  /* any kernel: another element takes its place in the same transaction */
};

enum set_op_kind {
	/* In the set with this timeout and comment; it replaces the element that was there, and a
	 * counter begins at 0. */
	SET_OP_PRESENT,
	/*
	 * In the set with this timeout from now on (0: for good). With RENEWAL_IN_PLACE an element
	 * that is there keeps its comment and counter; otherwise as SET_OP_PRESENT.
	 */
	SET_OP_RENEW,
	/* Not in the set; no error where it was not. */
	SET_OP_ABSENT,
};

/*
 * Set and element are borrowed. The type is any but SET_PORTS, the set has no intervals, and for a timeout it has
 * `flags timeout`. Of the element, key, data, target, timeout_ms and comment count. A map's key that is there with other data is an error (EEXIST) for each kind,
 * SET_OP_ABSENT included: to change it, precede SET_OP_PRESENT by SET_OP_ABSENT with the old data.
 */
struct set_op {
	enum table_family table;
	const char *set;
	enum set_type type;
	enum set_op_kind kind;
	struct elem elem;
};

/* A netlink socket of its own, kept, by whose port number events tell our transactions from others.
 * The kernel does its part within a call: nothing is ever left to be read. */
struct nft_sets;

/*
 * With RENEWAL_PROBE, three short transactions on a scratch table (inet dockside-probe-N) find out
 * what this kernel does; the table is gone afterwards, also when the process dies half-way. Returns
 * 0 or -errno.
 */
int nft_sets_open(struct nft_sets **ret_sets, enum renewal renewal, struct err *err);
void nft_sets_close(struct nft_sets *sets);

/* RENEWAL_IN_PLACE or RENEWAL_REPLACE. */
enum renewal nft_sets_renewal(const struct nft_sets *sets);

/*
 * Does all n operations, in their order, in one transaction: all of them or, on any error, none.
 * Returns 0 or -errno with the set and the element that the kernel refused. -ENOBUFS: the kernel's
 * answers were lost several times over, it may have happened. Operations can be repeated.
 */
int nft_sets_commit(struct nft_sets *sets, const struct set_op *ops, size_t n, struct err *err);
/* The same for any number, in as few transactions as there can be; after an error those before are done. */
int nft_sets_commit_all(struct nft_sets *sets, const struct set_op *ops, size_t n, struct err *err);

/* The port number of the socket, which is the sender's in events. */
uint32_t nft_sets_portid(const struct nft_sets *sets);

#endif
