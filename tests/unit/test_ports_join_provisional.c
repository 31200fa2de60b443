/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports are known before Docker has answered: by the configuration, and after a restart of the daemon. */
#include "ports_join_fixture.h"

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

	return cmocka_run_group_tests_name("ports_join_provisional", tests, NULL, NULL);
}
