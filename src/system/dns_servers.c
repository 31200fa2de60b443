/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_servers.h"

#include <string.h>

#include "dockside/base/buf.h"

#define ROUNDS_MAX 3u
#define TRY_MIN_MS 10u

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

/* ---- open and close ---- */

/* All rounds, each of twice the time of the one before, take the whole time; where there are many servers, one round is
 * enough. */
static void plan_tries(struct dns_servers *servers, unsigned timeout_ms)
{
	const struct dns_upstream_conf *conf = &servers->conf;
	unsigned n = (unsigned)servers->n, rounds = conf->rounds;

	if (n == 0)
		return;
	if (rounds == 0)
		rounds = n <= 2 ? ROUNDS_MAX : n == 3 ? 2 : 1;
	servers->rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
	servers->try_ms = timeout_ms / (((1u << servers->rounds) - 1) * n);
	if (conf->try_ms > 0 && servers->try_ms > conf->try_ms)
		servers->try_ms = conf->try_ms;
	if (servers->try_ms < TRY_MIN_MS)
		servers->try_ms = TRY_MIN_MS;
}

void dns_servers_init(struct dns_servers *servers, const struct dns_upstream_conf *conf, bool paced,
		      unsigned timeout_ms, int epoll)
{
	for (size_t i = 0; i < conf->n_servers; i++) {
		dns_server_init(&servers->items[i], &conf->servers[i], paced, epoll);
		/* Everybody understands a question without EDNS, which is asked once only. */
		servers->items[i].no_edns = conf->rounds == 1;
	}
	servers->n = conf->n_servers;
	servers->conf = *conf;
	plan_tries(servers, timeout_ms);
}

void dns_servers_free(struct dns_servers *servers)
{
	for (size_t i = 0; i < servers->n; i++)
		dns_server_free(&servers->items[i]);
	servers->n = 0;
	servers->conf = (struct dns_upstream_conf){ .n_servers = 0 };
}

bool dns_servers_have(const struct dns_servers *servers, const struct dns_upstream_conf *conf)
{
	const struct dns_upstream_conf *have = &servers->conf;

	if (have->n_servers != conf->n_servers || have->rounds != conf->rounds ||
	    have->try_ms != conf->try_ms)
		return false;
	for (size_t i = 0; i < conf->n_servers; i++)
		if (ipaddr_cmp(&have->servers[i].addr, &conf->servers[i].addr) != 0 ||
		    strcmp(have->servers[i].zone, conf->servers[i].zone) != 0)
			return false;
	return true;
}
