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

static bool port_equal(const struct port *a, const struct port *b)
{
	if (strcmp(a->name, b->name) != 0 || strcmp(a->bridge, b->bridge) != 0 ||
	    a->known != b->known || a->provisional != b->provisional || a->doubt != b->doubt ||
	    a->has_mac != b->has_mac || memcmp(a->mac, b->mac, sizeof(a->mac)) != 0)
		return false;
	if (a->n_addrs != b->n_addrs ||
	    strcmp(a->known ? a->container : "", b->known ? b->container : "") != 0)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (ipaddr_cmp(&a->addrs[i], &b->addrs[i]) != 0)
			return false;
	return true;
}

bool ports_equal(const struct ports *a, const struct ports *b)
{
	if (a->n != b->n || a->asked != b->asked || a->n_answered != b->n_answered)
		return false;
	for (size_t i = 0; i < a->n_answered; i++)
		if (strcmp(a->answered[i], b->answered[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n; i++)
		if (!port_equal(&a->ports[i], &b->ports[i]))
			return false;
	return true;
}

void ports_free(struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		free(ports->ports[i].container);
		free(ports->ports[i].addrs);
	}
	free(ports->ports);
	free(ports->answered);
	*ports = (struct ports){ 0 };
}
