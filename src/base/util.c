/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/util.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/err.h"

#define ARENA_BLOCK 65536u

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

static _Noreturn void out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = n && size ? calloc(n, size) : calloc(1, 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	/* A size of 0 would free p and return NULL. */
	void *q = n && size ? reallocarray(p, n, size) : realloc(p, 1);

	if (!q)
		out_of_memory();
	return q;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void *array_grow(void *items, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return items;
	if (n > SIZE_MAX / 2 - 8)
		out_of_memory();
	*cap = n < 4 ? 8 : 2 * n;
	return xreallocarray(items, *cap, size);
}

void cleanup_free(void *pointer_to_pointer)
{
	void *p;

	/* Not *(void **): the local may be a pointer to any type. */
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Room for more bytes and a NUL. */
static void buf_reserve(struct buf *b, size_t more)
{
	if (more < b->cap - b->len)
		return;
	if (more > SIZE_MAX / 4 - b->len)
		out_of_memory();
	b->data = array_grow(b->data, &b->cap, b->len + more, 1);
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	buf_reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void buf_uint(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	buf_add(b, digits + i, sizeof(digits) - i);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->data ? b->cap - b->len : 0;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, again);
	va_end(again);
	if (n < 0)
		out_of_memory();
	if ((size_t)n >= room) {
		buf_reserve(b, (size_t)n);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	}
	b->len += (size_t)n;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_steal(struct buf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return s;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){ 0 };
}

static struct arena_block *arena_block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		out_of_memory();
	block = xmalloc(sizeof(*block) + size);
	*block = (struct arena_block){ .size = size };
	return block;
}

static void *arena_take(struct arena *a, size_t size, size_t align)
{
	struct arena_block *block = a->head;
	size_t start = block ? (block->used + align - 1) & ~(align - 1) : 0; /* a power of two */

	if (!block || start > block->size || size > block->size - start) {
		start = 0;
		if (block && size > ARENA_BLOCK / 4) {
			/* A large object gets a block of its own behind the head, which still has
			 * room for small ones. */
			block = arena_block_new(size);
			block->next = a->head->next;
			a->head->next = block;
		} else {
			block = arena_block_new(size > ARENA_BLOCK ? size : ARENA_BLOCK);
			block->next = a->head;
			a->head = block;
		}
	}
	block->used = start + size;
	return block->data + start;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(arena_take(a, size, alignof(max_align_t)), 0, size);
}

void *arena_memdup(struct arena *a, const void *data, size_t size)
{
	return memcpy(arena_take(a, size, alignof(max_align_t)), data, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy;

	if (len == SIZE_MAX)
		out_of_memory();
	copy = arena_take(a, len + 1, 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	s = arena_take(a, (size_t)n + 1, 1);
	if ((size_t)n < sizeof(small))
		return memcpy(s, small, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->head) {
		struct arena_block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
}

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u; /* odd, and about 2^64 by the golden ratio */
	return hash ^ hash >> 32;
}

/* MurmurHash3's finaliser, so that any bits of the outcome will do. */
static uint64_t hash_end(uint64_t hash)
{
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 33;
}

uint64_t hash64(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t word, rest = (uint64_t)len << 56;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seed = hash_word(seed, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		rest |= (uint64_t)p[i] << 8 * i;
	return hash_end(hash_word(seed, rest));
}

char *hex_format(char *s, uint64_t value, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	for (unsigned i = digits; i > 0; value >>= 4)
		s[--i] = hex[value & 0xf];
	s[digits] = '\0';
	return s + digits;
}

bool parse_uint(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0 || (len > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)s[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

/* RFC 3629's table: what the second byte may be depends on the first; that excludes overlong forms,
 * surrogates and what lies past U+10FFFF. */
size_t utf8_char(const char *s, size_t len, uint32_t *ret_code)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned lo = 0x80, hi = 0xbf;
	uint32_t code;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	*ret_code = code;
	return n;
}

bool utf8_is_plain(uint32_t code)
{
	return !(code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
		 (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		 code == 0xfeff);
}

size_t utf8_cut(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (len <= max)
		return len;
	/* The later bytes of a character are 10xxxxxx. */
	for (len = max; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

char *lower_case(char *s)
{
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}

/* Opens path if it is a regular file of at most max bytes. Returns a descriptor or -errno. */
static int open_regular(const char *path, size_t max, size_t *ret_size)
{
	/* O_NONBLOCK: a FIFO without a writer would block us before we can refuse it. */
	cleanup(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uintmax_t)st.st_size > max)
		return -EFBIG;
	*ret_size = (size_t)st.st_size;
	ret = fd;
	fd = -1;
	return ret;
}

/* Appends what fd gives until its end, which need not be where fstat() said. */
static int read_all(int fd, size_t size, size_t max, struct buf *b)
{
	size_t want = size + 1;

	for (;;) {
		ssize_t n;

		buf_reserve(b, want);
		n = read(fd, b->data + b->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b->len += (size_t)n;
		if (b->len > max)
			return -EFBIG;
		want = 4096;
	}
	buf_add(b, "", 0); /* its NUL */
	return 0;
}

int read_file(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	cleanup(buf_free) struct buf b = { 0 };
	cleanup(cleanup_close) int fd = -1;
	size_t size = 0;
	int r;

	assert(max < SIZE_MAX / 8);
	fd = open_regular(path, max, &size);
	r = fd < 0 ? fd : read_all(fd, size, max, &b);
	if (r == -EINVAL)
		return err_set(err, EINVAL, "read %s: not a regular file", path);
	if (r == -EFBIG)
		return err_set(err, EFBIG, "read %s: larger than %zu bytes", path, max);
	if (r < 0)
		return err_errno(err, -r, "read %s", path);
	*ret_len = b.len;
	*ret_data = buf_steal(&b);
	return 0;
}
