/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/ctl/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/arena.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/fields.h"

/* The values are checked where they are used, above all by config_parse(). */
static bool accept_any(struct reader *r, const struct field *field, const struct json_node *value,
		       void *object)
{
	(void)r;
	(void)field;
	(void)value;
	(void)object;
	return true;
}

/* An optional member may be null, which counts as absent. */
#define FIELD(name, text, kind_set, needed)                                                   \
	{                                                                                     \
		.key = (name), .allowed = (text),                                             \
		.kinds = (kind_set) | ((needed) ? 0 : KIND(JSON_NULL)), .required = (needed), \
		.read = accept_any                                                            \
	}
#define FIELD_ACTION FIELD("action", "the name of an action", KIND(JSON_STRING), true)
#define FIELD_NETWORK_NAME FIELD("name", "the name of a network", KIND(JSON_STRING), true)
#define FIELD_IPSET_NAME FIELD("name", "the name of an ipset", KIND(JSON_STRING), true)
#define FIELD_HOSTNAMES                                                                           \
	FIELD("hostnames",                                                                        \
	      "a list of hostnames, wildcards, addresses, networks in CIDR notation and presets", \
	      KIND(JSON_ARRAY), true)
#define FIELD_TO \
	FIELD("to", "a hostname, a wildcard, an address or a network", KIND(JSON_STRING), true)

static const struct field plain_fields[] = { FIELD_ACTION };

static const struct field apply_fields[] = {
	FIELD_ACTION,
	FIELD("network_config", "an object: what network-config.json is to say", KIND(JSON_OBJECT),
	      true),
	FIELD("firewall_config", "an object: what firewall-config.json is to say",
	      KIND(JSON_OBJECT), true),
};

static const struct field set_network_fields[] = {
	FIELD_ACTION,
	FIELD_NETWORK_NAME,
	FIELD("network", "an object of the network's keys in network-config", KIND(JSON_OBJECT),
	      false),
	FIELD("firewall", "an object of the network's rules in firewall-config, or null",
	      KIND(JSON_OBJECT), false),
	FIELD("base", "the hash of the firewall-config that the rules were made from, a string",
	      KIND(JSON_STRING), false),
};

static const struct field remove_network_fields[] = {
	FIELD_ACTION,
	FIELD_NETWORK_NAME,
	FIELD("force", "true or false", KIND(JSON_BOOL), false),
};

static const struct field set_ipset_fields[] = {
	FIELD_ACTION,
	FIELD_IPSET_NAME,
	FIELD_HOSTNAMES,
	FIELD("replace", "true or false", KIND(JSON_BOOL), false),
};

static const struct field members_fields[] = { FIELD_ACTION, FIELD_IPSET_NAME, FIELD_HOSTNAMES };

static const struct field allow_fields[] = {
	FIELD_ACTION,
	FIELD_NETWORK_NAME,
	FIELD_TO,
	FIELD("proto", "\"tcp\" or \"udp\"", KIND(JSON_STRING), false),
	FIELD("ports", "a list of ports and ranges", KIND(JSON_ARRAY), false),
};

static const struct field deny_fields[] = { FIELD_ACTION, FIELD_NETWORK_NAME, FIELD_TO };

static const struct field remove_ipset_fields[] = { FIELD_ACTION, FIELD_IPSET_NAME };

static const struct field explain_fields[] = {
	FIELD_ACTION,
	FIELD("from", "the name of a network", KIND(JSON_STRING), true),
	FIELD("to", "an address, a name, a wildcard or \"host\"", KIND(JSON_STRING), true),
	FIELD("protocol", "tcp, udp, icmp or a number, as a string", KIND(JSON_STRING), true),
	FIELD("port", "a number from 1 to 65535", KIND(JSON_INT), false),
	FIELD("type", "an ICMP type, as a string", KIND(JSON_STRING), false),
	FIELD("source", "an address", KIND(JSON_STRING), false),
	FIELD("mac", "a MAC address", KIND(JSON_STRING), false),
};

