/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"

#define DNS_PORT 53

static unsigned zone_index(const char *zone)
{
	uint64_t n;

	if (parse_uint(zone, strlen(zone), 1, UINT32_MAX, &n))
		return (unsigned)n;
	return if_nametoindex(zone);
}

static void init_peer(struct dns_peer *peer, const struct dns_server *conf)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&peer->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&peer->addr;
	char text[ADDR_STRLEN];

	*peer = (struct dns_peer){ .addr_len = 0 };
	if (conf->addr.family == FAMILY_IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(DNS_PORT);
		memcpy(&in->sin_addr, conf->addr.b, sizeof(in->sin_addr));
		peer->addr_len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(DNS_PORT);
		memcpy(&in6->sin6_addr, conf->addr.b, sizeof(in6->sin6_addr));
		in6->sin6_scope_id = conf->zone[0] ? zone_index(conf->zone) : 0;
		peer->addr_len = sizeof(*in6);
	}
	snprintf(peer->text, sizeof(peer->text), "%s%s%s", ipaddr_format(&conf->addr, text),
		 conf->zone[0] ? "%" : "", conf->zone);
	dns_pace_init(&peer->pace);
}

void dns_peers_init(struct dns_peers *peers, const struct dns_conf *conf)
{
	peers->n = conf->n_servers;
	for (size_t i = 0; i < conf->n_servers; i++)
		init_peer(&peers->items[i], &conf->servers[i]);
}

int dns_peer_connect(const struct dns_peer *peer, bool tcp)
{
	int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, r;
	int fd = socket(peer->addr.ss_family, type, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&peer->addr, peer->addr_len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* The first server of resolv.conf that we do not leave alone. We ask the others only when it fails:
 * they may know other names, and then the first one's word counts, not that of the one with the
 * most time. NULL: we leave all alone. */
static const struct dns_peer *preferred(const struct dns_peers *peers, uint64_t now_ms)
{
	for (size_t i = 0; i < peers->n; i++) {
		const struct dns_pace *pace = &peers->items[i].pace;

		if (pace->pauses == 0 || dns_pace_room(pace, now_ms) > 0)
			return &peers->items[i];
	}
	return NULL;
}

void dns_peers_order(const struct dns_peers *peers, uint64_t now_ms, size_t order[DNS_SERVERS_MAX])
{
	const struct dns_peer *first = preferred(peers, now_ms);
	size_t n = 0;

	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < peers->n; i++) {
			const struct dns_peer *peer = &peers->items[i];

			if (turn == (peer == first ? 0 : peer->pace.pauses == 0 ? 1 : 2))
				order[n++] = i;
		}
	}
}

unsigned dns_peers_room(const struct dns_peers *peers, uint64_t now_ms)
{
	const struct dns_peer *peer = preferred(peers, now_ms);

	return peer ? dns_pace_room(&peer->pace, now_ms) : 0;
}

uint64_t dns_peers_when(const struct dns_peers *peers, uint64_t now_ms)
{
	const struct dns_peer *peer = preferred(peers, now_ms);
	uint64_t at_ms = UINT64_MAX;

	if (peer)
		return dns_pace_when(&peer->pace);
	for (size_t i = 0; i < peers->n; i++) {
		uint64_t when_ms = dns_pace_when(&peers->items[i].pace);

		if (when_ms < at_ms)
			at_ms = when_ms;
	}
	return at_ms;
}

bool dns_peers_scarce(const struct dns_peers *peers, uint64_t now_ms)
{
	const struct dns_peer *peer = preferred(peers, now_ms);

	return !peer || dns_pace_scarce(&peer->pace);
}

void dns_peers_trouble(const struct dns_peers *peers, struct buf *ret_text)
{
	buf_reset(ret_text);
	for (size_t i = 0; i < peers->n; i++) {
		const struct dns_peer *peer = &peers->items[i];

		if (!dns_pace_scarce(&peer->pace))
			continue;
		if (ret_text->len > 0)
			buf_puts(ret_text, "; ");
		if (peer->pace.pauses > 0)
			buf_printf(ret_text, "name server %s %s, and is asked now and then only",
				   peer->text, peer->pace.silent ? "is silent" : "refuses");
		else
			buf_printf(ret_text,
				   "name server %s limits questions, and is asked %u a minute",
				   peer->text, peer->pace.per_minute);
	}
}
