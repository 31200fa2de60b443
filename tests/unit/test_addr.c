/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/addr.h"
#include "dockside/base/util.h"

static struct ipaddr ip(const char *s)
{
	struct ipaddr addr = { 0 };

	if (!ipaddr_parse(s, strlen(s), &addr))
		fail_msg("ipaddr_parse(\"%s\")", s);
	return addr;
}

static struct prefix pfx(const char *s)
{
	struct prefix prefix = { 0 };

	if (!prefix_parse(s, strlen(s), &prefix))
		fail_msg("prefix_parse(\"%s\")", s);
	return prefix;
}

static void assert_ip(const struct ipaddr *addr, const char *want)
{
	char s[ADDR_STRLEN];

	assert_string_equal(ipaddr_format(addr, s), want);
}

static void test_ipv4_every_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		struct ipaddr addr = { .family = FAMILY_IPV4,
				       .b = { (uint8_t)i, 255, 0, (uint8_t)(255 - i) } };
		char want[ADDR_STRLEN];

		snprintf(want, sizeof(want), "%u.255.0.%u", i, 255 - i);
		assert_ip(&addr, want);
	}
}

static void test_ipaddr_good(void **state)
{
	static const struct {
		const char *s, *canonical;
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "192.168.1.10", "192.168.1.10" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		/* RFC 5952 section 4: no leading zeros, the longest run, the first of equals, not a
		 * single zero, lower case. */
		{ "2001:0DB8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:0:0:0:2:1", "2001:db8::2:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "FE80::ABCD", "fe80::abcd" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
		{ "::fffe:1.2.3.4", "::fffe:102:304" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipaddr addr = ip(cases[i].s);

		assert_ip(&addr, cases[i].canonical);
		assert_int_equal(addr.family, strchr(cases[i].s, ':') ? FAMILY_IPV6 : FAMILY_IPV4);
	}
}

static void test_ipaddr_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.",
		".1.2.3",
		"1..2.3",
		"256.1.1.1",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.04",
		"00.0.0.0",
		"0x1.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"+1.2.3.4",
		"-1.2.3.4",
		"1.2.3.4x",
		"1.2.3.4/32",
		"1,2,3,4",
		"a.b.c.d",
		"1.2.3.1000",
		"4294967295",
		/* IPv6 */
		":",
		":::",
		"1",
		"::1::",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:",
		":1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8",
		"12345::",
		"00001::",
		"g::",
		"fe80::1%eth0",
		"fe80::1%1",
		"[::1]",
		"::1 ",
		"::1/128",
		"::1.2.3",
		"::1.2.3.256",
		"::01.2.3.4",
		"1:2:3:4:5:6:7:1.2.3.4",
		"1.2.3.4::",
		"::1.2.3.4:5",
		/* IPv4-mapped, however it is spelt */
		"::ffff:1.2.3.4",
		"::ffff:102:304",
		"0:0:0:0:0:ffff:1.2.3.4",
		"::FFFF:0:0",
		"0000:0000:0000:0000:0000:ffff:0102:0304",
		"::ffff:0.0.0.0",
		/* longer than any address */
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000",
	};
	const struct ipaddr untouched = { .family = FAMILY_IPV6, .b = { 1, 2, 3 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipaddr addr = untouched;

		if (ipaddr_parse(cases[i], strlen(cases[i]), &addr))
			fail_msg("\"%s\" was accepted", cases[i]);
		assert_int_equal(ipaddr_cmp(&addr, &untouched), 0);
	}
}

static void test_ipaddr_length(void **state)
{
	struct ipaddr addr;

	(void)state;
	assert_true(ipaddr_parse("1.2.3.45", 7, &addr)); /* no further than len */
	assert_ip(&addr, "1.2.3.4");
	assert_false(ipaddr_parse("1.2.3.4\0", 8, &addr));
	assert_false(ipaddr_parse("1.2.3.4\0"
				  "5",
				  9, &addr));
	assert_false(ipaddr_parse("1.2.3.4", 0, &addr));
}

static void test_ipaddr_kinds(void **state)
{
	static const struct {
		const char *s;
		bool unspecified, multicast;
	} cases[] = {
		{ "0.0.0.0", true, false },
		{ "0.0.0.1", false, false },
		{ "223.255.255.255", false, false },
		{ "224.0.0.0", false, true },
		{ "239.255.255.255", false, true },
		{ "240.0.0.0", false, false },
		{ "::", true, false },
		{ "::1", false, false },
		{ "ff00::", false, true },
		{ "fe80::1", false, false },
		{ "e000::", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipaddr addr = ip(cases[i].s);

		assert_int_equal(ipaddr_is_unspecified(&addr), cases[i].unspecified);
		assert_int_equal(ipaddr_is_multicast(&addr), cases[i].multicast);
	}
	assert_int_equal(family_bytes(FAMILY_IPV4), 4);
	assert_int_equal(family_bytes(FAMILY_IPV6), 16);
}

static void test_ipaddr_cmp(void **state)
{
	static const char *const sorted[] = { "0.0.0.0", "1.2.3.4", "1.2.4.0", "200.0.0.0",
					      "::",	 "::1",	    "1::",     "ffff::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
			struct ipaddr a = ip(sorted[i]), b = ip(sorted[k]);
			int cmp = ipaddr_cmp(&a, &b);

			assert_int_equal((cmp > 0) - (cmp < 0), (i > k) - (i < k));
		}
	}
}

static void test_prefix_good(void **state)
{
	static const struct {
		const char *s, *canonical;
	} cases[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3/8", "10.0.0.0/8" }, /* host bits are masked */
		{ "10.255.255.255/9", "10.128.0.0/9" },
		{ "192.168.1.77/27", "192.168.1.64/27" },
		{ "1.2.3.4", "1.2.3.4/32" },
		{ "1.2.3.5/31", "1.2.3.4/31" },
		{ "255.255.255.255/0", "0.0.0.0/0" },
		{ "10.1.2.3/255.0.0.0", "10.0.0.0/8" },
		{ "10.1.2.3/255.255.255.254", "10.1.2.2/31" },
		{ "10.1.2.3/255.255.255.255", "10.1.2.3/32" },
		{ "10.1.2.3/255.255.240.0", "10.1.0.0/20" },
		{ "10.1.2.3/0.0.0.0", "0.0.0.0/0" },
		{ "2001:db8::1/32", "2001:db8::/32" },
		{ "2001:db8:ffff::1/33", "2001:db8:8000::/33" },
		{ "::1", "::1/128" },
		{ "ffff::/0", "::/0" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = pfx(cases[i].s), again;
		char s[ADDR_STRLEN];

		assert_string_equal(prefix_format(&prefix, s), cases[i].canonical);
		again = pfx(s);
		assert_int_equal(prefix_cmp(&prefix, &again), 0);
	}
}

static void test_prefix_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		"10.0.0.0/8/8",
		"10.0.0/8",
		"10/8",
		"10.0.0.0/8x",
		"10.0.0.0/4294967304",
		"10.0.0.0/18446744073709551624",
		/* host masks, holes, masks of the other family */
		"10.0.0.0/0.0.0.255",
		"10.0.0.0/255.0.255.0",
		"10.0.0.0/255.255.255.253",
		"10.0.0.0/0.0.0.1",
		"10.0.0.0/255.255.255",
		"10.0.0.0/ffff::",
		"10.0.0.0/0255.0.0.0",
		"::/129",
		"::/",
		"::/0128",
		"::/255.0.0.0",
		"::/ffff::",
		"fe80::1%eth0/64",
		"::ffff:1.2.3.4/128",
		"::ffff:0:0/96",
	};
	const struct prefix untouched = { .len = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = untouched;

		if (prefix_parse(cases[i], strlen(cases[i]), &prefix))
			fail_msg("\"%s\" was accepted", cases[i]);
		assert_int_equal(prefix.len, 7);
	}
}

