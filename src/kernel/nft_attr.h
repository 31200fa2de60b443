/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink attributes of nf_tables
 * (linux/netfilter/nf_tables.h) to the structs of actual.h.
 */
#ifndef DOCKSIDE_KERNEL_NFT_ATTR_H
#define DOCKSIDE_KERNEL_NFT_ATTR_H

#include <libmnl/libmnl.h>

#include "dockside/base/arena.h"
#include "dockside/table/actual.h"

#define ATTRS_MAX 32

/* Attributes by type; NULL where there is none. */
struct attrs {
	const struct nlattr *at[ATTRS_MAX];
};

/* Whether a message is within the bytes that are left of a datagram. */
bool message_fits(const struct nlmsghdr *nlh, int left);
/* Those of a message after its nfgenmsg. */
struct attrs attrs_of_message(const struct nlmsghdr *nlh);
/* Those inside another. False for a malformed one, and for none (NULL). */
bool attrs_parse_nested(struct attrs *a, const struct nlattr *nest);
/* In the host's byte order; 0 where there is no attribute. */
uint32_t attr_u32(const struct nlattr *attr);
uint64_t attr_u64(const struct nlattr *attr);

/* libmnl's own loop does not pass -Wconversion. */
#define attr_for_each_nested(pos, nest)                                                  \
	for ((pos) = mnl_attr_get_payload(nest); mnl_attr_ok(pos, attr_left(nest, pos)); \
	     (pos) = mnl_attr_next(pos))
/* Bytes from pos to the end of nest. */
int attr_left(const struct nlattr *nest, const struct nlattr *pos);

/* Hook, priority, type and policy: fills base, hook and as_ours. */
void read_base_chain(enum table_family family, const struct attrs *a, struct actual_chain *chain);
/* Hash of a rule's expressions and user data. */
uint64_t hash_rule(const struct attrs *a);
/* Reads what its first counter has counted, and whether it accepts. */
void rule_counter(const struct attrs *a, struct actual_rule *rule);
/* Type, flags and comment. */
void read_set(const struct attrs *a, struct actual_set *set);
/* One element of a set of that type; *ret_end for the end of an interval. False if it can be none
 * of ours. */
bool read_elem(const struct nlattr *item, enum set_type type, struct arena *arena,
	       struct elem *ret_elem, bool *ret_end);
/* Reads a counter or a limit, but for its name. False for any other object. */
bool read_object(const struct attrs *a, struct actual_object *object);
/* nft's word for an object type (NFT_OBJECT_*) that read_object() does not take, or NULL. */
const char *object_word(uint32_t type);

/* The kernel gives the two ends of an interval as two elements, in any order. */
struct interval_reader {
	struct elem *starts, *ends;
	size_t n_starts, n_ends;
	size_t cap_starts, cap_ends;
};

void interval_add(struct interval_reader *reader, const struct elem *elem, bool end);
/* Moves the elements of the reader to the set, as ranges; the reader is empty afterwards. */
void interval_finish(struct interval_reader *reader, struct plan_set *set);
void interval_free(struct interval_reader *reader);

#endif
