/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions as we write them; answers to them as servers send them, and as forgers would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/system/dns_message.h"

enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };

struct message {
	uint8_t b[8192];
	size_t len;
};

static uint8_t query[DNS_QUERY_MAX];
static size_t query_len;

static void u16(struct message *m, unsigned value)
{
	assert_true(m->len + 2 <= sizeof(m->b));
	m->b[m->len++] = (uint8_t)(value >> 8);
	m->b[m->len++] = (uint8_t)value;
}

static void name(struct message *m, const char *s)
{
	struct dns_name n;

	assert_true(dns_name_parse(s, &n));
	memcpy(m->b + m->len, n.b, n.len);
	m->len += n.len;
}

/* A reply to a question for A records of www.example. */
static struct message begin(unsigned rcode)
{
	struct message m = { .len = 0 };
	struct dns_name n;

	assert_true(dns_name_parse("www.example", &n));
	query_len = dns_query_write(&n, DNS_TYPE_A, 4711, query);
	memcpy(m.b, query, query_len);
	m.len = query_len;
	m.b[2] = 0x81;
	m.b[3] = (uint8_t)(0x80 | rcode);
	return m;
}

static size_t record_head(struct message *m, const char *owner, unsigned type, unsigned ttl_s)
{
	m->b[7]++;
	name(m, owner);
	u16(m, type);
	u16(m, 1);
	u16(m, ttl_s >> 16);
	u16(m, ttl_s & 0xffff);
	u16(m, 0);
	return m->len;
}

static void record_end(struct message *m, size_t data)
{
	m->b[data - 2] = (uint8_t)((m->len - data) >> 8);
	m->b[data - 1] = (uint8_t)(m->len - data);
}

static void alias(struct message *m, const char *owner, const char *to, unsigned ttl_s)
{
	size_t data = record_head(m, owner, DNS_TYPE_CNAME, ttl_s);

	name(m, to);
	record_end(m, data);
}

static void address(struct message *m, const char *owner, uint8_t last, unsigned ttl_s)
{
	size_t data = record_head(m, owner, DNS_TYPE_A, ttl_s);

	u16(m, 192 << 8);
	u16(m, 2u << 8 | last);
	record_end(m, data);
}

