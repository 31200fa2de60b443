/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripts into the kernel through libnftables. */
#ifndef DOCKSIDE_KERNEL_NFT_LOAD_H
#define DOCKSIDE_KERNEL_NFT_LOAD_H

#include "dockside/base/err.h"
#include "dockside/table/nft_text.h"

/* One libnftables context, used from start to end; dry runs have one of their own each. (To know:
 * nft_ctx_new() ends the process when it cannot open a netlink socket.) */
struct nft_loader;

void nft_loader_open(struct nft_loader **ret_loader);
void nft_loader_close(struct nft_loader *loader);

enum load_mode {
	LOAD_COMMIT,
	LOAD_CHECK, /* the kernel validates the transaction and forgets it; needs privileges too */
};

/* A rule that libnftables made of a script: its table and chain, and its expressions as libnftnl prints
 * them; borrowed. */
typedef void (*nft_rule_fn)(void *data, enum table_family family, const char *chain,
			    const char *text, size_t len);

/*
 * Runs a script as one transaction. LOAD_CHECK needs no loader. on_rule, unless NULL, is called with each rule of it. Returns 0, or
 * -errno with the kernel's (or nft's) first complaint and the config entry that it is about.
 */
int nft_load(struct nft_loader *loader, const struct script *script, enum load_mode mode,
	     nft_rule_fn on_rule, void *data, struct err *err);

/*
 * Whether the kernel can filter what a bridge forwards: has it validate a table with our base chains there, and forget
 * it. NULL: it can; or something else is wrong, which loading our own table will tell. Else what it said, for free().
 */
char *nft_probe_bridge(void);

/* Tells on_rule the rules of a chain of one of our tables as `nft list` prints them, in order. */
int nft_list_chain(struct nft_loader *loader, enum table_family family, const char *chain,
		   nft_rule_fn on_rule, void *data, struct err *err);

#endif
