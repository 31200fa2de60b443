/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports_log.h"

#include <stdlib.h>
#include <string.h>

#include "daemon_docker.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/names/ports_join.h"
#include "dockside/system/log.h"

static int cmp_name(const void *name, const void *item)
{
	return strcmp(name, ((const struct ports_log_item *)item)->name);
}

static struct ports_log_item *find(const struct ports_log *log, const char *name)
{
	return log->n > 0 ? bsearch(name, log->items, log->n, sizeof(*log->items), cmp_name) : NULL;
}

static void log_known(const struct port *port, const struct port *before, const char *network)
{
	char s[ADDR_STRLEN];
	struct buf b = { 0 };

	if (before && before->known && strcmp(before->container, port->container) == 0)
		return;
	for (size_t i = 0; i < port->n_addrs; i++)
		buf_printf(&b, ", %s", ipaddr_format(&port->addrs[i], s));
	log_info("port %s of network %s: container %s, %s%s%s", port->name, network,
		 port->container, mac_format(port->mac, s), buf_str(&b),
		 port->provisional ? "; Docker has not confirmed it yet" : "");
	buf_free(&b);
}

/* Somebody may have taken a MAC address that is not his. */
static bool is_suspicious(enum port_doubt doubt)
{
	return doubt == PORT_CONTESTED || doubt == PORT_TOO_EARLY || doubt == PORT_SHARED;
}

static void warn(const struct port *port, const char *network, struct ports_log_item *item)
{
	char s[ADDR_STRLEN];

	if (!is_suspicious(port->doubt) || item->warned == port->doubt)
		return;
	item->warned = port->doubt;
	log_warning("port %s of network %s, MAC address %s: %s; it is not bound to a container "
		    "until that is sure",
		    port->name, network, mac_format(port->mac, s), port_doubt_text(port->doubt));
}

/* ------------------------------------------------------------------ for long */

struct lasting {
	size_t n;
	const struct port *first;
};

/* One line for a network, as where Docker does not answer they are many. */
static void log_lasting(const struct ports *ports, const struct ports_log *log,
			const struct daemon_docker *docker, const char *bridge, uint64_t now_ms)
{
	struct lasting lasting = { 0 };
	char more[48] = "";

	for (size_t i = 0; i < ports->n; i++) {
		const struct port *port = &ports->ports[i];
		struct ports_log_item *item = find(log, port->name);

		if (!item || item->told || strcmp(port->bridge, bridge) != 0 ||
		    now_ms < item->since_ms + PORTS_LOG_LONG_MS)
			continue;
		item->told = true;
		if (lasting.n++ == 0)
			lasting.first = port;
	}
	if (lasting.n == 0)
		return;
	if (lasting.n > 1)
		snprintf(more, sizeof(more), ", and %zu more like it", lasting.n - 1);
	log_warning("network %s: the container of port %s is not known for %d s: %s%s",
		    daemon_docker_managed(docker, bridge), lasting.first->name,
		    PORTS_LOG_LONG_MS / 1000, port_doubt_text(lasting.first->doubt), more);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a == 0 || b < a ? b : a;
}

static uint64_t tell_lasting(const struct ports *ports, const struct ports_log *log,
			     const struct daemon_docker *docker, uint64_t now_ms)
{
	uint64_t next_ms = 0;

	for (size_t i = 0; i < ports->n; i++) {
		const struct port *port = &ports->ports[i];
		const struct ports_log_item *item = find(log, port->name);

		if (!item || item->told)
			continue;
		if (now_ms >= item->since_ms + PORTS_LOG_LONG_MS)
			log_lasting(ports, log, docker, port->bridge, now_ms);
		else
			next_ms = earliest(next_ms, item->since_ms + PORTS_LOG_LONG_MS);
	}
	return next_ms;
}

/* ------------------------------------------------------------------ all of it */

uint64_t ports_log_update(struct ports_log *log, const struct daemon_docker *docker,
			  const struct ports *before, const struct ports *now, uint64_t now_ms)
{
	struct ports_log next = { xcalloc(now->n + 1, sizeof(*next.items)), 0 };

	for (size_t i = 0; i < now->n; i++) {
		const struct port *port = &now->ports[i];
		const struct ports_log_item *item = find(log, port->name);
		const char *network = daemon_docker_managed(docker, port->bridge);

		if (!network || port->doubt == PORT_UNMANAGED)
			continue;
		if (port->known) {
			log_known(port, ports_find(before, port->name), network);
			continue;
		}
		next.items[next.n] = item ? *item : (struct ports_log_item){ .since_ms = now_ms };
		memcpy(next.items[next.n].name, port->name, sizeof(port->name));
		warn(port, network, &next.items[next.n++]);
	}
	ports_log_free(log);
	*log = next;
	return tell_lasting(now, log, docker, now_ms);
}

void ports_log_free(struct ports_log *log)
{
	free(log->items);
	*log = (struct ports_log){ 0 };
}
