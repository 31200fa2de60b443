/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

static int64_t number(const struct json_node *object, const char *key, int64_t otherwise)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	return node ? node->u.integer : otherwise;
}

static size_t length(const struct json_node *list)
{
	return list ? list->u.children.n : 0;
}

/* ------------------------------------------------------------------ lines of text */

static void add(struct watch_view *view, struct watch_strings *strings, const char *title,
		const char *text)
{
	strings->items =
		array_grow(strings->items, &strings->cap, strings->n, sizeof(*strings->items));
	strings->items[strings->n++] = arena_printf(&view->arena, "%s%s", title, text);
}

static void add_all(struct watch_view *view, struct watch_strings *strings, const char *title,
		    const struct json_node *list)
{
	for (size_t i = 0; i < length(list); i++)
		if (list->u.children.items[i].kind == JSON_STRING)
			add(view, strings, title, list->u.children.items[i].u.string.s);
}

/* A member of the answer with a state, if it is not a good one, and why. */
static void add_state(struct watch_view *view, const struct json_node *answer, const char *key,
		      const char *member, const char *const *good)
{
	const struct json_node *object = json_member(answer, key, JSON_OBJECT);
	const char *state = json_text(object, member, NULL);
	const char *message = json_text(object, "message", NULL);
	cleanup(cleanup_free) char *text = NULL;

	if (!state)
		return;
	for (; *good; good++)
		if (strcmp(state, *good) == 0)
			return;
	text = xasprintf("%s: %s%s%s", key, state, message ? ": " : "", message ? message : "");
	add(view, &view->notes, "", text);
}

static void add_repairs(struct watch_view *view, const struct json_node *drift)
{
	int64_t n = number(drift, "repairs", 0);
	cleanup(cleanup_free) char *text = NULL;

	if (n == 0)
		return;
	text = xasprintf("drift: repaired %" PRId64 " time%s, last %" PRId64 " s ago: %s%s", n,
			 n == 1 ? "" : "s", number(drift, "age", 0),
			 json_text(drift, "message", "by whom is not known"),
			 json_is_true(drift, "limited") ? "; TOO OFTEN: now at most every 5 s"
							: "");
	add(view, &view->notes, "", text);
}

static void read_notes(struct watch_view *view, const struct json_node *answer)
{
	static const char *const reload[] = { "ok", NULL }, *const files[] = { "current", NULL };
	static const char *const docker[] = { "connected", NULL };
	static const char *const shim[] = { "installed", "not needed", "absent", NULL };
	const char *settings = json_text(answer, "settings", NULL);
	const char *resolver = json_text(answer, "resolver", NULL);

	if (settings)
		add(view, &view->notes, "host settings: ", settings);
	add_state(view, answer, "reload", "result", reload);
	add_state(view, answer, "files", "state", files);
	add_state(view, answer, "docker", "state", docker);
	add_state(view, answer, "shim", "state", shim);
	if (resolver)
		add(view, &view->notes, "dns: ", resolver);
	add_repairs(view, json_member(answer, "drift", JSON_OBJECT));
	add_all(view, &view->notes, "warning: ", json_member(answer, "legs", JSON_ARRAY));
	if (json_is_true(answer, "truncated"))
		add(view, &view->notes, "",
		    "an answer of the daemon does not hold all networks and names");
}

/* ------------------------------------------------------------------ networks */

static void read_ports(struct watch_view *view, const struct json_node *json,
		       struct watch_network *network)
{
	int64_t known = number(json, "known_port_count", -1);
	int64_t unknown = number(json, "unknown_port_count", 0);

	network->known_ports = unknown == 0;
	if (known < 0)
		network->ports = "-";
	else if (unknown == 0)
		network->ports = arena_printf(&view->arena, "%" PRId64, known);
	else
		network->ports =
			arena_printf(&view->arena, "%" PRId64 "/%" PRId64, known, known + unknown);
}

static void read_network(struct watch_view *view, const struct json_node *json,
			 struct watch_network *network)
{
	static const char *const keys[] = { "passed", "passed_bytes", "refused", "refused_bytes" };
	const char *state = json_text(json, "state", "-");
	int64_t containers = number(json, "containers", -1);

	network->name = arena_strdup(&view->arena, json->key);
	network->bad = strcmp(state, "not judged") == 0;
	network->state = network->bad		       ? "NOT JUDGED"
			 : strcmp(state, "audit") == 0 ? "AUDIT"
						       : arena_strdup(&view->arena, state);
	network->containers =
		containers < 0 ? "-" : arena_printf(&view->arena, "%" PRId64, containers);
	for (int i = 0; i < WATCH_COUNTS; i++)
		network->counts[i] = number(json, keys[i], -1);
	read_ports(view, json, network);
}

