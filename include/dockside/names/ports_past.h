/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers for some seconds who was on a port: the kernel reports refused frames a tenth of a second late, and the container that
 * sent them may have ended by then. Pure.
 */
#ifndef DOCKSIDE_NAMES_PORTS_PAST_H
#define DOCKSIDE_NAMES_PORTS_PAST_H

#include "dockside/names/ports_join.h"

#define PORTS_PAST_KEEP_MS 10000
#define PORTS_PAST_MAX 4096 /* ports that have gone */

struct port_past {
	unsigned index;
	char name[16], bridge[16]; /* IFNAMSIZ */
	char *container;	   /* the last that was known; or NULL */
	bool gone;
	bool lost;	  /* it is no longer known, or has gone */
	uint64_t lost_ms; /* when that was found; where it is lost */
};

/* Sorted by index. Zero-initialise; ports_past_free(). */
struct ports_past {
	struct port_past *items;
	size_t n, n_gone;
};

/* links, and who is there as joined from them. now_ms never goes back. */
void ports_past_update(struct ports_past *past, const struct port_links *links,
		       const struct ports *ports, uint64_t now_ms);
/* Ports that are there, and those that went at most PORTS_PAST_KEEP_MS before the last update; or NULL. */
const struct port_past *ports_past_find(const struct ports_past *past, unsigned index);
void ports_past_free(struct ports_past *past);

#endif
