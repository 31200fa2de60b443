/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of ports, and its beginning where an earlier run left off. */
#include "ports_history.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

void port_links_free(struct port_links *links)
{
	free(links->items);
	*links = (struct port_links){ 0 };
}

static void free_owner(struct port_owner *owner)
{
	if (owner)
		free(owner->container);
	free(owner);
}

void port_word_free(struct port_word *word)
{
	for (size_t i = 0; i < word->n; i++)
		free(word->owners[i].container);
	free(word->owners);
	free_owner(word->configured);
	*word = (struct port_word){ 0 };
}

/* ---- the history ---- */

static int cmp_index(const void *key, const void *item)
{
	const unsigned *index = key;
	const struct port_record *record = item;

	return *index < record->index ? -1 : *index > record->index;
}

static int cmp_record(const void *a, const void *b)
{
	return cmp_index(&((const struct port_record *)a)->index, b);
}

struct port_record *ports_history_record(const struct ports_history *history, unsigned index)
{
	return history->n > 0 ? bsearch(&index, history->items, history->n, sizeof(*history->items),
					cmp_index)
			      : NULL;
}

const struct port_record *ports_history_find(const struct ports_history *history, unsigned index)
{
	return ports_history_record(history, index);
}

void ports_history_free(struct ports_history *history)
{
	for (size_t i = 0; i < history->n; i++)
		free_owner(history->items[i].seed);
	free(history->items);
	*history = (struct ports_history){ 0 };
}

void port_record_forget_seed(struct port_record *record)
{
	free_owner(record->seed);
	record->seed = NULL;
}

void ports_history_update(struct ports_history *history, const struct port_links *links)
{
	struct ports_history now = { xcalloc(links->n + 1, sizeof(*now.items)), links->n };

	for (size_t i = 0; i < links->n; i++) {
		const struct port_link *link = &links->items[i];
		struct port_record *before = ports_history_record(history, link->index);
		struct port_record *record = &now.items[i];

		*record = before ? *before : (struct port_record){ .index = link->index };
		if (before)
			before->seed = NULL; /* it has moved */
		if (record->has_mac || !link->has_mac)
			continue;
		record->has_mac = true;
		memcpy(record->mac, link->mac, sizeof(record->mac));
		record->at = links->at;
	}
	qsort(now.items, now.n, sizeof(*now.items), cmp_record);
	ports_history_free(history);
	*history = now;
}

/* ---- seeds ---- */

void port_seeds_free(struct port_seeds *seeds)
{
	for (size_t i = 0; i < seeds->n; i++)
		free(seeds->items[i].owner.container);
	free(seeds->items);
	*seeds = (struct port_seeds){ 0 };
}

static int cmp_name(const void *name, const void *seed)
{
	return strcmp(name, ((const struct port_seed *)seed)->name);
}

/*
 * Docker gives no name of a port twice, so it is the same port. Where its other end has another MAC address by now, its
 * container has changed that, and is bound to what it had, as it would be had we looked all the time.
 */
static void seed_record(struct port_record *record, const struct port_seed *seed, uint64_t at)
{
	record->has_mac = true;
	memcpy(record->mac, seed->owner.mac, sizeof(record->mac));
	record->at = at;
	record->confirmed = true;
	port_record_forget_seed(record);
	record->seed = xcalloc(1, sizeof(*record->seed));
	*record->seed = seed->owner;
	record->seed->container = xstrdup(seed->owner.container);
}

void ports_seed(struct ports_history *history, const struct port_links *links,
		const struct port_seeds *seeds)
{
	ports_history_update(history, links);
	for (size_t i = 0; seeds->n > 0 && i < links->n; i++) {
		const struct port_link *link = &links->items[i];
		const struct port_seed *seed = bsearch(link->name, seeds->items, seeds->n,
						       sizeof(*seeds->items), cmp_name);

		if (seed && link->peer)
			seed_record(ports_history_record(history, link->index), seed, links->at);
	}
}
