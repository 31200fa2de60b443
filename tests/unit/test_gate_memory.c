/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate remembers answers, and what it told the kernel; and it writes records anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"
#include "gate/gate_cache.h"
#include "gate/gate_records.h"
#include "gate/gate_told.h"

static struct dns_name name_of(const char *text)
{
	struct dns_name name;

	assert_true(dns_name_parse(text, &name));
	return name;
}

static struct ipaddr addr_of(const char *text)
{
	struct ipaddr addr;

	assert_true(ipaddr_parse(text, strlen(text), &addr));
	return addr;
}

/* ------------------------------------------------------------------ the cache */

static void put(struct gate_cache *cache, const char *text, const char *data, uint64_t until_ms)
{
	struct dns_name name = name_of(text);

	gate_cache_put(cache, &name, 1, GATE_ADDRESSES, data, strlen(data), strlen(data) / 4,
		       until_ms);
}

static const struct gate_entry *find(struct gate_cache *cache, const char *text, unsigned type)
{
	struct dns_name name = name_of(text);

	return gate_cache_find(cache, &name, type);
}

static void test_cache(void **state)
{
	struct ipaddr wanted = addr_of("97.98.99.100"); /* "abcd" */
	const struct gate_entry *entry;
	struct gate_cache cache;
	struct ipaddr addr;
	uint64_t serial;

	(void)state;
	gate_cache_init(&cache);
	put(&cache, "a.example", "abcdefgh", 1000);
	assert_null(find(&cache, "b.example", 1));
	assert_null(find(&cache, "a.example", 28));
	entry = find(&cache, "A.example", 1);
	assert_non_null(entry);
	assert_int_equal(entry->n_addrs, 2);
	addr = gate_entry_addr(entry, 0);
	assert_int_equal(ipaddr_cmp(&addr, &wanted), 0);
	serial = entry->serial;
	put(&cache, "a.example", "ijkl", 2000);
	entry = find(&cache, "a.example", 1);
	assert_int_equal(entry->n_addrs, 1);
	assert_true(entry->serial != serial);
	assert_int_equal(cache.map.n, 1);
	gate_cache_free(&cache);
}

static void test_cache_bounds(void **state)
{
	struct gate_cache cache;
	char text[32];

	(void)state;
	gate_cache_init(&cache);
	cache.n_max = 100;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		put(&cache, text, "abcd", 0);
		assert_non_null(find(&cache, "n0.example", 1)); /* used again and again */
		assert_true(cache.map.n <= 100);
	}
	assert_null(find(&cache, "n900.example", 1));
	assert_non_null(find(&cache, "n999.example", 1));
	cache.bytes_max = 1;
	put(&cache, "last.example", "abcd", 0);
	assert_int_equal(cache.map.n, 1);
	assert_non_null(find(&cache, "last.example", 1));
	gate_cache_free(&cache);
}

/* ------------------------------------------------------------------ what was told */

static uint64_t when(const struct gate_told *told, const struct gate_told_net *net,
		     const struct dns_name *name, const struct ipaddr *addr)
{
	uint64_t told_ms;

	gate_told_when(told, net, name, addr, 1, &told_ms);
	return told_ms;
}

static void test_told(void **state)
{
	struct dns_name a = name_of("a.example"), b = name_of("b.example");
	struct ipaddr one = addr_of("192.0.2.1"), six = addr_of("2001:db8::1");
	struct gate_told_net net = { 0 }, other = { 0 };
	const struct gate_told_addr *found;
	struct gate_told told;

	(void)state;
	gate_told_init(&told);
	gate_told_add_net(&told, &net);
	gate_told_add_net(&told, &other);
	assert_int_equal(when(&told, &net, &a, &one), 0);
	gate_told_put(&told, &net, &a, &one, 5000);
	gate_told_put(&told, &net, &b, &one, 6000);
	gate_told_put(&told, &net, &a, &six, 7000);
	assert_int_equal(when(&told, &net, &a, &one), 5000);
	assert_int_equal(when(&told, &net, &b, &one), 6000);
	assert_int_equal(when(&told, &other, &a, &one), 0);
	assert_int_equal(net.n_addrs[FAMILY_IPV4], 1);
	assert_int_equal(net.n_addrs[FAMILY_IPV6], 1);
	assert_int_equal(net.n_refs, 3);
	gate_told_put(&told, &net, &a, &one, 8000);
	assert_int_equal(net.n_refs, 3);
	found = gate_told_find(&told, &net, &one);
	assert_non_null(found);
	assert_non_null(LIST_NEXT(LIST_FIRST(&found->refs), entry));
	gate_told_undo(&told, &one);
	assert_int_equal(when(&told, &net, &a, &one), 0);
	assert_int_equal(when(&told, &net, &a, &six), 7000);
	gate_told_forget_net(&told, &net);
	assert_int_equal(net.n_refs + net.n_addrs[0] + net.n_addrs[1], 0);
	assert_int_equal(told.refs.n + told.addrs.n + told.names.n, 0);
	gate_told_free(&told);
}

