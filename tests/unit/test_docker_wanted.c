/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy's networks against Docker's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/docker/docker_wanted.h"

static struct docker_wanted wanted(void)
{
	return (struct docker_wanted){
		.name = "ds-A",
		.bridge = "ds-a",
		.subnet = prefix("172.30.1.0/24"),
		.has_subnet = true,
		.gateway = addr("172.30.1.1"),
		.has_gateway = true,
		.placed = true,
	};
}

static struct docker_network same(void)
{
	return (struct docker_network){
		.id = "aa",
		.name = "ds-A",
		.driver = "bridge",
		.bridge = "ds-a",
		.subnets = { { prefix("172.30.1.0/24"), addr("172.30.1.1") } },
		.n_subnets = 1,
	};
}

/* One difference, or none (NULL). */
static void check(const struct docker_wanted *w, const struct docker_network *n,
		  const char *expected)
{
	struct docker_wanted_difference differences[DOCKER_WANTED_PROPERTIES];
	size_t count = docker_wanted_compare(w, n, differences);

	assert_int_equal(count, expected != NULL);
	if (expected)
		assert_string_equal(differences[0].text, expected);
	for (size_t i = 0; i < count; i++)
		free(differences[i].text);
}

/* Docker is compared with no more than the configuration gives of a network that others make. */
static void test_external(void **state)
{
	struct docker_wanted w = wanted();
	struct docker_network n = same();

	(void)state;
	w.external = true;
	w.has_subnet = w.has_gateway = false;
	w.has_subnet6 = false;
	n.bridge = "br-0123456789ab";
	n.has_mtu = true;
	n.mtu = 9000;
	n.subnets[1] = (struct docker_subnet){ prefix("fd00::/64"), addr("fd00::1") };
	n.n_subnets = 2;
	check(&w, &n, NULL);
	w.bridge_given = true;
	check(&w, &n, "its bridge is br-0123456789ab in Docker, ds-a in the configuration");
	w.bridge_given = false;
	w.has_subnet = true;
	w.subnet = prefix("172.30.7.0/24");
	check(&w, &n, "its subnet is 172.30.1.0/24 in Docker, 172.30.7.0/24 in the configuration");
	w.subnet = prefix("172.30.1.0/24");
	w.has_gateway = true;
	w.gateway = addr("172.30.1.9");
	check(&w, &n, "its gateway is 172.30.1.1 in Docker, 172.30.1.9 in the configuration");
	w.has_gateway = false;
	w.has_subnet6 = true;
	w.subnet6 = prefix("fd01::/64");
	check(&w, &n, "its IPv6 subnet is fd00::/64 in Docker, fd01::/64 in the configuration");
}

static void test_same(void **state)
{
	struct docker_wanted w = wanted();
	struct docker_network n = same();

	(void)state;
	check(&w, &n, NULL);
	/* Prefixes are compared, not texts. */
	n.subnets[0].prefix = prefix("172.30.1.9/255.255.255.0");
	check(&w, &n, NULL);
	w.has_subnet6 = true;
	w.subnet6 = prefix("fd00:0:0:1::/64");
	n.subnets[n.n_subnets++] =
		(struct docker_subnet){ prefix("fd00:0000:0:1:0::/64"), addr("fd00:0:0:1::1") };
	check(&w, &n, NULL);
}

static void test_each_difference(void **state)
{
	struct docker_wanted w = wanted();
	struct docker_network n = same();

	(void)state;
	n.bridge = "br-0123456789ab";
	check(&w, &n, "its bridge is br-0123456789ab in Docker, ds-a in the configuration");
	n = same();
	n.driver = "macvlan";
	n.bridge = ""; /* what a driver without bridge has is no further difference */
	check(&w, &n, "its driver is macvlan in Docker, bridge in the configuration");
	n = same();
	n.subnets[0].prefix = prefix("172.30.1.0/25");
	n.subnets[0].gateway = addr("172.30.1.77");
	check(&w, &n, "its subnet is 172.30.1.0/25 in Docker, 172.30.1.0/24 in the configuration");
	n = same();
	n.subnets[0].gateway = addr("172.30.1.9");
	check(&w, &n, "its gateway is 172.30.1.9 in Docker, 172.30.1.1 in the configuration");
	n = same();
	n.n_subnets = 0;
	check(&w, &n, "its subnet is none in Docker, 172.30.1.0/24 in the configuration");
	n = same();
	n.subnets[n.n_subnets++] = (struct docker_subnet){ prefix("fd00::/64"), addr("fd00::1") };
	check(&w, &n, "its IPv6 subnet is fd00::/64 in Docker, none in the configuration");
	n = same();
	w.has_subnet6 = true;
	w.subnet6 = prefix("fd00::/64");
	check(&w, &n, "its IPv6 subnet is none in Docker, fd00::/64 in the configuration");
}

