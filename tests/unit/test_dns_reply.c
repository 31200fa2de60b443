/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS replies as servers send them, and as they never would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/system/dns_reply.h"

enum { A = 1, CNAME = 5, MX = 15, TXT = 16, AAAA = 28 };

struct message {
	uint8_t b[8192];
	size_t len;
};

static void u8(struct message *m, unsigned value)
{
	assert_true(m->len < sizeof(m->b));
	m->b[m->len++] = (uint8_t)value;
}

static void u16(struct message *m, unsigned value)
{
	u8(m, value >> 8);
	u8(m, value & 0xff);
}

/* "a.example"; "*" followed by a decimal number is a pointer to there. */
static void name(struct message *m, const char *s)
{
	while (*s && *s != '*') {
		size_t len = strcspn(s, ".");

		u8(m, (unsigned)len);
		for (size_t i = 0; i < len; i++)
			u8(m, (unsigned char)s[i]);
		s += len + (s[len] == '.');
	}
	if (*s == '*')
		u16(m, 0xc000 | (unsigned)strtoul(s + 1, NULL, 10));
	else
		u8(m, 0);
}

static struct message begin(const char *question, unsigned type, unsigned n_answers)
{
	struct message m = { .len = 0 };

	u16(&m, 4711);
	u16(&m, 0x8180); /* a reply, recursion desired and available, no error */
	u16(&m, 1);
	u16(&m, n_answers);
	u16(&m, 0);
	u16(&m, 0);
	name(&m, question);
	u16(&m, type);
	u16(&m, 1);
	return m;
}

static void record(struct message *m, const char *owner, unsigned type, const char *data)
{
	struct ipaddr addr;
	size_t at;

	name(m, owner);
	u16(m, type);
	u16(m, 1);
	u16(m, 0);
	u16(m, 60);
	at = m->len;
	u16(m, 0);
	if (type == A || type == AAAA) {
		assert_true(ipaddr_parse(data, strlen(data), &addr));
		for (size_t i = 0; i < family_bytes(addr.family); i++)
			u8(m, addr.b[i]);
	} else {
		name(m, data);
	}
	m->b[at] = (uint8_t)((m->len - at - 2) >> 8);
	m->b[at + 1] = (uint8_t)(m->len - at - 2);
}

/* Parses a copy of exactly that size, so that a read past its end is seen. */
static void assert_bytes(const void *bytes, size_t len, const char *expected)
{
	struct dns_reply reply = { .name = "untouched" };
	uint8_t *copy = xmalloc(len ? len : 1);
	char text[ADDR_STRLEN];
	struct buf b = { 0 };

	if (len)
		memcpy(copy, bytes, len);
	if (!dns_reply_parse(copy, len, &reply)) {
		assert_string_equal(reply.name, "untouched");
		buf_puts(&b, "bad");
	} else if (reply.n_addrs > 0) {
		buf_puts(&b, reply.name);
	}
	for (size_t i = 0; i < reply.n_addrs; i++)
		buf_printf(&b, " %s", ipaddr_format(&reply.addrs[i], text));
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
	free(copy);
}

static void assert_reply(const struct message *m, const char *expected)
{
	assert_bytes(m->b, m->len, expected);
}

/* ------------------------------------------------------------------ what servers send */

static void test_addresses(void **state)
{
	struct message m = begin("Www.Example", A, 2);

	(void)state;
	record(&m, "www.example", A, "192.0.2.1");
	record(&m, "*12", A, "192.0.2.2");
	assert_reply(&m, "www.example 192.0.2.1 192.0.2.2");
	m = begin("www.example", AAAA, 1);
	record(&m, "WWW.example", AAAA, "2001:db8::1");
	assert_reply(&m, "www.example 2001:db8::1");
	m = begin("under_score.example", A, 1);
	record(&m, "*12", A, "192.0.2.1");
	assert_reply(&m, "under_score.example 192.0.2.1");
}

/* The container meant the name that it asked for, whatever that is an alias of. */
static void test_aliases(void **state)
{
	struct message m = begin("www.example", A, 4);

	(void)state;
	record(&m, "www.example", CNAME, "cdn.example");
	record(&m, "CDN.example", CNAME, "pop.cdn.example");
	record(&m, "pop.cdn.example", A, "192.0.2.1");
	record(&m, "pop.cdn.example", A, "192.0.2.2");
	assert_reply(&m, "www.example 192.0.2.1 192.0.2.2");
	/* Records of names that it is no alias of do not count. */
	m = begin("www.example", A, 4);
	record(&m, "other.example", CNAME, "more.example");
	record(&m, "more.example", A, "192.0.2.1");
	record(&m, "other.example", A, "192.0.2.2");
	record(&m, "www.example", A, "192.0.2.3");
	assert_reply(&m, "www.example 192.0.2.3");
	/* In a circle. */
	m = begin("www.example", A, 3);
	record(&m, "www.example", CNAME, "b.example");
	record(&m, "b.example", CNAME, "www.example");
	record(&m, "b.example", A, "192.0.2.1");
	assert_reply(&m, "www.example 192.0.2.1");
	/* The chain ends with nothing. */
	m = begin("www.example", A, 1);
	record(&m, "www.example", CNAME, "b.example");
	assert_reply(&m, "");
}

