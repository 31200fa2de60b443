/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * While the table is gone, containers open connections that no rule has judged, and afterwards `forward` takes
 * them for known. A rule that accepts leaves a label on the connection (compile.c), and so do rules for what
 * others open to a container (compile_base.c); after a repair those of managed networks that have none lose their
 * conntrack entry. The next packets are judged as new. Addresses do not tell which end has opened a
 * connection: a container can send itself packets that claim to come from elsewhere, and answer
 * them.
 *
 * One pass over all entries follows the repair at once, and a second one a moment later: a packet that passed
 * before the rules were back makes its entry when it leaves, perhaps where the first pass had been already.
 * A pass goes on as the kernel hands out entries, a few hundred at a time, among the other events.
 *
 * A network that others make (daemon_docker_sites.c) may be there for a moment before its rules. Then the connections of that
 * network alone end.
 *
 * Conversations with name servers that are older than a change of the DNS gates end by the same passes.
 *
 * Nothing else ends when the daemon starts: what is open when the rules come for the first time has no label
 * either, and stays open (see README.md). Only a daemon that has seen them and sees them missing knows better.
 */
#include "daemon_unjudged.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/enforce/dns_ends.h"
#include "dockside/kernel/conntrack.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_addrs.h"
#include "dockside/system/log.h"
#include "dockside/table/unjudged.h"

#define PASSES 2
#define NEXT_PASS_MS 200
#define RETRY_MS 1000	 /* after a pass that failed */
#define LAST_MAX_MS 5000 /* the daemon stops, and systemd waits */

#define UNJUDGED "connections that were opened without our rules"
#define OLDER "conversations with name servers that are older than the change of DNS gates"

struct daemon_unjudged {
	struct loop *loop;
	const struct enforcer *enforcer;
	struct conntrack *conntrack;
	sd_event_source *io, *timer;
	struct unjudged scope; /* of the pass that is under way */
	struct dns_flows dns_scope;
	bool has_dns_scope; /* of the policy in force; without it no conversation ends */
	bool dns;	    /* conversations with name servers, too */
	bool all;	    /* of all networks; else of those with these bridges */
	char **bridges;
	size_t n_bridges;
	unsigned passes; /* that are to come, with the one that is under way */
	bool under_way;
	bool failing; /* the log has it */
	struct conntrack_pass pass;
	size_t n_dns; /* ended by this pass, of those that are about DNS alone */
	size_t n_ended, n_failed, n_dns_ended; /* since the repair */
	uint64_t total;
};

/* ------------------------------------------------------------------ what is to end */

static bool has_bridge(const struct plan *plan, const char *map, const char *bridge)
{
	return set_find_bridge(plan_find_set(plan, map), bridge) != NULL;
}

static bool is_asked_for(const struct daemon_unjudged *u, const char *bridge)
{
	for (size_t i = 0; !u->all && i < u->n_bridges; i++)
		if (strcmp(u->bridges[i], bridge) == 0)
			return true;
	return u->all;
}

/* The addresses behind the bridges whose traffic is judged, draining ones included; not of single networks, as
 * link-local ones are every bridge's ... */
static int add_interfaces(const struct daemon_unjudged *u, struct unjudged *scope,
			  const struct plan *plan, struct err *err)
{
	struct link_addrs addrs;
	int r = link_addrs_read(&addrs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < addrs.n; i++) {
		const struct link_addr *item = &addrs.items[i];

		unjudged_add_local(scope, &item->addr);
		if (u->all && has_bridge(plan, "dispatch", item->name))
			unjudged_add_network(scope, &item->prefix,
					     has_bridge(plan, "dispatch-host", item->name));
	}
	link_addrs_free(&addrs);
	return 0;
}

