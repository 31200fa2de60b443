/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker gives these answers, and never should give some of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/err.h"
#include "dockside/docker/docker_caps.h"
#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_ports.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse_networks(const char *text, struct docker_networks *ret, struct err *err)
{
	return docker_parse_networks(text, strlen(text), ret, err);
}

static void test_about(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned api;
	} cases[] = {
		{ "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}",
		  0, 41 },
		{ "{\"Version\":\"29.0\",\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.44\"}\n", 0,
		  DOCKER_API_MAX },
		{ "{\"Version\":\"1.12\",\"ApiVersion\":\"1.24\"}", 0, 24 },
		{ "{\"Version\":\"1.11\",\"ApiVersion\":\"1.23\"}", -EOPNOTSUPP, 0 },
		{ "{\"Version\":\"99\",\"ApiVersion\":\"1.200\",\"MinAPIVersion\":\"1.100\"}",
		  -EOPNOTSUPP, 0 },
		{ "{\"Version\":\"9\",\"ApiVersion\":\"2.0\"}", -EPROTO, 0 },
		{ "{\"Version\":\"9\",\"ApiVersion\":\"1.41x\"}", -EPROTO, 0 },
		{ "{\"Version\":\"9\",\"ApiVersion\":1.41}", -EPROTO, 0 },
		{ "{\"Version\":\"9\"}", -EPROTO, 0 },
		{ "{\"Version\":9,\"ApiVersion\":\"1.41\"}", -EPROTO, 0 },
		{ "{\"Version\":\"\",\"ApiVersion\":\"1.41\"}", -EPROTO, 0 },
		{ "[]", -EPROTO, 0 },
		{ "", -EPROTO, 0 },
		{ "{", -EPROTO, 0 },
		{ "{} {}", -EPROTO, 0 },
		{ "{\"Version\":\"\xff\",\"ApiVersion\":\"1.41\"}", -EPROTO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct docker_about about = { 0 };
		struct err err = { 0 };
		int r = docker_parse_about(cases[i].text, strlen(cases[i].text), &about, &err);

		if (r != cases[i].r || about.api != cases[i].api)
			fail_msg("%s: %d, API %u", cases[i].text, r, about.api);
		assert_int_equal(err.code, -r);
		docker_about_free(&about);
		err_free(&err);
	}
}

static void test_backend(void **state)
{
	static const char with[] = "{\"FirewallBackend\":{\"Driver\":\"nftables+firewalld\"}}";
	static const char wrong[] = "{\"FirewallBackend\":{\"Driver\":[]}}";
	char *driver = NULL;

	(void)state;
	assert_int_equal(docker_parse_backend(with, strlen(with), &driver, NULL), 0);
	assert_string_equal(driver, "nftables+firewalld");
	free(driver);
	assert_int_equal(docker_parse_backend("{}", 2, &driver, NULL), 0);
	assert_null(driver);
	assert_int_equal(docker_parse_backend(wrong, strlen(wrong), &driver, NULL), -EPROTO);
}