static void test_long_chain(void **state)
{
	struct message m = begin("n0.example", A, 201);

	(void)state;
	for (int i = 0; i < 200; i++) {
		cleanup(cleanup_free) char *from = xasprintf("n%d.example", i);
		cleanup(cleanup_free) char *to = xasprintf("n%d.example", i + 1);

		record(&m, from, CNAME, to);
	}
	record(&m, "n200.example", A, "192.0.2.1");
	assert_reply(&m, ""); /* nobody would follow that */
}

static void test_many(void **state)
{
	struct message m = begin("www.example", A, 255);
	struct dns_reply reply;

	(void)state;
	for (int i = 1; i < 256; i++) {
		cleanup(cleanup_free) char *addr = xasprintf("192.0.2.%d", i);

		record(&m, "*12", A, addr);
	}
	assert_true(dns_reply_parse(m.b, m.len, &reply));
	assert_int_equal(reply.n_addrs, DNS_REPLY_ADDRS_MAX);
	assert_int_equal(reply.addrs[DNS_REPLY_ADDRS_MAX - 1].b[3], DNS_REPLY_ADDRS_MAX);
}

/* A reply, but it says nothing of what is wanted. */
static void test_nothing(void **state)
{
	struct message m = begin("www.example", A, 0);

	(void)state;
	assert_reply(&m, "");
	m.b[3] |= 3; /* NXDOMAIN */
	assert_reply(&m, "");
	m = begin("www.example", MX, 1);
	record(&m, "www.example", A, "192.0.2.1");
	assert_reply(&m, "");
	m = begin("www.example", A, 2);
	record(&m, "www.example", TXT, "");
	record(&m, "www.example", AAAA, "2001:db8::1"); /* nobody asked */
	assert_reply(&m, "");
	m = begin("blocked.example", A, 1);
	record(&m, "blocked.example", A, "0.0.0.0");
	assert_reply(&m, "");
	/* A server's own status, of class CHAOS. */
	m = begin("www.example", A, 1);
	m.b[m.len - 1] = 3;
	record(&m, "www.example", A, "192.0.2.1");
	assert_reply(&m, "");
	m = begin("www.example", A, 1);
	m.b[2] |= 4 << 3; /* NOTIFY */
	record(&m, "www.example", A, "192.0.2.1");
	assert_reply(&m, "");
}

/* ------------------------------------------------------------------ what they never would */

static void test_no_reply(void **state)
{
	struct message m = begin("www.example", A, 1);

	(void)state;
	record(&m, "www.example", A, "192.0.2.1");
	m.b[2] &= 0x7f; /* a question */
	assert_reply(&m, "bad");
	m.b[2] |= 0x80;
	m.b[5] = 0; /* to no question */
	assert_reply(&m, "bad");
	m.b[5] = 2;
	assert_reply(&m, "bad");
	assert_bytes("", 0, "bad");
	assert_bytes("GET / HTTP/1.0\r\n\r\n", 18, "bad");
}

static void test_cut(void **state)
{
	struct message m = begin("www.example", A, 2);

	(void)state;
	record(&m, "www.example", CNAME, "b.example");
	record(&m, "b.example", A, "192.0.2.1");
	for (size_t i = 0; i < m.len; i++)
		assert_bytes(m.b, i, "bad");
	assert_reply(&m, "www.example 192.0.2.1");
	u8(&m, 0); /* what follows is of no interest */
	assert_reply(&m, "www.example 192.0.2.1");
}

static void test_pointers(void **state)
{
	struct message m = begin("*12", A, 0); /* at itself */

	(void)state;
	assert_reply(&m, "bad");
	m = begin("a.*14", A, 0); /* at each other */
	assert_reply(&m, "bad");
	m = begin("*9999", A, 0); /* past the end */
	assert_reply(&m, "bad");
	m = begin("www.example", A, 1);
	record(&m, "*29", A, "192.0.2.1"); /* the record, at itself */
	assert_reply(&m, "bad");
	m = begin("www.example", A, 1);
	record(&m, "www.example", CNAME, "*8000");
	assert_reply(&m, "bad");
	/* A name that ends past its record's end. */
	m = begin("www.example", A, 2);
	record(&m, "www.example", CNAME, "b.example");
	m.b[m.len - 12]--;
	record(&m, "b.example", A, "192.0.2.1");
	assert_reply(&m, "bad");
	/* An address of another length. */
	m = begin("www.example", A, 1);
	record(&m, "www.example", A, "2001:db8::1");
	assert_reply(&m, "bad");
}

/* Nothing that a terminal, JSON or a reader could take for something else. */
static void test_odd_names(void **state)
{
	static const char *const odd[] = {
		"a b.example",	 "\x1b[2J.example",  "a\".example", "a\\.example",
		"a/b.example",	 "\xc3\xa4.example", "192.0.2.7",   "a\n.example",
		"a\x7f.example", "<script>.example", "2001:db8::1", ""
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct message m = begin(odd[i], A, 1);

		record(&m, "*12", A, "192.0.2.1");
		assert_reply(&m, "");
	}
	/* A dot inside a label. */
	struct message m = begin("", A, 1);

	m.len = 12;
	u8(&m, 3);
	u8(&m, 'a');
	u8(&m, '.');
	u8(&m, 'b');
	u8(&m, 0);
	u16(&m, A);
	u16(&m, 1);
	record(&m, "*12", A, "192.0.2.1");
	assert_reply(&m, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),  cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_long_chain), cmocka_unit_test(test_many),
		cmocka_unit_test(test_nothing),	   cmocka_unit_test(test_no_reply),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_odd_names),
	};

	return cmocka_run_group_tests_name("dns_reply", tests, NULL, NULL);
}