/* ... and by the configuration. */
static void add_configured(const struct daemon_unjudged *u, struct unjudged *scope,
			   const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];

		if (!network_managed(network) || !is_asked_for(u, network->bridge))
			continue;
		if (network->has_subnet)
			unjudged_add_network(scope, &network->subnet, network->n_host_rules > 0);
		if (network->has_subnet6)
			unjudged_add_network(scope, &network->subnet6, network->n_host_rules > 0);
	}
}

static int look_around(struct daemon_unjudged *u, struct err *err)
{
	const struct running *running = u->enforcer->running;
	struct unjudged *scope = &u->scope;
	int r;

	u->has_dns_scope = false;
	dns_flows_free(&u->dns_scope);
	unjudged_free(scope);
	add_configured(u, scope, &running->policy);
	if (add_interfaces(u, scope, &running->plan, err) < 0)
		return err_prefix(err, "tell whose connections are whose");
	unjudged_finish(scope);
	if (!u->dns)
		return 0;
	r = dns_ends_find(&running->policy, &u->dns_scope, err);
	u->has_dns_scope = r >= 0;
	return r;
}

static bool ends(void *data, const struct flow *flow)
{
	struct daemon_unjudged *u = data;
	bool is_dns;

	if (unjudged_is(&u->scope, flow))
		return true;
	is_dns = u->has_dns_scope && dns_flow_ends(&u->dns_scope, flow);
	u->n_dns += is_dns;
	return is_dns;
}

/* ------------------------------------------------------------------ passes */

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void wait_until(struct daemon_unjudged *u, uint64_t at_ms)
{
	loop_arm(u->loop, &u->timer, at_ms, on_timer, u);
}

/* Names the connections that may stay open while passes fail. */
static const char *at_stake(const struct daemon_unjudged *u)
{
	if (!u->all && u->n_bridges == 0)
		return OLDER;
	return u->dns ? UNJUDGED " and " OLDER : UNJUDGED;
}

static void fail(struct daemon_unjudged *u, const struct err *err)
{
	u->under_way = false;
	if (!u->failing)
		log_error("%s; %s may stay open, trying again", err->text, at_stake(u));
	u->failing = true;
	/* A socket whose dump was left in the middle takes no other. */
	sd_event_source_disable_unref(u->io);
	u->io = NULL;
	conntrack_close(u->conntrack);
	u->conntrack = NULL;
	wait_until(u, loop_now_ms(u->loop) + RETRY_MS);
}

static void tell(struct daemon_unjudged *u)
{
	if (u->n_dns_ended > 0)
		log_info("ended %zu conversation%s with name servers that %s older than the change "
			 "of DNS gates",
			 u->n_dns_ended, plural(u->n_dns_ended),
			 u->n_dns_ended == 1 ? "is" : "are");
	if (u->n_ended > 0)
		log_warning(
			"ended %zu connection%s that %s opened without our rules, or before them; "
			"what comes next is judged",
			u->n_ended, plural(u->n_ended), u->n_ended == 1 ? "was" : "were");
	if (u->n_failed > 0)
		log_error("%zu connection%s opened without our rules: the kernel does not end %s "
			  "(a flowtable forwards %s?)",
			  u->n_failed, u->n_failed == 1 ? " was" : "s were",
			  u->n_failed == 1 ? "it" : "them", u->n_failed == 1 ? "it" : "them");
	u->n_ended = u->n_failed = u->n_dns_ended = 0;
}

static void forget_scope(struct daemon_unjudged *u)
{
	u->all = u->dns = false;
	for (size_t i = 0; i < u->n_bridges; i++)
		free(u->bridges[i]);
	free(u->bridges);
	u->bridges = NULL;
	u->n_bridges = 0;
}

static void done(struct daemon_unjudged *u)
{
	u->under_way = u->failing = false;
	/* Some may have ended by themselves meanwhile. */
	if (u->n_dns > u->pass.n_ended)
		u->n_dns = u->pass.n_ended;
	u->total += u->pass.n_ended - u->n_dns;
	u->n_ended += u->pass.n_ended - u->n_dns;
	u->n_dns_ended += u->n_dns;
	u->n_failed = u->pass.n_failed; /* the next pass meets them again */
	u->passes--;
	if (u->passes > 0) {
		wait_until(u, loop_now_ms(u->loop) + NEXT_PASS_MS);
		return;
	}
	tell(u);
	forget_scope(u);
}

