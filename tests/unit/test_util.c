/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

static void test_allocators(void **state)
{
	cleanup(cleanup_free) char *empty = xmalloc(0);
	cleanup(cleanup_free) int *zeroed = xcalloc(4, sizeof(*zeroed));
	cleanup(cleanup_free) char *none = xcalloc(0, 8);
	cleanup(cleanup_free) char *cut = xstrndup("dockside", 4);
	cleanup(cleanup_free) char *whole = xstrndup("ds", 100);
	cleanup(cleanup_free) char *printed = xasprintf("%s-%d", "ds", 7);
	char *resized = xreallocarray(NULL, 0, 8);

	(void)state;
	assert_non_null(empty);
	assert_non_null(none);
	assert_non_null(resized);
	resized = xreallocarray(resized, 0, 0);
	assert_non_null(resized);
	free(resized);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(zeroed[i], 0);
	assert_string_equal(cut, "dock");
	assert_string_equal(whole, "ds");
	assert_string_equal(printed, "ds-7");
}

static void test_array_grow(void **state)
{
	uint64_t *items = NULL;
	size_t cap = 0, grown = 0;

	(void)state;
	for (size_t n = 0; n < 10000; n++) {
		size_t before = cap;

		items = array_grow(items, &cap, n, sizeof(*items));
		assert_true(cap > n);
		grown += cap != before;
		items[n] = n;
	}
	assert_true(grown < 20); /* doubles */
	for (size_t n = 0; n < 10000; n++)
		assert_int_equal(items[n], n);
	free(items);
}

static void test_cleanups(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = fd, none = -1;
	FILE *file = NULL;
	char *p = NULL;

	(void)state;
	cleanup_free(&p);
	cleanup_fclose(&file);
	cleanup_close(&none);
	assert_true(fd >= 0);
	cleanup_close(&fd);
	assert_int_equal(fcntl(kept, F_GETFD), -1);
	file = fopen("/dev/null", "re");
	assert_non_null(file);
	cleanup_fclose(&file);
}

static void test_buf(void **state)
{
	struct buf b = { 0 };
	char *stolen;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	assert_null(b.data);
	buf_add(&b, NULL, 0);
	assert_string_equal(b.data, "");
	buf_puts(&b, "table");
	buf_putc(&b, ' ');
	buf_printf(&b, "%s %04d", "inet", 42);
	assert_string_equal(buf_str(&b), "table inet 0042");
	assert_int_equal(b.len, strlen("table inet 0042"));
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	stolen = buf_steal(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	free(stolen);
	stolen = buf_steal(&b);
	assert_string_equal(stolen, "");
	free(stolen);
	buf_free(&b);
	buf_free(NULL);
}

static void test_buf_uint(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = { { 0, "0" },
		      { 9, "9" },
		      { 10, "10" },
		      { 65535, "65535" },
		      { UINT64_MAX, "18446744073709551615" } };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&b);
		buf_uint(&b, cases[i].value);
		assert_string_equal(buf_str(&b), cases[i].text);
	}
	buf_free(&b);
}

