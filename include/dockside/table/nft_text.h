/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plan or changes to an nft script, as nft(8) reads it, and a line map, so that the kernel's
 * refusal of a line can name the config entry. The only place that quotes for nft.
 */
#ifndef DOCKSIDE_TABLE_NFT_TEXT_H
#define DOCKSIDE_TABLE_NFT_TEXT_H

#include "dockside/base/buf.h"
#include "dockside/table/diff.h"
#include "dockside/table/plan.h"
#include "dockside/table/shim.h"

/* Zero-initialise; script_free() when done. */
struct script {
	struct buf text;
	const char *table; /* table_text(): which the statements are about that are being added */
	const struct origin **lines; /* of line i + 1; borrowed from the plan; NULL: nobody's */
	size_t n_lines;
	size_t cap_lines;
};

/*
 * Adds the whole table to a script that loads on a host with an older one or none: it makes sure of the table
 * and the sets, empties them, and fills them, in one transaction. It cannot know the chains and
 * sets of networks that are gone: it leaves them behind, empty and without a way in. A plan without chains adds
 * nothing.
 */
void nft_text_plan(const struct plan *plan, struct script *script);
/* Adds what removes such a table of an older script, if there is one. */
void nft_text_no_table(enum table_family family, struct script *script);

/* Adds the changes to a script. */
void nft_text_changes(const struct changes *changes, struct script *script);

/* Adds the shim's operations to a script. */
void nft_text_shim(const struct shim_changes *changes, struct script *script);

/* Fills in the hash of each chain of the plan. */
void nft_text_hash(struct plan *plan);

/* One rule, one element, without newline. */
void nft_text_rule(struct buf *b, const struct plan_rule *rule);
void nft_text_elem(struct buf *b, enum set_type type, const struct elem *elem);

/* The entry that a 1-based line came from, or NULL. */
const struct origin *script_origin(const struct script *script, size_t line);
void script_free(struct script *script);

#endif
