/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_servers.h"

#include "dockside/base/buf.h"

/* The first server that we do not leave alone. We ask the others only when it fails: they may know other names, and
 * then the first one's word counts, not that of the one with the most time. NULL: we leave all alone. */
static const struct dns_server *preferred(const struct dns_servers *servers, uint64_t now_ms)
{
	for (size_t i = 0; i < servers->n; i++) {
		const struct dns_server *server = &servers->items[i];

		if (!dns_server_is_spared(server, now_ms) || dns_server_room(server, now_ms) > 0)
			return server;
	}
	return NULL;
}

void dns_servers_order(const struct dns_servers *servers, uint64_t now_ms,
		       uint8_t order[DNS_UPSTREAM_SERVERS_MAX])
{
	const struct dns_server *first = preferred(servers, now_ms);
	size_t n = 0;

	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < servers->n; i++) {
			const struct dns_server *server = &servers->items[i];
			int its = server == first			 ? 0
				  : dns_server_is_spared(server, now_ms) ? 2
									 : 1;

			if (turn == its)
				order[n++] = (uint8_t)i;
		}
	}
}

unsigned dns_servers_room(const struct dns_servers *servers, uint64_t now_ms)
{
	const struct dns_server *server = preferred(servers, now_ms);

	return server ? dns_server_room(server, now_ms) : 0;
}

uint64_t dns_servers_when(const struct dns_servers *servers, uint64_t now_ms)
{
	const struct dns_server *server = preferred(servers, now_ms);
	uint64_t at_ms = UINT64_MAX;

	if (server)
		return dns_pace_when(&server->pace);
	for (size_t i = 0; i < servers->n; i++) {
		uint64_t when_ms = dns_pace_when(&servers->items[i].pace);

		if (when_ms < at_ms)
			at_ms = when_ms;
	}
	return at_ms;
}

bool dns_servers_scarce(const struct dns_servers *servers, uint64_t now_ms)
{
	const struct dns_server *server = preferred(servers, now_ms);

	return !server || dns_pace_scarce(&server->pace);
}

void dns_servers_trouble(const struct dns_servers *servers, struct buf *ret_text)
{
	buf_reset(ret_text);
	for (size_t i = 0; i < servers->n; i++) {
		const struct dns_server *server = &servers->items[i];

		if (!dns_pace_scarce(&server->pace))
			continue;
		if (ret_text->len > 0)
			buf_puts(ret_text, "; ");
		if (server->pace.pauses > 0)
			buf_printf(ret_text, "name server %s %s, and is asked now and then only",
				   server->text, server->pace.silent ? "is silent" : "refuses");
		else
			buf_printf(ret_text,
				   "name server %s limits questions, and is asked %u a minute",
				   server->text, server->pace.per_minute);
	}
}
