/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A container that may administer its network (CAP_NET_ADMIN) can give its interface any MAC address, also that of
 * another container, and the kernel then tells us that one. It must not become the other by that, nor keep the other from
 * being known.
 *
 * Docker gives the MAC address before it sets the container's end up, and does both before the container's first process
 * runs. So a port has, for as long as it exists, the MAC address that was at its other end when it came up; what the
 * container changes later is not looked at. A port is known when that MAC address is one that Docker gave, asked after the
 * port came up (an older word may be about the container as it was before its restart), to one container on the
 * network, and if no other port claims the same.
 *
 * That leaves the container that had changed its MAC address before we looked for the first time: because the daemon did
 * not run, or was late.
 * - While the other container runs, both ports claim one MAC address, and neither is known.
 * - While it does not, Docker has given that MAC address to nobody. A port that has it then has it too early, and never
 *   becomes known, nor does it contest the other container's port: when that one starts, Docker gives it its MAC
 *   address before the port has it. A port that was known before is spared that: Docker may forget for a moment
 *   whom it knew, as when it restarts.
 * - Just when it starts, after Docker has named it and before its own port is up, the port would be taken for its. That
 *   lasts until the port is up; then they contest, and a port that was contested has to be confirmed anew.
 *
 * Two others have a word where Docker has none yet. An earlier run left the ports that it knew in the kernel's sets
 * (ports_seed()): they begin as if it had gone on. And the configuration has the dockside container's addresses, which
 * make the only port with its MAC address known until Docker says whose that is. Once Docker has answered, the
 * configuration has no word on ports that come up later.
 */
#include "ports_history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/sorted.h"
#include "dockside/base/util.h"

/* ---- who claims what ---- */

/* A MAC address on a bridge: of a port, or of a container. */
struct claim {
	const char *bridge;
	const uint8_t *mac;
	const struct port_owner *owner; /* of a container */
};

struct claims {
	struct claim *items;
	size_t n;
};

static int cmp_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = strcmp(x->bridge, y->bridge);

	return r != 0 ? r : memcmp(x->mac, y->mac, 6);
}

static void sort_claims(struct claims *claims)
{
	if (claims->n > 0)
		qsort(claims->items, claims->n, sizeof(*claims->items), cmp_claim);
}

/* Returns their number and, if that is not 0, the first. */
static size_t find_claims(const struct claims *claims, const struct claim *key,
			  const struct claim **ret_first)
{
	struct sorted_array array = SORTED_ARRAY(claims->items, claims->n);
	size_t begin = sorted_before(&array, key, cmp_claim);

	*ret_first = &claims->items[begin];
	return sorted_up_to(&array, key, cmp_claim) - begin;
}

static struct claims owners_of(const struct port_word *words, size_t n_words)
{
	struct claims owners = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < n_words; i++)
		n += words[i].n;
	owners.items = xcalloc(n + 1, sizeof(*owners.items));
	for (size_t i = 0; i < n_words; i++)
		for (size_t k = 0; k < words[i].n; k++)
			owners.items[owners.n++] =
				(struct claim){ words[i].bridge, words[i].owners[k].mac,
						&words[i].owners[k] };
	sort_claims(&owners);
	return owners;
}

/* ---- the join ---- */

struct join {
	const struct port_links *links;
	const struct port_word **words; /* by link; NULL: of no bridge that is asked for */
	struct port_record **records;	/* by link */
	struct claims owners, claimants;
};

static int cmp_words(const void *a, const void *b)
{
	const struct port_word *const *x = a, *const *y = b;

	return strcmp((*x)->bridge, (*y)->bridge);
}

static int cmp_bridge(const void *bridge, const void *word)
{
	return strcmp(bridge, (*(const struct port_word *const *)word)->bridge);
}

