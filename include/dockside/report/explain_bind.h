/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table bridge dockside sees a packet before table inet dockside does, and goes by its port, which a question about
 * addresses does not tell. Pure.
 */
#ifndef DOCKSIDE_REPORT_EXPLAIN_BIND_H
#define DOCKSIDE_REPORT_EXPLAIN_BIND_H

#include "dockside/base/arena.h"
#include "dockside/names/ports.h"
#include "dockside/policy/model.h"
#include "dockside/report/explain.h"

enum explain_bound {
	EXPLAIN_UNBOUND, /* the table does not look at the network's ports */
	EXPLAIN_BOUND,	 /* it passes from the port that text names, and from no other */
	EXPLAIN_DEPENDS, /* on who is at the port */
	EXPLAIN_STRANGE, /* it is dropped, whatever port it comes from */
};

/* Borrowed. */
struct explain_ports {
	const struct ports *ports; /* NULL: nobody was asked */
	const char *no_bridge;	   /* why the kernel has no such table; NULL: it has */
};

/* "bound", … */
const char *explain_bound_name(enum explain_bound bound);

/* has_src: the question names the source; without, it is about any container's own. The text is of the arena. */
enum explain_bound explain_bind(struct arena *arena, const struct network *network,
				const struct explain_ports *ports,
				const struct explain_packet *packet, bool has_src,
				const char **ret_text);

#endif
