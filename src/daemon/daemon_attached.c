/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_attached.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon_caps.h"
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_ports.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define INSPECT_AT_ONCE 4
#define RENEW_MS 5000

/* A network that is configured, or draining. */
struct seen {
	char *name, *bridge;
	char *id; /* NULL: Docker does not have it */
	bool draining;
	bool managed;
	struct docker_wanted_identity identity;
	bool stale;  /* who is attached is to be asked */
	bool asking; /* is being asked */
	bool known;  /* has been answered */
	uint64_t known_ms;
	uint64_t asked_us; /* the last question, by monotonic_us() */
	struct docker_containers containers;
	uint64_t containers_us; /* the question that they answer; 0: there was no answer */
	char *impostor;		/* docker_wanted_impostor() */
	size_t restarting;	/* of a draining network: containers that Docker will start again */
};

struct daemon_attached {
	struct loop_docker *docker;
	const struct enforcer *enforcer;
	struct daemon_caps *caps;
	struct seen *seen;
	size_t n_seen;
	size_t inspecting; /* requests */
	bool answers;
	struct err lost;
};

/* ------------------------------------------------------------------ the list */

static bool has_id(const struct seen *seen, const char *id)
{
	return seen->id && strcmp(seen->id, id) == 0;
}

static struct seen *seen_bridge(const struct daemon_attached *k, const char *bridge)
{
	for (size_t i = 0; i < k->n_seen; i++)
		if (strcmp(k->seen[i].bridge, bridge) == 0)
			return &k->seen[i];
	return NULL;
}

/* Two may be the same network of Docker's: one that drains goes by its bridge, one that is configured by its name. No
 * two have the same bridge. */
static struct seen *seen_at(const struct daemon_attached *k, const char *bridge, const char *id)
{
	struct seen *seen = seen_bridge(k, bridge);

	return seen && has_id(seen, id) ? seen : NULL;
}

void daemon_attached_all_stale(struct daemon_attached *k)
{
	for (size_t i = 0; i < k->n_seen; i++)
		k->seen[i].stale = true;
}

static void free_seen(struct seen *seen)
{
	free(seen->name);
	free(seen->bridge);
	free(seen->id);
	free(seen->impostor);
	docker_containers_free(&seen->containers);
}

/* Once for each that is found. */
static void look_at_identity(struct seen *seen)
{
	char *text =
		!seen->draining ? docker_wanted_impostor(&seen->identity, &seen->containers) : NULL;

	if (text && (!seen->impostor || strcmp(text, seen->impostor) != 0))
		log_warning("network %s: %s", seen->name, text);
	free(seen->impostor);
	seen->impostor = text;
}

/* Asks for the capabilities of the containers that are on managed networks. */
static void look_at_caps(struct daemon_attached *k)
{
	daemon_caps_begin(k->caps);
	for (size_t i = 0; i < k->n_seen; i++)
		for (size_t c = 0; k->seen[i].managed && c < k->seen[i].containers.n; c++)
			daemon_caps_want(k->caps, k->seen[i].containers.items[c].id);
	daemon_caps_end(k->caps);
}

static void forget_seen(struct daemon_attached *k)
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

/* Takes over what we knew of the same network of Docker's. */
static void carry_over(struct daemon_attached *k, struct seen *seen)
{
	struct seen *old = seen->id ? seen_at(k, seen->bridge, seen->id) : NULL;

	seen->stale = true;
	if (!old)
		return;
	seen->stale = old->stale;
	seen->asking = old->asking;
	seen->known = old->known;
	seen->known_ms = old->known_ms;
	seen->restarting = old->restarting;
	seen->asked_us = old->asked_us;
	seen->containers_us = old->containers_us;
	seen->containers = old->containers;
	old->containers = (struct docker_containers){ 0 };
	seen->impostor = old->impostor;
	old->impostor = NULL;
	look_at_identity(seen); /* another one may be configured now */
}

