/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells who is on which port from who only says so. */
#include "ports_join_fixture.h"

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
	};

	return cmocka_run_group_tests_name("ports_join", tests, NULL, NULL);
}
