/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows changes of nf_tables (libmnl): the kernel's notifications, summed up to one
 * struct per transaction. Summaries are bounded, however much a transaction changes.
 */
#ifndef DOCKSIDE_KERNEL_NFT_EVENTS_H
#define DOCKSIDE_KERNEL_NFT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/err.h"

struct err;

#define TOUCHED_MAX 64
#define TOUCHED_NAME_SIZE 256 /* with the NUL: the kernel's own limit */
#define PROCESS_NAME_SIZE 16  /* with the NUL: the kernel's own limit */

/* The tables that are watched. */
enum watched {
	WATCHED_DOCKSIDE, /* inet dockside: everything */
	WATCHED_FILTER4,  /* ip filter: the table, FORWARD, DOCKER-USER and DOCKSIDE-DISPATCH */
	WATCHED_FILTER6,  /* ip6 filter: likewise */
	WATCHED_BRIDGE,	  /* bridge dockside: everything */
};
#define N_WATCHED 4

/* Bits: what happened to a table, chain or set. */
enum touch {
	TOUCH_DECLARED = 1, /* made, or declared anew (policy, flags) */
	TOUCH_DELETED = 2,
	TOUCH_ADDED_TO = 4, /* rules of a chain, elements of a set */
	TOUCH_REMOVED_FROM = 8,
};

enum touched_kind {
	TOUCHED_CHAIN,
	TOUCHED_SET,   /* or map */
	TOUCHED_OTHER, /* object or flowtable */
};

struct touched {
	enum watched table;
	enum touched_kind kind;
	unsigned how;		      /* enum touch */
	char name[TOUCHED_NAME_SIZE]; /* as its maker chose it: any bytes but NUL */
};

struct nft_transaction {
	uint32_t genid;	 /* the generation that it made */
	uint32_t portid; /* of the netlink socket that it came from */
	uint32_t pid;	 /* of the process in the first pid namespace; 0 if unknown */
	char process[PROCESS_NAME_SIZE]; /* its name, printable ASCII, "" if unknown */
	unsigned tables[N_WATCHED];	 /* enum touch: what happened to the tables themselves */
	struct touched touched[TOUCHED_MAX]; /* each chain, set and so on once */
	size_t n_touched;
	bool overflow; /* there were more; the tables' own bits are complete nevertheless */
};

/* Told of each transaction, those that touch nothing of ours included; borrowed. */
typedef void (*nft_transaction_fn)(void *data, const struct nft_transaction *transaction);

struct nft_events;

/*
 * Returns 0 or -errno. From now on no transaction of anybody in this network namespace goes
 * unreported: open first, then read the tables.
 */
int nft_events_open(struct nft_events **ret_events, struct err *err);
void nft_events_close(struct nft_events *events);

/* For an event loop: readable when there is something for nft_events_read(). */
int nft_events_fd(const struct nft_events *events);

struct nft_events_state {
	/*
	 * Transactions went unreported, or partly so: compare everything. True in each read from
	 * the loss until we have read all that the kernel kept, that last read included: a
	 * comparison after it has seen all that was lost.
	 */
	bool lost;
	/* There may be more to read at once; the descriptor says so, too. */
	bool more;
};

/* Reads what there is, a few megabytes at most, without blocking. Returns 0 or -errno. */
int nft_events_read(struct nft_events *events, nft_transaction_fn on_transaction, void *data,
		    struct nft_events_state *ret_state, struct err *err);

/*
 * The parser by itself: one datagram, aligned as a struct nlmsghdr. *pending, zeroed before the
 * first, collects the touched objects until its transaction ends. Returns false if the datagram is
 * malformed; messages after the fault are lost.
 */
bool nft_events_parse(struct nft_transaction *pending, const void *datagram, size_t len,
		      nft_transaction_fn on_transaction, void *data);

#endif
