/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * ask_timer fires when the next name is due; its question goes to the resolver, if that has room for it: names
 * that are due queue up in names.c, which knows whose turn it is, and not in the resolver. Answers only change
 * what we know of the name; sets_timer, a moment after the first of them, gives the kernel all of it
 * in one transaction. tick_timer looks every second whether /etc/hosts or resolv.conf has changed.
 */
#include "daemon_names.h"

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dockside/names/name_alarms.h"
#include "dockside/system/clock.h"
#include "dockside/system/dns.h"
#include "dockside/system/log.h"

#define DNS_TIMEOUT_MS 4000
#define COLLECT_MS 20	/* answers come in bunches */
#define ASK_SLICE_MS 20 /* then others have their turn for as long */
#define TICK_MS 1000
#define TROUBLE_TICKS 10 /* a server is in trouble for so long before the log has it */
#define SERVERS_MAX 8
#define ASLEEP_MS 1000 /* what counts as sleep of the machine */

struct daemon_names {
	struct loop *loop;
	struct enforcer *enforcer;
	struct dns *dns;
	sd_event_source *dns_io, *dns_timer;
	sd_event_source *ask_timer;  /* the next name is due */
	sd_event_source *tick_timer; /* files may have changed, servers may have recovered */
	unsigned trouble_ticks;	     /* for so long servers are spared */
	uint64_t ask_from_ms;	     /* not before */
	size_t ask_cursor;	     /* whose turn it is */
	sd_event_source *sets_timer; /* answers are collected until then */
	size_t told_alarms;	     /* systemd knows of that many */
	struct ipaddr servers[SERVERS_MAX];
	size_t n_servers;
	bool answers_waiting;
	uint64_t answers_since_ms;
};

static void arm_dns(struct daemon_names *k);
static void arm_ask(struct daemon_names *k);

/* ------------------------------------------------------------------ what goes wrong */

static bool has_addr(const struct name *name, enum family family)
{
	for (size_t i = 0; i < name->n_addrs; i++)
		if (name->addrs[i].addr.family == family)
			return true;
	return false;
}

static void log_trouble(const struct name *name, unsigned trouble)
{
	enum family family = trouble == NAME_IPV4_FAILS ? FAMILY_IPV4 : FAMILY_IPV6;
	const char *which = family == FAMILY_IPV4 ? "IPv4" : "IPv6";
	struct buf b = { 0 };

	answers_error(name->errors, &b);
	if (trouble == 0)
		log_info("%s: resolves again", name->name);
	else if (trouble == NAME_EMPTY)
		log_warning("%s: exists, but has no address; its rules match nothing", name->name);
	else if (trouble == (NAME_IPV4_FAILS | NAME_IPV6_FAILS))
		log_warning("%s: %s, %s", name->name, buf_str(&b),
			    name->n_addrs > 0 ? "keeping its addresses"
					      : "its rules match nothing until it resolves");
	else if (has_addr(name, family))
		log_warning("%s: %s, keeping its %s addresses", name->name, buf_str(&b), which);
	else
		log_warning("%s: %s, its rules match no %s address until it resolves", name->name,
			    buf_str(&b), which);
	buf_free(&b);
}

/* Once for each name and address, as long as it has it. */
static void tell_refused(struct daemon_names *k, struct name *name)
{
	for (size_t i = 0; i < name->n_addrs; i++) {
		struct known_addr *known = &name->addrs[i];
		struct buf b = { 0 };

		if (!known->never || known->told ||
		    !never_opens_name(&k->enforcer->running->policy, name->name))
			continue;
		known->told = true;
		never_tell(&k->enforcer->never, name->name, &known->addr, &b);
		log_warning("%s", buf_str(&b));
		buf_free(&b);
	}
}

static size_t count_alarms(const struct daemon_names *k)
{
	return name_alarms(&k->enforcer->running->policy, &k->enforcer->names, NULL, NULL);
}

/* One line when a name begins to fail and one when it is back, not one per answer; and not before
 * both families have answered, as mostly what one says the other says too. */
static void tell_trouble(struct daemon_names *k)
{
	struct names *names = &k->enforcer->names;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		unsigned trouble = name_trouble(name);

		if (name_asking(name) || trouble == name->told)
			continue;
		log_trouble(name, trouble);
		name->told = trouble;
	}
	for (size_t i = 0; i < names->n; i++)
		tell_refused(k, &names->items[i]);
	if (count_alarms(k) != k->told_alarms)
		loop_post(k->loop, NOTE_STATUS);
}

/* ------------------------------------------------------------------ answers to sets */

