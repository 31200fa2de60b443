/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what the kernel holds of our tables, by netlink dumps (libmnl, libnftnl). */
#ifndef DOCKSIDE_KERNEL_NFT_READ_H
#define DOCKSIDE_KERNEL_NFT_READ_H

#include "dockside/base/err.h"
#include "dockside/table/actual.h"
#include "dockside/table/rule_text.h"

/* A netlink socket of its own; nothing here writes to the kernel. */
struct nft_reader;

/* Returns 0 or -errno. */
int nft_reader_open(struct nft_reader **ret_reader, struct err *err);
void nft_reader_close(struct nft_reader *reader);

/*
 * Reads a whole table, all of it at one generation of the ruleset: begins again when somebody
 * changes the ruleset meanwhile. A missing table is no error. Returns 0 or -errno.
 */
int nft_read_table(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		   struct err *err);
/* Reads both at one generation; by enum table_family. Returns 0 or -errno. */
int nft_read_tables(struct nft_reader *reader, struct actual ret_tables[N_TABLES], struct err *err);

/* Reads a table's objects alone, which are few. A missing table has none. Returns 0 or -errno. */
int nft_read_objects(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		     struct err *err);

/* The same of its sets, and of TAGS_SET its elements as well. */
int nft_read_sets(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		  struct err *err);

/*
 * Reads the rules of these chains again, and after them the generation. If that is the one that the
 * caller expects, all of actual is from one state of the kernel. Returns 0 or -errno.
 */
int nft_read_chains(struct nft_reader *reader, const char *const *names, size_t n,
		    struct actual *actual, struct err *err);

/*
 * Reads the rules of these chains alone, for their counters; each as it is at its own moment. The table's other parts are
 * left out, and chains without rules or that the kernel does not have. Returns 0 or -errno, -EINTR if somebody changes
 * the ruleset meanwhile.
 */
int nft_read_rules(struct nft_reader *reader, enum table_family family, const char *const *names,
		   size_t n, struct actual *ret_actual, struct err *err);

/* The ruleset's generation (NFT_MSG_GETGEN), which each commit of anybody raises by one. */
int nft_read_genid(struct nft_reader *reader, uint32_t *ret_genid, struct err *err);

/* The expressions of each rule of a chain of one of our tables, as libnftnl prints them. */
int nft_read_expressions(struct nft_reader *reader, enum table_family family, const char *chain,
			 struct rule_texts *ret_texts, struct err *err);

#endif