static void test_networks(void **state)
{
	static const char text[] =
		"[{\"Name\":\"bridge\",\"Id\":\"" ID
		"\",\"Driver\":\"bridge\",\"IPAM\":{\"Config\":"
		"[{\"Subnet\":\"172.17.0.0/16\"}]},\"Options\":{\"com.docker.network.bridge.name\":"
		"\"docker0\",\"com.docker.network.driver.mtu\":\"9000\"},\"Containers\":{},"
		"\"Labels\":{\"owner\":\"\\\"the\\\" Gr\xc3\xbc\xc3\x9f\"}}," /* json-c 0.18 */
		"{\"Name\":\"host\",\"Id\":\"aa\",\"Driver\":\"host\",\"IPAM\":{\"Config\":null},"
		"\"Options\":null},"
		"{\"Name\":\"six\",\"Id\":\"" ID "\",\"Driver\":\"bridge\",\"IPAM\":{\"Config\":["
		"{\"Subnet\":\"10.0.0.7/8\",\"Gateway\":\"10.0.0.9/8\"},{\"Subnet\":\"fd00::/64\"},"
		"{\"Subnet\":\"nonsense\"}]},\"Options\":{\"com.docker.network.driver.mtu\":"
		"\"1e3\"}}]\n";
	struct docker_networks networks = { 0 };
	const struct docker_network *network;
	char s[ADDR_STRLEN];

	(void)state;
	assert_int_equal(parse_networks(text, &networks, NULL), 0);
	assert_int_equal(networks.n, 3);
	network = docker_find_network(&networks, "bridge");
	assert_string_equal(network->bridge, "docker0");
	assert_string_equal(network->id, ID);
	assert_string_equal(prefix_format(&network->subnets[0].prefix, s), "172.17.0.0/16");
	assert_string_equal(ipaddr_format(&network->subnets[0].gateway, s), "172.17.0.1");
	assert_true(network->has_mtu);
	assert_int_equal(network->mtu, 9000);
	network = docker_find_network(&networks, "host");
	assert_false(network->has_mtu);
	assert_string_equal(network->bridge, "");
	assert_int_equal(network->n_subnets, 0);
	network = docker_find_network(&networks, "six");
	assert_false(network->has_mtu);
	assert_string_equal(network->bridge, "br-0123456789ab");
	assert_int_equal(network->n_subnets, 2);
	assert_string_equal(prefix_format(&network->subnets[0].prefix, s), "10.0.0.0/8");
	assert_string_equal(ipaddr_format(&network->subnets[0].gateway, s), "10.0.0.9");
	assert_string_equal(prefix_format(&network->subnets[1].prefix, s), "fd00::/64");
	assert_null(docker_find_network(&networks, "none"));
	docker_networks_free(&networks);
}

static void test_one_network(void **state)
{
	static const char text[] = "{\"Name\":\"shop_default\",\"Id\":\"" ID
				   "\",\"Driver\":\"bridge\",\"IPAM\":{\"Config\":"
				   "[{\"Subnet\":\"172.18.0.0/16\"}]},\"Options\":{}}";
	cleanup(cleanup_free) char *derived = docker_derived_bridge(ID);
	struct docker_networks networks = { 0 };

	(void)state;
	assert_int_equal(docker_parse_network(text, strlen(text), &networks, NULL), 0);
	assert_int_equal(networks.n, 1);
	assert_string_equal(networks.items[0].name, "shop_default");
	assert_string_equal(networks.items[0].bridge, derived);
	docker_networks_forget(&networks, "aa");
	assert_int_equal(networks.n, 1);
	docker_networks_forget(&networks, ID);
	assert_int_equal(networks.n, 0);
	docker_networks_free(&networks);
	assert_int_equal(docker_parse_network("[]", 2, &networks, NULL), -EPROTO);
	assert_int_equal(docker_parse_network("{}", 2, &networks, NULL), -EPROTO);
}

static void test_networks_nonsense(void **state)
{
	static const char *const texts[] = {
		"{}",
		"null",
		"[1]",
		"[[]]",
		"[{}]",
		"[{\"Id\":\"aa\"}]",
		"[{\"Id\":\"../x\",\"Name\":\"a\"}]",
		"[{\"Id\":\"\",\"Name\":\"a\"}]",
		"[{\"Id\":\"" ID "0\",\"Name\":\"a\"}]",
		"[{\"Id\":\"aa\",\"Name\":5}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"Driver\":{}}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"IPAM\":[]}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"IPAM\":{\"Config\":{}}}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"IPAM\":{\"Config\":[1]}}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"IPAM\":{\"Config\":[{\"Subnet\":1}]}}]",
		"[{\"Id\":\"aa\",\"Name\":\"a\",\"Options\":[]}]",
		("[{\"Id\":\"aa\",\"Name\":\"a\",\"Driver\":\"bridge\",\"Options\":{\"com.docker."
		 "network.bridge.name\":7}}]"),
		"[{\"Id\":\"aa\",\"Name\":\"a\"}",
		"[{\"Id\":\"aa\",\"Name\":\"a\"}] x",
		"[NaN]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct docker_networks networks = { 0 };
		struct err err = { 0 };

		if (parse_networks(texts[i], &networks, &err) != -EPROTO)
			fail_msg("accepted: %s", texts[i]);
		if (!strstr(err.text, "makes no sense"))
			fail_msg("%s: %s", texts[i], err.text);
		assert_int_equal(networks.n, 0);
		err_free(&err);
	}
	assert_int_equal(docker_parse_networks("[]\0", 3, &(struct docker_networks){ 0 }, NULL),
			 -EPROTO);
}