static const struct field denied_fields[] = {
	FIELD_ACTION,
	FIELD("network", "the name of a network", KIND(JSON_STRING), false),
	FIELD("after", "the number of an event", KIND(JSON_INT), false),
	FIELD("since_ms", "milliseconds since 1970", KIND(JSON_INT), false),
	FIELD("wait_ms", "milliseconds", KIND(JSON_INT), false),
};

enum who {
	ANYBODY,   /* whom the socket's mode lets in */
	ROOT_ONLY, /* uid 0 */
};

#define ACTION(name, who, list)                          \
	{                                                \
		(name), (who),                           \
		{                                        \
			(name), (list), ARRAY_SIZE(list) \
		}                                        \
	}

static const struct action_info {
	const char *name;
	enum who who;
	struct fields fields;
} actions[] = {
	[REQUEST_STATUS] = ACTION("status", ANYBODY, plain_fields),
	[REQUEST_RELOAD] = ACTION("reload", ROOT_ONLY, plain_fields),
	[REQUEST_APPLY] = ACTION("apply", ROOT_ONLY, apply_fields),
	[REQUEST_REFRESH] = ACTION("refresh", ANYBODY, plain_fields),
	[REQUEST_SET_NETWORK] = ACTION("set-network", ROOT_ONLY, set_network_fields),
	[REQUEST_REMOVE_NETWORK] = ACTION("remove-network", ROOT_ONLY, remove_network_fields),
	[REQUEST_SET_IPSET] = ACTION("set-ipset", ROOT_ONLY, set_ipset_fields),
	[REQUEST_ADD_IPSET] = ACTION("add-ipset", ROOT_ONLY, members_fields),
	[REQUEST_DEL_IPSET] = ACTION("del-ipset", ROOT_ONLY, members_fields),
	[REQUEST_ALLOW] = ACTION("allow", ROOT_ONLY, allow_fields),
	[REQUEST_DENY] = ACTION("deny", ROOT_ONLY, deny_fields),
	[REQUEST_REMOVE_IPSET] = ACTION("remove-ipset", ROOT_ONLY, remove_ipset_fields),
	[REQUEST_RECONCILE] = ACTION("reconcile", ROOT_ONLY, plain_fields),
	[REQUEST_EXPLAIN] = ACTION("explain", ROOT_ONLY, explain_fields),
	[REQUEST_METRICS] = ACTION("metrics", ANYBODY, plain_fields),
	[REQUEST_DENIED] = ACTION("denied", ROOT_ONLY, denied_fields),
};
static_assert(ARRAY_SIZE(actions) == REQUEST_DENIED + 1, "every action has its entry");

bool request_only_reads(enum request_action action)
{
	switch (action) {
	case REQUEST_STATUS:
	case REQUEST_METRICS:
	case REQUEST_EXPLAIN:
	case REQUEST_DENIED:
		return true;
	case REQUEST_RELOAD:
	case REQUEST_APPLY:
	case REQUEST_REFRESH:
	case REQUEST_SET_NETWORK:
	case REQUEST_REMOVE_NETWORK:
	case REQUEST_SET_IPSET:
	case REQUEST_ADD_IPSET:
	case REQUEST_DEL_IPSET:
	case REQUEST_ALLOW:
	case REQUEST_DENY:
	case REQUEST_REMOVE_IPSET:
	case REQUEST_RECONCILE:
		return false;
	}
	abort();
}

const char *request_action_name(enum request_action action)
{
	return actions[action].name;
}

bool request_action_find(const char *name, enum request_action *ret_action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			*ret_action = (enum request_action)i;
			return true;
		}
	}
	return false;
}

static void unknown_action(struct reader *r, const struct json_node *value)
{
	const char *names[ARRAY_SIZE(actions)];
	struct buf message = { 0 };

	buf_puts(&message, "unknown action ");
	quote_found(&message, value->u.string.s, value->u.string.len);
	buf_puts(&message, "; there are ");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const char *before = i == 0 ? "" : i + 1 < ARRAY_SIZE(actions) ? ", " : " and ";

		names[i] = actions[i].name;
		buf_printf(&message, "%s%s", before, names[i]);
	}

	struct diag *diag = node_error(r, value, "%s", buf_str(&message));

	buf_free(&message);
	diag->hint = did_you_mean(value->u.string.s, names, ARRAY_SIZE(names));
}

