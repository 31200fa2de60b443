/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks that are taken out of the configuration while containers are attached. Whether
 * some still are is Docker's word; not knowing counts as attached. Where no Docker runs, it is what
 * the bridge's ports say for `remove-network`, while files that were edited are obeyed at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"
#include "dockside/policy/config.h"
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
	uint64_t now_ms = daemon_now_ms(d);

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

static struct src copy_of(const struct src *src)
{
	return (struct src){ xstrdup(src->name), xstrndup(src->text, src->len), src->len };
}

/* The running files once more, with the networks that are draining now. */
static int enforce_again(struct daemon *d, struct err *err)
{
	const struct running *running = d->enforcer.running;
	struct running *candidate = running_new(), *before = NULL;
	int r;

	candidate->policy.network_src = copy_of(&running->policy.network_src);
	candidate->policy.firewall_src = copy_of(&running->policy.firewall_src);
	candidate->from_files = running->from_files;
	if (!config_parse(&candidate->policy, &candidate->diags)) {
		running_free(candidate);
		return err_set(err, EINVAL, "the running configuration cannot be read again");
	}
	r = daemon_enforce(d, candidate, &before, err);
	running_free(before);
	return r;
}

static void let_go(struct daemon *d, const char *bridge, const char *why)
{
	log_info("network with bridge %s %s: its policy goes", bridge, why);
	drain_remove(&d->enforcer.drain, bridge);
}

/* Has the kernel do without the networks that have been let go. */
static void follow(struct daemon *d)
{
	struct err err = { 0 };

	if (enforce_again(d, &err) < 0)
		log_error("a drained network was not removed: %s; trying again", err.text);
	err_free(&err);
}

void daemon_drain_watch(struct daemon *d)
{
	bool any = d->enforcer.running->policy.n_draining > 0;

	daemon_arm(d, &d->drain_timer, any ? daemon_now_ms(d) + LOOK_MS : UINT64_MAX, on_look);
}

void daemon_drain_look(struct daemon *d)
{
	daemon_arm(d, &d->drain_timer, daemon_now_ms(d), on_look);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;
	struct drain *drain = &d->enforcer.drain;

	(void)source;
	(void)usec;
	for (size_t i = 0; i < drain->n; i++)
		daemon_docker_renew(d, drain->items[i].bridge);
	for (size_t i = drain->n; i-- > 0;)
		if (has_drained(d, &drain->items[i]))
			let_go(d, drain->items[i].bridge, "has drained");
	if (drain->n < d->enforcer.running->policy.n_draining)
		follow(d);
	daemon_drain_watch(d);
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
		    network->draining || !may_be_attached(d, network->bridge))
			continue;
		log_info("network %s is removed; its policy stays until no container is attached",
			 name);
		drain_add(&d->enforcer.drain, policy, &network->bridge, 1);
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
	const struct policy *running = d->enforcer.running ? &d->enforcer.running->policy : NULL;
	cleanup(cleanup_free) const char **kept = collect_bridges(policy), **gone = NULL;
	size_t n = 0;

	if (!running)
		return;
	gone = xcalloc(running->n_networks + 1, sizeof(*gone));
	for (size_t i = 0; i < running->n_networks; i++) {
		const struct network *network = &running->networks[i];

		if (!network_managed(network) || network->draining ||
		    bsearch(&network->bridge, kept, policy->n_networks, sizeof(*kept),
			    cmp_bridges) ||
		    !may_be_occupied(d, network->bridge))
			continue;
		log_info("network %s is no longer configured; its policy stays until no container "
			 "is attached",
			 network->name);
		gone[n++] = network->bridge;
	}
	drain_add(&d->enforcer.drain, running, gone, n);
}

bool daemon_drain_release(struct daemon *d, const char *name)
{
	const struct draining *draining = drain_find(&d->enforcer.drain, name);

	if (!draining)
		return false;
	let_go(d, draining->bridge, "is released by force");
	follow(d);
	return true;
}

void daemon_drain_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->drain_timer);
}