/* Short in the text, long in memory. */
static void test_too_many_values(void **state)
{
	struct docker_networks networks = { 0 };
	size_t n = DOCKER_VALUES_MAX + 2;
	char *text = malloc(2 * n + 2);
	struct err err = { 0 };

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, i ? ",1" : "[1", 2);
	memcpy(text + 2 * n, "]", 2);
	assert_int_equal(parse_networks(text, &networks, &err), -EPROTO);
	assert_non_null(strstr(err.text, "too many values"));
	err_free(&err);
	free(text);
}

static int parse_legs(const char *text, struct docker_legs *ret)
{
	return docker_parse_legs(text, strlen(text), ret, NULL);
}

/* As 20.10 answers, and what of it may be missing. */
static void test_legs(void **state)
{
	static const char text[] =
		"[{\"Id\":\"" ID "\",\"Names\":[\"/c1\",\"/x/c1\"],\"NetworkSettings\":{"
		"\"Networks\":{\"bridge\":{\"NetworkID\":\"aa\",\"IPAddress\":\"172.17.0.2\","
		"\"GlobalIPv6Address\":\"\",\"MacAddress\":\"02:42:ac:11:00:02\"},"
		"\"ds-a\":{\"NetworkID\":\"bb\",\"IPAddress\":\"\","
		"\"GlobalIPv6Address\":\"fd00::2\"}}}},"
		"{\"Id\":\"cc\",\"Names\":null,\"NetworkSettings\":{\"Networks\":{\"host\":{}}}},"
		"{\"Id\":\"dd\"}]";
	struct docker_legs legs = { 0 };
	char s[ADDR_STRLEN];

	(void)state;
	assert_int_equal(parse_legs(text, &legs), 0);
	assert_int_equal(legs.n, 3);
	assert_string_equal(legs.items[0].container.name, "c1");
	assert_string_equal(legs.items[0].network, "bridge");
	assert_string_equal(ipaddr_format(&legs.items[0].container.ip, s), "172.17.0.2");
	assert_true(legs.items[0].container.has_mac && !legs.items[0].container.has_ip6);
	assert_string_equal(legs.items[1].container.id, ID);
	assert_true(legs.items[1].container.has_ip6 && !legs.items[1].container.has_ip);
	assert_string_equal(legs.items[2].container.name, "cc");
	docker_legs_forget(&legs, "ds-a", "cc");
	docker_legs_forget(&legs, "ds-b", ID);
	assert_int_equal(legs.n, 3);
	docker_legs_forget(&legs, "ds-a", ID);
	assert_int_equal(legs.n, 2);
	assert_string_equal(legs.items[0].network, "bridge");
	assert_string_equal(legs.items[1].container.name, "cc");
	docker_legs_free(&legs);
}

