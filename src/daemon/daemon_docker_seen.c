/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is attached to our networks, and what `status` and `reconcile` say of Docker. */
#include "daemon_docker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define INSPECT_AT_ONCE 4
#define RENEW_MS 5000

/* ------------------------------------------------------------------ the list */

struct seen *daemon_docker_seen_id(struct daemon_docker *k, const char *id)
{
	for (size_t i = 0; i < k->n_seen; i++)
		if (k->seen[i].id && strcmp(k->seen[i].id, id) == 0)
			return &k->seen[i];
	return NULL;
}

static struct seen *seen_bridge(struct daemon_docker *k, const char *bridge)
{
	for (size_t i = 0; i < k->n_seen; i++)
		if (strcmp(k->seen[i].bridge, bridge) == 0)
			return &k->seen[i];
	return NULL;
}

void daemon_docker_all_stale(struct daemon_docker *k)
{
	for (size_t i = 0; i < k->n_seen; i++)
		k->seen[i].stale = true;
}

static void free_seen(struct seen *seen)
{
	free(seen->name);
	free(seen->bridge);
	free(seen->id);
	free(seen->other_mac);
	docker_containers_free(&seen->containers);
}

/* Once for each that is found. */
static void look_at_mac(struct seen *seen)
{
	char *text = !seen->draining ? docker_wanted_other_mac(&seen->identity, &seen->containers)
				     : NULL;

	if (text && (!seen->other_mac || strcmp(text, seen->other_mac) != 0))
		log_warning("network %s: %s", seen->name, text);
	free(seen->other_mac);
	seen->other_mac = text;
}

void daemon_docker_forget(struct daemon_docker *k)
{
	for (size_t i = 0; i < k->n_seen; i++)
		free_seen(&k->seen[i]);
	free(k->seen);
	k->seen = NULL;
	k->n_seen = 0;
}

static const struct docker_network *find_bridge(const struct docker_networks *networks,
						const char *bridge)
{
	for (size_t i = 0; i < networks->n; i++)
		if (strcmp(networks->items[i].bridge, bridge) == 0)
			return &networks->items[i];
	return NULL;
}

/* What was known of the same network of Docker's. */
static void carry_over(struct daemon_docker *k, struct seen *seen)
{
	struct seen *old = seen->id ? daemon_docker_seen_id(k, seen->id) : NULL;

	seen->stale = true;
	if (!old || strcmp(old->bridge, seen->bridge) != 0)
		return;
	seen->stale = old->stale;
	seen->asking = old->asking;
	seen->known = old->known;
	seen->known_ms = old->known_ms;
	seen->restarting = old->restarting;
	seen->containers = old->containers;
	old->containers = (struct docker_containers){ 0 };
	seen->other_mac = old->other_mac;
	old->other_mac = NULL;
	look_at_mac(seen); /* another one may be configured now */
}

static void add_configured(struct daemon_docker *k, struct seen *seen,
			   const struct docker_wanted *wanted)
{
	const struct docker_network *network = docker_find_network(&k->networks, wanted->name);

	*seen = (struct seen){
		.name = xstrdup(wanted->name),
		.bridge = xstrdup(wanted->bridge),
		.id = network ? xstrdup(network->id) : NULL,
		.identity = wanted->identity,
	};
	carry_over(k, seen);
}

static void add_draining(struct daemon_docker *k, struct seen *seen, const struct network *wanted)
{
	const struct docker_network *network = find_bridge(&k->networks, wanted->bridge);

	*seen = (struct seen){
		.name = xstrdup(wanted->name),
		.bridge = xstrdup(wanted->bridge),
		.id = network ? xstrdup(network->id) : NULL,
		.draining = true,
		.identity = docker_wanted_identity_of(wanted),
	};
	carry_over(k, seen);
}

void daemon_docker_see(struct daemon_docker *k)
{
	const struct policy *policy = &k->daemon->enforcer.running->policy;
	struct seen *all = xcalloc(k->wanted.n + policy->n_draining, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < k->wanted.n; i++)
		add_configured(k, &all[n++], &k->wanted.items[i]);
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].draining)
			add_draining(k, &all[n++], &policy->networks[i]);
	daemon_docker_forget(k);
	k->seen = all;
	k->n_seen = n;
	if (policy->n_draining > 0)
		daemon_drain_look(k->daemon);
}

/* ------------------------------------------------------------------ who is attached */

struct inspection {
	struct daemon_docker *docker;
	char *id;
	bool restarting; /* the second question */
};