/* It holds for one network, for its time, and until anything is lost. */
static void test_told_all(void **state)
{
	struct dns_name a = name_of("a.example");
	struct ipaddr one = addr_of("192.0.2.1"), two = addr_of("192.0.2.2");
	struct gate_told_net net = { 0 }, other = { 0 };
	struct gate_told_all none = { 0 }, all;
	struct gate_told told;

	(void)state;
	gate_told_init(&told);
	gate_told_add_net(&told, &net);
	gate_told_add_net(&told, &other);
	assert_false(gate_told_has_all(&told, &net, &none, 0));
	gate_told_put(&told, &net, &a, &one, 1000);
	all = (struct gate_told_all){ net.id, told.losses, 2000 };
	assert_true(gate_told_has_all(&told, &net, &all, 1999));
	assert_false(gate_told_has_all(&told, &net, &all, 2000));
	assert_false(gate_told_has_all(&told, &other, &all, 1999));
	gate_told_put(&told, &other, &a, &two, 1500); /* takes nothing away */
	assert_true(gate_told_has_all(&told, &net, &all, 1999));
	gate_told_undo(&told, &one);
	assert_false(gate_told_has_all(&told, &net, &all, 1999));
	all.losses = told.losses;
	gate_told_doubt(&told);
	assert_false(gate_told_has_all(&told, &net, &all, 1999));
	all.losses = told.losses;
	assert_true(gate_told_room(&told, &net, &a, &two, 1, 20000, 10000)); /* in one's place */
	assert_false(gate_told_has_all(&told, &net, &all, 1999));
	gate_told_put(&told, &net, &a, &two, 20000);
	all = (struct gate_told_all){ net.id, told.losses, 30000 };
	gate_told_forget_net(&told, &net);
	assert_false(gate_told_has_all(&told, &net, &all, 20001));
	gate_told_free(&told);
}

static void test_told_room(void **state)
{
	struct dns_name a = name_of("a.example"), b = name_of("b.example");
	struct ipaddr one = addr_of("192.0.2.1"), two = addr_of("192.0.2.2"),
		      three = addr_of("192.0.2.3"), six = addr_of("2001:db8::1");
	struct gate_told_net net = { 0 };
	struct gate_told told;

	(void)state;
	gate_told_init(&told);
	gate_told_add_net(&told, &net);
	gate_told_put(&told, &net, &a, &one, 1000);
	gate_told_put(&told, &net, &a, &two, 2000);
	/* Two are the limit: one that is there already has room, and so has the other family. */
	assert_true(gate_told_room(&told, &net, &b, &one, 2, 3000, 10000));
	assert_true(gate_told_room(&told, &net, &a, &six, 2, 3000, 10000));
	assert_false(gate_told_room(&told, &net, &a, &three, 2, 3000, 10000));
	assert_int_equal(net.n_refs, 2);
	assert_false(told.forgotten);
	/* The life of the first is over: it makes way, and the second does not. */
	assert_true(gate_told_room(&told, &net, &a, &three, 2, 11000, 10000));
	assert_true(told.forgotten); /* though a connection may have renewed it */
	assert_int_equal(when(&told, &net, &a, &one), 0);
	assert_int_equal(when(&told, &net, &a, &two), 2000);
	gate_told_free(&told);
}

/* Takes all that it can for a network, of 8 names with the same addresses. Returns how many pairs that are. */
static size_t take_all(struct gate_told *told, struct gate_told_net *net)
{
	struct dns_name names[8];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char text[] = "a.example";

		text[0] = (char)('a' + i);
		names[i] = name_of(text);
	}
	for (uint32_t i = 0; i < 65536; i++) {
		struct ipaddr addr = { FAMILY_IPV4, { 11, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		for (size_t k = 0; k < ARRAY_SIZE(names); k++, n++) {
			if (!gate_told_room(told, net, &names[k], &addr, 65536, 2, 10000))
				return n;
			gate_told_put(told, net, &names[k], &addr, 1);
		}
	}
	return n;
}

static void test_told_shares(void **state)
{
	struct gate_told_net nets[3] = { 0 };
	struct gate_told told;

	(void)state;
	gate_told_init(&told);
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++)
		gate_told_add_net(&told, &nets[i]);
	assert_int_equal(take_all(&told, &nets[0]), GATE_TOLD_MAX / 2);
	assert_int_equal(take_all(&told, &nets[1]), GATE_TOLD_MAX / 4);
	assert_int_equal(take_all(&told, &nets[2]), GATE_TOLD_MAX / 8);
	gate_told_free(&told);
}