static void test_mtu(void **state)
{
	struct docker_wanted w = wanted();
	struct docker_network n = same();

	(void)state;
	n.has_mtu = true;
	n.mtu = 1500;
	check(&w, &n, NULL);
	n.mtu = 9000;
	check(&w, &n, "its MTU is 9000 in Docker, 1500 in the configuration");
	w.has_mtu = true;
	w.mtu = 9000;
	check(&w, &n, NULL);
	n.has_mtu = false;
	check(&w, &n, "its MTU is the default in Docker, 9000 in the configuration");
	w.mtu = 1500;
	check(&w, &n, NULL);
}

static void check_creation(const struct docker_wanted *w, const char *expected)
{
	char *body = docker_wanted_creation(w);

	assert_string_equal(body, expected);
	free(body);
}

static void test_creation(void **state)
{
	struct docker_wanted w = wanted();

	(void)state;
#define OPTIONS                                                        \
	"\"Options\":{\"com.docker.network.bridge.name\":\"ds-a\","    \
	"\"com.docker.network.bridge.enable_icc\":\"true\","           \
	"\"com.docker.network.bridge.enable_ip_masquerade\":\"true\"," \
	"\"com.docker.network.bridge.host_binding_ipv4\":\"0.0.0.0\"," \
	"\"com.docker.network.driver.mtu\":\"1500\"}}"
	check_creation(&w, "{\"Name\":\"ds-A\",\"CheckDuplicate\":true,\"Driver\":\"bridge\","
			   "\"EnableIPv6\":false,\"IPAM\":{\"Driver\":\"default\",\"Config\":["
			   "{\"Subnet\":\"172.30.1.0/24\",\"Gateway\":\"172.30.1.1\"}]}," OPTIONS);
	w.has_mtu = true;
	w.mtu = 1500;
	w.has_subnet6 = true;
	w.subnet6 = prefix("fd00::/64");
	check_creation(&w, "{\"Name\":\"ds-A\",\"CheckDuplicate\":true,\"Driver\":\"bridge\","
			   "\"EnableIPv6\":true,\"IPAM\":{\"Driver\":\"default\",\"Config\":["
			   "{\"Subnet\":\"172.30.1.0/24\",\"Gateway\":\"172.30.1.1\"},"
			   "{\"Subnet\":\"fd00::/64\"}]}," OPTIONS);
}

static void test_orphans(void **state)
{
	struct docker_wanted items[] = { wanted() };
	struct docker_wanted_list list = { .items = items, .n = 1 };
	struct docker_network n = same();

	(void)state;
	assert_false(docker_wanted_orphan(&list, &n));
	n.name = "ds-a"; /* Docker's names have letter case */
	assert_true(docker_wanted_orphan(&list, &n));
	n.name = "ds-x";
	assert_true(docker_wanted_orphan(&list, &n));
	n.name = "dsx";
	assert_false(docker_wanted_orphan(&list, &n));
	n.name = "my-ds-x";
	assert_false(docker_wanted_orphan(&list, &n));
}