static void go_on(struct daemon_unjudged *u)
{
	struct err err = { 0 };

	if (conntrack_read(u->conntrack, ends, u, &u->pass, &err) < 0)
		fail(u, &err);
	else if (u->pass.done)
		done(u);
	err_free(&err);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	(void)source;
	(void)fd;
	(void)revents;
	go_on(data);
	return 0;
}

static int open_conntrack(struct daemon_unjudged *u, struct err *err)
{
	int r;

	if (u->conntrack)
		return 0;
	r = conntrack_open(&u->conntrack, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(u->loop), &u->io, conntrack_fd(u->conntrack), EPOLLIN, on_io,
			    u);
	return r < 0 ? err_errno(err, -r, "watch the kernel's connections") : 0;
}

static void begin(struct daemon_unjudged *u)
{
	struct err err = { 0 };
	int r = look_around(u, &err);

	if (r >= 0)
		r = open_conntrack(u, &err);
	if (r >= 0)
		r = conntrack_begin(u->conntrack, &err);
	u->pass = (struct conntrack_pass){ 0 };
	u->n_dns = 0;
	u->under_way = r >= 0;
	if (r < 0)
		fail(u, &err);
	err_free(&err);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_unjudged *u = data;

	(void)source;
	(void)usec;
	if (!u->under_way)
		begin(u);
	return 0;
}

static void end(struct daemon_unjudged *u)
{
	/* The pass that is under way may have left behind what was opened since. */
	u->passes = PASSES + u->under_way;
	if (!u->under_way)
		begin(u);
	if (u->under_way)
		go_on(u);
}

void daemon_unjudged_end(struct daemon_unjudged *u)
{
	u->all = true;
	end(u);
}

void daemon_unjudged_end_of(struct daemon_unjudged *u, const char *bridge)
{
	u->bridges = xreallocarray(u->bridges, u->n_bridges + 1, sizeof(*u->bridges));
	u->bridges[u->n_bridges++] = xstrdup(bridge);
	end(u);
}

void daemon_unjudged_end_dns(struct daemon_unjudged *u)
{
	u->dns = true;
	/* A pass that is under way knows nothing of the change: those that are to end by it do in the next one. */
	u->has_dns_scope = false;
	end(u);
}

uint64_t daemon_unjudged_ended(const struct daemon_unjudged *u)
{
	return u->total;
}

void daemon_unjudged_last(struct daemon_unjudged *u)
{
	uint64_t until_ms = monotonic_ms() + LAST_MAX_MS;

	if (u->passes == 0)
		return;
	u->passes = 1 + u->under_way;
	while (u->passes > 0 && monotonic_ms() < until_ms) {
		struct pollfd fd = { .events = POLLIN };

		if (!u->under_way)
			begin(u);
		if (!u->under_way)
			return;
		fd.fd = conntrack_fd(u->conntrack);
		poll(&fd, 1, NEXT_PASS_MS);
		go_on(u);
	}
}

struct daemon_unjudged *daemon_unjudged_open(struct loop *loop, const struct enforcer *enforcer)
{
	struct daemon_unjudged *u = xcalloc(1, sizeof(*u));

	u->loop = loop;
	u->enforcer = enforcer;
	return u;
}

void daemon_unjudged_close(struct daemon_unjudged *u)
{
	if (!u)
		return;
	sd_event_source_disable_unref(u->io);
	sd_event_source_disable_unref(u->timer);
	conntrack_close(u->conntrack);
	unjudged_free(&u->scope);
	dns_flows_free(&u->dns_scope);
	forget_scope(u);
	free(u);
}