/* For each link, its record, and the word of its bridge. */
static void find_each(struct join *join, const struct ports_history *history,
		      const struct port_word *words, size_t n_words)
{
	const struct port_word **sorted = xcalloc(n_words + 1, sizeof(*sorted));

	for (size_t i = 0; i < n_words; i++)
		sorted[i] = &words[i];
	qsort(sorted, n_words, sizeof(*sorted), cmp_words);
	for (size_t i = 0; i < join->links->n; i++) {
		const struct port_link *link = &join->links->items[i];
		const struct port_word **word =
			bsearch(link->bridge, sorted, n_words, sizeof(*sorted), cmp_bridge);

		join->words[i] = word ? *word : NULL;
		join->records[i] = ports_history_record(history, link->index);
	}
	free(sorted);
}

static struct claim claim_of(const struct join *join, size_t i)
{
	return (struct claim){ join->links->items[i].bridge, join->records[i]->mac, NULL };
}

/* Ports that have a MAC address, though Docker has given it to nobody. */
static void mark_early(struct join *join)
{
	for (size_t i = 0; i < join->links->n; i++) {
		struct port_record *record = join->records[i];
		struct claim key = claim_of(join, i);
		const struct claim *owner;

		if (join->words[i] && record->has_mac && !record->confirmed &&
		    join->words[i]->at > record->at &&
		    find_claims(&join->owners, &key, &owner) == 0)
			record->early = true;
	}
}

static void collect_claimants(struct join *join)
{
	join->claimants.items = xcalloc(join->links->n + 1, sizeof(*join->claimants.items));
	for (size_t i = 0; i < join->links->n; i++)
		if (join->words[i] && join->records[i]->has_mac && !join->records[i]->early)
			join->claimants.items[join->claimants.n++] = claim_of(join, i);
	sort_claims(&join->claimants);
}

/* The port that remains of several has to be confirmed by a word of Docker's that was asked when the others had gone. */
static void mark_contested(struct join *join)
{
	for (size_t i = 0; i < join->links->n; i++) {
		struct port_record *record = join->records[i];
		struct claim key = claim_of(join, i);
		const struct claim *first;
		bool contested = join->words[i] && record->has_mac && !record->early &&
				 find_claims(&join->claimants, &key, &first) > 1;

		if (contested) {
			record->confirmed = record->configured = false;
			port_record_forget_seed(record);
		} else if (record->contested)
			record->at = join->links->at;
		record->contested = contested;
	}
}

/* Whether Docker has not answered a question about the port as it is now. */
static bool is_silent(const struct port_word *word, const struct port_record *record)
{
	return word->at == 0 || (!record->confirmed && word->at <= record->at);
}

/* While Docker does not say who is on the port, an earlier run or the configuration may. */
static enum port_doubt doubt_without_docker(const struct port_word *word,
					    const struct port_record *record,
					    const struct port_owner **ret_owner)
{
	const struct port_owner *configured = word->configured;

	if (record->seed && word->at == 0) {
		*ret_owner = record->seed;
		return PORT_NO_DOUBT;
	}
	if (!configured || memcmp(configured->mac, record->mac, sizeof(record->mac)) != 0 ||
	    (word->at != 0 && !record->configured))
		return PORT_NOT_ASKED;
	if (record->contested)
		return PORT_CONTESTED;
	if (configured->n_addrs == 0)
		return PORT_NOT_ASKED;
	*ret_owner = configured;
	return PORT_NO_DOUBT;
}

/* Why the container of a link is not known; *ret_owner is set where it is. */
static enum port_doubt doubt_of(const struct join *join, size_t i,
				const struct port_owner **ret_owner)
{
	const struct port_record *record = join->records[i];
	struct claim key = claim_of(join, i);
	const struct claim *owner;
	size_t n_owners;

	if (!join->words[i])
		return PORT_UNMANAGED;
	if (!join->links->items[i].peer)
		return PORT_NO_PEER;
	if (!record->has_mac)
		return PORT_DOWN;
	if (is_silent(join->words[i], record))
		return doubt_without_docker(join->words[i], record, ret_owner);
	n_owners = find_claims(&join->owners, &key, &owner);
	if (n_owners == 0)
		return PORT_NOT_DOCKER;
	if (record->early)
		return PORT_TOO_EARLY;
	if (n_owners > 1)
		return PORT_SHARED;
	if (record->contested)
		return PORT_CONTESTED;
	if (owner->owner->n_addrs == 0)
		return PORT_NO_ADDRESS;
	*ret_owner = owner->owner;
	return PORT_NO_DOUBT;
}