static void test_attached(void **state)
{
	struct docker_container items[] = {
		{ .has_ip = true, .ip = addr("172.30.1.2"), .has_mac = true, .mac = { 2, 1 } },
		{ .has_ip = true, .ip = addr("172.30.1.11"), .has_mac = true, .mac = { 2, 2 } },
	};
	struct docker_containers containers = { .items = items, .n = 2 };
	struct docker_wanted_identity identity = { .has_ip = true, .ip = addr("172.30.1.2") };

	(void)state;
	assert_int_equal(docker_wanted_count_attached(&containers, 0, NULL), 2);
	assert_int_equal(
		docker_wanted_count_attached(&containers, 0, &(struct docker_wanted_identity){ 0 }),
		2);
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 1);
	identity.policed = true;
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 2);
	identity.policed = false;
	identity.has_mac = true; /* every one that is configured has to be its */
	identity.mac[0] = 2;
	identity.mac[1] = 9;
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 2);
	identity.mac[1] = 1;
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 1);
	identity.has_ip6 = true;
	identity.ip6 = addr("fd00::2");
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 2);
	containers.n = 0;
	assert_int_equal(docker_wanted_count_attached(&containers, 0, &identity), 0);
	assert_int_equal(docker_wanted_count_attached(&containers, 2, &identity), 2);
}

static void assert_impostor(const struct docker_wanted_identity *identity, const char *expected)
{
	struct docker_container items[] = {
		{ .name = "other", .has_ip = true, .ip = addr("172.30.1.11") },
		{ .name = "proxy",
		  .has_ip = true,
		  .ip = addr("172.30.1.2"),
		  .has_ip6 = true,
		  .ip6 = addr("fd00::2"),
		  .has_mac = true,
		  .mac = { 0x92, 1, 2, 3, 4, 5 } },
	};
	struct docker_containers containers = { .items = items, .n = 2 };
	char *text = docker_wanted_impostor(identity, &containers);

	if (expected)
		assert_ptr_equal(strstr(text, expected), text);
	else
		assert_null(text);
	free(text);
}

static void test_impostor(void **state)
{
	struct docker_wanted_identity identity = {
		.has_ip = true,
		.ip = addr("172.30.1.2"),
		.has_mac = true,
		.mac = { 0x02, 0x42, 172, 30, 1, 2 },
	};

	(void)state;
	assert_impostor(&identity,
			"dockside_mac is 02:42:ac:1e:01:02, but proxy, the container with "
			"172.30.1.2, has the MAC address 92:01:02:03:04:05: the rules treat it "
			"like any other; start it with the MAC address 02:42:ac:1e:01:02 ");
	memcpy(identity.mac, (uint8_t[]){ 0x92, 1, 2, 3, 4, 5 }, 6);
	assert_impostor(&identity, NULL);
	identity.mac[5]++;
	identity.has_ip = false; /* nobody knows whose it should be */
	assert_impostor(&identity, NULL);
	identity.has_ip6 = true;
	identity.ip6 = addr("fd00::2");
	assert_impostor(&identity, "dockside_mac is 92:01:02:03:04:06, but proxy, the container "
				   "with fd00::2, has the MAC address 92:01:02:03:04:05: ");
	identity.has_mac = false;
	assert_impostor(&identity, NULL);
	identity.has_mac = true;
	identity.ip6 = addr("fd00::3"); /* it is not started yet */
	assert_impostor(&identity, NULL);
	identity.has_ip = true;
	identity.ip = addr("172.30.1.11"); /* Docker does not tell its MAC address */
	assert_impostor(&identity, NULL);
}

static void assert_outside(const struct docker_wanted_identity *identity, const char *expected)
{
	static const struct docker_containers nobody;
	char *text = docker_wanted_outside(identity);
	char *again = docker_wanted_impostor(identity, &nobody);

	if (expected) {
		assert_non_null(text);
		assert_string_equal(text, expected);
		assert_string_equal(again, expected);
	} else {
		assert_null(text);
		assert_null(again);
	}
	free(text);
	free(again);
}

