/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of the daemon as pages of `status --watch`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/page.h"
#include "cli/watch_page.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define NOW_MS 1767366153000 /* 2026-01-02 15:02:33 UTC */

static void parse(const char *json, struct json_tree *tree, struct src *src)
{
	struct diags diags = { 0 };

	*src = (struct src){ .text = xstrdup(json), .len = strlen(json) };
	if (!json_parse(src, tree, &diags))
		fail_msg("no JSON: %s", json);
	diags_free(&diags);
}

static void status(struct watch_view *view, const char *json, uint64_t now_ms)
{
	struct json_tree tree = { 0 };
	struct src src;

	parse(json, &tree, &src);
	watch_view_status(view, tree.root, now_ms);
	json_tree_free(&tree);
	src_free(&src);
}

static void denied(struct watch_view *view, const char *json)
{
	struct json_tree tree = { 0 };
	struct src src;

	parse(json, &tree, &src);
	denied_rows_add(&view->denied, tree.root);
	json_tree_free(&tree);
	src_free(&src);
}

static char *page_of(const struct watch_view *view, size_t width, size_t height)
{
	struct buf b = { 0 };

	watch_page(view, &(const struct term){ .width = width }, height, &b);
	return buf_steal(&b);
}

static void assert_page(const struct watch_view *view, size_t width, size_t height,
			const char *expected)
{
	cleanup(cleanup_free) char *page = page_of(view, width, height);

	assert_string_equal(page, expected);
}

static void assert_has(const struct watch_view *view, size_t width, size_t height, const char *part)
{
	cleanup(cleanup_free) char *page = page_of(view, width, height);

	if (!strstr(page, part))
		fail_msg("expected \"%s\" in\n%s", part, page);
}

/* Neither wider nor higher than the screen, nor with anything in it that a terminal does not just show. */
static void check_size(const struct watch_view *view, size_t width, size_t height)
{
	cleanup(cleanup_free) char *page = page_of(view, width, height);
	size_t lines = 0;

	for (char *line = page, *end; *line; line = end + 1, lines++) {
		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		for (size_t i = 0, n, len = strlen(line); i < len; i += n) {
			uint32_t code;

			n = utf8_char(line + i, len - i, &code);
			assert_true(n > 0 && utf8_is_plain(code));
		}
		if (page_columns(line) > width)
			fail_msg("%zux%zu: %s", width, height, line);
	}
	if (lines > height)
		fail_msg("%zux%zu: %zu lines", width, height, lines);
}

static void check_sizes(const struct watch_view *view)
{
	for (size_t width = 1; width <= 200; width += width < 30 ? 1 : 7)
		for (size_t height = 1; height <= 60; height += height < 30 ? 1 : 5)
			check_size(view, width, height);
}

#define HEAD                                                                    \
	"\"status\":\"ok\",\"ready\":true,\"versions\":{\"dsfw-nft\":\"1.2\"}," \
	"\"alarms\":[],\"names\":{}"

static const char *network(char text[512], const char *name, int passed, int refused)
{
	snprintf(text, 512,
		 "\"%s\":{\"state\":\"enforced\",\"containers\":2,\"known_port_count\":2,"
		 "\"unknown_port_count\":0,\"passed\":%d,\"refused\":%d,\"passed_bytes\":%d,"
		 "\"refused_bytes\":%d}",
		 name, passed, refused, passed * 60, refused * 52);
	return text;
}

/* One network of so many packets, counted then. */
static void one(struct watch_view *view, int counted_ms, int passed, int refused)
{
	char text[512];
	cleanup(cleanup_free) char *json =
		xasprintf("{" HEAD ",\"counted_ms\":%d,\"network_details\":{%s}}", counted_ms,
			  network(text, "ds-1", passed, refused));

	status(view, json, NOW_MS);
}