static void test_legs_nonsense(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[1]",
		"[{}]",
		"[{\"Id\":\"../x\"}]",
		"[{\"Id\":\"aa\",\"Names\":\"x\"}]",
		"[{\"Id\":\"aa\",\"NetworkSettings\":[]}]",
		"[{\"Id\":\"aa\",\"NetworkSettings\":{\"Networks\":[]}}]",
		"[{\"Id\":\"aa\",\"NetworkSettings\":{\"Networks\":{\"a\":1}}}]",
		"[{\"Id\":\"aa\",\"NetworkSettings\":{\"Networks\":{\"a\":{\"IPAddress\":1}}}}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct docker_legs legs = { 0 };

		if (parse_legs(texts[i], &legs) != -EPROTO)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(legs.n, 0);
	}
}

static void test_containers(void **state)
{
	static const char text[] =
		"{\"Id\":\"aa\",\"Containers\":{\"c1\":{\"Name\":\"web\",\"MacAddress\":"
		"\"02:42:ac:1e:01:0b\",\"IPv4Address\":\"172.30.1.11/24\",\"IPv6Address\":\"\"},"
		"\"ep-\\u001bx\":{\"IPv6Address\":\"fd00::5/64\",\"IPv4Address\":\"fd00::6/64\"}}}";
	struct docker_containers containers = { 0 };
	char s[ADDR_STRLEN];

	(void)state;
	assert_int_equal(docker_parse_containers(text, strlen(text), &containers, NULL), 0);
	assert_int_equal(containers.n, 2);
	assert_string_equal(containers.items[0].name, "web");
	assert_true(containers.items[0].has_mac && containers.items[0].has_ip);
	assert_false(containers.items[0].has_ip6);
	assert_string_equal(ipaddr_format(&containers.items[0].ip, s), "172.30.1.11");
	assert_string_equal(containers.items[1].id, "ep- x");
	assert_true(containers.items[1].has_ip6);
	assert_false(containers.items[1].has_ip || containers.items[1].has_mac);
	docker_containers_free(&containers);
	assert_int_equal(docker_parse_containers("{\"Id\":\"aa\",\"Containers\":null}", 29,
						 &containers, NULL),
			 0);
	assert_int_equal(containers.n, 0);
	docker_containers_free(&containers);
	/* An answer to another question must not count as "nobody is attached". */
	assert_int_equal(docker_parse_containers("{}", 2, &containers, NULL), -EPROTO);
	assert_int_equal(docker_parse_containers("{\"Id\":\"aa\",\"Containers\":{\"c\":1}}", 33,
						 &containers, NULL),
			 -EPROTO);
}

/* The dockside container as it is configured, where Docker is silent. */
static void test_port_silence(void **state)
{
	struct network networks[] = {
		{ .bridge = "ds-a",
		  .has_dockside_mac = true,
		  .dockside_mac = { 2, 0x42, 0, 0, 0, 9 },
		  .has_dockside_ip6 = true,
		  .dockside_ip6 = { FAMILY_IPV6, { 0xfd, [15] = 9 } } },
		{ .bridge = "ds-b",
		  .has_dockside_ip = true,
		  .dockside_ip = { FAMILY_IPV4, { 172, 20, 2, 9 } } },
	};
	const struct policy policy = { .networks = networks, .n_networks = 2 };
	struct port_word *words;
	char s[ADDR_STRLEN];

	(void)state;
	docker_port_silence(&policy, &words);
	assert_string_equal(words[0].bridge, "ds-a");
	assert_true(words[0].at == 0 && words[0].n == 0);
	assert_string_equal(words[0].configured->container, "dockside");
	assert_string_equal(mac_format(words[0].configured->mac, s), "02:42:00:00:00:09");
	assert_int_equal(words[0].configured->n_addrs, 1);
	assert_string_equal(ipaddr_format(&words[0].configured->addrs[0], s), "fd00::9");
	assert_string_equal(words[1].bridge, "ds-b");
	assert_null(words[1].configured); /* an address alone says nothing of a port */
	port_word_free(&words[0]);
	port_word_free(&words[1]);
	free(words);
}