static void add_configured(struct daemon_attached *k, struct seen *seen,
			   const struct docker_wanted *wanted,
			   const struct docker_networks *networks)
{
	const struct docker_network *network = docker_find_network(networks, wanted->name);

	*seen = (struct seen){
		.name = xstrdup(wanted->name),
		.bridge = xstrdup(wanted->bridge),
		.id = network ? xstrdup(network->id) : NULL,
		.managed = wanted->managed,
		.identity = wanted->identity,
	};
	carry_over(k, seen);
}

static void add_draining(struct daemon_attached *k, struct seen *seen, const struct network *wanted,
			 const struct docker_networks *networks)
{
	const struct docker_network *network = find_bridge(networks, wanted->bridge);

	*seen = (struct seen){
		.name = xstrdup(wanted->name),
		.bridge = xstrdup(wanted->bridge),
		.id = network ? xstrdup(network->id) : NULL,
		.draining = true,
		.managed = true,
		.identity = docker_wanted_identity_of(wanted),
	};
	carry_over(k, seen);
}

void daemon_attached_see(struct daemon_attached *k, const struct docker_wanted_list *wanted,
			 const struct docker_networks *networks)
{
	const struct policy *policy = &k->enforcer->running->policy;
	struct seen *all = xcalloc(wanted->n + policy->n_draining, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < wanted->n; i++)
		add_configured(k, &all[n++], &wanted->items[i], networks);
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].draining)
			add_draining(k, &all[n++], &policy->networks[i], networks);
	forget_seen(k);
	k->seen = all;
	k->n_seen = n;
	look_at_caps(k);
	loop_post(k->docker->loop, NOTE_ATTACHED);
}

/* ------------------------------------------------------------------ who is attached */

struct inspection {
	struct daemon_attached *attached;
	char *bridge, *id; /* of what was seen */
	uint64_t asked_us;
	bool restarting; /* the second question */
};

static void on_inspected(void *data, const struct docker_answer *answer);

/* Docker does not answer: who asks it for its networks, too, hears of that. */
static void lose(struct daemon_attached *k, const struct err *error)
{
	err_set(&k->lost, error->code, "%s", error->text);
	k->answers = false;
	loop_post(k->docker->loop, NOTE_DOCKER_LOST);
}

static void take_known(struct daemon_attached *k, struct seen *seen)
{
	/* Something may have happened since it was asked. */
	seen->known = !seen->stale || seen->known;
	seen->known_ms = loop_now_ms(k->docker->loop);
}

static void take_containers(struct daemon_attached *k, struct seen *seen, uint64_t asked_us,
			    const struct docker_answer *answer)
{
	struct docker_containers containers = { 0 };
	struct err err = { 0 };

	if (docker_parse_containers(answer->body, answer->len, &containers, &err) < 0) {
		err_prefix(&err, "ask Docker who is attached to network %s", seen->name);
		lose(k, &err);
		err_free(&err);
		return;
	}
	docker_containers_free(&seen->containers);
	seen->containers = containers;
	seen->containers_us = asked_us;
	look_at_identity(seen);
	look_at_caps(k);
	take_known(k, seen);
}

static void take_restarting(struct daemon_attached *k, struct seen *seen,
			    const struct docker_answer *answer)
{
	struct err err = { 0 };

	if (docker_parse_count(answer->body, answer->len, &seen->restarting, &err) < 0) {
		err_prefix(&err, "ask Docker who restarts in network %s", seen->name);
		lose(k, &err);
	} else {
		take_known(k, seen);
	}
	err_free(&err);
}

/* Whether another question is needed to know who is attached: a container that Docker is about to start
 * again is attached to nothing meanwhile. */
static bool ask_restarting(struct daemon_attached *k, struct seen *seen,
			   struct inspection *inspection)
{
	if (!seen || !seen->draining || !seen->id || inspection->restarting)
		return false;
	inspection->restarting = true;
	seen->asking = true;
	k->inspecting++;
	docker_list_restarting(k->docker->client, seen->id, on_inspected, inspection);
	return true;
}

static void forget_inspection(struct inspection *inspection)
{
	free(inspection->bridge);
	free(inspection->id);
	free(inspection);
}