/* "addresses 192.0.2.1 ttl 60"; of a copy of just that size, so that a read past its end is seen. */
static void assert_answer(const struct message *m, const char *expected)
{
	static const char *const words[] = {
		[DNS_ADDRESSES] = "addresses", [DNS_NO_DATA] = "no data",
		[DNS_NO_NAME] = "no name",     [DNS_TRUNCATED] = "truncated",
		[DNS_SERVFAIL] = "servfail",   [DNS_REFUSED] = "refused",
		[DNS_USELESS] = "useless",
	};
	cleanup(cleanup_free) uint8_t *copy = xmalloc(m->len + 1);
	struct dns_answer answer;
	char text[ADDR_STRLEN];
	struct buf b = { 0 };

	memcpy(copy, m->b, m->len);
	copy = xreallocarray(copy, m->len, 1);
	dns_answer_read(copy, m->len, query, query_len, &answer);
	buf_puts(&b, words[answer.verdict]);
	for (size_t i = 0; i < answer.n_addrs; i++)
		buf_printf(&b, " %s", ipaddr_format(&answer.addrs[i], text));
	buf_printf(&b, " ttl %u", answer.ttl_s);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

static void test_question(void **state)
{
	static const uint8_t expected[] = { 0x12, 0x67, 1,   0,	  0,   1,   0,	0,   0,	  0,
					    0,	  0,	3,   'w', 'w', 'w', 7,	'e', 'x', 'a',
					    'm',  'p',	'l', 'e', 0,   0,   28, 0,   1 };
	char label[65], whole[300] = "";
	struct dns_name n, other;

	(void)state;
	assert_true(dns_name_parse("WWW.Example.", &n));
	assert_int_equal(dns_query_write(&n, DNS_TYPE_AAAA, 0x1267, query), sizeof(expected));
	assert_memory_equal(query, expected, sizeof(expected));
	assert_true(dns_name_parse("www.example", &other) && dns_name_equal(&n, &other));
	assert_true(dns_name_parse("www.examplf", &other) && !dns_name_equal(&n, &other));
	assert_false(dns_name_parse("", &n));
	assert_false(dns_name_parse(".", &n));
	assert_false(dns_name_parse("a..b", &n));
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_false(dns_name_parse(label, &n));
	label[63] = '\0';
	assert_true(dns_name_parse(label, &n));
	for (int i = 0; i < 126; i++)
		memcpy(whole + 2 * i, "a.", 3);
	assert_true(dns_name_parse(whole, &n));
	assert_int_equal(n.len, 253);
	memcpy(whole + 252, "a", 2);
	assert_true(dns_name_parse(whole, &n));
	assert_int_equal(n.len, DNS_NAME_MAX);
	memcpy(whole + 252, "ab", 3);
	assert_false(dns_name_parse(whole, &n));
}

static bool is_reply(const struct message *m)
{
	cleanup(cleanup_free) uint8_t *copy = xmalloc(m->len + 1);

	memcpy(copy, m->b, m->len);
	copy = xreallocarray(copy, m->len ? m->len : 1, 1);
	return dns_is_reply_to(copy, m->len, query, query_len);
}

/* A forger who does not see the question guesses in vain. */
static void test_forged(void **state)
{
	struct message good = begin(NOERROR), m;

	(void)state;
	address(&good, "www.example", 1, 60);
	assert_true(is_reply(&good));
	for (size_t i = 0; i < query_len; i++) {
		m = good;
		m.b[i] ^= 0x40; /* 'w' becomes '7', and no letter the same in upper case */
		if (i == 3 || (i >= 6 && i < DNS_HEADER_SIZE))
			continue; /* flags and counts that are the server's */
		assert_int_equal(is_reply(&m), false);
	}
	m = good;
	m.b[13] = 'W'; /* byte for byte */
	assert_false(is_reply(&m));
	m = good;
	m.b[2] &= 0x7f; /* our own question, sent back */
	assert_false(is_reply(&m));
	for (size_t i = 0; i < query_len; i++) {
		m = good;
		m.len = i;
		assert_false(is_reply(&m));
	}
}

static void test_addresses(void **state)
{
	struct message m = begin(NOERROR);

	(void)state;
	address(&m, "www.example", 1, 60);
	address(&m, "WWW.EXAMPLE", 2, 30);
	assert_answer(&m, "addresses 192.0.2.1 192.0.2.2 ttl 30");
	m = begin(NOERROR);
	address(&m, "other.example", 1, 60);
	address(&m, "www.example", 2, 0x80000000u); /* RFC 2181: 0 */
	assert_answer(&m, "addresses 192.0.2.2 ttl 0");
	m = begin(NOERROR);
	for (unsigned i = 0; i < 255; i++)
		address(&m, "www.example", (uint8_t)i, 60);
	assert_int_equal(m.b[7], 255);
	for (size_t at = query_len; at < m.len; at += 27) { /* cut anywhere */
		struct message cut = m;

		cut.len = at;
		assert_answer(&cut, "useless ttl 0");
	}
}

static void test_aliases(void **state)
{
	struct message m = begin(NOERROR);

	(void)state;
	alias(&m, "www.example", "cdn.example", 20);
	alias(&m, "cdn.example", "pop.cdn.example", 40);
	address(&m, "pop.cdn.example", 1, 60);
	address(&m, "www.example", 9, 60); /* a name with an alias has nothing else */
	assert_answer(&m, "addresses 192.0.2.1 ttl 20");
	/* In any order. */
	m = begin(NOERROR);
	address(&m, "pop.cdn.example", 1, 60);
	alias(&m, "cdn.example", "pop.cdn.example", 40);
	alias(&m, "www.example", "cdn.example", 50);
	assert_answer(&m, "addresses 192.0.2.1 ttl 40");
	m = begin(NOERROR);
	alias(&m, "www.example", "cdn.example", 20);
	assert_answer(&m, "no data ttl 0");
	/* Aliases in a circle have no end. */
	m = begin(NOERROR);
	alias(&m, "www.example", "b.example", 20);
	alias(&m, "b.example", "www.example", 20);
	address(&m, "b.example", 1, 60);
	assert_answer(&m, "useless ttl 0");
	m = begin(NOERROR);
	alias(&m, "www.example", "www.example", 20);
	assert_answer(&m, "useless ttl 0");
}

static void chain(struct message *m, unsigned n)
{
	cleanup(cleanup_free) char *last = xasprintf("n%u.example", n - 1);

	*m = begin(NOERROR);
	alias(m, "www.example", "n0.example", 60);
	for (unsigned i = 1; i < n; i++) {
		cleanup(cleanup_free) char *from = xasprintf("n%u.example", i - 1);
		cleanup(cleanup_free) char *to = xasprintf("n%u.example", i);

		alias(m, from, to, 60);
	}
	address(m, last, 1, 60);
}

static void test_long_chain(void **state)
{
	struct message m;

	(void)state;
	chain(&m, DNS_ALIASES_MAX);
	assert_answer(&m, "addresses 192.0.2.1 ttl 60");
	chain(&m, DNS_ALIASES_MAX + 1);
	assert_answer(&m, "useless ttl 0");
}

static void soa(struct message *m, unsigned ttl_s, unsigned minimum_s)
{
	size_t data = record_head(m, "example", DNS_TYPE_SOA, ttl_s);

	m->b[7]--;
	m->b[9]++;
	name(m, "ns.example");
	name(m, "hostmaster.example");
	for (int i = 0; i < 8; i++)
		u16(m, 1);
	u16(m, 0);
	u16(m, minimum_s);
	record_end(m, data);
}

static void test_nothing(void **state)
{
	struct message m = begin(NOERROR);

	(void)state;
	assert_answer(&m, "no data ttl 0");
	soa(&m, 900, 120);
	assert_answer(&m, "no data ttl 120");
	m = begin(NXDOMAIN);
	soa(&m, 60, 120);
	assert_answer(&m, "no name ttl 60");
	m = begin(NXDOMAIN);
	assert_answer(&m, "no name ttl 0");
	m = begin(SERVFAIL);
	assert_answer(&m, "servfail ttl 0");
	m = begin(REFUSED);
	assert_answer(&m, "refused ttl 0");
	m = begin(NOTIMP);
	assert_answer(&m, "useless ttl 0");
	m = begin(NOERROR);
	m.b[2] |= 2; /* truncated: what is there does not count */
	address(&m, "www.example", 1, 60);
	assert_answer(&m, "truncated ttl 0");
	/* A referral: neither asked on our behalf, nor of its own. */
	m = begin(NOERROR);
	m.b[3] = 0;
	soa(&m, 900, 120);
	assert_answer(&m, "useless ttl 0");
}

static void test_malformed(void **state)
{
	struct message m = begin(NOERROR);
	size_t at;

	(void)state;
	address(&m, "www.example", 1, 60);
	m.b[m.len - 5] = 5; /* longer than there is */
	assert_answer(&m, "useless ttl 0");
	m = begin(NOERROR);
	address(&m, "www.example", 1, 60);
	m.b[m.len - 5] = 3;
	m.len--;
	assert_answer(&m, "useless ttl 0");
	/* Pointers at themselves, forwards, and past the end. */
	for (unsigned i = 0; i < 3; i++) {
		m = begin(NOERROR);
		at = m.len;
		m.b[7]++;
		u16(&m, 0xc000u | (unsigned)(i == 0 ? at : i == 1 ? at + 2 : 0x3fff));
		for (int k = 0; k < 7; k++)
			u16(&m, 0);
		assert_answer(&m, "useless ttl 0");
	}
	/* A record whose name is a pointer to the question's. */
	m = begin(NOERROR);
	m.b[7]++;
	u16(&m, 0xc00c);
	u16(&m, DNS_TYPE_A);
	u16(&m, 1);
	u16(&m, 0);
	u16(&m, 60);
	u16(&m, 4);
	u16(&m, 192 << 8);
	u16(&m, 0x0207);
	assert_answer(&m, "addresses 192.0.2.7 ttl 60");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),   cmocka_unit_test(test_forged),
		cmocka_unit_test(test_addresses),  cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_long_chain), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