/* A MAC address that no port can have is left out. */
static void test_port_word(void **state)
{
	static const char text[] =
		"{\"Id\":\"aa\",\"Containers\":{\"c1\":{\"Name\":\"web\",\"MacAddress\":"
		"\"02:42:ac:1e:01:0b\",\"IPv4Address\":\"172.30.1.11/24\",\"IPv6Address\":"
		"\"fd00::5/64\"},\"c2\":{\"MacAddress\":\"02:42:ac:1e:01:0c\"},"
		"\"c3\":{\"Name\":\"none\",\"IPv4Address\":\"172.30.1.13/24\"},"
		"\"c4\":{\"Name\":\"zero\",\"MacAddress\":\"00:00:00:00:00:00\"},"
		"\"c5\":{\"Name\":\"group\",\"MacAddress\":\"01:00:5e:00:00:01\"}}}";
	struct docker_containers containers = { 0 };
	struct port_word word;
	char s[ADDR_STRLEN];

	(void)state;
	assert_int_equal(docker_parse_containers(text, strlen(text), &containers, NULL), 0);
	docker_port_word(&containers, "br0", 7, &word);
	docker_containers_free(&containers);
	assert_string_equal(word.bridge, "br0");
	assert_int_equal(word.at, 7);
	assert_int_equal(word.n, 2);
	assert_string_equal(word.owners[0].container, "web");
	assert_string_equal(mac_format(word.owners[0].mac, s), "02:42:ac:1e:01:0b");
	assert_int_equal(word.owners[0].n_addrs, 2);
	assert_string_equal(ipaddr_format(&word.owners[0].addrs[0], s), "172.30.1.11");
	assert_string_equal(ipaddr_format(&word.owners[0].addrs[1], s), "fd00::5");
	assert_string_equal(word.owners[1].container, "c2");
	assert_int_equal(word.owners[1].n_addrs, 0);
	port_word_free(&word);
}

#define CONFIG(text) "{\"Id\":\"aa\",\"HostConfig\":{" text "}}"

static void test_caps(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool net_raw, net_admin;
	} cases[] = {
		{ CONFIG(""), 0, true, false },
		{ CONFIG("\"Privileged\":false,\"CapAdd\":null,\"CapDrop\":null"), 0, true, false },
		{ CONFIG("\"Privileged\":true,\"CapDrop\":[\"ALL\"]"), 0, true, true },
		{ CONFIG("\"CapDrop\":[\"NET_RAW\"]"), 0, false, false },
		{ CONFIG("\"CapDrop\":[\"SYS_TIME\",\"cap_net_raw\"]"), 0, false, false },
		{ CONFIG("\"CapDrop\":[\"NET_RAWX\"]"), 0, true, false },
		{ CONFIG("\"CapDrop\":[\"all\"]"), 0, false, false },
		{ CONFIG("\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"NET_ADMIN\"]"), 0, false, true },
		{ CONFIG("\"CapDrop\":[\"NET_RAW\"],\"CapAdd\":[\"CAP_NET_RAW\"]"), 0, true,
		  false },
		{ CONFIG("\"CapDrop\":[\"NET_RAW\"],\"CapAdd\":[\"ALL\"]"), 0, false, true },
		{ CONFIG("\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"ALL\"]"), 0, true, true },
		{ CONFIG("\"CapAdd\":[5,\"NET_ADMIN\"]"), 0, true, true },
		{ CONFIG("\"CapAdd\":\"NET_ADMIN\""), -EPROTO, false, false },
		{ CONFIG("\"Privileged\":\"no\""), -EPROTO, false, false },
		{ "{\"Id\":\"aa\"}", -EPROTO, false, false },
		{ "{\"HostConfig\":{}}", -EPROTO, false, false },
		{ "[]", -EPROTO, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct docker_caps caps = { 0 };
		int r = docker_caps_parse(cases[i].text, strlen(cases[i].text), &caps, NULL);

		if (r != cases[i].r || caps.net_raw != cases[i].net_raw ||
		    caps.net_admin != cases[i].net_admin)
			fail_msg("%s: %d, NET_RAW %d, NET_ADMIN %d", cases[i].text, r, caps.net_raw,
				 caps.net_admin);
	}
}

