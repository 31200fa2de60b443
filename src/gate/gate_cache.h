/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of name servers, for all networks. Bounded: the entries that were not used for longest go first. An entry
 * stays when its time is over, as a sign that its name was asked before. Pure.
 */
#ifndef DOCKSIDE_GATE_GATE_CACHE_H
#define DOCKSIDE_GATE_GATE_CACHE_H

#include <sys/queue.h>

#include "dockside/base/addr.h"
#include "dockside/system/dns_message.h"
#include "gate_told.h"

#define GATE_CACHE_ENTRIES_MAX 100000u
#define GATE_CACHE_BYTES_MAX (48u << 20)

enum gate_outcome {
	GATE_ADDRESSES,
	GATE_RECORDS, /* of other types */
	GATE_NO_DATA,
	GATE_NO_NAME,
	GATE_FAILED,
};

struct gate_entry {
	struct gate_node node;
	TAILQ_ENTRY(gate_entry) entry;
	uint64_t expires_ms;
	uint64_t serial; /* another one with each answer */
	uint32_t rotation;
	uint16_t type;
	uint8_t outcome; /* enum gate_outcome */
	uint8_t name_len;
	uint16_t n_addrs;
	uint32_t len;		   /* of data */
	uint8_t *data;		   /* addresses, or records as in gate_records.h; owned */
	struct gate_told_all told; /* of the last network that asked */
	uint8_t name[];
};

TAILQ_HEAD(gate_entries, gate_entry);

struct gate_cache {
	struct gate_map map;
	struct gate_entries used; /* the longest unused first */
	size_t bytes, bytes_max, n_max;
	uint64_t serials;
};

void gate_cache_init(struct gate_cache *cache);
void gate_cache_free(struct gate_cache *cache);

/* An entry, perhaps of the past; NULL: there is none. It is now the last used one. */
struct gate_entry *gate_cache_find(struct gate_cache *cache, const struct dns_name *name,
				   unsigned type);
/* Makes an entry, or replaces it; data are copied. Returns it, borrowed until the next call. */
struct gate_entry *gate_cache_put(struct gate_cache *cache, const struct dns_name *name,
				  unsigned type, enum gate_outcome outcome, const void *data,
				  size_t len, size_t n_addrs, uint64_t expires_ms);
/* The i-th address of GATE_ADDRESSES, i < n_addrs. */
struct ipaddr gate_entry_addr(const struct gate_entry *entry, size_t i);

#endif
