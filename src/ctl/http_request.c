/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http_request.h"

#include <string.h>
#include <strings.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

/* A part of the text. */
struct part {
	const char *s;
	size_t len;
};

struct fields {
	unsigned n_host, n_length;
	bool has_body;
};

static bool is(struct part part, const char *text)
{
	return part.len == strlen(text) && memcmp(part.s, text, part.len) == 0;
}

/* Names of header fields are the same in letters of either case. */
static bool is_field(struct part name, const char *text)
{
	return name.len == strlen(text) && strncasecmp(name.s, text, name.len) == 0;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct part part)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < part.len; i++) {
		char c = part.s[i], lower = (char)(c | 0x20);

		if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') &&
		    !memchr(marks, c, sizeof(marks) - 1))
			return false;
	}
	return part.len > 0;
}

/* Lines of text, each ended by CR and LF; the last byte may be a CR whose LF has not come yet. */
static bool is_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n' ? i == 0 || s[i - 1] != '\r' : (c < ' ' && c != '\r' && c != '\t'))
			return false;
		if (c == 0x7f || (c == '\r' && i + 1 < len && s[i + 1] != '\n'))
			return false;
	}
	return true;
}

/* Takes what is before the mark off the rest; false: there is no mark. */
static bool split(struct part *rest, const char *mark, struct part *ret)
{
	size_t n = strlen(mark);
	const char *at = memmem(rest->s, rest->len, mark, n);

	if (!at)
		return false;
	*ret = (struct part){ rest->s, (size_t)(at - rest->s) };
	rest->s = at + n;
	rest->len -= ret->len + n;
	return true;
}

/* ------------------------------------------------------------------ header fields */

static bool read_length(struct part value, struct fields *fields)
{
	uint64_t n;

	if (!parse_uint(value.s, value.len, 0, UINT32_MAX, &n))
		return false;
	fields->has_body |= n > 0;
	return fields->n_length++ == 0;
}

/* Blanks before the colon, and lines that go on with the one before, are refused: others read them otherwise. */
static bool read_field(struct part line, struct fields *fields)
{
	struct part name, value = line;

	if (!split(&value, ":", &name) || !is_token(name))
		return false;
	while (value.len > 0 && strchr(" \t", value.s[0])) {
		value.s++;
		value.len--;
	}
	while (value.len > 0 && strchr(" \t", value.s[value.len - 1]))
		value.len--;
	if (is_field(name, "Content-Length"))
		return read_length(value, fields);
	fields->n_host += is_field(name, "Host");
	fields->has_body |= is_field(name, "Transfer-Encoding");
	return true;
}

/* ------------------------------------------------------------------ the whole */

static bool is_target(struct part target)
{
	if (target.len == 0 || target.s[0] != '/')
		return false;
	for (size_t i = 0; i < target.len; i++)
		if (target.s[i] <= ' ') /* and what is no ASCII */
			return false;
	return true;
}

/* Whether it is HTTP/ and two digits, and so perhaps of another version. */
static bool is_version(struct part version)
{
	uint64_t digit;

	return version.len == strlen("HTTP/1.1") && memcmp(version.s, "HTTP/", 5) == 0 &&
	       version.s[6] == '.' && parse_uint(version.s + 5, 1, 0, 9, &digit) &&
	       parse_uint(version.s + 7, 1, 0, 9, &digit);
}

static enum http_status judge_target(struct part method, struct part target,
				     const struct fields *fields, bool *ret_head)
{
	struct part path = target;

	/* Prometheus can be configured to add parameters. */
	if (!split(&target, "?", &path))
		path = target;
	*ret_head = is(method, "HEAD");
	if (!is(path, "/metrics"))
		return HTTP_NOT_FOUND;
	if (!*ret_head && !is(method, "GET"))
		return HTTP_BAD_METHOD;
	return fields->has_body ? HTTP_BAD_REQUEST : HTTP_OK;
}

/* The lines, each with its end, without the empty one. */
static enum http_status judge_lines(struct part lines, bool *ret_head)
{
	struct part method, target, version, line;
	struct fields fields = { 0 };

	if (!split(&lines, "\r\n", &version) || !split(&version, " ", &method) ||
	    !split(&version, " ", &target))
		return HTTP_BAD_REQUEST;
	if (!is_token(method) || !is_target(target) || !is_version(version))
		return HTTP_BAD_REQUEST;
	if (version.s[5] != '1')
		return HTTP_BAD_VERSION;
	while (split(&lines, "\r\n", &line))
		if (!read_field(line, &fields))
			return HTTP_BAD_REQUEST;
	/* Version 1.1 requires it, and nobody may have two. */
	if (fields.n_host > 1 || (fields.n_host == 0 && version.s[7] != '0'))
		return HTTP_BAD_REQUEST;
	return judge_target(method, target, &fields, ret_head);
}

enum http_status http_request_judge(const char *text, size_t len, bool *ret_head)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	size_t head = end ? (size_t)(end - text) + 4 : len;

	*ret_head = false;
	/* A client of another protocol, such as TLS, gets its answer before it has sent a line. */
	if (!is_text(text, head))
		return HTTP_BAD_REQUEST;
	if (head > HTTP_REQUEST_MAX)
		return HTTP_TOO_LARGE;
	if (!end)
		return HTTP_UNFINISHED;
	return judge_lines((struct part){ text, head - 2 }, ret_head);
}
