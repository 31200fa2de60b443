/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv.conf and /etc/hosts as text, and the names that search domains make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "system/dns_conf.h"
#include "system/dns_hosts.h"

/* "servers | search domains | ndots timeout attempts" of it. */
static void expect_conf(const char *text, const char *hostname, const char *expected)
{
	struct dns_conf conf;
	struct buf b = { 0 };
	char addr[ADDR_STRLEN];

	dns_conf_parse(text, strlen(text), hostname, &conf);
	for (size_t i = 0; i < conf.n_servers; i++)
		buf_printf(&b, "%s%s%s ", ipaddr_format(&conf.servers[i].addr, addr),
			   conf.servers[i].zone[0] ? "%" : "", conf.servers[i].zone);
	buf_puts(&b, "|");
	for (size_t i = 0; i < conf.n_search; i++)
		buf_printf(&b, " %s", conf.search[i]);
	buf_printf(&b, " | %u %u %u", conf.ndots, conf.timeout_s, conf.attempts);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
	dns_conf_free(&conf);
}

static void test_servers(void **state)
{
	(void)state;
	expect_conf("", "host", "127.0.0.1 | | 1 5 2");
	expect_conf("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", "host",
		    "192.0.2.1 2001:db8::1 | | 1 5 2");
	expect_conf("nameserver fe80::1%eth0\nnameserver\tfe80::2%3", "host",
		    "fe80::1%eth0 fe80::2%3 | | 1 5 2");
	/* Three at most. */
	expect_conf("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		    "nameserver 192.0.2.4\n",
		    "host", "192.0.2.1 192.0.2.2 192.0.2.3 | | 1 5 2");
	/* It passes over lines that name no server, and all that follows an address. */
	expect_conf("nameserver\nnameserver x\nnameserver 192.0.2.256\nnameserver fe80::1%\n"
		    "nameserver 192.0.2.1%eth0\n nameserver 192.0.2.9\n#nameserver 192.0.2.8\n"
		    "nameservers 192.0.2.7\n;nameserver 192.0.2.6\nnameserver 192.0.2.5 # here\r\n",
		    "host", "192.0.2.5 | | 1 5 2");
	expect_conf("nameserver fe80::1%an-interface-name-too-long\n", "host",
		    "127.0.0.1 | | 1 5 2");
}

static void test_search(void **state)
{
	(void)state;
	expect_conf("search A.example  b.example.\t.\n", "host.c.example",
		    "127.0.0.1 | a.example b.example . | 1 5 2");
	/* The last line counts. */
	expect_conf("search a.example\ndomain b.example c.example\n", "host",
		    "127.0.0.1 | b.example | 1 5 2");
	expect_conf("domain b.example\nsearch a.example", "host", "127.0.0.1 | a.example | 1 5 2");
	expect_conf("search\n", "host.c.example", "127.0.0.1 | | 1 5 2");
	/* Without one, the machine's own. */
	expect_conf("options ndots:2\n", "host.c.example", "127.0.0.1 | c.example | 2 5 2");
}

static void test_options(void **state)
{
	(void)state;
	expect_conf("options ndots:3 timeout:1 attempts:4 rotate edns0", "h",
		    "127.0.0.1 | | 3 1 4");
	expect_conf("options ndots:0\noptions timeout:0 attempts:0\n", "h", "127.0.0.1 | | 0 1 1");
	expect_conf("options ndots:999 timeout:99 attempts:99\n", "h", "127.0.0.1 | | 15 30 5");
	expect_conf("options ndots: timeout:x attempts:-1 ndots:99999999999\n", "h",
		    "127.0.0.1 | | 1 5 2");
}

static void expect_candidates(const char *text, const char *name, const char *expected)
{
	struct dns_conf conf;
	struct buf b = { 0 };

	dns_conf_parse(text, strlen(text), "h", &conf);
	for (size_t i = 0; i < dns_conf_candidates(&conf); i++) {
		cleanup(cleanup_free) char *candidate = dns_conf_candidate(&conf, name, i);

		buf_printf(&b, "%s%s", i > 0 ? " " : "", candidate);
	}
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
	dns_conf_free(&conf);
}

static void test_candidates(void **state)
{
	(void)state;
	expect_candidates("", "db", "db");
	expect_candidates("search a.example b.example", "db", "db.a.example db.b.example db");
	expect_candidates("search a.example b.example", "db.x",
			  "db.x db.x.a.example db.x.b.example");
	expect_candidates("search a.example\noptions ndots:2", "db.x", "db.x.a.example db.x");
	expect_candidates("search a.example\noptions ndots:0", "db", "db db.a.example");
	expect_candidates("search . a.example", "db", "db db.a.example db");
}

/* "name address…" of the entries of a name. */
static void expect_hosts(const char *text, const char *name, const char *expected)
{
	const struct dns_hosts_entry *entries;
	char addr[ADDR_STRLEN];
	struct dns_hosts hosts;
	struct buf b = { 0 };
	size_t n;

	dns_hosts_parse(text, strlen(text), &hosts);
	n = dns_hosts_find(&hosts, name, &entries);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i > 0 ? " " : "", ipaddr_format(&entries[i].addr, addr));
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
	dns_hosts_free(&hosts);
}

static void test_hosts(void **state)
{
	static const char text[] = "127.0.0.1\tlocalhost\n"
				   "# 192.0.2.9 commented.example\n"
				   "  192.0.2.1  web.example  WWW.example # db.example\r\n"
				   "192.0.2.2 db.example www.example\n"
				   "2001:db8::2 db.example\n"
				   "0.0.0.0 blocked.example\n"
				   "192.0.2.3\n"
				   "192.0.2.256 bad.example\n"
				   "fe80::1%eth0 zone.example\n"
				   "no address.example\n"
				   "192.0.2.4 last.example";

	(void)state;
	expect_hosts(text, "localhost", "127.0.0.1");
	/* Names that share a line share no more than that: an alias has the addresses of its lines. */
	expect_hosts(text, "web.example", "192.0.2.1");
	expect_hosts(text, "www.example", "192.0.2.1 192.0.2.2");
	expect_hosts(text, "db.example", "192.0.2.2 2001:db8::2");
	expect_hosts(text, "blocked.example", "0.0.0.0");
	expect_hosts(text, "last.example", "192.0.2.4");
	expect_hosts(text, "commented.example", "");
	expect_hosts(text, "bad.example", "");
	expect_hosts(text, "zone.example", "");
	expect_hosts(text, "address.example", "");
	expect_hosts("", "localhost", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers), cmocka_unit_test(test_search),
		cmocka_unit_test(test_options), cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests_name("dns_conf", tests, NULL, NULL);
}
