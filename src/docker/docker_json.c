/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define DEPTH_MAX 32
#define ID_MAX 64

/* ---- texts ---- */

static void put_text(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t c = 0;

		n = utf8_char(s + i, len - i, &c);
		if (i + (n ? n : 1) > DOCKER_TEXT_MAX) {
			buf_puts(b, "…");
			return;
		}
		if (n > 0 && utf8_is_plain(c))
			buf_add(b, s + i, n);
		else
			buf_putc(b, ' ');
		n = n ? n : 1;
	}
}

char *docker_json_clean_text(const char *s, size_t len)
{
	struct buf b = { 0 };

	put_text(&b, s, len);
	return buf_steal(&b);
}

char *docker_json_clean(struct json_object *string)
{
	return docker_json_clean_text(json_object_get_string(string),
				      (size_t)json_object_get_string_len(string));
}

const char *docker_json_text(struct arena *arena, struct json_object *string)
{
	cleanup(cleanup_free) char *text = string ? docker_json_clean(string) : NULL;

	return text ? arena_strdup(arena, text) : "";
}

/* ---- trees ---- */

void docker_json_put(struct json_object **object)
{
	json_object_put(*object);
}

int docker_json_nonsense(struct err *err, const char *what)
{
	err_set(err, EPROTO, "the answer makes no sense: %s", what);
	return -EPROTO;
}

/* A value costs json-c some hundred bytes, however short it is in the text. */
static bool too_many_values(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return n > DOCKER_VALUES_MAX;
}

static bool is_utf8(const char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_char(text + i, len - i, &code);
		if (n == 0)
			return false;
	}
	return true;
}

/* json-c is neither strict nor asked to check UTF-8: json-c 0.18 then refuses a label that has UTF-8 behind an
 * escape, and with it the whole list. */
int docker_json_parse(const char *text, size_t len, enum json_type type, struct json_object **ret,
		      struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_tokener *tokener;
	enum json_tokener_error error;

	while (len > 0 && strchr(" \t\r\n", text[len - 1]) && text[len - 1])
		len--;
	if (len == 0)
		return docker_json_nonsense(err, "it is empty");
	if (len > INT_MAX || too_many_values(text, len))
		return docker_json_nonsense(err, "it has too many values");
	if (memchr(text, '\0', len))
		return docker_json_nonsense(err, "it has a NUL character");
	if (!is_utf8(text, len))
		return docker_json_nonsense(err, "it is not UTF-8");
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		abort();
	root = json_tokener_parse_ex(tokener, text, (int)len);
	error = json_tokener_get_error(tokener);
	if (root && json_tokener_get_parse_end(tokener) != len)
		error = json_tokener_error_parse_unexpected;
	json_tokener_free(tokener);
	if (error == json_tokener_continue)
		return docker_json_nonsense(err, "it ends too early");
	if (error != json_tokener_success)
		return docker_json_nonsense(err, json_tokener_error_desc(error));
	if (!json_object_is_type(root, type))
		return docker_json_nonsense(err, type == json_type_array ? "it is not a list"
									 : "it is not an object");
	*ret = root;
	root = NULL;
	return 0;
}

int docker_json_member(struct json_object *object, const char *key, enum json_type type,
		       struct json_object **ret, struct err *err)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	if (value && !json_object_is_type(value, type)) {
		err_set(err, EPROTO, "the answer makes no sense: %s is not %s", key,
			type == json_type_string   ? "a string"
			: type == json_type_object ? "an object"
						   : "a list");
		return -EPROTO;
	}
	*ret = value;
	return 0;
}

int docker_json_needed(struct json_object *object, const char *key, struct json_object **ret,
		       struct err *err)
{
	struct json_object *value = NULL;
	int r = docker_json_member(object, key, json_type_string, &value, err);

	if (r < 0)
		return r;
	if (!value || json_object_get_string_len(value) == 0) {
		err_set(err, EPROTO, "the answer makes no sense: it has no %s", key);
		return -EPROTO;
	}
	*ret = value;
	return 0;
}

int docker_json_id(struct json_object *object, const char *key, struct json_object **ret,
		   struct err *err)
{
	int r = docker_json_needed(object, key, ret, err);
	const char *id;
	size_t len;

	if (r < 0)
		return r;
	id = json_object_get_string(*ret);
	len = (size_t)json_object_get_string_len(*ret);
	/* It becomes part of a path. */
	if (len > ID_MAX || strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len) {
		err_set(err, EPROTO, "the answer makes no sense: %s is no identifier", key);
		return -EPROTO;
	}
	return 0;
}
