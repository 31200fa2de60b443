/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds who is on which port, from the kernel's word, which MAC address is at the other end, and Docker's, whose that is.
 * Pure.
 */
#ifndef DOCKSIDE_NAMES_PORTS_JOIN_H
#define DOCKSIDE_NAMES_PORTS_JOIN_H

#include "dockside/names/ports.h"

/*
 * The kernel and Docker are asked one after the other, again and again: `at` is a question's place in that order,
 * such as the time. The answer to a later question has a higher one, and no two have the same. 0: not asked.
 */

/* A port of a bridge, as the kernel has it. */
struct port_link {
	char name[16], bridge[16]; /* IFNAMSIZ */
	unsigned index;		   /* of the interface; the kernel gives none twice */
	bool peer;	/* it is a veth whose other end is in another network namespace */
	bool up;	/* and that end is up */
	bool has_mac;	/* that end was asked for, and is up */
	uint8_t mac[6]; /* of that end */
};

struct port_links {
	struct port_link *items;
	size_t n, cap;
	uint64_t at;
};

void port_links_free(struct port_links *links);

/* A container that is attached to a network, as Docker has it. */
struct port_owner {
	char *container;
	uint8_t mac[6];
	struct ipaddr addrs[2]; /* IPv4, IPv6 */
	size_t n_addrs;
};

/* Docker's word of who is attached to the network of a bridge. at 0: Docker has not answered yet. */
struct port_word {
	char bridge[16];
	/* The dockside container as it is configured, or NULL: counts until Docker has answered. */
	struct port_owner *configured;
	struct port_owner *owners;
	size_t n, cap;
	uint64_t at;
};

void port_word_free(struct port_word *word);

/* The memory of a port, for as long as that exists. */
struct port_record {
	unsigned index;
	bool has_mac;
	uint8_t mac[6];	 /* the first that its other end had when it came up */
	uint64_t at;	 /* when the kernel said so, or that nobody contests it any longer */
	bool confirmed;	 /* it was known, and nobody contested it since */
	bool contested;	 /* somebody does now */
	bool early;	 /* Docker, asked later, had given that MAC address to nobody */
	bool configured; /* it was known by the configuration, before Docker's first answer */
	struct port_owner *seed; /* who was on it in an earlier run, or NULL */
};

/* Sorted by index. Zero-initialise; ports_history_free(). */
struct ports_history {
	struct port_record *items;
	size_t n;
};

/* NULL: none is remembered. */
const struct port_record *ports_history_find(const struct ports_history *history, unsigned index);
void ports_history_free(struct ports_history *history);

/* A port that was known in an earlier run, which left the kernel's sets. */
struct port_seed {
	char name[16];
	struct port_owner owner;
};

/* Sorted by name. Zero-initialise; port_seeds_free(). */
struct port_seeds {
	struct port_seed *items;
	size_t n, cap;
};

void port_seeds_free(struct port_seeds *seeds);

/*
 * Has a history that is about to begin with `links` go on where an earlier run stopped: a port of a seed's name has the
 * seed's MAC address, whatever its other end has now, and its container, until Docker answers or another port contests it.
 */
void ports_seed(struct ports_history *history, const struct port_links *links,
		const struct port_seeds *seeds);

/*
 * The ports of all bridges; `words` has one word for each bridge that is a network's of the configuration. Reads and updates
 * the history, which begins empty or by ports_seed(), and of which ports that are gone leave. *ret_ports: ports_free().
 */
void ports_join(struct ports_history *history, const struct port_links *links,
		const struct port_word *words, size_t n_words, struct ports *ret_ports);

/* For people, "Docker has not been asked since"; "" for PORT_NO_DOUBT. */
const char *port_doubt_text(enum port_doubt doubt);

#endif
