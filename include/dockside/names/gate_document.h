/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy of the DNS gate, as a text: what it answers to whom, and which slot of the kernel's map `dns-tell` opens
 * the addresses. One JSON object:
 *
 *   version     1
 *   generation  a hash of everything else, by which the gate says what it has taken
 *   tag         goes to the kernel with each address, and says whose it is (enforce/told.h); none: nobody knows
 *   upstream    addresses of name servers, at most 8
 *   lists       objects: slot (0: its names are answered and open nothing); set (of others: what its sets are called, by
 *               which the gate knows the list in another document); names ("api.example", "*.example.com")
 *   networks    objects: name, bridge; lists (places in "lists", from 0); ipv6 (whether AAAA is answered); life (seconds
 *               that an address stays open after its last answer or use); types (record types besides A and AAAA);
 *               private (networks whose addresses answers may have, though no answer else may); size (so many addresses
 *               it may open at a time); audit (everything is answered, nothing opened)
 *
 * Names are in lower case, without a dot at the end. Networks of which nobody knows the bridge yet are left out. Pure.
 */
#ifndef DOCKSIDE_NAMES_GATE_DOCUMENT_H
#define DOCKSIDE_NAMES_GATE_DOCUMENT_H

#include "dockside/base/buf.h"
#include "dockside/names/gate_lists.h"

#define GATE_DOCUMENT_VERSION 1
#define GATE_UPSTREAM_MAX 8
#define GATE_NETWORK_MAX \
	65536 /* addresses that a network may have open, where there is room for all */

#define GATE_GENERATION_SIZE 17

/* Appends the document of a policy. tag: 0: it has none. host_upstream: the host's own name servers, for a policy that names
 * none. The generation is copied to ret_generation, unless that is NULL. */
void gate_document_write(const struct policy *policy, uint32_t tag,
			 const struct ipaddr *host_upstream, size_t n_host_upstream,
			 struct buf *ret_text, char ret_generation[GATE_GENERATION_SIZE]);

#endif
