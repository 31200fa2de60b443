/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: each token is checked first, which makes every message and location, and decoded
 * only when it was found valid. No library takes part: which text is valid must not depend on its version.
 */
#include "json_lex.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/suggest.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

static int peek_at(const struct lexer *lex, size_t pos)
{
	return pos < lex->src->len ? (unsigned char)lex->src->text[pos] : LEX_END;
}

struct loc lex_place(const struct lexer *lex, size_t from, size_t to)
{
	return (struct loc){ .src = lex->src, .off = from, .len = to - from };
}

void lex_pointer_step(struct buf *b, const char *key, size_t index)
{
	buf_putc(b, '/');
	if (!key) {
		buf_printf(b, "%zu", index);
		return;
	}
	for (; *key; key++) {
		if (*key == '~')
			buf_puts(b, "~0");
		else if (*key == '/')
			buf_puts(b, "~1");
		else
			buf_putc(b, *key);
	}
}

/* The JSON pointer of what is being parsed. */
static void add_pointer(const struct lexer *lex, struct buf *b)
{
	for (size_t i = 0; i < lex->depth && lex->levels[i].in_child; i++)
		lex_pointer_step(b, lex->levels[i].key, lex->levels[i].index);
}

struct diag *lex_fault(struct lexer *lex, struct loc loc, const char *fmt, ...)
{
	cleanup(buf_free) struct buf pointer = { 0 }, message = { 0 };
	va_list ap;

	/* Long keys and many faults would take quadratic time for pointers that nobody prints. */
	if (lex->diags->count[SEVERITY_ERROR] < DIAGS_MAX)
		add_pointer(lex, &pointer);
	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	lex->n_faults++;
	return diag_add(lex->diags, SEVERITY_ERROR, loc, buf_str(&pointer), "%s",
			buf_str(&message));
}

/* Characters of numbers and names, right ones and those that people write for them: NaN, +1, 0x1F, True. */
static bool is_word_char(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '+' || c == '-' || c == '.';
}

static size_t word_end(const struct lexer *lex, size_t pos)
{
	while (is_word_char(peek_at(lex, pos)) || peek_at(lex, pos) >= 0x80)
		pos++;
	return pos;
}

/* Finds the end of a quoted text, for messages: after the closing quote or at the end of the line. */
static size_t quoted_end(const struct lexer *lex, size_t pos)
{
	int quote = peek_at(lex, pos++);

	for (int c; (c = peek_at(lex, pos)) != LEX_END && c != '\n' && c != '\r'; pos++) {
		if (c == quote)
			return pos + 1;
		if (c == '\\' && peek_at(lex, pos + 1) == quote)
			pos++;
	}
	return pos;
}

/* Appends what stands at the lexer's position and returns where it ends. */
static size_t describe(const struct lexer *lex, struct buf *b)
{
	const char *s = lex->src->text + lex->pos;
	int c = lex_peek(lex);
	size_t end = lex->pos;
	uint32_t code;

	if (c == LEX_END) {
		buf_puts(b, "the end of the file");
		return end;
	}
	if (c == '"')
		buf_puts(b, "the string ");
	if (c == '"' || c == '\'')
		end = quoted_end(lex, lex->pos);
	else if (is_word_char(c))
		end = word_end(lex, lex->pos);
	else
		end += utf8_char(s, lex->src->len - lex->pos, &code);
	if (c == '"') {
		bool closed = end > lex->pos + 1 && lex->src->text[end - 1] == '"';

		quote_found(b, s + 1, end - lex->pos - (closed ? 2 : 1));
	} else if (end > lex->pos) {
		quote_found(b, s, end - lex->pos);
	} else {
		buf_printf(b, "the byte 0x%02x, which is not UTF-8", (unsigned)c);
		end++;
	}
	return end;
}

