/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects read by a table of their fields, and the messages about them.
 *
 * One fault should give one message. If a key is misspelt, or spelt as it used to be, we guess the
 * key that the user meant. We do not report that key as missing, nor faults that follow from its
 * value.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dockside/policy/fields.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/sorted.h"
#include "dockside/base/suggest.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

bool key_is_free_text(const char *key)
{
	return key[0] == '_' || strcmp(key, "comment") == 0;
}

bool seen_doubtful(const struct seen *seen, size_t i)
{
	return seen->excused[i] || (seen->node[i] && !seen->good[i]);
}

bool reader_is_full(const struct reader *r)
{
	return r->diags->count[SEVERITY_ERROR] >= DIAGS_MAX;
}

static struct diag *report(struct reader *r, enum severity severity, const struct json_node *node,
			   struct loc loc, const char *fmt, va_list ap)
{
	cleanup(cleanup_free) char *pointer = json_pointer(node);
	struct buf message = { 0 };

	buf_vprintf(&message, fmt, ap);

	struct diag *diag = diag_add(r->diags, severity, loc, pointer, "%s", buf_str(&message));

	buf_free(&message);
	return diag;
}

struct diag *node_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct diag *diag = report(r, SEVERITY_ERROR, node, node->loc, fmt, ap);
	va_end(ap);
	return diag;
}

struct diag *key_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct diag *diag = report(r, SEVERITY_ERROR, node, node->key_loc, fmt, ap);
	va_end(ap);
	return diag;
}

struct diag *brace_error(struct reader *r, const struct json_node *node, const char *fmt, ...)
{
	struct loc brace = { node->loc.src, node->loc.off, 1 };
	va_list ap;

	va_start(ap, fmt);
	struct diag *diag = report(r, SEVERITY_ERROR, node, brace, fmt, ap);
	va_end(ap);
	return diag;
}

struct diag *node_note(struct reader *r, const struct json_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct diag *diag = report(r, SEVERITY_NOTE, node, node->loc, fmt, ap);
	va_end(ap);
	return diag;
}

struct diag *node_warning(struct reader *r, const struct json_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct diag *diag = report(r, SEVERITY_WARNING, node, node->loc, fmt, ap);
	va_end(ap);
	return diag;
}

static void describe(struct buf *b, const struct json_node *value)
{
	switch (value->kind) {
	case JSON_NULL:
		buf_puts(b, "null");
		break;
	case JSON_BOOL:
		buf_puts(b, value->u.boolean ? "true" : "false");
		break;
	case JSON_INT:
		buf_printf(b, "the number %" PRId64, value->u.integer);
		break;
	case JSON_STRING:
		quote_found(b, value->u.string.s, value->u.string.len);
		break;
	case JSON_ARRAY:
		buf_puts(b, value->u.children.n ? "a list" : "an empty list");
		break;
	case JSON_OBJECT:
		buf_puts(b, value->u.children.n ? "an object" : "an empty object");
		break;
	}
}

bool value_error_hint(struct reader *r, const struct field *field, const struct json_node *value,
		      char *hint)
{
	struct buf found = { 0 };

	const char *quote = field->subject ? "" : "\"";

	describe(&found, value);

	struct diag *diag = node_error(r, value, "%s%s%s must be %s, found %s", quote,
				       field->subject ? field->subject : field->key, quote,
				       field->allowed, buf_str(&found));

	buf_free(&found);
	diag->hint = hint;
	return false;
}

bool value_error(struct reader *r, const struct field *field, const struct json_node *value)
{
	return value_error_hint(r, field, value, NULL);
}

bool item_is_object(struct reader *r, const struct json_node *item, const char *what)
{
	struct buf found = { 0 };

	if (item->kind == JSON_OBJECT)
		return true;
	describe(&found, item);
	node_error(r, item, "%s must be an object, found %s", what, buf_str(&found));
	buf_free(&found);
	return false;
}