static void on_inspected(void *data, const struct docker_answer *answer);

static void take_known(struct daemon_docker *k, struct seen *seen)
{
	/* Something may have happened since it was asked. */
	seen->known = !seen->stale || seen->known;
	seen->known_ms = daemon_now_ms(k->daemon);
}

static void take_containers(struct daemon_docker *k, struct seen *seen,
			    const struct docker_answer *answer)
{
	struct docker_containers containers = { 0 };
	struct err err = { 0 };

	if (docker_parse_containers(answer->body, answer->len, &containers, &err) < 0) {
		err_prefix(&err, "ask Docker who is attached to network %s", seen->name);
		daemon_docker_lost(k, &err);
		err_free(&err);
		return;
	}
	docker_containers_free(&seen->containers);
	seen->containers = containers;
	look_at_mac(seen);
	take_known(k, seen);
}

static void take_restarting(struct daemon_docker *k, struct seen *seen,
			    const struct docker_answer *answer)
{
	struct err err = { 0 };

	if (docker_parse_count(answer->body, answer->len, &seen->restarting, &err) < 0) {
		err_prefix(&err, "ask Docker who restarts in network %s", seen->name);
		daemon_docker_lost(k, &err);
	} else {
		take_known(k, seen);
	}
	err_free(&err);
}

/* Whether another question is needed to know who is attached: a container that Docker is about to start
 * again is attached to nothing meanwhile. */
static bool ask_restarting(struct daemon_docker *k, struct seen *seen,
			   struct inspection *inspection)
{
	if (!seen || !seen->draining || !seen->id || inspection->restarting)
		return false;
	inspection->restarting = true;
	seen->asking = true;
	k->inspecting++;
	docker_list_restarting(k->client, seen->id, on_inspected, inspection);
	return true;
}

static void forget_inspection(struct inspection *inspection)
{
	free(inspection->id);
	free(inspection);
}

static void on_inspected(void *data, const struct docker_answer *answer)
{
	struct inspection *inspection = data;
	struct daemon_docker *k = inspection->docker;
	struct seen *seen = daemon_docker_seen_id(k, inspection->id);
	bool asked = false;

	if (answer->error.code == ECANCELED) {
		forget_inspection(inspection);
		return;
	}
	k->inspecting--;
	if (seen)
		seen->asking = false;
	if (answer->error.code == EREMOTEIO && answer->http == 404 && seen &&
	    !inspection->restarting) {
		free(seen->id); /* gone, and the next list will say so */
		seen->id = NULL;
	} else if (answer->error.code && answer->error.code != EREMOTEIO) {
		daemon_docker_lost(k, &answer->error);
	} else if (answer->error.code == 0 && seen && inspection->restarting) {
		take_restarting(k, seen, answer);
	} else if (answer->error.code == 0 && seen) {
		bool known = seen->known;

		asked = ask_restarting(k, seen, inspection);
		take_containers(k, seen, answer);
		seen->known = asked ? known : seen->known;
	}
	if (!asked)
		forget_inspection(inspection);
	if (k->error.code == 0)
		daemon_docker_inspect(k);
	daemon_drain_look(k->daemon);
	daemon_settled(k->daemon);
	daemon_docker_arm(k);
}

void daemon_docker_inspect(struct daemon_docker *k)
{
	for (size_t i = 0; i < k->n_seen && k->inspecting < INSPECT_AT_ONCE; i++) {
		struct seen *seen = &k->seen[i];
		struct inspection *inspection;

		if (!seen->id || !seen->stale || seen->asking)
			continue;
		seen->stale = false;
		seen->asking = true;
		k->inspecting++;
		inspection = xcalloc(1, sizeof(*inspection));
		inspection->docker = k;
		inspection->id = xstrdup(seen->id);
		docker_inspect(k->client, seen->id, on_inspected, inspection);
	}
	daemon_docker_arm(k);
}

enum daemon_attached daemon_docker_attached(struct daemon *d, const char *bridge)
{
	struct daemon_docker *k = d->docker;
	const struct seen *seen;

	if (!k || !k->asked)
		return ATTACHED_UNKNOWN;
	if (k->error.code) /* one that has been here will come back, and its containers with it */
		return docker_socket_absent(k->error.code) && !k->about.version ? ATTACHED_NO_DOCKER
										: ATTACHED_UNKNOWN;
	seen = seen_bridge(k, bridge);
	if (!seen || !seen->id)
		return ATTACHED_NONE;
	if (!seen->known)
		return ATTACHED_UNKNOWN;
	return seen->restarting > 0 ||
			       docker_wanted_count_attached(&seen->containers, &seen->identity) > 0
		       ? ATTACHED_SOME
		       : ATTACHED_NONE;
}