static void test_prefix_relations(void **state)
{
	static const struct {
		const char *a, *b;
		bool a_covers_b, b_covers_a;
	} cases[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true, false },
		{ "10.0.0.0/8", "10.0.0.0/8", true, true },
		{ "10.0.0.0/8", "11.0.0.0/8", false, false },
		{ "10.0.0.0/9", "10.128.0.0/9", false, false },
		{ "0.0.0.0/0", "255.255.255.255/32", true, false },
		{ "0.0.0.0/0", "::/0", false, false }, /* of different families */
		{ "::/0", "1.2.3.4", false, false },
		{ "2001:db8::/33", "2001:db8:7fff::/48", true, false },
		{ "2001:db8::/33", "2001:db8:8000::/48", false, false },
		{ "1.2.3.4/31", "1.2.3.5/32", true, false },
		{ "1.2.3.4/31", "1.2.3.6/32", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix a = pfx(cases[i].a), b = pfx(cases[i].b);

		assert_int_equal(prefix_covers(&a, &b), cases[i].a_covers_b);
		assert_int_equal(prefix_covers(&b, &a), cases[i].b_covers_a);
	}
}

static void test_prefix_cmp(void **state)
{
	static const char *const sorted[] = { "0.0.0.0/0",   "10.0.0.0/8", "10.0.0.0/16",
					      "10.0.0.1/32", "::/0",	   "::/128",
					      "1::/16" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
			struct prefix a = pfx(sorted[i]), b = pfx(sorted[k]);
			int cmp = prefix_cmp(&a, &b);

			assert_int_equal((cmp > 0) - (cmp < 0), (i > k) - (i < k));
		}
	}
}

