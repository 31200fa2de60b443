/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions as containers send them, and as they should not; the replies that we build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "gate/gate_message.h"

/* A question for A of www.example: 29 bytes. */
static const uint8_t plain[] = { 0x12, 0x34, 1,	  0,   0,   1,	 0, 0,	 0,   0,
				 0,    0,    3,	  'W', 'w', 'w', 7, 'e', 'x', 'a',
				 'm',  'p',  'l', 'e', 0,   0,	 1, 0,	 1 };
#define QUESTION_END sizeof(plain)

static enum gate_rcode rcode;
static struct gate_query query;
static struct dns_name name;

/* A copy of just that size, so that a read past its end is seen. */
static enum gate_parsed parse(const uint8_t *message, size_t len)
{
	cleanup(cleanup_free) uint8_t *copy = xmalloc(len ? len : 1);

	memcpy(copy, message, len);
	return gate_query_parse(copy, len, &query, &name, &rcode);
}

/* With one byte changed. */
static enum gate_parsed parse_with(size_t at, uint8_t value)
{
	uint8_t message[sizeof(plain)];

	memcpy(message, plain, sizeof(plain));
	message[at] = value;
	return parse(message, sizeof(message));
}

static size_t with_edns(uint8_t *message, const uint8_t *opt, size_t len)
{
	memcpy(message, plain, sizeof(plain));
	message[11] = 1;
	memcpy(message + sizeof(plain), opt, len);
	return sizeof(plain) + len;
}

static void test_question(void **state)
{
	(void)state;
	assert_int_equal(parse(plain, sizeof(plain)), GATE_PARSED_OK);
	assert_int_equal(query.id, 0x1234);
	assert_int_equal(query.type, 1);
	assert_int_equal(query.udp_size, 512);
	assert_false(query.edns);
	assert_true(query.wants_recursion);
	assert_int_equal(query.question_len, QUESTION_END - 12);
	assert_memory_equal(query.question, plain + 12, QUESTION_END - 12);
	assert_memory_equal(name.b, "\3www\7example", 13); /* lower case */
	/* AD and CD may be set by those who validate. */
	assert_int_equal(parse_with(3, 0x30), GATE_PARSED_OK);
	assert_true(query.checking_disabled);
}

static void assert_error(enum gate_parsed parsed, enum gate_rcode expected)
{
	assert_int_equal(parsed, GATE_PARSED_ERROR);
	assert_int_equal(rcode, expected);
}

static void test_strict(void **state)
{
	uint8_t longer[sizeof(plain) + 1] = { 0 };

	(void)state;
	for (size_t len = 0; len < 12; len++)
		assert_int_equal(parse(plain, len), GATE_PARSED_DROP);
	assert_int_equal(parse_with(2, 0x81), GATE_PARSED_DROP); /* a reply: no ping-pong */
	for (size_t len = 12; len < sizeof(plain); len++) {
		assert_error(parse(plain, len), GATE_FORMERR);
		assert_int_equal(query.question_len, 0);
	}
	memcpy(longer, plain, sizeof(plain));
	assert_error(parse(longer, sizeof(longer)), GATE_FORMERR);
	assert_error(parse_with(2, 0x29), GATE_NOTIMP);	 /* an update */
	assert_error(parse_with(2, 0x05), GATE_FORMERR); /* authoritative */
	assert_error(parse_with(2, 0x03), GATE_FORMERR); /* truncated */
	assert_error(parse_with(3, 0x80), GATE_FORMERR);
	assert_error(parse_with(3, 0x40), GATE_FORMERR);
	assert_error(parse_with(3, 0x03), GATE_FORMERR);
	assert_error(parse_with(5, 0), GATE_FORMERR);
	assert_error(parse_with(5, 2), GATE_FORMERR);
	assert_error(parse_with(4, 1), GATE_FORMERR);
	assert_error(parse_with(7, 1), GATE_FORMERR);
	assert_error(parse_with(9, 1), GATE_FORMERR);
	assert_error(parse_with(11, 1), GATE_FORMERR); /* which is not there */
	assert_error(parse_with(11, 2), GATE_FORMERR);
	assert_error(parse_with(QUESTION_END - 1, 3), GATE_FORMERR); /* class CHAOS */
	assert_error(parse_with(12, 0x40), GATE_FORMERR);	     /* a label of 64 bytes */
	assert_error(parse_with(12, 0xc0), GATE_FORMERR);	     /* a pointer */
}

static void test_edns(void **state)
{
	static const uint8_t cookie[] = {
		0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 6, 0, 10, 0, 2, 1, 2
	};
	uint8_t message[64], opt[sizeof(cookie)];
	size_t len = with_edns(message, cookie, sizeof(cookie));

	(void)state;
	assert_int_equal(parse(message, len), GATE_PARSED_OK);
	assert_true(query.edns);
	assert_int_equal(query.udp_size, GATE_UDP_MAX); /* of 4096 */
	for (size_t cut = 1; cut < sizeof(cookie); cut++)
		assert_error(parse(message, len - cut), GATE_FORMERR);
	memcpy(opt, cookie, sizeof(opt));
	opt[3] = 0;
	opt[4] = 100; /* less than everybody takes */
	len = with_edns(message, opt, sizeof(opt));
	assert_int_equal(parse(message, len), GATE_PARSED_OK);
	assert_int_equal(query.udp_size, 512);
	opt[6] = 1; /* version */
	len = with_edns(message, opt, sizeof(opt));
	assert_error(parse(message, len), GATE_BADVERS);
	opt[6] = 0;
	opt[14] = 3; /* an option that is longer than the data */
	len = with_edns(message, opt, sizeof(opt));
	assert_error(parse(message, len), GATE_FORMERR);
	opt[14] = 2;
	opt[2] = 250; /* TSIG */
	len = with_edns(message, opt, sizeof(opt));
	assert_error(parse(message, len), GATE_FORMERR);
}