void daemon_docker_doubt(struct daemon *d, const char *bridge)
{
	struct seen *seen = d->docker ? seen_bridge(d->docker, bridge) : NULL;

	if (!seen)
		return;
	seen->known = false;
	seen->stale = true;
	if (d->docker->error.code == 0)
		daemon_docker_inspect(d->docker);
}

void daemon_docker_renew(struct daemon *d, const char *bridge)
{
	struct seen *seen = d->docker ? seen_bridge(d->docker, bridge) : NULL;

	if (!seen || d->docker->error.code || daemon_now_ms(d) < seen->known_ms + RENEW_MS)
		return;
	seen->known_ms = daemon_now_ms(d); /* not again before that is over */
	seen->stale = true;
	daemon_docker_inspect(d->docker);
}

static bool is_container(const struct docker_container *container, const struct ipaddr *addr)
{
	return (container->has_ip && ipaddr_cmp(&container->ip, addr) == 0) ||
	       (container->has_ip6 && ipaddr_cmp(&container->ip6, addr) == 0);
}

const char *daemon_docker_container(struct daemon *d, const char *bridge, const struct ipaddr *addr,
				    const uint8_t *mac)
{
	struct seen *seen = d->docker ? seen_bridge(d->docker, bridge) : NULL;
	const struct docker_containers *containers;

	if (!seen || !seen->id)
		return NULL;
	containers = &seen->containers;
	for (size_t i = 0; i < containers->n; i++)
		if (is_container(&containers->items[i], addr))
			return containers->items[i].name;
	for (size_t i = 0; mac && i < containers->n; i++)
		if (containers->items[i].has_mac &&
		    memcmp(containers->items[i].mac, mac, sizeof(containers->items[i].mac)) == 0)
			return containers->items[i].name;
	daemon_docker_renew(d, bridge);
	return NULL;
}

/* ------------------------------------------------------------------ orphans */

struct orphans_question {
	struct daemon *daemon;
	daemon_orphans_fn fn;
	void *data;
};

static void tell_orphans(const struct orphans_question *q, const struct docker_networks *networks)
{
	const char **names = xcalloc(networks->n, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < networks->n; i++)
		if (docker_wanted_orphan(&q->daemon->docker->wanted, &networks->items[i]))
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

void daemon_docker_orphans(struct daemon *d, daemon_orphans_fn fn, void *data)
{
	struct daemon_docker *k = d->docker;
	struct orphans_question *q;

	if (!k || (k->error.code && docker_socket_absent(k->error.code))) {
		fn(data, NULL, 0, NULL);
		return;
	}
	if (k->error.code) {
		fn(data, NULL, 0, k->error.text);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	*q = (struct orphans_question){ d, fn, data };
	docker_list(k->client, on_orphans, q);
	daemon_docker_arm(k);
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

struct state_of daemon_docker_state(const struct daemon *d)
{
	return (struct state_of){ state_names, ARRAY_SIZE(state_names), docker_state(d->docker) };
}

void daemon_docker_status(struct daemon *d, struct json_writer *out)
{
	const struct daemon_docker *k = d->docker;
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

void daemon_docker_status_network(struct daemon *d, struct json_writer *out, const char *bridge,
				  const struct judged *judged)
{
	struct daemon_docker *k = d->docker;
	const struct seen *seen = k ? seen_bridge(k, bridge) : NULL;
	bool connected = k && k->asked && k->error.code == 0;
	struct buf b = { 0 };

	for (size_t i = 0; seen && i < k->n_notes; i++)
		if (strcmp(k->notes[i].network, seen->name) == 0)
			buf_printf(&b, "%s%s", b.len ? "; " : "", k->notes[i].text);
	if (seen && seen->other_mac)
		buf_printf(&b, "%snetwork %s: %s", b.len ? "; " : "", seen->name, seen->other_mac);
	json_write_string(out, "docker",
			  !seen || !connected			? "unknown"
			  : !seen->id				? "absent"
			  : b.len > 0 || judged->docker_differs ? "differs"
								: "present");
	if (seen && connected && seen->id && seen->known)
		json_write_int(out, "containers", (int64_t)seen->containers.n);
	else
		json_write_string(out, "containers", NULL);
	json_write_string(out, "docker_message", b.len ? buf_str(&b) : NULL);
	buf_free(&b);
}
