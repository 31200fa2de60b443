/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * ask_timer fires when the next name is due; its question goes to the resolver, if that has room for it: names
 * that are due queue up in names.c, which knows whose turn it is, and not in the resolver. Answers only change
 * what we know of the name; sets_timer, a moment after the first of them, gives the kernel all of it
 * in one transaction. tick_timer looks every second whether /etc/hosts or resolv.conf has changed.
 */
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/daemon/daemon.h"

#include <sys/epoll.h>

#include "dockside/names/alarms.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define DNS_TIMEOUT_MS 4000
#define COLLECT_MS 20	/* answers come in bunches */
#define ASK_SLICE_MS 20 /* then others have their turn for as long */
#define TICK_MS 1000
#define TROUBLE_TICKS 10 /* a server is in trouble for so long before the log has it */
#define ASLEEP_MS 1000	 /* what counts as sleep of the machine */

static void arm_dns(struct daemon *d);
static void arm_ask(struct daemon *d);

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
static void tell_refused(struct daemon *d, struct name *name)
{
	for (size_t i = 0; i < name->n_addrs; i++) {
		struct known_addr *known = &name->addrs[i];
		struct buf b = { 0 };

		if (!known->never || known->told ||
		    !never_opens_name(&d->enforcer.running->policy, name->name))
			continue;
		known->told = true;
		never_tell(&d->enforcer.never, name->name, &known->addr, &b);
		log_warning("%s", buf_str(&b));
		buf_free(&b);
	}
}

/* One line when a name begins to fail and one when it is back, not one per answer; and not before
 * both families have answered, as mostly what one says the other says too. */
static void tell_trouble(struct daemon *d)
{
	struct names *names = &d->enforcer.names;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		unsigned trouble = name_trouble(name);

		if (name_asking(name) || trouble == name->told)
			continue;
		log_trouble(name, trouble);
		name->told = trouble;
	}
	for (size_t i = 0; i < names->n; i++)
		tell_refused(d, &names->items[i]);
	if (alarms_tell(&d->enforcer.running->policy, names, NULL, NULL) != d->told_alarms)
		loop_post(d->loop, NOTE_STATUS);
}

/* ------------------------------------------------------------------ answers to sets */

static int on_sets(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;
	struct err err = { 0 };

	(void)source;
	(void)usec;
	d->answers_waiting = false;
	tell_trouble(d);
	if (enforcer_names(&d->enforcer, d->answers_since_ms, loop_now_ms(d->loop), &err) < 0) {
		log_error("update sets: %s; comparing everything", err.text);
		daemon_repair_soon(d, "an update of the sets failed");
	}
	err_free(&err);
	loop_post(d->loop, NOTE_SETTLED);
	return 0;
}

static void sets_soon(struct daemon *d)
{
	uint64_t now_ms = loop_now_ms(d->loop);

	if (d->answers_waiting)
		return;
	d->answers_waiting = true;
	d->answers_since_ms = now_ms;
	loop_arm(d->loop, &d->sets_timer, now_ms + COLLECT_MS, on_sets, d);
}

void daemon_names_changed(struct daemon *d)
{
	sets_soon(d);
}

static void on_answer(void *data, const struct answer *answer)
{
	struct daemon *d = data;

	enforcer_answer(&d->enforcer, answer, loop_now_ms(d->loop));
	sets_soon(d); /* also for a name no longer configured: somebody may wait for it */
}

/* ------------------------------------------------------------------ the resolver */

static int on_dns_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)fd;
	(void)revents;
	dns_process(d->dns);
	if (names_due(&d->enforcer.names) <= loop_now_ms(d->loop) && dns_room(d->dns) > 0) {
		daemon_names_ask(d);
		return 0;
	}
	arm_dns(d);
	arm_ask(d);
	return 0;
}

static int on_dns_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	return on_dns_io(source, -1, 0, data);
}

static void arm_dns(struct daemon *d)
{
	int wait = dns_wait_ms(d->dns);

	loop_arm(d->loop, &d->dns_timer,
		 wait < 0 ? UINT64_MAX : loop_now_ms(d->loop) + (uint64_t)wait, on_dns_timer, d);
}

/* ------------------------------------------------------------------ questions */

/* Too early: the machine has slept, and what DNS said is older than it seems. */
static int on_ask(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;
	uint64_t now_ms = loop_now_ms(d->loop);

	(void)source;
	(void)usec;
	if (names_due(&d->enforcer.names) > now_ms + ASLEEP_MS)
		names_refresh(&d->enforcer.names, now_ms);
	daemon_names_ask(d);
	return 0;
}

/* What is due and was not put waits for room. */
static uint64_t room_from_ms(const struct daemon *d, uint64_t now_ms)
{
	int wait_ms = dns_room(d->dns) > 0 ? TICK_MS : dns_room_ms(d->dns);

	if (d->ask_from_ms > now_ms)
		return 0; /* there was no time for it */
	return now_ms + (uint64_t)(wait_ms < 0 || wait_ms > TICK_MS ? TICK_MS : wait_ms + 1);
}

