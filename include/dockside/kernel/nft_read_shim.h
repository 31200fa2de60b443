/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what the kernel holds of the tables of iptables-nft (libmnl), and the FORWARD policy. */
#ifndef DOCKSIDE_KERNEL_NFT_READ_SHIM_H
#define DOCKSIDE_KERNEL_NFT_READ_SHIM_H

#include "dockside/base/err.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/table/shim.h"

/*
 * Reads ip filter, ip6 filter and ip nat, all at one generation of the ruleset; tables that are
 * missing are no error. Returns 0 or -errno.
 */
int nft_read_shim(struct nft_reader *reader, struct shim_kernel *ret_actual, struct err *err);

/*
 * Changes the FORWARD policy of a filter table, with the rule or chain that goes with it, in one
 * transaction of its own: nft's language has no word for the match that iptables can print
 * (conntrack's state as an xt match). actual is the kernel's state after the shim was installed.
 * Returns 0 or -errno.
 */
int nft_set_forward(enum shim_table table, enum shim_forward forward,
		    const struct shim_kernel *actual, struct err *err);

#endif