static int on_sets(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_names *k = data;
	struct err err = { 0 };

	(void)source;
	(void)usec;
	k->answers_waiting = false;
	tell_trouble(k);
	if (enforcer_names(k->enforcer, k->answers_since_ms, loop_now_ms(k->loop), &err) < 0) {
		log_error("update sets: %s; comparing everything", err.text);
		loop_post(k->loop, NOTE_SETS_FAILED);
	}
	err_free(&err);
	loop_post(k->loop, NOTE_SETTLED);
	return 0;
}

static void sets_soon(struct daemon_names *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (k->answers_waiting)
		return;
	k->answers_waiting = true;
	k->answers_since_ms = now_ms;
	loop_arm(k->loop, &k->sets_timer, now_ms + COLLECT_MS, on_sets, k);
}

void daemon_names_changed(struct daemon_names *k)
{
	sets_soon(k);
}

static void on_answer(void *data, const struct answer *answer)
{
	struct daemon_names *k = data;

	enforcer_answer(k->enforcer, answer, loop_now_ms(k->loop));
	sets_soon(k); /* also for a name no longer configured: somebody may wait for it */
}

/* ------------------------------------------------------------------ the resolver */

static int on_dns_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_names *k = data;

	(void)source;
	(void)fd;
	(void)revents;
	dns_process(k->dns);
	if (names_due(&k->enforcer->names) <= loop_now_ms(k->loop) && dns_room(k->dns) > 0) {
		daemon_names_ask(k);
		return 0;
	}
	arm_dns(k);
	arm_ask(k);
	return 0;
}

static int on_dns_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	return on_dns_io(source, -1, 0, data);
}

static void arm_dns(struct daemon_names *k)
{
	int wait = dns_wait_ms(k->dns);

	loop_arm(k->loop, &k->dns_timer,
		 wait < 0 ? UINT64_MAX : loop_now_ms(k->loop) + (uint64_t)wait, on_dns_timer, k);
}

/* ------------------------------------------------------------------ questions */

/* Too early: the machine has slept, and what DNS said is older than it seems. */
static int on_ask(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_names *k = data;
	uint64_t now_ms = loop_now_ms(k->loop);

	(void)source;
	(void)usec;
	if (names_due(&k->enforcer->names) > now_ms + ASLEEP_MS)
		names_refresh(&k->enforcer->names, now_ms);
	daemon_names_ask(k);
	return 0;
}

/* A question that is due and was not put waits for room. */
static uint64_t room_from_ms(const struct daemon_names *k, uint64_t now_ms)
{
	int wait_ms = dns_room(k->dns) > 0 ? TICK_MS : dns_room_ms(k->dns);

	if (k->ask_from_ms > now_ms)
		return 0; /* there was no time for it */
	return now_ms + (uint64_t)(wait_ms < 0 || wait_ms > TICK_MS ? TICK_MS : wait_ms + 1);
}

/* By a clock that goes on while the machine sleeps. */
static void arm_ask(struct daemon_names *k)
{
	uint64_t due_ms = names_due(&k->enforcer->names), now_ms = loop_now_ms(k->loop);
	uint64_t from_ms = due_ms > now_ms ? 0 : room_from_ms(k, now_ms);
	uint64_t at_ms = due_ms > k->ask_from_ms ? due_ms : k->ask_from_ms;
	uint64_t wait_us;

	at_ms = at_ms > from_ms ? at_ms : from_ms;
	wait_us = at_ms > now_ms ? (at_ms - now_ms) * 1000 : 0;
	if (due_ms == UINT64_MAX)
		k->ask_timer = sd_event_source_disable_unref(k->ask_timer);
	else if (!k->ask_timer)
		sd_event_add_time_relative(loop_event(k->loop), &k->ask_timer, CLOCK_BOOTTIME,
					   wait_us, LOOP_ACCURACY_US, on_ask, k);
	else if (sd_event_source_set_time_relative(k->ask_timer, wait_us) >= 0)
		sd_event_source_set_enabled(k->ask_timer, SD_EVENT_ONESHOT);
}

/* Names of /etc/hosts are answered whatever the servers do; those that have come or gone there at once. */
static void find_local(struct daemon_names *k, bool changed)
{
	struct names *names = &k->enforcer->names;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		bool local = dns_is_local(k->dns, name->name);

		if (changed && (local || name->local))
			name_due(names, name, loop_now_ms(k->loop));
		name->local = local;
	}
	names->configured = false;
}