static void test_events(void **state)
{
	static const char destroy[] =
		"{\"Type\":\"network\",\"Action\":\"destroy\",\"Actor\":{\"ID\":\"" ID
		"\",\"Attributes\":{\"name\":\"ds-b\",\"type\":\"bridge\"}},\"scope\":\"local\","
		"\"time\":1795541151}";
	static const char connect[] =
		"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"aa\"}}\r";
	static const char disconnect[] =
		"{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"aa\","
		"\"Attributes\":{\"container\":\"" ID "\",\"name\":\"ds-b\"}}}";
	static const char other[] = "{\"Type\":\"container\",\"Action\":\"die\"}";
	static const char *const nonsense[] = {
		"{}",
		"[]",
		"{\"Type\":\"network\"}",
		"{\"Type\":\"network\",\"Action\":\"destroy\",\"Actor\":{\"ID\":\"../x\"}}",
		"{\"Type\":\"network\",\"Action\":\"destroy\",\"Actor\":null}",
		"{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"aa\","
		"\"Attributes\":[]}}",
		"{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"aa\","
		"\"Attributes\":{"
		"\"name\":5}}}",
		"{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"aa\","
		"\"Attributes\":{\"container\":5}}}",
	};
	struct docker_event event = { 0 };

	(void)state;
	assert_int_equal(docker_parse_event(destroy, strlen(destroy), &event, NULL), 0);
	assert_int_equal(event.action, DOCKER_DESTROY);
	assert_string_equal(event.id, ID);
	assert_string_equal(event.name, "ds-b");
	docker_event_free(&event);
	assert_int_equal(docker_parse_event(connect, strlen(connect), &event, NULL), 0);
	assert_int_equal(event.action, DOCKER_CONNECT);
	assert_string_equal(event.name, "");
	assert_string_equal(event.container, "");
	docker_event_free(&event);
	assert_int_equal(docker_parse_event(disconnect, strlen(disconnect), &event, NULL), 0);
	assert_int_equal(event.action, DOCKER_DISCONNECT);
	assert_string_equal(event.name, "ds-b");
	assert_string_equal(event.container, ID);
	docker_event_free(&event);
	assert_int_equal(docker_parse_event(other, strlen(other), &event, NULL), 0);
	assert_int_equal(event.action, DOCKER_OTHER);
	docker_event_free(&event);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		if (docker_parse_event(nonsense[i], strlen(nonsense[i]), &event, NULL) != -EPROTO)
			fail_msg("accepted: %s", nonsense[i]);
}

static void check_refusal(const char *text, const char *wanted)
{
	char *got = docker_refusal(text, strlen(text));

	assert_string_equal(got, wanted);
	free(got);
}

static void test_refusals(void **state)
{
	char *text = malloc(3 * DOCKER_TEXT_MAX + 1), *got;

	(void)state;
	check_refusal("{\"message\":\"network ds-a has active endpoints\"}\n",
		      "network ds-a has active endpoints");
	check_refusal("{\"message\":\"a\\u001b[31m\\nb\\u202ec\"}", "a [31m b c");
	check_refusal("{\"message\":5}", "{\"message\":5}");
	check_refusal("plain text\x7f\xff\r\n", "plain text");
	check_refusal("", "");
	assert_non_null(text);
	memset(text, 'x', 3 * DOCKER_TEXT_MAX);
	text[3 * DOCKER_TEXT_MAX] = '\0';
	got = docker_refusal(text, strlen(text));
	assert_int_equal(strlen(got), DOCKER_TEXT_MAX + strlen("…"));
	free(got);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_about),
		cmocka_unit_test(test_backend),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_one_network),
		cmocka_unit_test(test_networks_nonsense),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_legs),
		cmocka_unit_test(test_legs_nonsense),
		cmocka_unit_test(test_port_silence),
		cmocka_unit_test(test_port_word),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
