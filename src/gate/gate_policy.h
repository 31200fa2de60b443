/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy that the gate works by: the daemon's document, read whole or not at all, and one table of names for all
 * networks. Pure.
 */
#ifndef DOCKSIDE_GATE_GATE_POLICY_H
#define DOCKSIDE_GATE_GATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/addr.h"
#include "dockside/base/arena.h"
#include "dockside/base/diag.h"
#include "dockside/names/gate.h"
#include "dockside/system/dns_upstream.h"
#include "gate_map.h"

#define GATE_POLICY_BYTES_MAX (64u << 20)
#define GATE_UPSTREAM_MAX DNS_UPSTREAM_SERVERS_MAX
#define GATE_BRIDGE_MAX 15u
#define GATE_MATCH_MAX 64u /* lists of a network that one name may be in */

/* Names that one set of the kernel, or none, is for. */
struct gate_list {
	uint16_t slot;	   /* 0: they are answered, and open nothing */
	uint64_t identity; /* the same for the same set in two policies; see gate_policy.c */
};

struct gate_network {
	const char *name, *bridge;
	uint32_t *lists; /* indices, ascending */
	size_t n_lists;
	uint64_t *list_bits; /* the same as bits */
	bool ipv6, audit;
	uint32_t life_s; /* of an element of the kernel's sets */
	uint32_t types;	 /* gate_type_bit() */
	struct prefix *privates;
	size_t n_privates;
	uint32_t size; /* addresses that it may have open */
};

struct gate_policy {
	const char *document; /* which it was read from */
	size_t document_len;
	const char *generation;
	uint32_t tag; /* comes with what is told; 0: the document has none */
	struct dns_upstream_conf upstream;
	struct gate_list *lists;
	size_t n_lists;
	struct gate_network *networks; /* by bridge, ascending */
	size_t n_networks;
	struct gate_map names; /* gate_table.c's */
	unsigned max_base;     /* labels of the longest B of *.B */
	struct arena arena;
};

/* Reads a document. Returns the policy, gate_policy_free() when done; or NULL, with what is wrong in diags. */
struct gate_policy *gate_policy_parse(const struct src *src, struct diags *diags);
void gate_policy_free(struct gate_policy *policy);
/* NULL: there is none. */
const struct gate_network *gate_policy_network(const struct gate_policy *policy,
					       const char *bridge);
/* The slot of the list with an identity, and the identity of the one with a slot; 0: it has none such. */
uint16_t gate_policy_slot(const struct gate_policy *policy, uint64_t identity);
uint64_t gate_policy_identity(const struct gate_policy *policy, uint16_t slot);

/* ---- the table of names ---- */

/* Adds a name ("a.example") or pattern ("*.a.example") to a list. False: it is neither. */
bool gate_table_add(struct gate_policy *policy, const char *text, uint32_t list);

struct gate_match {
	bool allowed;  /* the network may ask for it */
	bool exact;    /* by its name, not by a pattern alone */
	bool overflow; /* it is in more lists than fit: open nothing */
	size_t n;
	uint32_t lists[GATE_MATCH_MAX]; /* those with a slot */
};

/* Finds the lists of a network that a name is in. */
void gate_table_match(const struct gate_policy *policy, const struct gate_network *network,
		      const struct dns_name *name, struct gate_match *ret_match);

#endif