static void test_prefix_range(void **state)
{
	static const struct {
		const char *s, *first, *last, *host;
	} cases[] = {
		{ "10.1.2.3/24", "10.1.2.0", "10.1.2.255", "10.1.2.1" },
		{ "192.168.1.128/25", "192.168.1.128", "192.168.1.255", "192.168.1.129" },
		{ "10.1.2.0/23", "10.1.2.0", "10.1.3.255", "10.1.2.1" },
		{ "10.1.2.4/30", "10.1.2.4", "10.1.2.7", "10.1.2.5" },
		{ "10.1.2.4/31", "10.1.2.4", "10.1.2.5", "10.1.2.4" },
		{ "10.1.2.5/32", "10.1.2.5", "10.1.2.5", "10.1.2.5" },
		{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.1" },
		{ "2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::1" },
		{ "2001:db8::8/126", "2001:db8::8", "2001:db8::b", "2001:db8::9" },
		{ "2001:db8::8/127", "2001:db8::8", "2001:db8::9", "2001:db8::8" },
		{ "::1/128", "::1", "::1", "::1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix prefix = pfx(cases[i].s);
		struct ipaddr first, last, host = prefix_first_host(&prefix);

		prefix_range(&prefix, &first, &last);
		assert_ip(&first, cases[i].first);
		assert_ip(&last, cases[i].last);
		assert_ip(&host, cases[i].host);
		assert_true(prefix_contains(&prefix, &first));
		assert_true(prefix_contains(&prefix, &last));
	}
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"02:42:ac:11:00",
		"02:42:ac:11:00:0",
		"02:42:ac:11:00:022",
		"2:42:ac:11:0:2",
		"02-42-ac-11-00-02",
		"02:42:ac:11:00:0g",
		"0242ac110002",
		"02:42:ac:11:00:02:",
		"02:42:ac:11:00 02",
		" 02:42:ac:11:00:0",
		"02:42:ac:11::0002",
		"+2:42:ac:11:00:02",
	};
	static const uint8_t want[6] = { 0x02, 0x42, 0xac, 0x11, 0x00, 0xfe };
	uint8_t mac[6];
	char s[ADDR_STRLEN];

	(void)state;
	assert_true(mac_parse("02:42:AC:11:00:fE", 17, mac));
	assert_memory_equal(mac, want, 6);
	assert_string_equal(mac_format(mac, s), "02:42:ac:11:00:fe");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (mac_parse(bad[i], strlen(bad[i]), mac))
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_memory_equal(mac, want, 6);
	}
}