static void test_buf_grows(void **state)
{
	cleanup(buf_free) struct buf b = { 0 };
	cleanup(cleanup_free) char *big = xmalloc(100000);

	(void)state;
	memset(big, 'x', 99999);
	big[99999] = '\0';
	for (size_t i = 0; i < 1000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	buf_printf(&b, "%s", big);
	assert_int_equal(b.len, 100999);
	assert_int_equal(strlen(b.data), 100999);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

static void test_arena(void **state)
{
	struct arena a = { 0 };
	char *objects[2000];

	(void)state;
	arena_free(NULL);
	arena_free(&a);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		/* Small ones, some that fill blocks, some larger than any block. */
		size_t size = i % 400 == 399 ? 200000 : i % 50 == 49 ? 20000 : i % 40;

		objects[i] = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(objects[i][k], 0);
		memset(objects[i], (int)(i % 255) + 1, size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		size_t size = i % 400 == 399 ? 200000 : i % 50 == 49 ? 20000 : i % 40;

		for (size_t k = 0; k < size; k++)
			assert_int_equal((unsigned char)objects[i][k], i % 255 + 1);
	}
	arena_free(&a);
	assert_null(a.head);
}

static void test_arena_strings(void **state)
{
	struct arena a = { 0 };
	const char *one = arena_strdup(&a, "one"), *two = arena_printf(&a, "%d-%s", 2, "two");
	const char *cut = arena_strndup(&a, "three", 2), *empty = arena_strndup(&a, "x", 0);
	void *object = arena_alloc(&a, 1);

	(void)state;
	assert_string_equal(one, "one");
	assert_string_equal(two, "2-two");
	assert_string_equal(cut, "th");
	assert_string_equal(empty, "");
	assert_int_equal((uintptr_t)object % alignof(max_align_t), 0);
	arena_free(&a);
}

static int cmp_words(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void test_hash64(void **state)
{
	static uint32_t low[20000];
	char text[32];
	size_t n = 0, same = 0;

	(void)state;
	/* The same on every machine and in every version: what the kernel keeps has it. Computed apart. */
	assert_true(hash64(HASH_SEED, "", 0) == 0x551f1ad12918beafu);
	assert_true(hash64(HASH_SEED, "a", 1) == 0xde1d550e9854dc83u);
	assert_true(hash64(HASH_SEED, "123456789", 9) == 0xb4a3ab4d65af11edu);
	assert_true(hash64(1, "a", 1) != hash64(2, "a", 1));
	assert_true(hash64(HASH_SEED, "a\0", 2) != hash64(HASH_SEED, "a", 1));
	/* Similar texts get different hashes, in 32 bits too: of 20,000, one pair in 21 runs is
	 * equal by chance. */
	for (unsigned i = 0; i < ARRAY_SIZE(low) / 2; i++) {
		int len = snprintf(text, sizeof(text), "tcp dport %u accept", i);

		low[n++] = (uint32_t)hash64(HASH_SEED, text, (size_t)len);
		low[n++] = (uint32_t)(hash64(HASH_SEED, &i, sizeof(i)) >> 32);
	}
	qsort(low, n, sizeof(*low), cmp_words);
	for (size_t i = 1; i < n; i++)
		same += low[i] == low[i - 1];
	assert_true(same <= 2);
}

static void test_parse_uint(void **state)
{
	static const struct {
		const char *s;
		uint64_t min, max, value;
		bool good;
	} cases[] = {
		{ "0", 0, 10, 0, true },
		{ "443", 1, 65535, 443, true },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true },
		{ "18446744073709551616", 0, UINT64_MAX, 0, false },
		{ "18446744073709551620", 0, UINT64_MAX, 0, false },
		{ "99999999999999999999", 0, UINT64_MAX, 0, false },
		{ "65536", 1, 65535, 0, false },
		{ "0", 1, 65535, 0, false },
		{ "", 0, 10, 0, false },
		{ "00", 0, 10, 0, false },
		{ "01", 0, 10, 0, false },
		{ "+1", 0, 10, 0, false },
		{ "-1", 0, UINT64_MAX, 0, false },
		{ " 1", 0, 10, 0, false },
		{ "1 ", 0, 10, 0, false },
		{ "80x", 0, 100, 0, false },
		{ "0x1", 0, 100, 0, false },
		{ "\xb2", 0, 100, 0, false }, /* superscript two in Latin-1 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 77;
		bool good = parse_uint(cases[i].s, strlen(cases[i].s), cases[i].min, cases[i].max,
				       &value);

		if (good != cases[i].good)
			fail_msg("parse_uint(\"%s\")", cases[i].s);
		assert_true(value == (good ? cases[i].value : 77));
	}
	{
		uint64_t value = 77;

		assert_true(parse_uint("1234", 2, 0, 100, &value)); /* no further than len */
		assert_int_equal(value, 12);
		assert_false(parse_uint("1\0", 2, 0, 100, &value));
	}
}

static void test_utf8_char(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		uint32_t code;
	} cases[] = {
		{ "a", 1, 'a' },
		{ "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 },
		{ "\xc3\xbc", 2, 0xfc },
		{ "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 },
		{ "\xe2\x82\xac", 3, 0x20ac },
		{ "\xed\x9f\xbf", 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 0xe000 },
		{ "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 }, /* a continuation alone */
		{ "\xbf", 0, 0 },
		{ "\xc0\x80", 0, 0 }, /* overlong forms */
		{ "\xc1\xbf", 0, 0 },
		{ "\xe0\x9f\xbf", 0, 0 },
		{ "\xf0\x8f\xbf\xbf", 0, 0 },
		{ "\xed\xa0\x80", 0, 0 }, /* surrogates */
		{ "\xed\xbf\xbf", 0, 0 },
		{ "\xf4\x90\x80\x80", 0, 0 }, /* past U+10FFFF */
		{ "\xf5\x80\x80\x80", 0, 0 },
		{ "\xff", 0, 0 },
		{ "\xc3", 0, 0 }, /* cut short */
		{ "\xe2\x82", 0, 0 },
		{ "\xf0\x90\x80", 0, 0 },
		{ "\xc3z", 0, 0 },
		{ "\xe2\x82z", 0, 0 },
		{ "\xf0\x90\x80z", 0, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t code = 0;

		if (utf8_char(cases[i].s, strlen(cases[i].s), &code) != cases[i].n ||
		    code != cases[i].code)
			fail_msg("case %zu: %s", i, cases[i].s);
	}
}

/* A comment is cut at a character. */
static void test_utf8_cut(void **state)
{
	(void)state;
	assert_int_equal(utf8_cut("abc", 3), 3);
	assert_int_equal(utf8_cut("abc", 2), 2);
	assert_int_equal(utf8_cut("a\xc3\xa4", 3), 3);
	assert_int_equal(utf8_cut("a\xc3\xa4", 2), 1);
	assert_int_equal(utf8_cut("\xf0\x9f\x90\xb3", 3), 0);
}

static int make_file(const char *path, const void *data, size_t len)
{
	cleanup(cleanup_fclose) FILE *file = fopen(path, "we");

	return file && fwrite(data, 1, len, file) == len ? 0 : -1;
}

static void test_read_file(void **state)
{
	char path[] = "/tmp/test_util.XXXXXX";
	int fd = mkstemp(path);
	cleanup(err_free) struct err err = { 0 };
	char *data = NULL;
	size_t len = 77;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(read_file(path, 10, &data, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_string_equal(data, "");
	free(data);

	assert_int_equal(make_file(path,
				   "0123\0"
				   "56789",
				   10),
			 0);
	assert_int_equal(read_file(path, 10, &data, &len, &err), 0);
	assert_int_equal(len, 10);
	assert_memory_equal(data,
			    "0123\0"
			    "56789",
			    11);
	free(data);
	data = NULL;
	assert_int_equal(read_file(path, 9, &data, &len, &err), -EFBIG);
	assert_null(data);
	assert_int_equal(err.code, EFBIG);
	assert_non_null(strstr(err.text, ": larger than 9 bytes"));
	assert_int_equal(unlink(path), 0);

	assert_int_equal(read_file(path, 9, &data, &len, NULL), -ENOENT);
	assert_int_equal(read_file(path, 9, &data, &len, &err), -ENOENT);
	assert_non_null(strstr(err.text, ": No such file or directory"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_file(path, 9, &data, &len, &err), -EINVAL); /* and does not block */
	assert_non_null(strstr(err.text, ": not a regular file"));
	assert_int_equal(unlink(path), 0);
}

static void test_read_special(void **state)
{
	cleanup(err_free) struct err err = { 0 };
	char *data = NULL;
	size_t len = 77;

	(void)state;
	assert_int_equal(read_file("/", 10, &data, &len, &err), -EISDIR);
	assert_string_equal(err.text, "read /: Is a directory");
	assert_int_equal(read_file("/dev/null", 10, &data, &len, &err), -EINVAL);
	assert_null(data);
	assert_int_equal(len, 77);
	/* fstat() says 0 bytes. */
	assert_int_equal(read_file("/proc/self/status", 100000, &data, &len, &err), 0);
	assert_true(len > 100);
	assert_int_equal(strlen(data), len);
	free(data);
	data = NULL;
	assert_int_equal(read_file("/proc/self/status", 50, &data, &len, &err), -EFBIG);
	assert_null(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocators), cmocka_unit_test(test_array_grow),
		cmocka_unit_test(test_cleanups),   cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_grows),  cmocka_unit_test(test_buf_uint),
		cmocka_unit_test(test_arena),	   cmocka_unit_test(test_arena_strings),
		cmocka_unit_test(test_hash64),	   cmocka_unit_test(test_parse_uint),
		cmocka_unit_test(test_utf8_char),  cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_utf8_cut),   cmocka_unit_test(test_read_special),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
