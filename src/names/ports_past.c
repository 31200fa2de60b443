/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/ports_past.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

static int cmp_index(const void *a, const void *b)
{
	const struct port_past *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static struct port_past *find(const struct ports_past *past, unsigned index)
{
	const struct port_past key = { .index = index };

	return past->n > 0 ? bsearch(&key, past->items, past->n, sizeof(key), cmp_index) : NULL;
}

static bool is_young(const struct port_past *port, uint64_t now_ms)
{
	return !port->lost || now_ms - port->lost_ms < PORTS_PAST_KEEP_MS;
}

static void lose(struct port_past *port, uint64_t now_ms)
{
	if (!port->lost)
		port->lost_ms = now_ms;
	port->lost = true;
}

/* Makes the record of a port that is there. Moves its container from old, which may be NULL, if nobody is known there any more. */
static struct port_past take_link(const struct port_link *link, const struct port *port,
				  struct port_past *old, uint64_t now_ms)
{
	struct port_past now = { .index = link->index };

	memcpy(now.name, link->name, sizeof(now.name));
	memcpy(now.bridge, link->bridge, sizeof(now.bridge));
	if (port && port->known) {
		now.container = xstrdup(port->container);
	} else if (old && old->container) {
		lose(old, now_ms);
		if (!is_young(old, now_ms))
			return now;
		now.container = old->container;
		now.lost = true;
		now.lost_ms = old->lost_ms;
		old->container = NULL;
	}
	return now;
}

/* Moves those that have gone a short time ago. */
static void take_gone(struct ports_past *now, struct ports_past *before, size_t n_links,
		      uint64_t now_ms)
{
	const struct ports_past links = { .items = now->items, .n = n_links };

	for (size_t i = 0; i < before->n && now->n_gone < PORTS_PAST_MAX; i++) {
		struct port_past *old = &before->items[i];

		if (find(&links, old->index))
			continue;
		lose(old, now_ms);
		if (!is_young(old, now_ms))
			continue;
		old->gone = true;
		now->items[now->n++] = *old;
		now->n_gone++;
		old->container = NULL;
	}
}

void ports_past_update(struct ports_past *past, const struct port_links *links,
		       const struct ports *ports, uint64_t now_ms)
{
	struct ports_past now = { .items = xcalloc(links->n + past->n + 1, sizeof(*now.items)) };

	for (size_t i = 0; i < links->n; i++)
		now.items[now.n++] =
			take_link(&links->items[i], ports_find(ports, links->items[i].name),
				  find(past, links->items[i].index), now_ms);
	qsort(now.items, now.n, sizeof(*now.items), cmp_index);
	take_gone(&now, past, links->n, now_ms);
	qsort(now.items, now.n, sizeof(*now.items), cmp_index);
	ports_past_free(past);
	*past = now;
}

const struct port_past *ports_past_find(const struct ports_past *past, unsigned index)
{
	return find(past, index);
}

void ports_past_free(struct ports_past *past)
{
	for (size_t i = 0; i < past->n; i++)
		free(past->items[i].container);
	free(past->items);
	*past = (struct ports_past){ 0 };
}