/* A user who may not ask does not learn more than that. */
static bool check_who(struct reader *r, const struct action_info *action, uid_t uid,
		      const struct json_node *value)
{
	switch (action->who) {
	case ANYBODY:
		return true;
	case ROOT_ONLY:
		if (uid == 0)
			return true;
		node_error(r, value, "%s needs root; you are uid %lu", action->name,
			   (unsigned long)uid);
		return false;
	}
	return false;
}

static bool is_known(const struct fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->n; i++)
		if (strcmp(fields->items[i].key, key) == 0)
			return true;
	return key_is_free_text(key);
}

static void put_ignored(struct buf *note, const struct fields *fields, const char *key)
{
	const char *words[FIELDS_MAX];
	cleanup(cleanup_free) char *hint = NULL;

	for (size_t i = 0; i < fields->n; i++)
		words[i] = fields->items[i].key;
	hint = did_you_mean(key, words, fields->n);
	quote_found(note, key, strlen(key));
	if (hint)
		buf_printf(note, " (%s)", hint);
}

/*
 * A client of another version may send more members than we know: the answer names them. The known ones go
 * into a copy, as the tree's own nodes have to stay where they are.
 */
static struct json_node *without_unknown(struct request *request, const struct fields *fields)
{
	const struct json_node *root = request->tree.root;
	struct arena *arena = &request->tree.arena;
	struct json_node *known = arena_memdup(arena, root, sizeof(*root));
	size_t n = root->u.children.n, more = 0;
	struct buf note = { 0 };

	known->u.children.items = arena_alloc(arena, (n + 1) * sizeof(*known));
	known->u.children.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct json_node *member = &root->u.children.items[i];

		if (is_known(fields, member->key)) {
			known->u.children.items[known->u.children.n++] = *member;
		} else if (request->n_ignored == REQUEST_IGNORED_MAX) {
			more++;
		} else {
			buf_puts(&note, request->n_ignored ? ", " : "");
			put_ignored(&note, fields, member->key);
			request->ignored[request->n_ignored++] =
				arena_strndup(arena, member->key, utf8_cut(member->key, 64));
		}
	}
	if (more > 0)
		buf_printf(&note, " and %zu more", more);
	if (request->n_ignored > 0)
		request->note = arena_printf(arena, "%s does not know, and ignored, %s",
					     fields->what, buf_str(&note));
	buf_free(&note);
	return known;
}

static bool check_fields(struct reader *r, const struct action_info *action,
			 const struct json_node *root)
{
	struct seen seen;

	fields_read(r, root, &action->fields, NULL, &seen);
	return r->diags->count[SEVERITY_ERROR] == 0;
}

bool request_parse(struct request *request, uid_t uid, struct diags *diags)
{
	struct reader r = { .diags = diags };
	const struct json_node *root, *action;

	/* With duplicate keys there is a root, but no telling which of them is meant. */
	if (!json_parse(&request->src, &request->tree, diags))
		return false;
	root = request->tree.root;
	if (!item_is_object(&r, root, "a request"))
		return false;
	action = json_get(root, "action");
	if (!action || action->kind != JSON_STRING)
		return check_fields(&r, &actions[REQUEST_STATUS],
				    root); /* false: it reports that */
	if (!request_action_find(action->u.string.s, &request->action)) {
		unknown_action(&r, action);
		return false;
	}
	return check_who(&r, &actions[request->action], uid, action) &&
	       check_fields(&r, &actions[request->action],
			    without_unknown(request, &actions[request->action].fields));
}

void request_free(struct request *request)
{
	if (!request)
		return;
	json_tree_free(&request->tree);
	src_free(&request->src);
}

const struct json_node *request_field(const struct request *request, const char *key)
{
	const struct json_node *field = json_get(request->tree.root, key);

	if (field && field->kind == JSON_NULL && strcmp(key, "firewall") != 0)
		return NULL;
	return field;
}

const char *request_string(const struct request *request, const char *key)
{
	return json_text(request->tree.root, key, NULL);
}

bool request_flag(const struct request *request, const char *key)
{
	return json_is_true(request->tree.root, key);
}
