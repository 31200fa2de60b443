/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks that are taken out of the configuration while containers are attached (SPEC §8). Whether
 * some still are is Docker's word; not knowing counts as attached. Where no Docker runs, it is what
 * the bridge's ports say for `remove-network`, while files that were edited are obeyed at once.
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"
#include "dockside/system/link.h"
#include "dockside/system/log.h"

#define LOOK_MS 1000
#define EMPTY_MS 2000 /* a container that is being restarted is nowhere for a moment */

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

static bool has_drained(struct daemon *d, struct draining *network)
{
	uint64_t now_ms = loop_now_ms(d->loop);

	switch (daemon_docker_attached(d, network->bridge)) {
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

static void release(struct daemon *d, const char *bridge, const char *why)
{
	cleanup(cleanup_free) char *name = xstrdup(bridge); /* the enforcer's goes */
	struct reconcile_result result;
	struct err err = { 0 };

	daemon_denied_count(d);
	enforce_drained(&d->enforcer, name);
	log_info("network with bridge %s %s: its policy goes", name, why);
	if (enforcer_again(&d->enforcer, loop_now_ms(d->loop), &result, &err) < 0) {
		log_error("%s; trying again", err.text);
		daemon_repair_soon(d, "a drained network was not removed");
	}
	daemon_denied_count(d);
	err_free(&err);
}

void daemon_drain_watch(struct daemon *d)
{
	bool any = d->enforcer.n_draining > 0;

	loop_arm(d->loop, &d->drain_timer, any ? loop_now_ms(d->loop) + LOOK_MS : UINT64_MAX,
		 on_look, d);
}

void daemon_drain_look(struct daemon *d)
{
	for (size_t i = d->enforcer.n_draining; i-- > 0;)
		if (has_drained(d, &d->enforcer.draining[i]))
			release(d, d->enforcer.draining[i].bridge, "has drained");
	daemon_drain_watch(d);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)usec;
	for (size_t i = 0; i < d->enforcer.n_draining; i++)
		daemon_docker_renew(d, d->enforcer.draining[i].bridge);
	daemon_drain_look(d);
	return 0;
}

/* What Docker said last may be a moment old: it is asked anew, and until it has said that nobody is
 * attached the network drains. */
static bool may_be_attached(struct daemon *d, const char *bridge)
{
	if (daemon_docker_attached(d, bridge) == ATTACHED_NO_DOCKER)
		return has_ports(bridge);
	daemon_docker_doubt(d, bridge);
	return daemon_docker_attached(d, bridge) != ATTACHED_NONE;
}

bool daemon_drain_network(struct daemon *d, const char *name)
{
	const struct policy *policy = &d->enforcer.running->policy;

	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (strcmp(network->name, name) != 0 || !network_managed(network) ||
		    !may_be_attached(d, network->bridge))
			continue;
		log_info("network %s is removed; its policy stays until no container is attached",
			 name);
		enforce_drain(&d->enforcer, network->bridge);
		return true;
	}
	return false;
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

/* Where no Docker runs, whoever edits the files is obeyed. */
static bool may_be_occupied(struct daemon *d, const char *bridge)
{
	enum daemon_attached attached_now = daemon_docker_attached(d, bridge);

	return attached_now == ATTACHED_SOME || attached_now == ATTACHED_UNKNOWN;
}

void daemon_drain_missing(struct daemon *d, const struct policy *policy)
{
	const struct running *running = d->enforcer.running;
	cleanup(cleanup_free) const char **kept = collect_bridges(policy);

	for (size_t i = 0; running && i < running->policy.n_networks; i++) {
		const struct network *network = &running->policy.networks[i];

		if (!network_managed(network) ||
		    bsearch(&network->bridge, kept, policy->n_networks, sizeof(*kept),
			    cmp_bridges) ||
		    !may_be_occupied(d, network->bridge))
			continue;
		log_info("network %s is no longer configured; its policy stays until no container "
			 "is attached",
			 network->name);
		enforce_drain(&d->enforcer, network->bridge);
	}
}

bool daemon_drain_release(struct daemon *d, const char *name)
{
	const struct draining *draining = enforce_draining(&d->enforcer, name);

	if (draining)
		release(d, draining->bridge, "is released by force");
	return draining != NULL;
}

void daemon_drain_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->drain_timer);
}