/* By a clock that goes on while the machine sleeps. */
static void arm_ask(struct daemon *d)
{
	uint64_t due_ms = names_due(&d->enforcer.names), now_ms = loop_now_ms(d->loop);
	uint64_t from_ms = due_ms > now_ms ? 0 : room_from_ms(d, now_ms);
	uint64_t at_ms = due_ms > d->ask_from_ms ? due_ms : d->ask_from_ms;
	uint64_t wait_us;

	at_ms = at_ms > from_ms ? at_ms : from_ms;
	wait_us = at_ms > now_ms ? (at_ms - now_ms) * 1000 : 0;
	if (due_ms == UINT64_MAX)
		d->ask_timer = sd_event_source_disable_unref(d->ask_timer);
	else if (!d->ask_timer)
		sd_event_add_time_relative(loop_event(d->loop), &d->ask_timer, CLOCK_BOOTTIME,
					   wait_us, LOOP_ACCURACY_US, on_ask, d);
	else if (sd_event_source_set_time_relative(d->ask_timer, wait_us) >= 0)
		sd_event_source_set_enabled(d->ask_timer, SD_EVENT_ONESHOT);
}

/* Names of /etc/hosts are answered whatever the servers do; those that have come or gone there at once. */
static void find_local(struct daemon *d, bool changed)
{
	struct names *names = &d->enforcer.names;

	for (size_t i = 0; i < names->n; i++) {
		struct name *name = &names->items[i];
		bool local = dns_is_local(d->dns, name->name);

		if (changed && (local || name->local))
			name_due(names, name, loop_now_ms(d->loop));
		name->local = local;
	}
	names->configured = false;
}

static enum names_room find_room(const struct daemon *d)
{
	if (dns_room(d->dns) == 0)
		return NAMES_FULL;
	return dns_scarce(d->dns) ? NAMES_SCARCE : NAMES_FREE;
}

/* Once it has lasted, and once when it is over. */
static void tell_servers(struct daemon *d)
{
	struct buf text = { 0 };

	dns_trouble(d->dns, &text);
	if (text.len == 0) {
		if (d->dns_trouble_ticks >= TROUBLE_TICKS)
			log_info("DNS: the name servers answer again");
		d->dns_trouble_ticks = 0;
	} else if (d->dns_trouble_ticks <= TROUBLE_TICKS &&
		   ++d->dns_trouble_ticks == TROUBLE_TICKS) {
		log_warning("DNS: %s; names keep their addresses", buf_str(&text));
	}
	buf_free(&text);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)usec;
	tell_servers(d);
	daemon_names_ask(d);
	loop_post(d->loop, NOTE_SETTLED);
	return 0;
}

void daemon_names_ask(struct daemon *d)
{
	bool changed = dns_follow(d->dns);
	enum family family;
	const char *name;
	uint64_t end_ms = monotonic_ms() + ASK_SLICE_MS;

	if (changed || d->enforcer.names.configured)
		find_local(d, changed);
	if (names_vouch(&d->enforcer.names, loop_now_ms(d->loop)))
		sets_soon(d);
	/* Addresses whose time is up leave the sets of the plan, too. */
	if (names_expire(&d->enforcer.names, loop_now_ms(d->loop)))
		sets_soon(d);
	while (monotonic_ms() < end_ms &&
	       (name = names_take_due(&d->enforcer.names, loop_now_ms(d->loop), find_room(d),
				      &d->ask_cursor, &family)))
		dns_ask(d->dns, name, family);
	if (monotonic_ms() >= end_ms)
		d->ask_from_ms = loop_now_ms(d->loop) + 2 * ASK_SLICE_MS;
	arm_dns(d);
	arm_ask(d);
	loop_arm(d->loop, &d->tick_timer, loop_now_ms(d->loop) + TICK_MS, on_tick, d);
}

bool daemon_names_settled(const struct daemon *d, uint64_t until_ms)
{
	return !d->answers_waiting &&
	       !names_asking(&d->enforcer.names, until_ms, loop_now_ms(d->loop));
}

int daemon_names_start(struct daemon *d, struct err *err)
{
	int r = dns_open(DNS_TIMEOUT_MS, on_answer, d, &d->dns, err);

	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(d->loop), &d->dns_io, dns_fd(d->dns), EPOLLIN, on_dns_io, d);
	return r < 0 ? err_errno(err, -r, "watch the resolver") : 0;
}

void daemon_names_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->dns_io);
	sd_event_source_disable_unref(d->dns_timer);
	sd_event_source_disable_unref(d->ask_timer);
	sd_event_source_disable_unref(d->tick_timer);
	sd_event_source_disable_unref(d->sets_timer);
	dns_close(d->dns);
}
