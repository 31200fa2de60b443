/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host with containers and the ports of its bridges, to ask who is on which port. */
#ifndef PORTS_JOIN_FIXTURE_H
#define PORTS_JOIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "dockside/names/ports_join.h"

#define MAX 8

/* A host: its ports and its networks. MAC addresses are 02:42:00:00:00:NUMBER, addresses 172.20.0.NUMBER. */
struct host {
	struct ports_history history;
	struct port_link links[MAX];
	size_t n_links;
	struct port_owner owners[2][MAX]; /* of br0, br1 */
	size_t n_owners[2];
	uint64_t asked; /* the last question */
	uint64_t links_at;
	struct port_word words[2];
	struct ports ports;
	unsigned dockside
		[2]; /* MAC address of the configured dockside container of br0, br1; 0: none */
};

static inline void set_mac(uint8_t mac[6], unsigned number)
{
	static const uint8_t begin[5] = { 2, 0x42 };

	memcpy(mac, begin, sizeof(begin));
	mac[5] = (uint8_t)number;
}

static inline void set_owner(struct port_owner *owner, const char *container, unsigned bridge,
			     unsigned mac)
{
	*owner = (struct port_owner){ .container = xstrdup(container), .n_addrs = 2 };
	set_mac(owner->mac, mac);
	owner->addrs[0] =
		(struct ipaddr){ FAMILY_IPV4, { 172, 20, (uint8_t)bridge, (uint8_t)mac } };
	owner->addrs[1] = (struct ipaddr){ FAMILY_IPV6, { 0xfd, [15] = (uint8_t)mac } };
}

static inline struct port_link *find_link(struct host *host, unsigned index)
{
	for (size_t i = 0; i < host->n_links; i++)
		if (host->links[i].index == index)
			return &host->links[i];
	fail_msg("no port %u", index);
	return NULL;
}

/* Port "vINDEX" of brN, up, with that MAC address at its other end. */
static inline void plug(struct host *host, unsigned index, unsigned bridge, unsigned mac)
{
	struct port_link *link = &host->links[host->n_links++];

	*link = (struct port_link){ .index = index, .peer = true, .up = true, .has_mac = true };
	snprintf(link->name, sizeof(link->name), "v%u", index);
	snprintf(link->bridge, sizeof(link->bridge), "br%u", bridge);
	set_mac(link->mac, mac);
}

static inline void unplug(struct host *host, unsigned index)
{
	struct port_link *link = find_link(host, index);

	*link = host->links[--host->n_links];
}

static inline void turn(struct host *host, unsigned index, unsigned mac)
{
	set_mac(find_link(host, index)->mac, mac);
}

/* Docker attaches a container to brN. */
static inline void attach(struct host *host, const char *container, unsigned bridge, unsigned mac)
{
	set_owner(&host->owners[bridge][host->n_owners[bridge]++], container, bridge, mac);
}

static inline void detach(struct host *host, const char *container)
{
	for (unsigned b = 0; b < 2; b++)
		for (size_t i = 0; i < host->n_owners[b]; i++)
			if (strcmp(host->owners[b][i].container, container) == 0) {
				free(host->owners[b][i].container);
				host->owners[b][i] = host->owners[b][--host->n_owners[b]];
			}
}

static inline void forget_words(struct host *host)
{
	port_word_free(&host->words[0]);
	port_word_free(&host->words[1]);
}

/* Docker has not answered for any network. */
static inline void silence(struct host *host)
{
	forget_words(host);
	for (unsigned b = 0; b < 2; b++) {
		struct port_word *word = &host->words[b];

		snprintf(word->bridge, sizeof(word->bridge), "br%u", b);
		if (host->dockside[b] == 0)
			continue;
		word->configured = xcalloc(1, sizeof(*word->configured));
		set_owner(word->configured, "dockside", b, host->dockside[b]);
	}
}

static inline void ask_docker(struct host *host)
{
	silence(host);
	host->asked++;
	for (unsigned b = 0; b < 2; b++) {
		struct port_word *word = &host->words[b];

		word->at = host->asked;
		word->owners = xcalloc(MAX, sizeof(*word->owners));
		for (; word->n < host->n_owners[b]; word->n++) {
			word->owners[word->n] = host->owners[b][word->n];
			word->owners[word->n].container =
				xstrdup(host->owners[b][word->n].container);
		}
	}
}

/* Joins the ports as they were last seen with Docker's last word. */
static inline void join(struct host *host)
{
	struct port_links links = { host->links, host->n_links, MAX, host->links_at };

	ports_free(&host->ports);
	ports_join(&host->history, &links, host->words, 2, &host->ports);
}

static inline void ask_kernel(struct host *host)
{
	host->links_at = ++host->asked;
	join(host);
}

/* As the daemon does after a change. */
static inline void look(struct host *host)
{
	ask_kernel(host);
	ask_docker(host);
	join(host);
}

static inline void assert_known(const struct host *host, const char *name, const char *container)
{
	const struct port *port = ports_find(&host->ports, name);

	assert_non_null(port);
	if (!port->known)
		fail_msg("%s is not known: %s", name, port_doubt_text(port->doubt));
	assert_string_equal(port->container, container);
	assert_int_equal(port->doubt, PORT_NO_DOUBT);
}

static inline void assert_doubt(const struct host *host, const char *name, enum port_doubt doubt)
{
	const struct port *port = ports_find(&host->ports, name);

	assert_non_null(port);
	if (port->known)
		fail_msg("%s is known as %s", name, port->container);
	assert_string_equal(port_doubt_text(port->doubt), port_doubt_text(doubt));
	assert_null(port->container);
	assert_int_equal(port->n_addrs, 0);
}

static inline void end(struct host *host)
{
	for (unsigned b = 0; b < 2; b++)
		for (size_t i = 0; i < host->n_owners[b]; i++)
			free(host->owners[b][i].container);
	forget_words(host);
	ports_free(&host->ports);
	ports_history_free(&host->history);
}

/* Containers a (02), b (03) on br0, and b on br1 (04). */
static inline void begin(struct host *host)
{
	*host = (struct host){ 0 };
	attach(host, "a", 0, 2);
	attach(host, "b", 0, 3);
	attach(host, "b", 1, 4);
	plug(host, 30, 1, 4);
	plug(host, 20, 0, 2);
	plug(host, 10, 0, 3);
	look(host);
}

#endif
