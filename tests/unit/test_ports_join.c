/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells who is on which port from who only says so. */
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

static void set_mac(uint8_t mac[6], unsigned number)
{
	static const uint8_t begin[5] = { 2, 0x42 };

	memcpy(mac, begin, sizeof(begin));
	mac[5] = (uint8_t)number;
}

static void set_owner(struct port_owner *owner, const char *container, unsigned bridge,
		      unsigned mac)
{
	*owner = (struct port_owner){ .container = xstrdup(container), .n_addrs = 2 };
	set_mac(owner->mac, mac);
	owner->addrs[0] =
		(struct ipaddr){ FAMILY_IPV4, { 172, 20, (uint8_t)bridge, (uint8_t)mac } };
	owner->addrs[1] = (struct ipaddr){ FAMILY_IPV6, { 0xfd, [15] = (uint8_t)mac } };
}

static struct port_link *find_link(struct host *host, unsigned index)
{
	for (size_t i = 0; i < host->n_links; i++)
		if (host->links[i].index == index)
			return &host->links[i];
	fail_msg("no port %u", index);
	return NULL;
}

/* Port "vINDEX" of brN, up, with that MAC address at its other end. */
static void plug(struct host *host, unsigned index, unsigned bridge, unsigned mac)
{
	struct port_link *link = &host->links[host->n_links++];

	*link = (struct port_link){ .index = index, .peer = true, .up = true, .has_mac = true };
	snprintf(link->name, sizeof(link->name), "v%u", index);
	snprintf(link->bridge, sizeof(link->bridge), "br%u", bridge);
	set_mac(link->mac, mac);
}

static void unplug(struct host *host, unsigned index)
{
	struct port_link *link = find_link(host, index);

	*link = host->links[--host->n_links];
}

static void turn(struct host *host, unsigned index, unsigned mac)
{
	set_mac(find_link(host, index)->mac, mac);
}

/* Docker attaches a container to brN. */
static void attach(struct host *host, const char *container, unsigned bridge, unsigned mac)
{
	set_owner(&host->owners[bridge][host->n_owners[bridge]++], container, bridge, mac);
}

static void detach(struct host *host, const char *container)
{
	for (unsigned b = 0; b < 2; b++)
		for (size_t i = 0; i < host->n_owners[b]; i++)
			if (strcmp(host->owners[b][i].container, container) == 0) {
				free(host->owners[b][i].container);
				host->owners[b][i] = host->owners[b][--host->n_owners[b]];
			}
}

static void forget_words(struct host *host)
{
	port_word_free(&host->words[0]);
	port_word_free(&host->words[1]);
}

/* Docker has not answered for any network. */
static void silence(struct host *host)
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

static void ask_docker(struct host *host)
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
static void join(struct host *host)
{
	struct port_links links = { host->links, host->n_links, MAX, host->links_at };

	ports_free(&host->ports);
	ports_join(&host->history, &links, host->words, 2, &host->ports);
}

static void ask_kernel(struct host *host)
{
	host->links_at = ++host->asked;
	join(host);
}

/* As the daemon does after a change. */
static void look(struct host *host)
{
	ask_kernel(host);
	ask_docker(host);
	join(host);
}

static void assert_known(const struct host *host, const char *name, const char *container)
{
	const struct port *port = ports_find(&host->ports, name);

	assert_non_null(port);
	if (!port->known)
		fail_msg("%s is not known: %s", name, port_doubt_text(port->doubt));
	assert_string_equal(port->container, container);
	assert_int_equal(port->doubt, PORT_NO_DOUBT);
}

static void assert_doubt(const struct host *host, const char *name, enum port_doubt doubt)
{
	const struct port *port = ports_find(&host->ports, name);

	assert_non_null(port);
	if (port->known)
		fail_msg("%s is known as %s", name, port->container);
	assert_string_equal(port_doubt_text(port->doubt), port_doubt_text(doubt));
	assert_null(port->container);
	assert_int_equal(port->n_addrs, 0);
}

