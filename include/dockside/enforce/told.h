/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes back what the DNS gate has told the kernel, where the gate itself cannot, and reads whose names' addresses the
 * kernel has. */
#ifndef DOCKSIDE_ENFORCE_TOLD_H
#define DOCKSIDE_ENFORCE_TOLD_H

#include <stdint.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/kernel/nft_load.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/names/gate_lost.h"
#include "dockside/table/actual.h"
#include "dockside/table/plan.h"

/* Whether a set of that name has what a gate tells, or the tags. */
bool told_is_set(const char *name);

/* Whether a table has such sets, and nothing that says whose addresses they have: it is of an older version. */
bool told_is_untagged(const struct actual *table);

/* The tag that a gate sends with the addresses of a policy's names; never 0, which stands for one that nobody knows. It is
 * the same for the same names, slots and "private", and another one after each start of the machine: somebody may load then
 * what he has kept of the rules, whose addresses are old. */
uint32_t told_tag(const struct policy *policy);

/* The marks of TAGS_SET, as the kernel has them. Zero-initialise; told_record_free(). */
struct told_record {
	uint32_t *marks;
	size_t n;
};

void told_record_of(const struct actual *table, struct told_record *ret_record);
/* Returns 0 or -errno. A table that is missing has written down nothing. */
int told_record_read(struct nft_reader *reader, struct told_record *ret_record, struct err *err);
void told_record_free(struct told_record *record);

/* The policies that the kernel has addresses of. */
enum told_of {
	TOLD_NOTHING, /* there are none */
	TOLD_NOW,     /* of the one with the tag now */
	TOLD_KNOWN,   /* of that one, and of the n others that have these tags */
	TOLD_OTHERS,  /* of more */
};
enum told_of told_of(const struct told_record *record, uint32_t now, const uint32_t *tags,
		     size_t n);

/*
 * Empties, in one transaction, the sets of each ipset that has lost a name: nobody knows which of their addresses go with
 * it. All sets, where a range has left "private" or a slot has moved. held: the names whose addresses they may have; NULL:
 * nobody knows, and all sets are emptied. Returns 0, 1 if sets were emptied, whose ipsets are appended to ret_what ("the
 * ipset web"), or -errno. If sets were emptied, told_note() is in the same transaction.
 */
int told_take_back(struct nft_loader *loader, const struct plan *plan, const struct policy *policy,
		   const struct told_record *record, const struct gate_past *held,
		   struct buf *ret_what, struct err *err);

/* Has the kernel write down the policy's tag in place of what was read; tags that have come since stay. Returns 0 or -errno. */
int told_note(struct nft_loader *loader, const struct plan *plan, const struct policy *policy,
	      const struct told_record *record, struct err *err);

#endif