bool lex_expected(struct lexer *lex, const char *what)
{
	cleanup(buf_free) struct buf found = { 0 };
	size_t end = describe(lex, &found);
	struct diag *diag = lex_fault(lex, lex_place(lex, lex->pos, end),
				      "expected %s but found %s", what, buf_str(&found));
	int c = lex_peek(lex);

	if (c == '\'')
		diag->hint = xstrdup("strings are written in double quotes");
	else if (c == '#')
		diag->hint = xstrdup("comments are written // or /* */");
	if (lex->depth > 0 && (c == LEX_END || c == '}' || c == ']')) {
		size_t open = lex->levels[lex->depth - 1].open;

		diag->other = lex_place(lex, open, open + 1);
		diag->other_message = xasprintf("the \"%c\" opened here", lex->src->text[open]);
	}
	return false;
}

static void not_utf8(struct lexer *lex, size_t pos)
{
	lex_fault(lex, lex_place(lex, pos, pos + 1),
		  "expected UTF-8 but found the byte 0x%02x (offset %zu)",
		  (unsigned)peek_at(lex, pos), pos);
}

/* One comment; the lexer stands at its slash. */
static bool skip_comment(struct lexer *lex)
{
	const char *s = lex->src->text + lex->pos;
	size_t rest = lex->src->len - lex->pos;
	const char *end = s[1] == '/' ? memchr(s, '\n', rest) : memmem(s + 2, rest - 2, "*/", 2);
	size_t to = end ? (size_t)(end - lex->src->text) : lex->src->len;

	for (size_t i = lex->pos, n; i < to; i += n) {
		uint32_t code;

		n = utf8_char(lex->src->text + i, lex->src->len - i, &code);
		if (n > 0)
			continue;
		not_utf8(lex, i);
		break;
	}
	if (!end && s[1] == '*') {
		lex_fault(
			lex, lex_place(lex, lex->pos, lex->pos + 2),
			"expected \"*/\" but found the end of the file: the comment is not closed");
		return false;
	}
	lex->pos = end && s[1] == '*' ? to + 2 : to;
	return true;
}