static void end(struct host *host)
{
	for (unsigned b = 0; b < 2; b++)
		for (size_t i = 0; i < host->n_owners[b]; i++)
			free(host->owners[b][i].container);
	forget_words(host);
	ports_free(&host->ports);
	ports_history_free(&host->history);
}

/* Containers a (02), b (03) on br0, and b on br1 (04). */
static void begin(struct host *host)
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

static void test_known(void **state)
{
	struct host host;
	const struct port *port;
	char s[ADDR_STRLEN];

	(void)state;
	begin(&host);
	assert_int_equal(host.ports.n, 3);
	assert_known(&host, "v10", "b");
	assert_known(&host, "v20", "a");
	assert_known(&host, "v30", "b");
	port = ports_find(&host.ports, "v30");
	assert_string_equal(port->bridge, "br1");
	assert_string_equal(mac_format(port->mac, s), "02:42:00:00:00:04");
	assert_int_equal(port->n_addrs, 2);
	assert_string_equal(ipaddr_format(&port->addrs[0], s), "172.20.1.4");
	assert_string_equal(ipaddr_format(&port->addrs[1], s), "fd00::4");
	assert_string_equal(host.ports.ports[0].name, "v10"); /* sorted */
	assert_null(ports_find(&host.ports, "v1"));
	end(&host);
}

static void test_nothing(void **state)
{
	struct host host = { 0 };

	(void)state;
	look(&host);
	assert_int_equal(host.ports.n, 0);
	assert_null(ports_find(&host.ports, "v1"));
	end(&host);
}

/* Bridges of which nobody has asked. */
static void test_other_bridge(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	plug(&host, 40, 7, 3);
	look(&host);
	assert_int_equal(host.ports.n, 4);
	assert_doubt(&host, "v40", PORT_UNMANAGED);
	assert_string_equal(ports_find(&host.ports, "v40")->bridge, "br7");
	assert_known(&host, "v10", "b");
	end(&host);
}

/* A MAC address of another network is none of this one. */
static void test_other_network(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	plug(&host, 40, 0, 4);
	look(&host);
	assert_doubt(&host, "v40", PORT_NOT_DOCKER);
	assert_known(&host, "v30", "b");
	end(&host);
}

static void test_no_peer(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	plug(&host, 40, 0, 9);
	find_link(&host, 40)->peer = find_link(&host, 40)->has_mac = false;
	plug(&host, 41, 0, 9);
	find_link(&host, 41)->has_mac = false;
	look(&host);
	assert_doubt(&host, "v40", PORT_NO_PEER);
	assert_doubt(&host, "v41", PORT_DOWN);
	end(&host);
}

/* Docker's words of before are about the container of before. */
static void test_older_word(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	unplug(&host, 10);
	plug(&host, 11, 0, 3);
	ask_kernel(&host);
	assert_doubt(&host, "v11", PORT_NOT_ASKED);
	host.owners[0][1].addrs[0].b[3] = 77;
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v11", "b");
	assert_int_equal(ports_find(&host.ports, "v11")->addrs[0].b[3], 77);
	end(&host);
}

static void test_docker_silent(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	port_word_free(&host.words[0]);
	snprintf(host.words[0].bridge, sizeof(host.words[0].bridge), "br0");
	ask_kernel(&host);
	assert_doubt(&host, "v10", PORT_NOT_ASKED);
	assert_known(&host, "v30", "b");
	end(&host);
}

static void test_no_address(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	host.owners[0][0].n_addrs = 0;
	look(&host);
	assert_doubt(&host, "v20", PORT_NO_ADDRESS);
	end(&host);
}

static void test_shared(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	attach(&host, "c", 0, 3);
	plug(&host, 40, 0, 3);
	look(&host);
	assert_doubt(&host, "v10", PORT_SHARED);
	assert_doubt(&host, "v40", PORT_SHARED);
	assert_known(&host, "v20", "a");
	end(&host);
}

/* ---- a container that changes its MAC address ---- */

