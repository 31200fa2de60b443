/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers other services' questions about Docker. */
#include "daemon_docker_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

struct judge_docker daemon_docker_word(const struct daemon_docker *k)
{
	return (struct judge_docker){
		.networks = k->listed ? &k->networks : NULL,
		.legs = k->has_legs ? &k->legs : NULL,
		.failed = k->error.code && !docker_socket_absent(k->error.code),
		.n_asked = k->n_passes,
		.answered = k->listed_by,
	};
}

/* ------------------------------------------------------------------ who is attached */

enum attached daemon_docker_attached(const struct daemon_docker *k, const char *bridge)
{
	if (!k->asked)
		return ATTACHED_UNKNOWN;
	if (k->error.code) /* one that has been here will come back, and its containers with it */
		return docker_socket_absent(k->error.code) && !k->about.version ? ATTACHED_NO_DOCKER
										: ATTACHED_UNKNOWN;
	return daemon_attached_is(k->attached, bridge);
}

void daemon_docker_doubt(struct daemon_docker *k, const char *bridge)
{
	daemon_attached_doubt(k->attached, bridge);
}

void daemon_docker_renew(struct daemon_docker *k, const char *bridge)
{
	daemon_attached_renew(k->attached, bridge);
}

const char *daemon_docker_container(struct daemon_docker *k, const char *bridge,
				    const struct ipaddr *addr, const uint8_t *mac)
{
	return daemon_attached_container(k->attached, bridge, addr, mac);
}

size_t daemon_docker_words(const struct daemon_docker *k, struct port_word **ret_words)
{
	return daemon_attached_words(k->attached, ret_words);
}

void daemon_docker_ask(struct daemon_docker *k, const char *bridge, uint64_t after_us)
{
	daemon_attached_ask(k->attached, bridge, after_us);
}

bool daemon_docker_net_raw(const struct daemon_docker *k, const char *bridge, attached_name_fn fn,
			   void *data)
{
	return daemon_attached_net_raw(k->attached, bridge, fn, data);
}

const char *daemon_docker_managed(const struct daemon_docker *k, const char *bridge)
{
	struct attached_view seen;

	return daemon_attached_view(k->attached, bridge, &seen) && seen.managed ? seen.name : NULL;
}

const struct docker_container *daemon_docker_find(const struct daemon_docker *k, const char *name,
						  size_t *index, const char **ret_bridge)
{
	return daemon_attached_find(k->attached, name, index, ret_bridge);
}

/* ------------------------------------------------------------------ orphans */

struct orphans_question {
	const struct daemon_docker *docker;
	daemon_orphans_fn fn;
	void *data;
};

static void tell_orphans(const struct orphans_question *q, const struct docker_networks *networks)
{
	const char **names = xcalloc(networks->n, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < networks->n; i++)
		if (docker_wanted_orphan(&q->docker->wanted, &networks->items[i]))
			names[n++] = networks->items[i].name;
	q->fn(q->data, names, n, NULL);
	free(names);
}

static void on_orphans(void *data, const struct docker_answer *answer)
{
	struct docker_networks networks = { 0 };
	struct orphans_question *q = data;
	struct err err = { 0 };

	if (answer->error.code)
		q->fn(q->data, NULL, 0, answer->error.text);
	else if (docker_parse_networks(answer->body, answer->len, &networks, &err) < 0)
		q->fn(q->data, NULL, 0, err.text);
	else
		tell_orphans(q, &networks);
	docker_networks_free(&networks);
	err_free(&err);
	free(q);
}

void daemon_docker_orphans(struct daemon_docker *k, daemon_orphans_fn fn, void *data)
{
	struct orphans_question *q;

	if (!k->client.client || (k->error.code && docker_socket_absent(k->error.code))) {
		fn(data, NULL, 0, NULL);
		return;
	}
	if (k->error.code) {
		fn(data, NULL, 0, k->error.text);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	*q = (struct orphans_question){ k, fn, data };
	docker_list(k->client.client, on_orphans, q);
	loop_docker_arm(&k->client);
}

/* ------------------------------------------------------------------ status */

enum docker_state { UNKNOWN, CONNECTED, ABSENT, REFUSED, FAILING };

static const char *const state_names[] = { "unknown", "connected", "absent", "refused", "failing" };
static_assert(ARRAY_SIZE(state_names) == FAILING + 1, "a name for each state");

static enum docker_state docker_state(const struct daemon_docker *k)
{
	if (!k || !k->asked)
		return UNKNOWN;
	if (k->error.code == 0)
		return CONNECTED;
	if (docker_socket_absent(k->error.code))
		return ABSENT;
	return k->error.code == EACCES ? REFUSED : FAILING;
}

struct state_of daemon_docker_state(const struct daemon_docker *k)
{
	return (struct state_of){ state_names, ARRAY_SIZE(state_names), docker_state(k) };
}

void daemon_docker_status(const struct daemon_docker *k, struct json_writer *out)
{
	bool connected = k && k->asked && k->error.code == 0;
	cleanup(cleanup_free) char *api = connected ? xasprintf("1.%u", k->about.api) : NULL;

	json_write_open(out, "docker", '{');
	json_write_string(out, "state", state_names[docker_state(k)]);
	json_write_string(out, "message", k && k->error.code ? k->error.text : NULL);
	json_write_string(out, "version", connected ? k->about.version : NULL);
	json_write_string(out, "api", api);
	json_write_string(out, "backend", connected ? k->backend : NULL);
	json_write_bool(out, "events", k && k->following);
	json_write_close(out, '}');
}

void daemon_docker_status_network(const struct daemon_docker *k, struct json_writer *out,
				  const char *bridge, const struct judged *judged)
{
	struct attached_view seen = { 0 };
	bool known = k && daemon_attached_view(k->attached, bridge, &seen);
	bool connected = k && k->asked && k->error.code == 0;
	struct buf b = { 0 };

	for (size_t i = 0; known && i < k->n_notes; i++)
		if (strcmp(k->notes[i].network, seen.name) == 0)
			buf_printf(&b, "%s%s", b.len ? "; " : "", k->notes[i].text);
	if (seen.impostor)
		buf_printf(&b, "%snetwork %s: %s", b.len ? "; " : "", seen.name, seen.impostor);
	json_write_string(out, "docker",
			  !known || !connected			? "unknown"
			  : !seen.there				? "absent"
			  : b.len > 0 || judged->docker_differs ? "differs"
								: "present");
	if (connected && seen.there && seen.known)
		json_write_int(out, "containers", (int64_t)seen.n);
	else
		json_write_string(out, "containers", NULL);
	json_write_string(out, "docker_message", b.len ? buf_str(&b) : NULL);
	buf_free(&b);
}