bool reader_take_objects(struct reader *r, const struct json_node *list)
{
	size_t n = list->u.children.n;

	if (n <= CONFIG_OBJECTS_MAX - r->n_objects) {
		r->n_objects += n;
		return true;
	}
	brace_error(r, list, "more than %d networks and rules in one configuration",
		    CONFIG_OBJECTS_MAX);
	return false;
}

char *did_you_mean(const char *s, const char *const *words, size_t n)
{
	const char *near = NULL;

	for (size_t i = 0; i < n && !near; i++) {
		if (strcasecmp(words[i], s) == 0)
			near = words[i];
	}
	if (!near)
		near = nearest_word(s, words, n);
	/* Two changes turn "icmp" into "tcp": among short words a guess needs more likeness. */
	if (near && strlen(s) <= 4 && strncasecmp(near, s, 1) != 0)
		near = NULL;
	return near ? xasprintf("did you mean \"%s\"?", near) : NULL;
}

bool find_word(const char *s, const char *const *words, size_t n, size_t *ret_index)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], s) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

bool read_word(struct reader *r, const struct field *field, const struct json_node *value,
	       const char *const *words, size_t n, size_t *ret_index)
{
	if (find_word(value->u.string.s, words, n, ret_index))
		return true;
	return value_error_hint(r, field, value, did_you_mean(value->u.string.s, words, n));
}

/* ---- one object ---- */

static bool field_is_current(const struct field *field)
{
	return !field->renamed_to && !field->refused;
}

static size_t find_field(const struct fields *fields, const char *key)
{
	size_t i = 0;

	/* Keys are short, and most differ in their first character. */
	while (i < fields->n &&
	       (fields->items[i].key[0] != key[0] || strcmp(fields->items[i].key, key) != 0))
		i++;
	return i;
}

static size_t current_keys(const struct fields *fields, const char *words[FIELDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < fields->n; i++) {
		if (field_is_current(&fields->items[i]))
			words[n++] = fields->items[i].key;
	}
	return n;
}