static void test_page(void **state)
{
	struct watch_view view = { 0 };
	struct buf b = { 0 };
	char text[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		buf_printf(
			&b,
			"{\"status\":\"ok\",\"ready\":false,\"versions\":{\"dsfw-nft\":\"1.2\"},"
			"\"counted_ms\":%d,\"alarms\":[\"network ds-2 is NOT JUDGED: its "
			"bridge is br-1234567890ab, and its rules are for ds-2: give it that "
			"name\"],\"files\":{\"state\":\"edited\",\"message\":\"a.json "
			"changed\"},\"docker\":{\"state\":\"connected\"},\"network_details\":{%s",
			1000 + i * 2000, network(text, "ds-1", i * 25, i * 3));
		buf_printf(&b,
			   ",\"ds-2\":{\"state\":\"not judged\",\"containers\":null,"
			   "\"known_port_count\":1,\"unknown_port_count\":2}},\"names\":{"
			   "\"a.example\":{\"addresses\":[\"192.0.2.1\"],\"age\":1,\"error\":null},"
			   "\"b.example\":{\"addresses\":[],\"age\":null,\"error\":\"no such "
			   "name\"}}}");
		status(&view, buf_str(&b), NOW_MS);
		buf_reset(&b);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(
			text, sizeof(text),
			"{\"time_ms\":%llu,\"network\":\"ds-1\",\"kind\":\"OUT\",\"container\":"
			"\"web\",\"source\":\"172.30.1.11\",\"destination\":\"198.51.100.%d\","
			"\"name\":\"c%d.example\",\"protocol\":\"tcp\",\"port\":22,\"rule\":"
			"\"egress[2]\",\"file\":\"/etc/dockside/firewall-config.json\",\"line\":9}",
			(unsigned long long)NOW_MS - 5000 + (unsigned)i, i % 2, i % 2);
		denied(&view, text);
	}
	assert_page(
		&view, 80, 24,
		"dsfw-nft 1.2  NOT READY  2 networks, 12/s passed, 1.5/s refused         15:02:33\n"
		"ALARM: network ds-2 is NOT JUDGED: its bridge is br-1234567890ab, and its\n"
		"  rules are for ds-2: give it that name\n"
		"files: edited: a.json changed\n"
		"\n"
		"NETWORK  STATE       CONTAINERS  PORTS  PASSED/s  BYTES/s  REFUSED/s  BYTES/s\n"
		"ds-1     enforced             2      2        12    750 B        1.5     78 B\n"
		"ds-2     NOT JUDGED           -    1/3         -        -          -        -\n"
		"\n"
		"TIME      NETWORK  FROM  REFUSED TO                 PROTOCOL   RULE\n"
		"15:02:28  ds-1     web   c0.example (198.51.100.0)  tcp/22 ×2  egress[2]:9\n"
		"15:02:28  ds-1     web   c1.example (198.51.100.1)  tcp/22     egress[2]:9\n"
		"\n"
		"NAME WITHOUT ADDRESS  WHY\n"
		"b.example             never answered: no such name\n");
	assert_has(&view, 120, 24,
		   "15:02:28  ds-1     web (172.30.1.11)  c0.example (198.51.100.0)  tcp/22 ×2  "
		   "egress[2]:9\n");
	/* The rule makes room, for as long as it may; that it was an audit is its beginning. */
	assert_has(&view, 56, 24, "15:02:28  ds-1     web   c1.example  tcp/22     egress[…\n");
	assert_has(&view, 40, 24, "\nweb   c1.example  tcp/22     egress[2]:9\n");
	assert_has(&view, 0, 0, "egress[2] (/etc/dockside/firewall-config.json:9)\n");
	assert_page(&view, 30, 4,
		    "dsfw-nft 1.2  NOT READY  2 ne…\n"
		    "ALARM: network ds-2 is NOT\n"
		    "  JUDGED: its bridge is\n"
		    "  br-1234567890ab, and its ru…\n");
	check_sizes(&view);
	buf_free(&b);
	watch_view_free(&view);
}

/* ---- rates ---- */

static void test_rates(void **state)
{
	struct watch_view view = { 0 };

	(void)state;
	one(&view, 1000, 100, 100);
	assert_false(view.networks[0].rated);
	one(&view, 3000, 150, 100);
	assert_true(view.networks[0].rated);
	assert_has(&view, 80, 24, "       25   1.5 kB          0      0 B\n");
	/* The daemon has not counted anew: the rates stand. */
	one(&view, 3000, 150, 100);
	assert_has(&view, 80, 24, "       25   1.5 kB          0      0 B\n");
	/* The rules were written anew: the counters began at zero. */
	one(&view, 5000, 10, 0);
	assert_false(view.networks[0].rated);
	one(&view, 9000, 10, 4000000);
	assert_has(&view, 80, 24, "        0      0 B       1.0M    52 MB\n");
	watch_view_free(&view);
}

/* A network that comes or goes, or another order, changes nothing for the others. */
static void test_other_networks(void **state)
{
	struct watch_view view = { 0 };
	char a[512], b[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		cleanup(cleanup_free) char *json =
			xasprintf("{" HEAD ",\"counted_ms\":%d,\"network_details\":{%s,%s}}",
				  1000 + 1000 * i, network(a, i ? "new" : "b", 10 + 7 * i, 0),
				  network(b, i ? "b" : "a", 10, i));

		status(&view, json, NOW_MS);
	}
	assert_false(view.networks[0].rated);
	assert_true(view.networks[1].rated);
	assert_true(view.networks[1].rates[WATCH_REFUSED] > 0.99);
	watch_view_free(&view);
}

/* ---- the daemon is away ---- */

