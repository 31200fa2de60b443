/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/ports.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

struct port *ports_add(struct ports *ports)
{
	ports->ports = array_grow(ports->ports, &ports->cap, ports->n, sizeof(*ports->ports));
	ports->ports[ports->n] = (struct port){ 0 };
	return &ports->ports[ports->n++];
}

static int cmp_port(const void *a, const void *b)
{
	return strcmp(((const struct port *)a)->name, ((const struct port *)b)->name);
}

void ports_sort(struct ports *ports)
{
	if (ports->n > 0)
		qsort(ports->ports, ports->n, sizeof(*ports->ports), cmp_port);
}

static int cmp_name(const void *name, const void *port)
{
	return strcmp(name, ((const struct port *)port)->name);
}

const struct port *ports_find(const struct ports *ports, const char *name)
{
	return ports->n > 0 ? bsearch(name, ports->ports, ports->n, sizeof(*ports->ports), cmp_name)
			    : NULL;
}

void ports_free(struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		free(ports->ports[i].container);
		free(ports->ports[i].addrs);
	}
	free(ports->ports);
	*ports = (struct ports){ 0 };
}