/* While it was known: it stays who it is, and disturbs nobody. */
static void test_turned(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	turn(&host, 20, 3);
	look(&host);
	assert_known(&host, "v20", "a");
	assert_int_equal(ports_find(&host.ports, "v20")->mac[5], 2);
	assert_known(&host, "v10", "b");
	turn(&host, 20, 99);
	look(&host);
	assert_known(&host, "v20", "a");
	find_link(&host, 20)->up = find_link(&host, 20)->has_mac = false;
	look(&host);
	assert_known(&host, "v20", "a");
	end(&host);
}

/* b restarts, and a has its MAC address all the while. */
static void test_turned_at_restart(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	turn(&host, 20, 3);
	unplug(&host, 10);
	look(&host);
	detach(&host, "b");
	look(&host);
	assert_known(&host, "v20", "a");
	attach(&host, "b", 0, 3); /* before it is plugged in */
	look(&host);
	assert_known(&host, "v20", "a");
	plug(&host, 11, 0, 3);
	look(&host);
	assert_known(&host, "v20", "a");
	assert_known(&host, "v11", "b");
	end(&host);
}

/* Before the first look, while the other runs: nobody is anybody. Then the impostor goes. */
static void test_contested(void **state)
{
	struct host host = { 0 };

	(void)state;
	attach(&host, "a", 0, 2);
	attach(&host, "b", 0, 3);
	plug(&host, 20, 0, 3);
	plug(&host, 10, 0, 3);
	look(&host);
	assert_doubt(&host, "v10", PORT_CONTESTED);
	assert_doubt(&host, "v20", PORT_CONTESTED);
	detach(&host, "a");
	unplug(&host, 20);
	look(&host);
	assert_known(&host, "v10", "b");
	end(&host);
}