static enum names_room find_room(const struct daemon_names *k)
{
	if (dns_room(k->dns) == 0)
		return NAMES_FULL;
	return dns_scarce(k->dns) ? NAMES_SCARCE : NAMES_FREE;
}

/* Once it has lasted, and once when it is over. */
static void tell_servers(struct daemon_names *k)
{
	struct buf text = { 0 };

	dns_trouble(k->dns, &text);
	if (text.len == 0) {
		if (k->trouble_ticks >= TROUBLE_TICKS)
			log_info("DNS: the name servers answer again");
		k->trouble_ticks = 0;
	} else if (k->trouble_ticks <= TROUBLE_TICKS && ++k->trouble_ticks == TROUBLE_TICKS) {
		log_warning("DNS: %s; names keep their addresses", buf_str(&text));
	}
	buf_free(&text);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_names *k = data;

	(void)source;
	(void)usec;
	tell_servers(k);
	daemon_names_ask(k);
	loop_post(k->loop, NOTE_SETTLED);
	return 0;
}

size_t daemon_names_servers(const struct daemon_names *k, struct ipaddr *ret_servers, size_t max)
{
	return dns_servers(k->dns, ret_servers, max);
}

static void tell_other_servers(struct daemon_names *k)
{
	struct ipaddr servers[SERVERS_MAX] = { 0 };
	size_t n = dns_servers(k->dns, servers, SERVERS_MAX);
	bool same = n == k->n_servers;

	for (size_t i = 0; same && i < n; i++)
		same = ipaddr_cmp(&servers[i], &k->servers[i]) == 0;
	if (same)
		return;
	memcpy(k->servers, servers, sizeof(servers));
	k->n_servers = n;
	loop_post(k->loop, NOTE_SERVERS);
}

void daemon_names_ask(struct daemon_names *k)
{
	bool changed = dns_follow(k->dns);
	enum family family;
	const char *name;
	uint64_t end_ms = monotonic_ms() + ASK_SLICE_MS;

	tell_other_servers(k);
	if (changed || k->enforcer->names.configured)
		find_local(k, changed);
	if (names_vouch(&k->enforcer->names, loop_now_ms(k->loop)))
		sets_soon(k);
	/* Addresses whose time is up leave the sets of the plan, too. */
	if (names_expire(&k->enforcer->names, loop_now_ms(k->loop)))
		sets_soon(k);
	while (monotonic_ms() < end_ms &&
	       (name = names_take_due(&k->enforcer->names, loop_now_ms(k->loop), find_room(k),
				      &k->ask_cursor, &family)))
		dns_ask(k->dns, name, family);
	if (monotonic_ms() >= end_ms)
		k->ask_from_ms = loop_now_ms(k->loop) + 2 * ASK_SLICE_MS;
	arm_dns(k);
	arm_ask(k);
	loop_arm(k->loop, &k->tick_timer, loop_now_ms(k->loop) + TICK_MS, on_tick, k);
}

bool daemon_names_settled(const struct daemon_names *k, uint64_t until_ms)
{
	return !k->answers_waiting &&
	       !names_asking(&k->enforcer->names, until_ms, loop_now_ms(k->loop));
}

void daemon_names_told(struct daemon_names *k)
{
	k->told_alarms = count_alarms(k);
}

char *daemon_names_trouble(const struct daemon_names *k)
{
	struct buf text = { 0 };

	dns_trouble(k->dns, &text);
	return text.len > 0 ? buf_steal(&text) : NULL;
}

/* ------------------------------------------------------------------ start and stop */

int daemon_names_open(struct loop *loop, struct enforcer *enforcer, struct daemon_names **ret_names,
		      struct err *err)
{
	struct daemon_names *k = xcalloc(1, sizeof(*k));
	int r;

	k->loop = loop;
	k->enforcer = enforcer;
	r = dns_open(DNS_TIMEOUT_MS, on_answer, k, &k->dns, err);
	if (r >= 0) {
		r = sd_event_add_io(loop_event(loop), &k->dns_io, dns_fd(k->dns), EPOLLIN,
				    on_dns_io, k);
		if (r < 0)
			err_errno(err, -r, "watch the resolver");
	}
	if (r < 0)
		daemon_names_close(k);
	else
		*ret_names = k;
	return r;
}

void daemon_names_close(struct daemon_names *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->dns_io);
	sd_event_source_disable_unref(k->dns_timer);
	sd_event_source_disable_unref(k->ask_timer);
	sd_event_source_disable_unref(k->tick_timer);
	sd_event_source_disable_unref(k->sets_timer);
	dns_close(k->dns);
	free(k);
}