static void test_lost(void **state)
{
	struct watch_view view = { 0 };

	(void)state;
	watch_view_lost(&view, "no daemon answers at /run/x: No such file or directory", NOW_MS);
	assert_page(&view, 60, 24,
		    "dsfw-nft  NO ANSWER                                 15:02:33\n"
		    "no daemon answers at /run/x: No such file or directory;\n"
		    "  trying again\n");
	check_sizes(&view);
	one(&view, 1000, 1, 1);
	one(&view, 2000, 1, 1);
	watch_view_lost(&view, "no daemon answers at /run/x", NOW_MS + 60000);
	/* The rest of the page is old, and has no rates. */
	assert_page(
		&view, 80, 24,
		"dsfw-nft  NO ANSWER                                                     15:03:33\n"
		"no daemon answers at /run/x; trying again; what follows is of 15:02:33\n"
		"\n"
		"NETWORK  STATE     CONTAINERS  PORTS  PASSED/s  BYTES/s  REFUSED/s  BYTES/s\n"
		"ds-1     enforced           2      2         -        -          -        -\n"
		"\n"
		"Nothing was refused yet.\n");
	check_sizes(&view);
	one(&view, 3000, 1, 1);
	assert_has(&view, 80, 24, "dsfw-nft 1.2  ready  1 network, 0/s passed");
	watch_view_free(&view);
}

/* ---- many, and hostile ---- */

static void test_thousand(void **state)
{
	struct watch_view view = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct buf b = { 0 };
		char text[512], name[32];

		buf_printf(&b,
			   "{" HEAD ",\"counted_ms\":%d,\"truncated\":true,\"network_details\":{",
			   1000 + 1000 * i);
		for (int n = 0; n < 1000; n++) {
			snprintf(name, sizeof(name), "ds-%d", n);
			buf_printf(&b, "%s%s", n ? "," : "",
				   network(text, name, n == 700 ? 9 * i : 0, n == 900 ? i : 0));
		}
		buf_puts(&b, ",\"lost\":{\"state\":\"not judged\"}}}");
		status(&view, buf_str(&b), NOW_MS);
		buf_free(&b);
	}
	/* Those first that matter; then as in the file. */
	assert_page(
		&view, 80, 12,
		"dsfw-nft 1.2  ready  1001 networks, 9.0/s passed, 1.0/s refused         15:02:33\n"
		"an answer of the daemon does not hold all networks and names\n"
		"\n"
		"NETWORK  STATE       CONTAINERS  PORTS  PASSED/s  BYTES/s  REFUSED/s  BYTES/s\n"
		"lost     NOT JUDGED           -      -         -        -          -        -\n"
		"ds-900   enforced             2      2         0      0 B        1.0     52 B\n"
		"ds-700   enforced             2      2       9.0    540 B          0      0 B\n"
		"ds-0     enforced             2      2         0      0 B          0      0 B\n"
		"ds-1     enforced             2      2         0      0 B          0      0 B\n"
		"… and 996 more networks\n"
		"\n"
		"Nothing was refused yet.\n");
	check_sizes(&view);
	watch_view_free(&view);
}

static void make_odd(char **text)
{
	free(*text);
	*text = xstrdup("\033[2J\xc2\x9b"
			"1m\xe2\x80\xae\xef\xbb\xbf\r\n\a\te\xcc\x81\xe4\xb8\xad\xe6\x96\x87"
			"\xf0\x9f\x98\x80\xd7\xa9\xff\xc3 \x7f");
}

/* Names come from containers, DNS and files: whatever they are, the page keeps its form. */
static void test_hostile(void **state)
{
	struct watch_view view = { 0 };
	char *odd = NULL, text[256];

	(void)state;
	make_odd(&odd);
	status(&view,
	       "{\"ready\":true,\"alarms\":[\"x\",\"x\"],\"settings\":\"x\",\"legs\":[\"x\"],"
	       "\"network_details\":{\"a\":{\"state\":\"x\"},\"b\":{\"state\":\"x\"}},"
	       "\"names\":{\"x\":{\"addresses\":[]}}}",
	       NOW_MS);
	view.version = view.networks[0].name = view.networks[0].state = odd;
	view.networks[1].containers = view.networks[1].ports = odd;
	view.names[0].name = view.names[0].why = odd;
	view.alarms.items[0] = view.notes.items[1] = odd;
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "{\"time_ms\":%llu,\"network\":\"n%d\"}",
			 (unsigned long long)NOW_MS, i);
		denied(&view, text);
		for (int c = DENIED_NETWORK; c < N_DENIED_COLUMNS; c++) {
			make_odd(&view.denied.items[i].cells[c].full);
			make_odd(&view.denied.items[i].cells[c].brief);
		}
	}
	check_sizes(&view);
	assert_has(&view, 200, 40, "\\x1b[2J\\xc2\\x9b1m");
	watch_view_lost(&view, odd, NOW_MS);
	check_sizes(&view);
	free(odd);
	watch_view_free(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),	       cmocka_unit_test(test_rates),
		cmocka_unit_test(test_other_networks), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_thousand),       cmocka_unit_test(test_hostile),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests_name("watch_page", tests, NULL, NULL);
}