/* Before the first look, while the other does not run: it is never known, and never in the other's way. */
static void test_waits(void **state)
{
	struct host host = { 0 };

	(void)state;
	attach(&host, "a", 0, 2);
	plug(&host, 20, 0, 3);
	look(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	attach(&host, "b", 0, 3);
	look(&host);
	assert_doubt(&host, "v20", PORT_TOO_EARLY);
	plug(&host, 10, 0, 3);
	look(&host);
	assert_doubt(&host, "v20", PORT_TOO_EARLY);
	assert_known(&host, "v10", "b");
	turn(&host, 20, 2); /* too late */
	look(&host);
	assert_doubt(&host, "v20", PORT_TOO_EARLY);
	assert_known(&host, "v10", "b");
	end(&host);
}

/* It changes it once more, when Docker has named the other. */
static void test_waits_under_another(void **state)
{
	struct host host = { 0 };

	(void)state;
	attach(&host, "a", 0, 2);
	plug(&host, 20, 0, 99);
	look(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	attach(&host, "b", 0, 3);
	turn(&host, 20, 3);
	look(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	plug(&host, 10, 0, 3);
	look(&host);
	assert_known(&host, "v10", "b");
	end(&host);
}

/* Before the first look, and that is just while the other starts: it ends with the other's being there, and does not
 * come again with its next restart. */
static void test_just_then(void **state)
{
	struct host host = { 0 };

	(void)state;
	attach(&host, "a", 0, 2);
	attach(&host, "b", 0, 3);
	plug(&host, 20, 0, 3);
	look(&host);
	plug(&host, 10, 0, 3);
	look(&host);
	assert_doubt(&host, "v10", PORT_CONTESTED);
	assert_doubt(&host, "v20", PORT_CONTESTED);
	unplug(&host, 10);
	detach(&host, "b");
	look(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	attach(&host, "b", 0, 3);
	look(&host);
	assert_doubt(&host, "v20", PORT_TOO_EARLY);
	plug(&host, 11, 0, 3);
	look(&host);
	assert_known(&host, "v11", "b");
	end(&host);
}

/* ---- what is no fault of a container ---- */

/* Its port comes up, and Docker names it: in whichever order we ask. */
static void test_start(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	attach(&host, "c", 0, 5);
	look(&host);
	plug(&host, 40, 0, 5);
	find_link(&host, 40)->peer = find_link(&host, 40)->has_mac = false;
	look(&host);
	assert_doubt(&host, "v40", PORT_NO_PEER);
	find_link(&host, 40)->peer = true;
	find_link(&host, 40)->has_mac = true;
	ask_kernel(&host);
	join(&host);
	assert_doubt(&host, "v40", PORT_NOT_ASKED);
	ask_kernel(&host);
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v40", "c");
	end(&host);
}

/* A question that was asked before the port came up, and is answered later, says nothing about it. */
static void test_late_answer(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	ask_docker(&host);
	attach(&host, "c", 0, 5);
	plug(&host, 40, 0, 5);
	ask_kernel(&host);
	assert_doubt(&host, "v40", PORT_NOT_ASKED);
	look(&host);
	assert_known(&host, "v40", "c");
	end(&host);
}

/* Docker forgets for a moment whom it knew. */
static void test_docker_forgets(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	detach(&host, "a");
	look(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	attach(&host, "a", 0, 2);
	look(&host);
	assert_known(&host, "v20", "a");
	end(&host);
}

/* The port of before is still there when the container has a new one. */
static void test_lingers(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	plug(&host, 11, 0, 3);
	look(&host);
	assert_doubt(&host, "v11", PORT_CONTESTED);
	unplug(&host, 10);
	look(&host);
	assert_known(&host, "v11", "b");
	end(&host);
}

/* An interface of the same name is not the same one. */
static void test_same_name(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	find_link(&host, 10)->index = 50;
	turn(&host, 50, 6);
	detach(&host, "b");
	attach(&host, "d", 0, 6);
	look(&host);
	assert_known(&host, "v10", "d");
	assert_null(ports_history_find(&host.history, 10));
	assert_non_null(ports_history_find(&host.history, 50));
	end(&host);
}

/* ---- what is told besides ---- */

/* The kernel's word of who is not known; who was asked, and who answered. */
static void test_told(void **state)
{
	struct host host;
	struct ports none = { 0 };
	const struct port *port;

	(void)state;
	begin(&host);
	assert_true(host.ports.asked);
	assert_int_equal(host.ports.n_answered, 2);
	assert_string_equal(host.ports.answered[0], "br0");
	assert_string_equal(host.ports.answered[1], "br1");
	plug(&host, 40, 0, 9);
	plug(&host, 41, 7, 9);
	plug(&host, 42, 0, 9);
	find_link(&host, 42)->has_mac = false;
	look(&host);
	port = ports_find(&host.ports, "v40");
	assert_true(!port->known && port->has_mac);
	assert_int_equal(port->mac[5], 9);
	port = ports_find(&host.ports, "v41");
	assert_true(!port->known && port->has_mac);
	assert_false(ports_find(&host.ports, "v42")->has_mac);
	assert_true(ports_find(&host.ports, "v10")->has_mac);
	silence(&host);
	join(&host);
	assert_int_equal(host.ports.n_answered, 0);
	assert_false(none.asked);
	end(&host);
}

static void assert_provisional(const struct host *host, const char *name, const char *container)
{
	assert_known(host, name, container);
	assert_true(ports_find(&host->ports, name)->provisional);
}

/* ---- the dockside container, by the configuration ---- */

static void begin_dockside(struct host *host)
{
	*host = (struct host){ .dockside = { 2, 0 } };
	plug(host, 20, 0, 2);
	plug(host, 10, 0, 3);
	plug(host, 30, 1, 2);
	silence(host);
	ask_kernel(host);
}

static void test_configured(void **state)
{
	struct host host;

	(void)state;
	begin_dockside(&host);
	assert_provisional(&host, "v20", "dockside");
	assert_int_equal(ports_find(&host.ports, "v20")->n_addrs, 2);
	assert_int_equal(ports_find(&host.ports, "v20")->addrs[0].b[3], 2);
	assert_doubt(&host, "v10", PORT_NOT_ASKED);
	assert_doubt(&host, "v30", PORT_NOT_ASKED);
	end(&host);
}

/* Docker's word takes its place, and nothing is lost until that is about this port. */
static void test_configured_and_docker(void **state)
{
	struct host host;

	(void)state;
	begin_dockside(&host);
	attach(&host, "proxy", 0, 2);
	host.owners[0][0].addrs[0].b[3] = 77;
	ask_docker(&host);
	host.words[0].at = 0;
	join(&host);
	assert_provisional(&host, "v20", "dockside");
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v20", "proxy");
	assert_false(ports_find(&host.ports, "v20")->provisional);
	assert_int_equal(ports_find(&host.ports, "v20")->addrs[0].b[3], 77);
	end(&host);
}

/* The answer is to a question from before the port was seen. */
static void test_configured_and_older_word(void **state)
{
	struct host host = { .dockside = { 2, 0 } };

	(void)state;
	silence(&host);
	plug(&host, 20, 0, 2);
	host.asked = 5;
	ask_kernel(&host);
	assert_provisional(&host, "v20", "dockside");
	host.asked = 2;
	ask_docker(&host);
	join(&host);
	assert_provisional(&host, "v20", "dockside");
	host.asked = 9;
	ask_docker(&host);
	join(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	end(&host);
}

/* One that comes up when Docker has answered once is Docker's to name. */
static void test_configured_too_late(void **state)
{
	struct host host = { .dockside = { 2, 0 } };

	(void)state;
	look(&host);
	plug(&host, 20, 0, 2);
	ask_kernel(&host);
	assert_doubt(&host, "v20", PORT_NOT_ASKED);
	end(&host);
}

static void test_configured_contested(void **state)
{
	struct host host;

	(void)state;
	begin_dockside(&host);
	plug(&host, 40, 0, 2);
	ask_kernel(&host);
	assert_doubt(&host, "v20", PORT_CONTESTED);
	assert_doubt(&host, "v40", PORT_CONTESTED);
	end(&host);
}

/* Docker answers, and the container with the configured MAC address is none of its. */
static void test_configured_is_nobody(void **state)
{
	struct host host;

	(void)state;
	begin_dockside(&host);
	ask_docker(&host);
	join(&host);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	attach(&host, "proxy", 0, 2);
	look(&host);
	assert_doubt(&host, "v20", PORT_TOO_EARLY);
	end(&host);
}

/* ---- after a restart of the daemon ---- */

/* Docker has not answered yet. As seeds, the ports that are known now; then `change` happens while nobody looks. */
static void restart(struct host *host, void (*change)(struct host *host))
{
	struct port_seeds seeds = { 0 };
	struct port_links links;

	for (size_t i = 0; i < host->ports.n; i++) {
		const struct port *port = &host->ports.ports[i];
		struct port_seed *seed;

		if (!port->known)
			continue;
		seeds.items = array_grow(seeds.items, &seeds.cap, seeds.n, sizeof(*seeds.items));
		seed = &seeds.items[seeds.n++];
		*seed = (struct port_seed){ .owner = { .n_addrs = port->n_addrs } };
		memcpy(seed->name, port->name, sizeof(seed->name));
		seed->owner.container = xstrdup(port->container);
		memcpy(seed->owner.mac, port->mac, sizeof(seed->owner.mac));
		memcpy(seed->owner.addrs, port->addrs, port->n_addrs * sizeof(*port->addrs));
	}
	change(host);
	ports_history_free(&host->history);
	silence(host);
	host->links_at = ++host->asked;
	links = (struct port_links){ host->links, host->n_links, MAX, host->links_at };
	ports_seed(&host->history, &links, &seeds);
	port_seeds_free(&seeds);
	join(host);
}

static void change_nothing(struct host *host)
{
	(void)host;
}

static void test_restart(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	plug(&host, 40, 0, 9);
	look(&host);
	restart(&host, change_nothing);
	assert_provisional(&host, "v10", "b");
	assert_provisional(&host, "v20", "a");
	assert_provisional(&host, "v30", "b");
	assert_int_equal(ports_find(&host.ports, "v30")->addrs[0].b[2], 1);
	assert_int_equal(ports_find(&host.ports, "v30")->n_addrs, 2);
	assert_doubt(&host, "v40", PORT_NOT_ASKED);
	ask_kernel(&host); /* the history goes on */
	assert_provisional(&host, "v10", "b");
	detach(&host, "a");
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v10", "b");
	assert_false(ports_find(&host.ports, "v10")->provisional);
	assert_doubt(&host, "v20", PORT_NOT_DOCKER);
	end(&host);
}

/* Docker's answer was asked for before the ports were read, as it is at a start: nothing is lost by it. */
static void test_restart_older_word(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	restart(&host, change_nothing);
	host.asked = 1;
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v10", "b");
	assert_known(&host, "v20", "a");
	end(&host);
}

static void turn_20_to_3(struct host *host)
{
	turn(host, 20, 3);
}

/* a puts on b's MAC address while b runs: it stays a, and does not disturb b. */
static void test_restart_turned(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	restart(&host, turn_20_to_3);
	assert_provisional(&host, "v10", "b");
	assert_provisional(&host, "v20", "a");
	assert_int_equal(ports_find(&host.ports, "v20")->mac[5], 2);
	ask_docker(&host);
	join(&host);
	assert_known(&host, "v10", "b");
	assert_known(&host, "v20", "a");
	end(&host);
}

static void turn_20_to_3_without_10(struct host *host)
{
	turn_20_to_3(host);
	unplug(host, 10);
	detach(host, "b");
}

/* The same while b does not, which starts then. */
static void test_restart_waits(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	restart(&host, turn_20_to_3_without_10);
	assert_provisional(&host, "v20", "a");
	attach(&host, "b", 0, 3);
	plug(&host, 11, 0, 3);
	look(&host);
	assert_known(&host, "v11", "b");
	assert_known(&host, "v20", "a");
	end(&host);
}

static void plug_40_as_3(struct host *host)
{
	plug(host, 40, 0, 3);
}

/* One that nobody knew has the MAC address of one that was known: neither is. */
static void test_restart_contested(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	restart(&host, plug_40_as_3);
	assert_doubt(&host, "v10", PORT_NOT_ASKED);
	assert_doubt(&host, "v40", PORT_NOT_ASKED);
	assert_provisional(&host, "v20", "a");
	look(&host);
	assert_doubt(&host, "v10", PORT_CONTESTED);
	assert_doubt(&host, "v40", PORT_CONTESTED);
	end(&host);
}

static void replace_10(struct host *host)
{
	unplug(host, 10);
	plug(host, 11, 0, 3);
}

/* b has been restarted meanwhile. */
static void test_restart_replaced(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	restart(&host, replace_10);
	assert_doubt(&host, "v11", PORT_NOT_ASKED);
	assert_null(ports_find(&host.ports, "v10"));
	look(&host);
	assert_known(&host, "v11", "b");
	end(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_other_bridge),
		cmocka_unit_test(test_other_network),
		cmocka_unit_test(test_no_peer),
		cmocka_unit_test(test_older_word),
		cmocka_unit_test(test_docker_silent),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_turned_at_restart),
		cmocka_unit_test(test_contested),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_waits_under_another),
		cmocka_unit_test(test_just_then),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_docker_forgets),
		cmocka_unit_test(test_lingers),
		cmocka_unit_test(test_same_name),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_configured),
		cmocka_unit_test(test_configured_and_docker),
		cmocka_unit_test(test_configured_and_older_word),
		cmocka_unit_test(test_configured_too_late),
		cmocka_unit_test(test_configured_contested),
		cmocka_unit_test(test_configured_is_nobody),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_restart_older_word),
		cmocka_unit_test(test_restart_turned),
		cmocka_unit_test(test_restart_waits),
		cmocka_unit_test(test_restart_contested),
		cmocka_unit_test(test_restart_replaced),
	};

	return cmocka_run_group_tests_name("ports_join", tests, NULL, NULL);
}