/* ------------------------------------------------------------------ records */

struct message {
	uint8_t b[4096];
	size_t len;
};

static void add(struct message *m, const void *data, size_t len)
{
	memcpy(m->b + m->len, data, len);
	m->len += len;
}

static void add_record(struct message *m, const char *owner, unsigned type, const void *data,
		       size_t len)
{
	const uint8_t rest[] = { (uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0, 0, 60,
				 (uint8_t)(len >> 8),  (uint8_t)len };
	struct dns_name name = name_of(owner);

	add(m, name.b, name.len);
	add(m, rest, sizeof(rest));
	add(m, data, len);
}

/* The records of the type, or "malformed"; of a copy of just that size. */
static void assert_records(const struct message *m, unsigned n, unsigned type, const void *expected,
			   size_t len)
{
	cleanup(cleanup_free) uint8_t *copy = xmalloc(m->len);
	struct dns_reader r = { copy, m->len, 0 };
	struct dns_name name = name_of("www.example");
	struct buf b = { 0 };
	uint32_t ttl_s = 0;
	bool ok;

	memcpy(copy, m->b, m->len);
	ok = gate_records_read(&r, n, &name, type, &b, &ttl_s);
	assert_int_equal(ok, expected != NULL);
	if (expected) {
		assert_int_equal(b.len, len);
		if (len > 0)
			assert_memory_equal(b.data, expected, len);
		assert_int_equal(ttl_s, len > 0 ? 60 : 0);
	}
	buf_free(&b);
}

static void test_records(void **state)
{
	struct message m = { .len = 0 };

	(void)state;
	add_record(&m, "www.example", DNS_TYPE_CNAME, "\4Mail\7example", 14);
	add_record(&m, "other.example", 16, "\1x", 2);
	/* A name that leads back to the first record's owner. */
	add_record(&m, "mail.example", 15, "\0\x0a\2MX\xc0\0", 7);
	assert_records(&m, 3, 15, "\0\x12\0\x0a\2mx\3www\7example", 20);
	assert_records(&m, 3, 16, "", 0);
	assert_records(&m, 3, 1, NULL, 0); /* none of these */
	assert_records(&m, 4, 15, NULL, 0);
	m.len = 0;
	add_record(&m, "www.example", 16, "\5hello\0\1y", 9);
	assert_records(&m, 1, 16, "\0\x09\5hello\0\1y", 11);
	m.len = 0;
	add_record(&m, "www.example", 16, "\5hell", 5);
	assert_records(&m, 1, 16, NULL, 0);
	m.len = 0;
	add_record(&m, "www.example", 16, "", 0);
	assert_records(&m, 1, 16, NULL, 0);
	m.len = 0;
	add_record(&m, "www.example", 33, "\0\1\0\2\1\xbb\1h\0", 9);
	assert_records(&m, 1, 33, "\0\x09\0\1\0\2\1\xbb\1h\0", 11);
	m.len = 0;
	add_record(&m, "www.example", 33, "\0\1\0\2\1\xbb\1h\0x", 10); /* trailing */
	assert_records(&m, 1, 33, NULL, 0);
	m.len = 0;
	add_record(&m, "www.example", 257, "\0\5issueca.example", 16);
	assert_records(&m, 1, 257, "\0\x10\0\5issueca.example", 18);
	m.len = 0;
	add_record(&m, "www.example", DNS_TYPE_CNAME, "\3www\7example", 13);
	assert_records(&m, 1, 16, NULL, 0); /* in a circle */
}

static void test_types(void **state)
{
	char text[GATE_TYPE_TEXT_MAX];

	(void)state;
	assert_int_equal(gate_type_bit("MX"), gate_type_bit_of(15));
	assert_int_equal(gate_type_bit("A"), 0);
	assert_int_equal(gate_type_bit("HTTPS"), 0);
	assert_int_equal(gate_type_bit_of(65), 0);
	assert_string_equal(gate_type_text(65, text), "HTTPS");
	assert_string_equal(gate_type_text(33, text), "SRV");
	assert_string_equal(gate_type_text(65535, text), "TYPE65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),	    cmocka_unit_test(test_cache_bounds),
		cmocka_unit_test(test_told),	    cmocka_unit_test(test_told_room),
		cmocka_unit_test(test_told_shares), cmocka_unit_test(test_told_all),
		cmocka_unit_test(test_records),	    cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests_name("gate_memory", tests, NULL, NULL);
}