static void on_inspected(void *data, const struct docker_answer *answer)
{
	struct inspection *inspection = data;
	struct daemon_attached *k = inspection->attached;
	struct seen *seen = seen_at(k, inspection->bridge, inspection->id);
	uint64_t asked_us = inspection->asked_us;
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
		if (seen)
			seen->stale =
				true; /* another answer of Docker's may come before the loss is handled */
		lose(k, &answer->error);
	} else if (answer->error.code == 0 && seen && inspection->restarting) {
		take_restarting(k, seen, answer);
	} else if (answer->error.code == 0 && seen) {
		bool known = seen->known;

		asked = ask_restarting(k, seen, inspection);
		take_containers(k, seen, asked_us, answer);
		seen->known = asked ? known : seen->known;
	}
	if (!asked)
		forget_inspection(inspection);
	if (k->answers)
		daemon_attached_inspect(k);
	loop_post(k->docker->loop, NOTE_ATTACHED);
	loop_post(k->docker->loop, NOTE_SETTLED);
	loop_docker_arm(k->docker);
}

void daemon_attached_inspect(struct daemon_attached *k)
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
		inspection->attached = k;
		inspection->bridge = xstrdup(seen->bridge);
		inspection->id = xstrdup(seen->id);
		seen->asked_us = inspection->asked_us = monotonic_us();
		docker_inspect(k->docker->client, seen->id, on_inspected, inspection);
	}
	loop_docker_arm(k->docker);
}

void daemon_attached_changed(struct daemon_attached *k, const char *id)
{
	for (size_t i = 0; i < k->n_seen; i++)
		k->seen[i].stale |= has_id(&k->seen[i], id);
	daemon_attached_inspect(k);
}

const char *daemon_attached_destroyed(struct daemon_attached *k, const char *id)
{
	const char *name = NULL;

	for (size_t i = 0; i < k->n_seen; i++) {
		struct seen *seen = &k->seen[i];

		if (!has_id(seen, id))
			continue;
		free(seen->id);
		seen->id = NULL;
		name = seen->draining ? name : seen->name;
	}
	return name;
}

void daemon_attached_set_answers(struct daemon_attached *k, bool answers)
{
	k->answers = answers;
	err_free(&k->lost);
}

const struct err *daemon_attached_lost(const struct daemon_attached *k)
{
	return &k->lost;
}

/* ------------------------------------------------------------------ what others ask */

bool daemon_attached_has(const struct daemon_attached *k, const char *id)
{
	for (size_t i = 0; i < k->n_seen; i++)
		if (has_id(&k->seen[i], id))
			return true;
	return false;
}

bool daemon_attached_settled(const struct daemon_attached *k)
{
	for (size_t i = 0; i < k->n_seen && k->answers; i++) {
		const struct seen *seen = &k->seen[i];

		if (seen->draining && seen->id && !seen->known && (seen->stale || seen->asking))
			return false;
	}
	return true;
}

enum attached daemon_attached_is(const struct daemon_attached *k, const char *bridge)
{
	const struct seen *seen = seen_bridge(k, bridge);

	if (!seen || !seen->id)
		return ATTACHED_NONE;
	if (!seen->known)
		return ATTACHED_UNKNOWN;
	return docker_wanted_count_attached(&seen->containers, seen->restarting, &seen->identity) >
			       0
		       ? ATTACHED_SOME
		       : ATTACHED_NONE;
}

void daemon_attached_doubt(struct daemon_attached *k, const char *bridge)
{
	struct seen *seen = seen_bridge(k, bridge);

	if (!seen)
		return;
	seen->known = false;
	seen->stale = true;
	if (k->answers)
		daemon_attached_inspect(k);
}

void daemon_attached_renew(struct daemon_attached *k, const char *bridge)
{
	struct seen *seen = seen_bridge(k, bridge);
	uint64_t now_ms;

	if (!seen || !k->answers)
		return;
	now_ms = loop_now_ms(k->docker->loop);
	if (now_ms < seen->known_ms + RENEW_MS)
		return;
	seen->known_ms = now_ms; /* not again before that is over */
	seen->stale = true;
	daemon_attached_inspect(k);
}

