/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to status as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show_status.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

static void assert_status_on(struct term term, const char *json, const char *expected)
{
	struct src src = { .text = xstrdup(json), .len = strlen(json) };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_true(json_parse(&src, &tree, &diags));
	show_status(tree.root, &term, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_tree_free(&tree);
	src_free(&src);
}

static void assert_status(const char *json, const char *expected)
{
	assert_status_on((struct term){ 0 }, json, expected);
}

static void test_status_on_terminal(void **state)
{
	(void)state;
	assert_status_on((struct term){ .width = 40, .colour = true },
			 "{\"ready\":false,\"networks\":[],\"ipsets\":{\"web\":["
			 "\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\",\"192.0.2.4\"]},"
			 "\"names\":{\"a.example\":{\"age\":3,\"error\":\"no\"}},"
			 "\"shim\":{\"state\":\"installed\"}}",
			 "\033[1;31mNOT READY\033[0m: 0 networks; dsfw-nft of unknown version\n"
			 "shim: \033[32minstalled\033[0m\n"
			 "\n"
			 "\033[1mNAME\033[0m       \033[1mLAST ANSWER\033[0m       "
			 "\033[1mADDRESSES\033[0m\n"
			 "a.example  \033[33m3 s ago (now no)\033[0m  none\n"
			 "\n"
			 "\033[1mIPSET\033[0m  \033[1mADDRESSES\033[0m\n"
			 "web    192.0.2.1, 192.0.2.2, 192.0.2.3,…\n");
}

static void test_status(void **state)
{
	(void)state;
	assert_status(
		"{\"status\":\"ok\",\"ready\":true,\"networks\":[\"amber\",\"ds-blue\"],"
		"\"ipsets\":{\"web\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\",\"192.0.2.4\","
		"\"192.0.2.5\"],\"db\":[]},"
		"\"network_details\":{\"amber\":{\"state\":\"enforced\",\"bridge\":\"amber\","
		"\"rules\":12,\"passed\":1234567,\"refused\":3,"
		"\"docker\":\"present\","
		"\"containers\":14,\"known_port_count\":14,\"unknown_port_count\":3,"
		"\"unknown_ports\":[\"v1: Docker has not answered since it came up\","
		"\"v2: another port has the same MAC address\"],\"net_raw_count\":3,"
		"\"net_raw\":[\"web\",\"db\"]},"
		"\"ds-blue\":{\"state\":\"unmanaged\",\"bridge\":\"ds-blue\",\"rules\":0,"
		"\"docker\":\"absent\",\"containers\":null,\"docker_message\":\"network ds-blue: "
		"no\"}},"
		"\"names\":{\"a.example\":{\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"],\"age\":"
		"12,"
		"\"error\":null},\"b.example\":{\"addresses\":[],\"age\":null,\"error\":"
		"\"NXDOMAIN\"}},"
		"\"reload\":{\"result\":\"ok\",\"age\":300,\"message\":null},"
		"\"shim\":{\"state\":\"absent\",\"message\":\"there is no DOCKER-USER\"},"
		"\"docker\":{\"state\":\"connected\",\"message\":null,\"version\":\"28.1\","
		"\"api\":\"1.49\",\"backend\":\"iptables\",\"events\":false},"
		"\"drift\":{\"repairs\":2,\"age\":7300,\"limited\":false,\"ended\":311,\"message\":"
		"\"chain "
		"amber-OUT, by iptables (pid 7)\"},"
		"\"versions\":{\"dsfw-nft\":\"0.1.0\"}}",
		"ready: 2 networks; dsfw-nft 0.1.0\n"
		"last reload: ok, 5 min ago\n"
		"shim: absent: there is no DOCKER-USER\n"
		"docker: connected, version 28.1, API 1.49, firewall backend iptables; without "
		"events\n"
		"drift: repaired 2 times, last 2 h ago, ended 311 connections opened meanwhile: "
		"chain amber-OUT, by iptables (pid 7)\n"
		"\n"
		"NETWORK  STATE      RULES   PASSED  REFUSED  DOCKER   CONTAINERS  PORTS\n"
		"amber    enforced      12  1234567        3  present          14  14/17\n"
		"ds-blue  unmanaged      0        -        -  absent            -      -\n"
		"network amber: port v1: Docker has not answered since it came up\n"
		"network amber: port v2: another port has the same MAC address\n"
		"network amber: and 1 more port whose container is not known\n"
		"network amber: web, db and 1 more have the capability NET_RAW and can make "
		"packets of any kind; "
		"where it is not needed, take it away: cap_drop: [NET_RAW]\n"
		"network ds-blue: no\n"
		"\n"
		"NAME       LAST ANSWER           ADDRESSES\n"
		"a.example  12 s ago              192.0.2.1, 2001:db8::1\n"
		"b.example  never (now NXDOMAIN)  none\n"
		"\n"
		"IPSET  ADDRESSES\n"
		"web    192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 1 more\n"
		"db     none\n");
}