static void test_names(void **state)
{
	char text[GATE_NAME_TEXT_MAX];
	struct dns_name n;

	(void)state;
	assert_true(dns_name_parse("a-b_1.example", &n) && gate_name_is_plain(&n));
	assert_true(dns_name_parse("a b.example", &n) && !gate_name_is_plain(&n));
	assert_string_equal(gate_name_text(&n, text), "a\\032b.example");
	assert_true(dns_name_parse("*.example", &n) && !gate_name_is_plain(&n));
	memcpy(n.b, "\3a.b\4\xff\0\x07\"", 10);
	n.len = 10;
	assert_false(gate_name_is_plain(&n));
	assert_string_equal(gate_name_text(&n, text), "a\\046b.\\255\\000\\007\\034");
	n.b[0] = 0;
	n.len = 1;
	assert_string_equal(gate_name_text(&n, text), ".");
	memset(n.b, 0xff, sizeof(n.b));
	for (size_t at = 0; at < 252; at += 63)
		n.b[at] = 62;
	n.b[252] = 1;
	n.b[254] = 0;
	n.len = 255;
	assert_int_equal(strlen(gate_name_text(&n, text)), 4 * (4 * 62 + 1) + 4);
}

static void test_reply(void **state)
{
	static const uint8_t expected[] = { 0x12, 0x34, 0x81, 0x80, 0,	 1,   0,   1, 0,
					    0,	  0,	0,    3,    'W', 'w', 'w', 7, 'e',
					    'x',  'a',	'm',  'p',  'l', 'e', 0,   0, 1,
					    0,	  1,	0xc0, 12,   0,	 1,   0,   1, 0,
					    0,	  1,	0x2c, 0,    4,	 11,  0,   0, 1 };
	uint8_t b[GATE_UDP_MAX];
	struct gate_reply reply;

	(void)state;
	parse(plain, sizeof(plain));
	gate_reply_begin(&reply, &query, b, 512);
	assert_true(gate_reply_add(&reply, 1, 300, "\x0b\0\0\1", 4));
	assert_int_equal(gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_NONE, false),
			 sizeof(expected));
	assert_memory_equal(b, expected, sizeof(expected));
}

static void test_refusal(void **state)
{
	static const uint8_t opt[] = { 0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t tail[] = { 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 18 };
	uint8_t message[64], b[GATE_UDP_DEFAULT];
	size_t len = with_edns(message, opt, sizeof(opt));

	(void)state;
	assert_int_equal(parse(message, len), GATE_PARSED_OK);
	len = gate_reply_empty(&query, GATE_NXDOMAIN, GATE_EDE_PROHIBITED, b);
	assert_int_equal(len, sizeof(plain) + sizeof(tail));
	assert_int_equal(b[3], 0x83);
	assert_int_equal(b[11], 1);
	assert_memory_equal(b + sizeof(plain), tail, sizeof(tail));
	/* The upper bits of BADVERS are in the OPT record. */
	len = gate_reply_empty(&query, GATE_BADVERS, GATE_EDE_NONE, b);
	assert_int_equal(len, sizeof(plain) + sizeof(opt));
	assert_int_equal(b[3], 0x80);
	assert_int_equal(b[sizeof(plain) + 5], 1);
}

/* For the longest name and the smallest size there is room for as many as gate_reply_room() says, and not for one more. */
static void test_room(void **state)
{
	uint8_t b[GATE_UDP_DEFAULT], data[16] = { 1 };
	struct gate_reply reply;
	struct gate_query q = { .question_len = GATE_QUESTION_MAX, .edns = true };
	size_t n4 = gate_reply_room(&q, FAMILY_IPV4, GATE_UDP_DEFAULT);
	size_t n6 = gate_reply_room(&q, FAMILY_IPV6, GATE_UDP_DEFAULT);

	(void)state;
	assert_int_equal(n4, 14);
	assert_int_equal(n6, 8);
	gate_reply_begin(&reply, &q, b, sizeof(b));
	for (size_t i = 0; i < n4; i++)
		assert_true(gate_reply_add(&reply, 1, 0, data, 4));
	assert_false(gate_reply_add(&reply, 1, 0, data, 4));
	assert_true(gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_OTHER, false) <= sizeof(b));
	gate_reply_begin(&reply, &q, b, sizeof(b));
	for (size_t i = 0; i < n6; i++)
		assert_true(gate_reply_add(&reply, 28, 0, data, 16));
	assert_false(gate_reply_add(&reply, 28, 0, data, 16));
	assert_true(gate_reply_end(&reply, GATE_NOERROR, GATE_EDE_OTHER, true) <= sizeof(b));
	assert_int_equal(b[7], 0); /* truncated: no record */
	assert_true(b[2] & 2);
	assert_int_equal(gate_reply_room(&q, FAMILY_IPV4, GATE_UDP_MAX), 28);
	assert_int_equal(gate_reply_room(&q, FAMILY_IPV6, GATE_UDP_MAX), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question), cmocka_unit_test(test_strict),
		cmocka_unit_test(test_edns),	 cmocka_unit_test(test_names),
		cmocka_unit_test(test_reply),	 cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("gate_message", tests, NULL, NULL);
}
