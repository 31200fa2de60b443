/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused packets and frames as cells of a table for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/util.h"

static char *joined(const struct denied_cell *cells, bool brief)
{
	struct buf b = { 0 };

	for (int i = DENIED_NETWORK; i < N_DENIED_COLUMNS; i++)
		buf_printf(&b, "%s%s", b.len > 0 ? " | " : "",
			   brief ? cells[i].brief : cells[i].full);
	return buf_steal(&b);
}

static void assert_cells(const char *json, const char *full, const char *brief)
{
	struct src src = { .text = xstrdup(json), .len = strlen(json) };
	struct denied_cell cells[N_DENIED_COLUMNS];
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	char *text;

	assert_true(json_parse(&src, &tree, &diags));
	denied_cells(tree.root, cells);
	text = joined(cells, false);
	assert_string_equal(text, full);
	free(text);
	text = joined(cells, true);
	assert_string_equal(text, brief);
	free(text);
	denied_cells_free(cells);
	json_tree_free(&tree);
	src_free(&src);
}

static void test_packets(void **state)
{
	(void)state;
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"OUT\",\"verdict\":\"refused\",\"container\":"
		"\"web-1\",\"source\":\"192.0.2.10\",\"destination\":\"198.51.100.7\",\"name\":"
		"\"db.example\",\"name_from\":\"configuration\",\"protocol\":\"tcp\",\"port\":443,"
		"\"rule\":\"egress[3]\",\"file\":\"/f.json\",\"line\":12}",
		"ds-a | web-1 (192.0.2.10) | db.example (198.51.100.7) | tcp/443 | egress[3] "
		"(/f.json:12)",
		"ds-a | web-1 | db.example | tcp/443 | egress[3]:12");
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"SRC\",\"verdict\":\"refused\",\"container\":null,"
		"\"source\":\"192.0.2.10\",\"destination\":\"198.51.100.7\",\"name\":null,"
		"\"protocol\":\"icmp\",\"icmp_type\":8,\"rule\":\"-\",\"file\":null}",
		"ds-a | 192.0.2.10 | 198.51.100.7 | icmp 8 | forged source, or the host's "
		"loopback",
		"ds-a | 192.0.2.10 | 198.51.100.7 | icmp 8 | forged source, or the host's "
		"loopback");
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"DNS\",\"verdict\":\"refused\",\"container\":"
		"\"web-1\",\"source\":\"192.0.2.10\",\"destination\":\"198.51.100.7\",\"name\":"
		"null,"
		"\"protocol\":\"tcp\",\"port\":853,\"rule\":\"-\",\"file\":null}",
		"ds-a | web-1 (192.0.2.10) | 198.51.100.7 | tcp/853 | DNS that is not by the gate",
		"ds-a | web-1 | 198.51.100.7 | tcp/853 | DNS that is not by the gate");
}

/* They have their port's container, the address that is not its own, and the reason instead of a rule. */
static void test_frames(void **state)
{
	(void)state;
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"BIND\",\"container\":\"web-1\",\"source\":"
		"\"192.0.2.10\",\"destination\":\"192.0.2.2\",\"name\":null,\"protocol\":\"arp\","
		"\"rule\":\"-\",\"interface\":\"v1\",\"source_mac\":\"02:00:00:00:00:01\","
		"\"pretended\":\"02:00:00:00:00:99\",\"reason\":\"not its own\"}",
		"ds-a | web-1 (02:00:00:00:00:99) | 192.0.2.2 | arp | not its own",
		"ds-a | web-1 | 192.0.2.2 | arp | not its own");
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"BINDTO\",\"container\":\"web-1\",\"source\":"
		"\"192.0.2.10\",\"destination\":\"192.0.2.77\",\"name\":null,\"protocol\":\"udp\","
		"\"port\":53,\"rule\":\"-\",\"interface\":\"v1\",\"to_interface\":\"v2\","
		"\"to_container\":\"web-2\",\"pretended\":\"192.0.2.77\",\"reason\":\"not for "
		"it\"}",
		"ds-a | web-1 (192.0.2.10) | 192.0.2.77 | udp/53 | not for it (web-2)",
		"ds-a | web-1 | 192.0.2.77 | udp/53 | not for it");
}

/* Nothing but MAC addresses: neither IP nor ARP, and nobody knows the port. */
static void test_frames_without_addresses(void **state)
{
	(void)state;
	assert_cells(
		"{\"network\":\"ds-a\",\"kind\":\"UNBOUND\",\"container\":null,\"source\":null,"
		"\"destination\":null,\"name\":null,\"protocol\":\"0x88cc\",\"rule\":\"-\","
		"\"interface\":\"v3\",\"source_mac\":\"02:00:00:00:00:01\",\"destination_mac\":"
		"\"02:00:00:00:00:02\",\"pretended\":null,\"reason\":\"neither IP nor ARP\"}",
		"ds-a | v3 (02:00:00:00:00:01) | 02:00:00:00:00:02 | 0x88cc | neither IP nor ARP",
		"ds-a | v3 | 02:00:00:00:00:02 | 0x88cc | neither IP nor ARP");
	assert_cells("{\"network\":\"_\",\"kind\":\"strange\",\"container\":null,\"source\":null,"
		     "\"destination\":null,\"name\":null,\"protocol\":\"0x88cc\",\"rule\":null,"
		     "\"interface\":null,\"source_mac\":null,\"destination_mac\":null,"
		     "\"pretended\":null,\"reason\":null}",
		     "_ | ? | ? | 0x88cc | older rules", "_ | ? | ? | 0x88cc | older rules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_frames_without_addresses),
	};

	return cmocka_run_group_tests_name("show_denied", tests, NULL, NULL);
}