bool lex_skip_blanks(struct lexer *lex)
{
	for (;;) {
		const char *s = lex->src->text, *p = s + lex->pos, *end = s + lex->src->len;

		/* Indentation is a third of a tidy file. */
		for (; p < end; p++)
			if (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r')
				break;
		lex->pos = (size_t)(p - s);
		if (end - p < 2 || p[0] != '/' || (p[1] != '/' && p[1] != '*'))
			return true;
		if (!skip_comment(lex))
			return false;
	}
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* The four digits of the \u escape at pos, or false. */
static bool hex4(const struct lexer *lex, size_t pos, uint32_t *ret_code)
{
	uint32_t code = 0;

	if (peek_at(lex, pos) != '\\' || peek_at(lex, pos + 1) != 'u')
		return false;
	for (size_t i = 2; i < 6; i++) {
		int c = peek_at(lex, pos + i);

		code <<= 4;
		if (c >= '0' && c <= '9')
			code |= (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			code |= (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret_code = code;
	return true;
}

/* The length of the \u escape at pos, a surrogate pair being one; *ret_want says what it should have
 * been, if it is a fault. */
static size_t unicode_escape(const struct lexer *lex, size_t pos, const char **ret_want)
{
	uint32_t code, low;

	if (!hex4(lex, pos, &code)) {
		size_t n = 2;

		while (n < 6 && is_word_char(peek_at(lex, pos + n)))
			n++;
		*ret_want = "\\u and four hexadecimal digits";
		return n;
	}
	if (is_control(code))
		*ret_want = "no control character";
	if (code < 0xd800 || code > 0xdfff)
		return 6;
	if (code < 0xdc00 && hex4(lex, pos + 6, &low) && low >= 0xdc00 && low <= 0xdfff)
		return 12;
	*ret_want = "a pair of surrogates";
	return 6;
}

static size_t escape(const struct lexer *lex, size_t pos, const char **ret_want)
{
	uint32_t code;
	size_t n;

	switch (peek_at(lex, pos + 1)) {
	case '"':
	case '\\':
	case '/':
		return 2;
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		*ret_want = "no control character";
		return 2;
	case 'u':
		return unicode_escape(lex, pos, ret_want);
	case '\n':
	case '\r':
	case LEX_END:
		return 1; /* the string does not end, which matters more */
	default:
		*ret_want = "\\\" \\\\ \\/ or \\uXXXX";
		n = utf8_char(lex->src->text + pos + 1, lex->src->len - pos - 1, &code);
		return 1 + (n ? n : 1);
	}
}

/* One character of a string as it is written. As escape(). */
static size_t string_char(const struct lexer *lex, size_t pos, const char **ret_want)
{
	uint32_t code;
	size_t n;

	if (peek_at(lex, pos) == '\\')
		return escape(lex, pos, ret_want);
	n = utf8_char(lex->src->text + pos, lex->src->len - pos, &code);
	if (n > 0 && is_control(code))
		*ret_want = "no control character";
	return n;
}

/* Moves past what is most of most strings: characters of ASCII that mean themselves. */
static void skip_plain(struct lexer *lex)
{
	const char *s = lex->src->text;
	size_t pos = lex->pos;

	while (pos < lex->src->len && s[pos] >= ' ' && s[pos] < 0x7f && s[pos] != '"' &&
	       s[pos] != '\\')
		pos++;
	lex->pos = pos;
}

/*
 * Checks the string at the lexer's position and moves past it. At most one fault of a string is
 * reported. Returns false if the string does not end; *ret_good says whether there was no fault.
 */
static bool scan_string(struct lexer *lex, bool *ret_good)
{
	size_t start = lex->pos++;

	*ret_good = true;
	for (;;) {
		const char *want = NULL;
		size_t n;
		int c;

		skip_plain(lex);
		c = lex_peek(lex);
		if (c == '"') {
			lex->pos++;
			return true;
		}
		if (c == LEX_END || c == '\n' ||
		    (c == '\r' && peek_at(lex, lex->pos + 1) == '\n')) {
			lex_fault(lex, lex_place(lex, start, lex->pos),
				  "expected '\"' but found the end of the %s: the string is not "
				  "closed",
				  c == LEX_END ? "file" : "line");
			return false;
		}
		n = string_char(lex, lex->pos, &want);
		if (n == 0 && *ret_good)
			not_utf8(lex, lex->pos);
		if (want && *ret_good) {
			cleanup(buf_free) struct buf found = { 0 };

			quote_found(&found, lex->src->text + lex->pos, n);
			lex_fault(lex, lex_place(lex, lex->pos, lex->pos + n),
				  "expected %s in a string but found %s", want, buf_str(&found));
		}
		*ret_good = *ret_good && n > 0 && !want;
		lex->pos += n ? n : 1;
	}
}

static void put_utf8(struct buf *b, uint32_t code)
{
	if (code < 0x80) {
		buf_putc(b, (char)code);
		return;
	}
	if (code < 0x800) {
		buf_putc(b, (char)(0xc0 | code >> 6));
	} else {
		if (code < 0x10000) {
			buf_putc(b, (char)(0xe0 | code >> 12));
		} else {
			buf_putc(b, (char)(0xf0 | code >> 18));
			buf_putc(b, (char)(0x80 | (code >> 12 & 0x3f)));
		}
		buf_putc(b, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (code & 0x3f)));
}

/* Appends what the valid escape at pos means; returns its length. */
static size_t decode_escape(const struct lexer *lex, size_t pos, struct buf *b)
{
	uint32_t code, low;

	if (!hex4(lex, pos, &code)) {
		buf_putc(b, (char)peek_at(lex, pos + 1)); /* a quote, backslash or slash */
		return 2;
	}
	if (code < 0xd800 || code > 0xdfff || !hex4(lex, pos + 6, &low)) {
		put_utf8(b, code);
		return 6;
	}
	put_utf8(b, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
	return 12;
}

/* Copies what a valid string means to the arena; one without escapes means what it says. */
static void decode_string(struct lexer *lex, struct loc loc, const char **ret_s, size_t *ret_len)
{
	size_t pos = loc.off + 1, end = loc.off + loc.len - 1;
	cleanup(buf_free) struct buf b = { 0 };

	while (pos < end) {
		const char *text = lex->src->text + pos, *next = memchr(text, '\\', end - pos);
		size_t n = next ? (size_t)(next - text) : end - pos;

		buf_add(&b, text, n);
		pos += n;
		if (next)
			pos += decode_escape(lex, pos, &b);
	}
	*ret_len = b.len;
	*ret_s = arena_strndup(lex->arena, buf_str(&b), b.len);
}

bool lex_string(struct lexer *lex, const char **ret_s, size_t *ret_len, struct loc *ret_loc)
{
	size_t start = lex->pos;
	bool good;

	if (!scan_string(lex, &good))
		return false;
	*ret_loc = lex_place(lex, start, lex->pos);
	if (good) {
		decode_string(lex, *ret_loc, ret_s, ret_len);
	} else {
		*ret_s = arena_strndup(lex->arena, lex->src->text + start, ret_loc->len);
		*ret_len = strlen(*ret_s);
	}
	return true;
}

static size_t skip_digits(const char *s, size_t len, size_t i)
{
	while (i < len && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* A fraction or an exponent or both follow the whole number. */
static bool is_fraction(const char *s, size_t len)
{
	size_t i = 0, start;

	if (i < len && s[i] == '.') {
		start = ++i;
		i = skip_digits(s, len, i);
		if (i == start)
			return false;
	}
	if (i < len && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < len && (s[i] == '+' || s[i] == '-'))
			i++;
		start = i;
		i = skip_digits(s, len, i);
		if (i == start)
			return false;
	}
	return i == len;
}

/* Decodes a number of JSON's grammar without fraction, unless it is outside int64. */
static bool decode_int(const char *s, size_t len, int64_t *ret_value)
{
	bool negative = s[0] == '-';
	uint64_t value;

	if (!parse_uint(s + negative, len - negative, 0, (uint64_t)INT64_MAX + negative, &value))
		return false;
	/* -value would overflow for INT64_MIN. */
	*ret_value = !negative || value == 0 ? (int64_t)value : -(int64_t)(value - 1) - 1;
	return true;
}

/* Returns what there should have been, or NULL when all is well. */
static const char *parse_number(const char *s, size_t len, int64_t *ret_value)
{
	size_t start = s[0] == '-';
	size_t end = skip_digits(s, len, start);

	if (end == start)
		return "a value";
	if (s[start] == '0' && end > start + 1)
		return "a number without leading zeros";
	if (end < len)
		return is_fraction(s + end, len - end) ? "a number without fraction or exponent"
						       : "a value";
	if (!decode_int(s, len, ret_value))
		return "a number from -9223372036854775808 to 9223372036854775807";
	return NULL;
}

static void bad_word(struct lexer *lex, struct loc loc, const char *want)
{
	static const char *const known[] = { "true", "false", "null" };
	cleanup(cleanup_free) char *word = xstrndup(lex->src->text + loc.off, loc.len);
	cleanup(buf_free) struct buf found = { 0 };
	const char *near = nearest_word(word, known, ARRAY_SIZE(known));
	struct diag *diag;

	quote_found(&found, word, loc.len);
	diag = lex_fault(lex, loc, "expected %s but found %s", want, buf_str(&found));
	if (near)
		diag->hint = xasprintf("did you mean \"%s\"?", near);
}

bool lex_word(struct lexer *lex, struct json_node *node)
{
	const char *s = lex->src->text + lex->pos;
	const char *want = NULL;
	size_t len;

	if (!is_word_char(lex_peek(lex)))
		return lex_expected(lex, "a value");
	len = word_end(lex, lex->pos) - lex->pos;
	node->loc = lex_place(lex, lex->pos, lex->pos + len);
	node->kind = JSON_NULL;
	if ((len == 4 && memcmp(s, "true", 4) == 0) || (len == 5 && memcmp(s, "false", 5) == 0)) {
		node->kind = JSON_BOOL;
		node->u.boolean = len == 4;
	} else if (len != 4 || memcmp(s, "null", 4) != 0) {
		node->kind = JSON_INT;
		want = parse_number(s, len, &node->u.integer);
	}
	if (want)
		bad_word(lex, node->loc, want);
	lex->pos += len;
	return true;
}
