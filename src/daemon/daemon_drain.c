/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks that are taken out of the configuration while containers are attached (doc/design.md,
 * "Draining"). Docker says whether some still are; if we do not know, that counts as attached. On a
 * host without Docker, the bridge's ports say so for `remove-network`, and we obey edited files at
 * once.
 */
#include "daemon_drain.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/link.h"
#include "dockside/system/log.h"

#define LOOK_MS 1000
#define EMPTY_MS 2000 /* a container that is being restarted is nowhere for a moment */

struct daemon_drain {
	struct loop *loop;
	struct enforcer *enforcer;
	struct daemon_docker *docker;
	sd_event_source *timer;
};

static int on_look(sd_event_source *source, uint64_t usec, void *data);

static bool has_ports(const char *bridge)
{
	struct err err = { 0 };
	size_t n = 1;

	if (link_ports(bridge, &n, &err) < 0) {
		log_warning("%s; taking it that containers are attached", err.text);
		n = 1;
	}
	err_free(&err);
	return n > 0;
}

static bool has_drained(struct daemon_drain *k, struct draining *network)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	switch (daemon_docker_attached(k->docker, network->bridge)) {
	case ATTACHED_NO_DOCKER:
		return !has_ports(network->bridge);
	case ATTACHED_SOME:
		network->occupied = true;
		network->empty_ms = 0;
		return false;
	case ATTACHED_UNKNOWN:
		network->empty_ms = 0;
		return false;
	case ATTACHED_NONE:
		break;
	}
	if (network->empty_ms == 0)
		network->empty_ms = now_ms;
	return !network->occupied || now_ms - network->empty_ms >= EMPTY_MS;
}

static void let_go(struct daemon_drain *k, const char *bridge, const char *why)
{
	log_info("network with bridge %s %s: its policy goes", bridge, why);
	drain_remove(&k->enforcer->drain, bridge);
}

/* Has the kernel do without the networks that have been let go. */
static void follow(struct daemon_drain *k)
{
	struct err err = { 0 };

	if (enforcer_drained(k->enforcer, loop_now_ms(k->loop), &err) < 0) {
		log_error("%s; trying again", err.text);
		loop_post(k->loop, NOTE_DRAIN_FAILED);
	}
	err_free(&err);
}

void daemon_drain_watch(struct daemon_drain *k)
{
	bool any = k->enforcer->drain.n > 0;

	loop_arm(k->loop, &k->timer, any ? loop_now_ms(k->loop) + LOOK_MS : UINT64_MAX, on_look, k);
}

void daemon_drain_look(struct daemon_drain *k)
{
	struct drain *drain = &k->enforcer->drain;
	size_t n = drain->n;

	for (size_t i = n; i-- > 0;)
		if (has_drained(k, &drain->items[i]))
			let_go(k, drain->items[i].bridge, "has drained");
	if (drain->n < n)
		follow(k);
	daemon_drain_watch(k);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_drain *k = data;

	(void)source;
	(void)usec;
	for (size_t i = 0; i < k->enforcer->drain.n; i++)
		daemon_docker_renew(k->docker, k->enforcer->drain.items[i].bridge);
	daemon_drain_look(k);
	return 0;
}

/* Docker's last answer may be a moment old. So we ask it again, and the network drains until it has
 * said that no container is attached. */
static bool may_be_attached(struct daemon_drain *k, const char *bridge)
{
	if (daemon_docker_attached(k->docker, bridge) == ATTACHED_NO_DOCKER)
		return has_ports(bridge);
	daemon_docker_doubt(k->docker, bridge);
	return daemon_docker_attached(k->docker, bridge) != ATTACHED_NONE;
}

char *daemon_drain_network(struct daemon_drain *k, const char *name)
{
	const struct policy *policy = &k->enforcer->running->policy;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (strcmp(network->name, name) != 0 || !network_managed(network) ||
		    network->draining || !may_be_attached(k, network->bridge))
			continue;
		log_info("network %s is removed; its policy stays until no container is attached",
			 name);
		drain_add(&k->enforcer->drain, policy, &network->bridge, 1);
		return xstrdup(network->bridge);
	}
	return NULL;
}

static int cmp_bridges(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted. */
static const char **collect_bridges(const struct policy *policy)
{
	const char **bridges = xcalloc(policy->n_networks, sizeof(*bridges));

	for (size_t i = 0; i < policy->n_networks; i++)
		bridges[i] = policy->networks[i].bridge;
	qsort(bridges, policy->n_networks, sizeof(*bridges), cmp_bridges);
	return bridges;
}

/* If no Docker runs, this is false: we obey the files at once. */
static bool may_be_occupied(struct daemon_drain *k, const char *bridge)
{
	return daemon_docker_attached(k->docker, bridge) != ATTACHED_NO_DOCKER &&
	       may_be_attached(k, bridge);
}

void daemon_drain_missing(struct daemon_drain *k, const struct policy *policy)
{
	const struct policy *running = k->enforcer->running ? &k->enforcer->running->policy : NULL;
	cleanup(cleanup_free) const char **kept = NULL, **gone = NULL;
	size_t n = 0;

	if (!running)
		return;
	kept = collect_bridges(policy);
	gone = xcalloc(running->n_networks + 1, sizeof(*gone));
	for (size_t i = 0; i < running->n_networks; i++) {
		const struct network *network = &running->networks[i];

		if (!network_managed(network) || network->draining ||
		    bsearch(&network->bridge, kept, policy->n_networks, sizeof(*kept),
			    cmp_bridges) ||
		    !may_be_occupied(k, network->bridge))
			continue;
		log_info("network %s is no longer configured; its policy stays until no container "
			 "is attached",
			 network->name);
		gone[n++] = network->bridge;
	}
	drain_add(&k->enforcer->drain, running, gone, n);
}

/* By name, or by the bridge, which is all that is known of a closed one; NULL if a network of the files has the name. */
static const struct network *find_draining(const struct policy *policy, const char *name)
{
	const struct network *named = policy_find_network(policy, name, NULL);
	const struct network *there = policy_find_bridge(policy, name);

	if (named && !named->draining)
		return NULL;
	if (there && !there->draining)
		there = NULL;
	return !named || (there && there->closed) ? there : named;
}

bool daemon_drain_release(struct daemon_drain *k, const char *name)
{
	const struct network *network = find_draining(&k->enforcer->running->policy, name);

	if (!network)
		return false;
	let_go(k, network->bridge, "is released by force");
	follow(k);
	return true;
}

struct daemon_drain *daemon_drain_open(struct loop *loop, struct enforcer *enforcer,
				       struct daemon_docker *docker)
{
	struct daemon_drain *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->enforcer = enforcer;
	k->docker = docker;
	return k;
}

void daemon_drain_close(struct daemon_drain *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->timer);
	free(k);
}
