/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that scripts are made of. */
#ifndef DOCKSIDE_TABLE_NFT_SCRIPT_H
#define DOCKSIDE_TABLE_NFT_SCRIPT_H

#include "dockside/base/buf.h"
#include "dockside/table/nft_text.h"

/* Ends the line that was being written, noting where it came from. */
void script_line(struct script *script, const struct origin *origin);

/* "comment "…"", or nothing. */
void text_comment(struct buf *b, const char *comment);
/* "type filter hook …", or NULL for a regular chain. */
const char *text_base_chain(enum base_hook hook);
/* "set" or "map". */
const char *text_set_word(const struct plan_set *set);
/* "counter" or "limit". */
const char *text_object_word(enum object_kind kind);
/* "{ rate 200/second burst 400 packets; }" */
void text_object_spec(struct buf *b, enum object_kind kind);
/* "type ipv4_addr; flags timeout; comment "…"" */
void text_set_spec(struct buf *b, const struct plan_set *set);
/* The first len bits of an IPv6 address as a number. */
void text_number(struct buf *b, const uint8_t *bytes, size_t len);
/* Writes the text that names an element in a `delete element`. */
void text_elem_key(struct buf *b, enum set_type type, const struct elem *elem);

#endif