/* A network says that its ports are not bound as those of most networks are. */
static void test_bound(void **state)
{
	(void)state;
	assert_status(
		"{\"ready\":true,\"networks\":[],\"network_details\":{"
		"\"a\":{\"state\":\"enforced\",\"bind\":\"learn\",\"bound\":true,"
		"\"known_port_count\":2,\"unknown_port_count\":0},"
		"\"b\":{\"state\":\"enforced\",\"bind\":\"strict\",\"bound\":true,"
		"\"known_port_count\":2,\"unknown_port_count\":1},"
		"\"c\":{\"state\":\"enforced\",\"bind\":\"off\",\"bound\":false,"
		"\"known_port_count\":3,\"unknown_port_count\":0},"
		"\"d\":{\"state\":\"enforced\",\"bind\":\"learn\",\"bound\":false,"
		"\"known_port_count\":4,\"unknown_port_count\":0},"
		"\"e\":{\"state\":\"unmanaged\",\"bind\":\"learn\",\"bound\":false,"
		"\"known_port_count\":0,\"unknown_port_count\":0}}}",
		"ready: 0 networks; dsfw-nft of unknown version\n"
		"\n"
		"NETWORK  STATE      RULES  PASSED  REFUSED  DOCKER  CONTAINERS        PORTS\n"
		"a        enforced       -       -        -  -                -            2\n"
		"b        enforced       -       -        -  -                -   2/3 strict\n"
		"c        enforced       -       -        -  -                -        3 off\n"
		"d        enforced       -       -        -  -                -  4 not bound\n"
		"e        unmanaged      -       -        -  -                -            0\n"
		"network b: and 1 more port whose container is not known\n");
}

/* Files that are not what runs, and an ipset without a rule. */
static void test_status_of_files(void **state)
{
	(void)state;
	assert_status(
		"{\"ready\":true,\"networks\":[],\"files\":{\"state\":\"current\",\"message\":null,"
		"\"last_accepted_enforced\":false,\"age\":null,\"kept\":true,\"not_kept\":null}}",
		"ready: 0 networks; dsfw-nft of unknown version\n"
		"files: current\n");
	assert_status(
		"{\"ready\":true,\"networks\":[],\"alarms\":[\"since then\"],\"files\":{\"state\":"
		"\"faulty\",\"message\":\"f.json:1:2: "
		"no\",\"last_accepted_enforced\":true,\"age\":7300,"
		"\"kept\":false,\"not_kept\":\"disk full\"},\"ipsets\":{\"x\":[\"192.0.2.1\"]},"
		"\"unused_ipsets\":[\"x\"],\"drift\":{\"repairs\":0,\"files\":\"faulty\"}}",
		"ready: 0 networks; dsfw-nft of unknown version\n"
		"ALARM: since then\n"
		"files: faulty: f.json:1:2: no\n"
		"enforced: the last accepted configuration, since 2 h ago\n"
		"the accepted configuration is not kept: disk full\n"
		"drift: the files are not what runs: faulty\n"
		"\n"
		"IPSET  ADDRESSES\n"
		"x      192.0.2.1 (no rule uses it)\n");
}

/* Nobody must overlook these lines. */
static void test_not_judged(void **state)
{
	(void)state;
	assert_status(
		"{\"status\":\"ok\",\"ready\":false,\"networks\":[\"a\",\"b\"],\"not_judged\":["
		"\"a\"],"
		"\"legs\":[\"network b: its container c1 is on network x, too\"],"
		"\"alarms\":[\"network a: why: its packets are NOT JUDGED; to mend it: so\"],"
		"\"network_details\":{\"a\":{\"state\":\"not judged\",\"reason\":\"why\","
		"\"mend\":\"so\",\"rules\":1,\"docker\":\"differs\"},"
		"\"b\":{\"state\":\"pending\",\"reason\":\"it waits\",\"rules\":1,"
		"\"docker\":\"present\"}}}",
		"NOT READY: 2 networks; dsfw-nft of unknown version\n"
		"ALARM: network a: why: its packets are NOT JUDGED; to mend it: so\n"
		"\n"
		"NETWORK  STATE       RULES  PASSED  REFUSED  DOCKER   CONTAINERS  PORTS\n"
		"a        NOT JUDGED      1       -        -  differs           -      -\n"
		"b        pending         1       -        -  present           -      -\n"
		"network b: it waits\n"
		"warning: network b: its container c1 is on network x, too\n");
}

/* There is no harm in printing an answer, whoever gave it. */
static void test_odd_status(void **state)
{
	(void)state;
	assert_status("{}", "NOT READY: 0 networks; dsfw-nft of unknown version\n");
	assert_status("{\"ready\":1,\"networks\":[7],\"network_details\":[],\"names\":{\"a\":3},"
		      "\"ipsets\":{\"x\":{}},\"reload\":[],\"shim\":{},\"drift\":{\"repairs\":0},"
		      "\"docker\":{\"message\":\"no\"},\"truncated\":true}",
		      "NOT READY: 1 network; dsfw-nft of unknown version\n"
		      "shim: ?\n"
		      "docker: ?: no\n"
		      "drift: none\n"
		      "\n"
		      "NAME  LAST ANSWER  ADDRESSES\n"
		      "a     never        none\n"
		      "\n"
		      "IPSET  ADDRESSES\n"
		      "x      none\n"
		      "\n"
		      "There is more than one answer holds.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_status_of_files), cmocka_unit_test(test_odd_status),
		cmocka_unit_test(test_not_judged),	cmocka_unit_test(test_status_on_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