static void add_port(const struct join *join, size_t i, struct ports *ports)
{
	const struct port_link *link = &join->links->items[i];
	struct port_record *record = join->records[i];
	const struct port_owner *owner = NULL;
	struct port *port = ports_add(ports);

	memcpy(port->name, link->name, sizeof(port->name));
	memcpy(port->bridge, link->bridge, sizeof(port->bridge));
	port->has_mac = record->has_mac;
	memcpy(port->mac, record->mac, sizeof(port->mac));
	port->doubt = doubt_of(join, i, &owner);
	if (join->words[i] && join->words[i]->at != 0)
		port_record_forget_seed(record);
	if (!owner)
		return;
	assert(join->words[i]);
	port->provisional = is_silent(join->words[i], record);
	if (port->provisional)
		record->configured = owner == join->words[i]->configured;
	else
		record->confirmed = true;
	port->known = true;
	port->container = xstrdup(owner->container);
	port->addrs = xcalloc(owner->n_addrs, sizeof(*port->addrs));
	port->n_addrs = owner->n_addrs;
	memcpy(port->addrs, owner->addrs, owner->n_addrs * sizeof(*port->addrs));
}

static void tell_answered(const struct port_word *words, size_t n_words, struct ports *ports)
{
	ports->answered = xcalloc(n_words + 1, sizeof(*ports->answered));
	for (size_t i = 0; i < n_words; i++)
		if (words[i].at != 0)
			memcpy(ports->answered[ports->n_answered++], words[i].bridge,
			       sizeof(*ports->answered));
}

void ports_join(struct ports_history *history, const struct port_links *links,
		const struct port_word *words, size_t n_words, struct ports *ret_ports)
{
	struct join join = {
		.links = links,
		.words = xcalloc(links->n + 1, sizeof(*join.words)),
		.records = xcalloc(links->n + 1, sizeof(*join.records)),
		.owners = owners_of(words, n_words),
	};
	struct ports ports = { .asked = true };

	ports_history_update(history, links);
	find_each(&join, history, words, n_words);
	mark_early(&join);
	collect_claimants(&join);
	mark_contested(&join);
	for (size_t i = 0; i < links->n; i++)
		add_port(&join, i, &ports);
	ports_sort(&ports);
	tell_answered(words, n_words, &ports);
	free(join.words);
	free(join.records);
	free(join.owners.items);
	free(join.claimants.items);
	*ret_ports = ports;
}

/* ---- for people ---- */

static const char *const doubt_texts[] = {
	[PORT_NO_DOUBT] = "",
	[PORT_UNMANAGED] = "its bridge is no network's of the configuration",
	[PORT_NO_PEER] = "it does not lead to a container's network namespace",
	[PORT_DOWN] = "its other end has not been up yet",
	[PORT_NOT_ASKED] = "Docker has not answered since it came up",
	[PORT_NOT_DOCKER] = "Docker gave its MAC address to no container of the network",
	[PORT_TOO_EARLY] = "it had its MAC address before Docker gave that to a container",
	[PORT_SHARED] = "Docker gave its MAC address to several containers of the network",
	[PORT_CONTESTED] = "another port has the same MAC address",
	[PORT_NO_ADDRESS] = "Docker gave its container no address",
};
static_assert(ARRAY_SIZE(doubt_texts) == PORT_NO_ADDRESS + 1, "a text for each doubt");

const char *port_doubt_text(enum port_doubt doubt)
{
	return doubt_texts[doubt];
}