static void unknown_key(struct reader *r, const struct json_node *member,
			const struct fields *fields, struct seen *seen)
{
	const char *words[FIELDS_MAX];
	size_t n = current_keys(fields, words);
	struct buf message = { 0 };

	if (reader_is_full(r)) { /* a file may have millions of them */
		key_error(r, member, "unknown key");
		return;
	}
	buf_puts(&message, "unknown key ");
	quote_found(&message, member->key, strlen(member->key));
	buf_printf(&message, "; %s may have ", fields->what);
	for (size_t i = 0; i < n; i++)
		buf_printf(&message, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", words[i]);

	struct diag *diag = key_error(r, member, "%s", buf_str(&message));

	buf_free(&message);
	diag->hint = did_you_mean(member->key, words, n);

	const char *near = nearest_word(member->key, words, n);

	if (near)
		seen->excused[find_field(fields, near)] = true;
}

static bool member_has_kind(struct reader *r, const struct field *field,
			    const struct json_node *value)
{
	char *hint = NULL;
	uint64_t number;

	if (field->kinds & KIND(value->kind))
		return true;
	if (value->kind == JSON_STRING && (field->kinds & KIND(JSON_INT)) &&
	    parse_uint(value->u.string.s, value->u.string.len, 0, UINT16_MAX, &number))
		hint = xasprintf("write %" PRIu64 " without quotes", number);
	else if ((value->kind == JSON_STRING || value->kind == JSON_INT) &&
		 field->kinds == KIND(JSON_ARRAY))
		hint = xstrdup("a list stands in [ ], also when it has one entry");
	else if (value->kind == JSON_ARRAY && field->list_hint)
		hint = xstrdup(field->list_hint);
	return value_error_hint(r, field, value, hint);
}

/* Generators write every key that they know. */
static bool is_absent(const struct reader *r, const struct field *field,
		      const struct json_node *value)
{
	return r->null_is_absent && value->kind == JSON_NULL && !field->required;
}

static void read_member(struct reader *r, const struct json_node *member,
			const struct fields *fields, void *object, struct seen *seen)
{
	size_t i = find_field(fields, member->key);

	if (i == fields->n) {
		if (!key_is_free_text(member->key))
			unknown_key(r, member, fields, seen);
		return;
	}

	const struct field *field = &fields->items[i];

	if (field->refused) {
		key_error(r, member, "\"%s\" does not belong here: %s", field->key, field->refused);
	} else if (field->renamed_to) {
		key_error(r, member, "\"%s\" is an older spelling: the key is now \"%s\"",
			  field->key, field->renamed_to);
		seen->excused[find_field(fields, field->renamed_to)] = true;
	} else if (is_absent(r, field, member)) {
		return;
	} else if (!seen->node[i]) { /* json_parse.c has reported a second one */
		seen->node[i] = member;
		seen->good[i] =
			member_has_kind(r, field, member) && field->read(r, field, member, object);
	}
}

void fields_read(struct reader *r, const struct json_node *node, const struct fields *fields,
		 void *object, struct seen *ret_seen)
{
	assert(node->kind == JSON_OBJECT && fields->n <= FIELDS_MAX);
	memset(ret_seen, 0, sizeof(*ret_seen));
	for (size_t i = 0; i < node->u.children.n; i++)
		read_member(r, &node->u.children.items[i], fields, object, ret_seen);

	for (size_t i = 0; i < fields->n; i++) {
		const struct field *field = &fields->items[i];

		if (!field->required || ret_seen->node[i] || ret_seen->excused[i])
			continue;
		brace_error(r, node, "\"%s\" is missing; %s needs it, and it must be %s",
			    field->key, fields->what, field->allowed);
	}
}

bool item_says_nothing(struct reader *r, const struct json_node *item, const struct fields *fields)
{
	bool text = false, null = false;

	for (size_t i = 0; i < item->u.children.n; i++) {
		const struct json_node *member = &item->u.children.items[i];
		size_t k = find_field(fields, member->key);
		const struct field *field = k < fields->n ? &fields->items[k] : NULL;

		if (field && field_is_current(field) && is_absent(r, field, member))
			null = true;
		else if (key_is_free_text(member->key))
			text = true;
		else
			return false;
		/* A rule's "comment" is a string, also where it stands alone. */
		if (field && member->kind != JSON_NULL)
			(void)member_has_kind(r, field, member);
	}
	if (!text)
		brace_error(r, item, "%s must have a key, found %s", fields->what,
			    null ? "nothing but null" : "an empty object")
			->hint = xstrdup("free text alone, such as {\"_comment\": \"DNS\"}, "
					 "separates rules");
	else if (null)
		node_warning(r, item,
			     "this is no rule and is skipped: besides free text it has only keys "
			     "that are null, which means absent");
	return true;
}

/* ---- names ---- */

static int named_cmp(const void *a, const void *b)
{
	const struct named *x = a;
	const struct named *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

void name_index_sort(struct name_index *index)
{
	if (index->n)
		qsort(index->items, index->n, sizeof(*index->items), named_cmp);
}

const struct named *name_index_find(const struct name_index *index, const char *name)
{
	/* The first of equal names, so that the answer does not depend on the input's size. */
	const struct named key = { .name = name, .index = 0 };
	size_t i = sorted_before(&SORTED_ARRAY(index->items, index->n), &key, named_cmp);

	return i < index->n && strcmp(index->items[i].name, name) == 0 ? &index->items[i] : NULL;
}

char *name_index_suggest(const struct name_index *index, const char *name)
{
	if (index->n == 0)
		return NULL;

	const char **words = xreallocarray(NULL, index->n, sizeof(*words));

	for (size_t i = 0; i < index->n; i++)
		words[i] = index->items[i].name;

	char *hint = did_you_mean(name, words, index->n);

	free(words);
	return hint;
}