/* An external network has Docker's subnets, and the files an address. */
static void test_outside(void **state)
{
	struct docker_wanted_identity identity = { .has_ip = true, .ip = addr("10.9.9.9") };

	(void)state;
	assert_outside(&identity, NULL); /* nobody knows the subnets */
	identity.has_subnet = true;
	identity.subnet = prefix("172.19.0.0/16");
	assert_outside(
		&identity,
		"dockside_ip is 10.9.9.9, which is outside the subnet that the network has in "
		"Docker, 172.19.0.0/16: the rules exempt no container; correct dockside_ip");
	identity.ip = addr("172.19.0.2");
	assert_outside(&identity, NULL);
	identity.has_gateway = true;
	identity.gateway = addr("172.19.0.2");
	assert_outside(&identity,
		       "dockside_ip is 172.19.0.2, which is the gateway's address in Docker: "
		       "the rules exempt no container; correct dockside_ip");
	identity.gateway = addr("172.19.0.1");
	identity.has_ip6 = true;
	identity.ip6 = addr("fd00:2::2");
	assert_outside(
		&identity,
		"dockside_ip6 is fd00:2::2, and Docker has given the network no subnet of that "
		"family: the rules exempt no container; correct dockside_ip6, or make the "
		"network anew with such a subnet");
	identity.has_subnet6 = true;
	identity.subnet6 = prefix("fd00:1::/64");
	assert_outside(
		&identity,
		"dockside_ip6 is fd00:2::2, which is outside the subnet that the network has in "
		"Docker, fd00:1::/64: the rules exempt no container; correct dockside_ip6");
	identity.subnet6 = prefix("fd00:2::/64");
	assert_outside(&identity, NULL);
	identity.has_gateway6 = true;
	identity.gateway6 = addr("fd00:2::1");
	assert_outside(&identity, NULL);
	identity.ip6 = addr("fd00:2::1");
	assert_outside(&identity,
		       "dockside_ip6 is fd00:2::1, which is the gateway's address in Docker: "
		       "the rules exempt no container; correct dockside_ip6");
}

static void assert_impostors(const struct docker_wanted_identity *identity, const char *expected)
{
	struct docker_container items[] = {
		{ .name = "web",
		  .has_ip = true,
		  .ip = addr("172.30.1.2"),
		  .has_mac = true,
		  .mac = { 2, 0, 0, 0, 1, 0x11 } },
		{ .name = "proxy",
		  .has_ip = true,
		  .ip = addr("172.30.1.5"),
		  .has_ip6 = true,
		  .ip6 = addr("fd00::5"),
		  .has_mac = true,
		  .mac = { 2, 0, 0, 0, 1, 2 } },
	};
	struct docker_containers containers = { .items = items, .n = 2 };
	char *text = docker_wanted_impostor(identity, &containers);

	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
	free(text);
}

static void test_impostors(void **state)
{
	struct docker_wanted_identity identity = {
		.has_ip = true,
		.ip = addr("172.30.1.2"),
		.has_mac = true,
		.mac = { 2, 0, 0, 0, 1, 2 },
		.has_gateway = true,
		.gateway = addr("172.30.1.1"),
	};

	(void)state;
	assert_impostors(
		&identity,
		"proxy, the container with dockside_mac 02:00:00:00:01:02, does not have "
		"the address 172.30.1.2, which Docker has given to web: the rules treat it "
		"like any other; keep that address out of Docker's --ip-range, and start "
		"proxy with it (--ip, --ip6, or ipv4_address and ipv6_address in Compose)");
	identity.ip = addr("172.30.1.3");
	assert_impostors(
		&identity,
		"proxy, the container with dockside_mac 02:00:00:00:01:02, does not have "
		"the address 172.30.1.3: the rules treat it like any other; keep that "
		"address out of Docker's --ip-range, and start proxy with it (--ip, --ip6, "
		"or ipv4_address and ipv6_address in Compose)");
	identity.has_ip6 = true;
	identity.ip6 = addr("fd00::5"); /* one of both is right */
	assert_impostors(&identity, NULL);
	identity.has_ip = identity.has_ip6 = false;
	assert_impostors(&identity, NULL);
	identity.gateway = addr("172.30.1.5");
	assert_impostors(&identity,
			 "Docker has given proxy the address 172.30.1.5, which is the gateway's in "
			 "the configuration: it gets packets that containers send outwards; make "
			 "the network anew with that gateway, or correct gateway_ip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_external), cmocka_unit_test(test_same),
		cmocka_unit_test(test_mtu),	 cmocka_unit_test(test_each_difference),
		cmocka_unit_test(test_creation), cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_attached), cmocka_unit_test(test_impostor),
		cmocka_unit_test(test_outside),	 cmocka_unit_test(test_impostors),
	};

	return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