/* ------------------------------------------------------------------ who is on which port */

size_t daemon_attached_words(const struct daemon_attached *k, struct port_word **ret_words)
{
	static const struct docker_containers nobody;
	struct port_word *words = xcalloc(k->n_seen + 1, sizeof(*words));

	for (size_t i = 0; i < k->n_seen; i++) {
		const struct seen *seen = &k->seen[i];

		if (seen->id)
			docker_port_word(&seen->containers, seen->bridge, seen->containers_us,
					 &words[i]);
		else
			docker_port_word(&nobody, seen->bridge, 0, &words[i]);
		words[i].configured = docker_port_configured(&seen->identity);
	}
	*ret_words = words;
	return k->n_seen;
}

void daemon_attached_ask(struct daemon_attached *k, const char *bridge, uint64_t after_us)
{
	struct seen *seen = seen_bridge(k, bridge);

	if (!seen || (seen->asking && seen->asked_us > after_us))
		return;
	seen->stale = true;
	if (k->answers)
		daemon_attached_inspect(k);
}

/* ------------------------------------------------------------------ what denied and status ask */

static bool is_container(const struct docker_container *container, const struct ipaddr *addr)
{
	return (container->has_ip && ipaddr_cmp(&container->ip, addr) == 0) ||
	       (container->has_ip6 && ipaddr_cmp(&container->ip6, addr) == 0);
}

const char *daemon_attached_container(struct daemon_attached *k, const char *bridge,
				      const struct ipaddr *addr, const uint8_t *mac)
{
	const struct seen *seen = seen_bridge(k, bridge);
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
	daemon_attached_renew(k, bridge);
	return NULL;
}

const struct docker_container *daemon_attached_find(const struct daemon_attached *k,
						    const char *name, size_t *index,
						    const char **ret_bridge)
{
	while (*index < k->n_seen) {
		const struct seen *seen = &k->seen[(*index)++];

		*ret_bridge = seen->bridge;
		for (size_t i = 0; seen->id && i < seen->containers.n; i++)
			if (strcmp(seen->containers.items[i].name, name) == 0)
				return &seen->containers.items[i];
	}
	return NULL;
}

bool daemon_attached_view(const struct daemon_attached *k, const char *bridge,
			  struct attached_view *ret)
{
	const struct seen *seen = seen_bridge(k, bridge);

	if (!seen)
		return false;
	*ret = (struct attached_view){
		.name = seen->name,
		.there = seen->id != NULL,
		.known = seen->known,
		.managed = seen->managed,
		.n = seen->containers.n,
		.impostor = seen->impostor,
	};
	return true;
}

bool daemon_attached_net_raw(const struct daemon_attached *k, const char *bridge,
			     attached_name_fn fn, void *data)
{
	const struct seen *seen = seen_bridge(k, bridge);
	bool complete = true;

	if (!seen || !seen->id || !seen->known)
		return false;
	for (size_t i = 0; seen->managed && i < seen->containers.n; i++) {
		const struct docker_container *container = &seen->containers.items[i];
		const struct docker_caps *caps = daemon_caps_of(k->caps, container->id);

		complete &= caps != NULL;
		if (caps && caps->net_raw)
			fn(data, container->name[0] ? container->name : container->id);
	}
	return complete;
}

/* ------------------------------------------------------------------ start and stop */

struct daemon_attached *daemon_attached_open(struct loop_docker *docker,
					     const struct enforcer *enforcer)
{
	struct daemon_attached *k = xcalloc(1, sizeof(*k));

	*k = (struct daemon_attached){
		.docker = docker,
		.enforcer = enforcer,
		.caps = daemon_caps_open(docker),
		.answers = true,
	};
	return k;
}

void daemon_attached_close(struct daemon_attached *k)
{
	if (!k)
		return;
	forget_seen(k);
	daemon_caps_close(k->caps);
	err_free(&k->lost);
	free(k);
}