/* The order is the same as a rule: so the search begins where this one is. */
static const struct watch_network *find(const struct watch_network *networks, size_t n, size_t hint,
					const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const struct watch_network *network = &networks[(hint + i) % n];

		if (strcmp(network->name, name) == 0)
			return network;
	}
	return NULL;
}

/* Counters that have become smaller began anew, with other rules. */
static void rate(struct watch_network *network, const struct watch_network *before, int64_t ms)
{
	network->rated = before != NULL && ms > 0;
	for (int i = 0; i < WATCH_COUNTS && network->rated; i++) {
		if (before->counts[i] < 0 || network->counts[i] < before->counts[i])
			network->rated = false;
		network->rates[i] =
			(double)(network->counts[i] - before->counts[i]) * 1000 / (double)ms;
	}
}

/* The packets were not counted anew since, so the rate stays. */
static void keep_rate(struct watch_network *network, const struct watch_network *before)
{
	network->rated = before && before->rated;
	if (network->rated)
		memcpy(network->rates, before->rates, sizeof(network->rates));
}

/* before: the networks of the last answer; ms: the time between both counts, 0 if they are the same. */
static void read_networks(struct watch_view *view, const struct json_node *list,
			  const struct watch_network *before, size_t n_before, int64_t ms)
{
	view->n_networks = length(list);
	view->networks = xcalloc(view->n_networks + 1, sizeof(*view->networks));
	for (size_t i = 0; i < view->n_networks; i++) {
		struct watch_network *network = &view->networks[i];
		const struct watch_network *old;

		read_network(view, &list->u.children.items[i], network);
		old = find(before, n_before, i, network->name);
		if (ms == 0)
			keep_rate(network, old);
		else
			rate(network, old, ms);
	}
}

/* ------------------------------------------------------------------ names */

static const char *why_no_address(struct watch_view *view, const struct json_node *name)
{
	const char *error = json_text(name, "error", NULL);
	int64_t age = number(name, "age", -1);

	if (error && age < 0)
		return arena_printf(&view->arena, "never answered: %s", error);
	if (error)
		return arena_printf(&view->arena, "last answer %" PRId64 " s ago; now %s", age,
				    error);
	return age < 0 ? "not answered yet" : "the answer has no address";
}

static void read_names(struct watch_view *view, const struct json_node *list)
{
	view->names = xcalloc(length(list) + 1, sizeof(*view->names));
	view->n_names = 0;
	for (size_t i = 0; i < length(list); i++) {
		const struct json_node *name = &list->u.children.items[i];

		if (length(json_member(name, "addresses", JSON_ARRAY)) == 0)
			view->names[view->n_names++] =
				(struct watch_name){ arena_strdup(&view->arena, name->key),
						     why_no_address(view, name) };
	}
}

/* ------------------------------------------------------------------ the whole */

void watch_view_status(struct watch_view *view, const struct json_node *answer, uint64_t now_ms)
{
	struct arena arena = view->arena;
	struct watch_network *before = view->networks;
	int64_t counted_ms = number(answer, "counted_ms", (int64_t)now_ms);
	size_t n_before = view->n_networks;

	view->arena = (struct arena){ 0 };
	view->alarms.n = view->notes.n = 0;
	view->ready = json_is_true(answer, "ready");
	view->version =
		arena_strdup(&view->arena, json_text(json_member(answer, "versions", JSON_OBJECT),
						     "dsfw-nft", "of unknown version"));
	add_all(view, &view->alarms, "ALARM: ", json_member(answer, "alarms", JSON_ARRAY));
	read_notes(view, answer);
	read_networks(view, json_member(answer, "network_details", JSON_OBJECT), before, n_before,
		      counted_ms - view->counted_ms);
	free(view->names);
	read_names(view, json_member(answer, "names", JSON_OBJECT));
	view->counted_ms = counted_ms;
	view->answered = true;
	view->now_ms = view->answered_ms = now_ms;
	free(view->error);
	view->error = NULL;
	free(before);
	arena_free(&arena);
}

void watch_view_lost(struct watch_view *view, const char *error, uint64_t now_ms)
{
	free(view->error);
	view->error = xstrdup(error);
	view->now_ms = now_ms;
}

void watch_view_free(struct watch_view *view)
{
	free(view->error);
	free(view->alarms.items);
	free(view->notes.items);
	free(view->networks);
	free(view->names);
	denied_rows_free(&view->denied);
	arena_free(&view->arena);
}