static void test_portrange(void **state)
{
	static const struct {
		const char *s;
		uint16_t lo, hi; /* lo 0: refused */
	} cases[] = {
		{ "1", 1, 1 },
		{ "443", 443, 443 },
		{ "65535", 65535, 65535 },
		{ "1-65535", 1, 65535 },
		{ "8000-8100", 8000, 8100 },
		{ "80-80", 80, 80 },
		{ "0", 0, 0 },
		{ "", 0, 0 },
		{ "-", 0, 0 },
		{ "-80", 0, 0 },
		{ "80-", 0, 0 },
		{ "0-80", 0, 0 },
		{ "81-80", 0, 0 },
		{ "65536", 0, 0 },
		{ "80-65536", 0, 0 },
		{ "080", 0, 0 },
		{ "80-090", 0, 0 },
		{ "80 - 90", 0, 0 },
		{ "80:90", 0, 0 },
		{ "80-90-100", 0, 0 },
		{ "80--90", 0, 0 },
		{ "http", 0, 0 },
		{ "80x", 0, 0 },
		{ "4294967376", 0, 0 }, /* 80 modulo 2^32 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct portrange range = { 0, 0 };
		bool good = portrange_parse(cases[i].s, strlen(cases[i].s), &range);

		if (good != (cases[i].lo != 0))
			fail_msg("portrange_parse(\"%s\")", cases[i].s);
		assert_int_equal(range.lo, cases[i].lo);
		assert_int_equal(range.hi, cases[i].hi);
	}
}

static void test_portranges_normalise(void **state)
{
	struct portrange a[] = { { 90, 100 }, { 80, 80 },   { 81, 85 },	      { 95, 120 },
				 { 87, 88 },  { 1, 1 },	    { 65535, 65535 }, { 80, 82 },
				 { 86, 86 },  { 200, 300 }, { 210, 220 } };
	static const struct portrange want[] = {
		{ 1, 1 }, { 80, 88 }, { 90, 120 }, { 200, 300 }, { 65535, 65535 }
	};
	struct portrange whole[] = { { 1, 65535 }, { 65535, 65535 }, { 2, 3 } };
	size_t n = portranges_normalise(a, ARRAY_SIZE(a));

	(void)state;
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_memory_equal(a, want, sizeof(want));
	assert_int_equal(portranges_normalise(a, n), n);
	assert_int_equal(portranges_normalise(whole, 3), 1);
	assert_int_equal(whole[0].hi, 65535);
	assert_int_equal(portranges_normalise(NULL, 0), 0);
}

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void test_hostname(void **state)
{
	static const char *const good[] = {
		"a",
		"localhost",
		"example.com",
		"EXAMPLE.com",
		"3com.com",
		"a-b.c--d",
		"xn--mnchen-3ya.de",
		"a_b",
		"_dmarc.example",
		"b_._",
		"1.2.3.a",
		"0x1.b2",
		LABEL_63,
		LABEL_63 ".x",
		LABEL_63 "." LABEL_63 "." LABEL_63 "."
			 "b2345678901234567890123456789012345678901234567890123456789ab",
	};
	static const char *const bad[] = {
		"",
		".",
		"a.",
		".a",
		"a..b",
		"-a",
		"a-",
		"a.-b",
		"a-.b",
		"a b",
		"a/b",
		"a:b",
		"*.example.com",
		"m\xc3\xbcnchen.de",
		"a\n",
		/* mistyped addresses */
		"10.0.0.256",
		"1.2.3",
		"1",
		"1.2.3.4",
		"1.2.3.4.5",
		LABEL_63 "4",
		"x." LABEL_63 "4",
		LABEL_63 "." LABEL_63 "." LABEL_63 "."
			 "b2345678901234567890123456789012345678901234567890123456789abc",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!hostname_valid(good[i], strlen(good[i])))
			fail_msg("\"%s\" was refused", good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (hostname_valid(bad[i], strlen(bad[i])))
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	assert_int_equal(strlen(good[ARRAY_SIZE(good) - 1]), 253);
	assert_false(hostname_valid("a\0b", 3));
	assert_true(hostname_valid("a_b", 1));
}

static void test_hostname_length(void **state)
{
	(void)state;
	assert_int_equal(hostname_length("db.example", 10), 10);
	assert_int_equal(hostname_length("db.example.", 11), 10);
	assert_int_equal(hostname_length("db.example..", 12), 0);
	assert_int_equal(hostname_length(".", 1), 0);
	assert_int_equal(hostname_length("", 0), 0);
	assert_int_equal(hostname_length("192.0.2.1.", 10), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_every_byte),
		cmocka_unit_test(test_ipaddr_good),
		cmocka_unit_test(test_ipaddr_bad),
		cmocka_unit_test(test_ipaddr_length),
		cmocka_unit_test(test_ipaddr_kinds),
		cmocka_unit_test(test_ipaddr_cmp),
		cmocka_unit_test(test_prefix_good),
		cmocka_unit_test(test_prefix_bad),
		cmocka_unit_test(test_prefix_relations),
		cmocka_unit_test(test_prefix_cmp),
		cmocka_unit_test(test_prefix_range),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_portrange),
		cmocka_unit_test(test_portranges_normalise),
		cmocka_unit_test(test_hostname),
		cmocka_unit_test(test_hostname_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
