/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel tells of each transaction who made it and what it touched. Ours are known by the
 * process, whose number in the kernel's own numbering the first transaction of our set socket
 * tells. Any other that touches our table is followed by a comparison of everything, which puts
 * back what differs: at once, unless there have been too many of late (repair_limit.h). One that touches
 * only Docker's tables is followed by a look at the shim. Connections that were opened while the table was
 * gone end after the repair (daemon_unjudged.c).
 */
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define DAMAGE_MAX 400 /* bytes of description kept */
#define RETRY_MS 5000  /* after a repair that failed */
#define CATCH_UP_MAX 8 /* times some megabytes of events: others in the event loop wait */

static void describe(struct buf *b, const struct nft_transaction *t)
{
	static const char *const kinds[] = { "chain", "set", "object" };
	static const char *const tables[N_WATCHED] = {
		[WATCHED_FILTER4] = " of ip filter",
		[WATCHED_FILTER6] = " of ip6 filter",
	};
	unsigned table = t->tables[WATCHED_DOCKSIDE];

	if (b->len > DAMAGE_MAX)
		return;
	buf_printf(b, "%s%s (pid %u)", b->len > 0 ? "; " : "",
		   t->process[0] ? t->process : "a process", t->pid);
	if (table & TOUCH_DELETED)
		buf_puts(b, " deleted the table");
	else if (table & TOUCH_DECLARED)
		buf_puts(b, " declared the table anew");
	for (size_t i = 0; !(table & TOUCH_DELETED) && i < t->n_touched; i++) {
		const struct touched *touched = &t->touched[i];

		if (b->len > DAMAGE_MAX) {
			buf_puts(b, ", …");
			break;
		}
		buf_printf(b, " %s %s ", touched->how & TOUCH_DELETED ? "deleted" : "changed",
			   kinds[touched->kind]);
		quote_found(b, touched->name, strlen(touched->name));
		if (tables[touched->table])
			buf_puts(b, tables[touched->table]);
	}
}

static int on_repair(sd_event_source *source, uint64_t usec, void *data);

static void repair_at(struct daemon *d, uint64_t at_ms)
{
	if (d->repair_waiting && d->repair_at_ms <= at_ms)
		return;
	d->repair_waiting = true;
	d->repair_at_ms = at_ms;
	loop_arm(d->loop, &d->repair_timer, at_ms, on_repair, d);
}

/* Everything, or the shim alone if nothing else was touched: that is what Docker does all the time. */
static int put_right(struct daemon *d, uint64_t now_ms, struct reconcile_result *ret_result,
		     struct err *err)
{
	unsigned was_accept = d->enforcer.running->plan.forward_was_accept;
	struct reconcile_result table;
	int r;

	*ret_result = (struct reconcile_result){ 0 };
	if (d->repair_table)
		return enforcer_again(&d->enforcer, now_ms, ret_result, err);
	r = enforcer_shim(&d->enforcer, &ret_result->shim, err);
	/* That we have changed a FORWARD policy is to be on record in our table. */
	if (r >= 0 && d->enforcer.running->plan.forward_was_accept != was_accept)
		r = enforcer_again(&d->enforcer, now_ms, &table, err);
	ret_result->changed = ret_result->shim;
	return r;
}

static void log_repair(const struct daemon *d, const struct reconcile_result *result)
{
	const char *damage = d->damage.len > 0 ? d->last_damage : "the ruleset differed";

	if (result->n_chains + result->n_sets + result->n_elems + result->n_objects == 0)
		log_warning("%s; put back the shim in Docker's tables", damage);
	else
		log_warning("%s; put back %zu chains, %zu sets, %zu elements, %zu objects%s",
			    damage, result->n_chains, result->n_sets, result->n_elems,
			    result->n_objects, result->shim ? ", the shim in Docker's tables" : "");
}

static void note_failure(struct daemon *d, bool failed)
{
	if (failed == d->repair_failed)
		return;
	d->repair_failed = failed;
	loop_post(d->loop, NOTE_STATUS);
}

static void repair(struct daemon *d)
{
	uint64_t now_ms = loop_now_ms(d->loop);
	struct reconcile_result result;
	struct err err = { 0 };

	d->repair_waiting = false;
	sd_event_source_set_enabled(d->events_io, SD_EVENT_ON);
	if (!d->enforcer.running)
		return;
	if (put_right(d, now_ms, &result, &err) < 0) {
		if (d->stopping)
			log_error("repair: %s; stopping without it", err.text);
		else
			log_error("repair: %s; trying again in %d s", err.text, RETRY_MS / 1000);
		err_free(&err);
		note_failure(d, true);
		repair_at(d, now_ms + RETRY_MS);
		return;
	}
	note_failure(d, false);
	if (d->opened || (d->repair_table && result.n_chains + result.n_sets > 0))
		daemon_unjudged_end(d->unjudged);
	d->opened = false;
	d->repair_table = false;
	if (!result.changed) {
		buf_reset(&d->damage);
		return;
	}
	if (result.n_objects > 0)
		daemon_denied_count(d);
	repair_limit_note(&d->repairs, now_ms);
	d->repair_unix_ms = unix_ms();
	free(d->last_damage);
	d->last_damage = xstrdup(buf_str(&d->damage));
	log_repair(d, &result);
	if (repair_limit_limited(&d->repairs, now_ms))
		log_error("somebody keeps changing our table: %llu repairs by now, and from now on "
			  "at most one every %d s",
			  (unsigned long long)d->repairs.total, REPAIR_LIMIT_SLOW_MS / 1000);
	buf_reset(&d->damage);
	loop_post(d->loop, NOTE_STATUS);
}

static int on_repair(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)usec;
	if (d->repair_waiting)
		repair(d);
	return 0;
}

/* Nobody knows where: everything is looked at. */
static void note_damage(struct daemon *d, const char *what)
{
	d->repair_table = true;
	if (d->damage.len < DAMAGE_MAX)
		buf_printf(&d->damage, "%s%s", d->damage.len > 0 ? "; " : "", what);
}

void daemon_repair_soon(struct daemon *d, const char *why)
{
	note_damage(d, why);
	repair_at(d, repair_limit_when(&d->repairs, loop_now_ms(d->loop)));
}

static bool is_ours(struct daemon *d, const struct nft_transaction *t)
{
	if (t->portid == nft_sets_portid(d->enforcer.sets)) {
		d->own_pid = t->pid;
		return true;
	}
	return d->own_pid != 0 && t->pid == d->own_pid;
}

static bool touches_shim(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_FILTER4] != 0 || t->tables[WATCHED_FILTER6] != 0)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (t->touched[i].table != WATCHED_DOCKSIDE)
			return true;
	return false;
}

static bool touches_our_table(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_DOCKSIDE] != 0 || t->overflow)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (t->touched[i].table == WATCHED_DOCKSIDE)
			return true;
	return false;
}

/*
 * Whether packets may have passed since then without the judgement of our rules. What was touched decides, not what
 * the repair finds: a reload may have put it back before.
 */
static bool opens(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_DOCKSIDE] != 0 || t->overflow)
		return true;
	for (size_t i = 0; i < t->n_touched; i++) {
		const struct touched *touched = &t->touched[i];

		if (touched->table != WATCHED_DOCKSIDE)
			continue;
		if (touched->kind == TOUCHED_CHAIN ||
		    (touched->kind == TOUCHED_SET && strncmp(touched->name, "dispatch", 8) == 0))
			return true;
	}
	return false;
}

static enum deed deed_of(const struct daemon *d, const struct nft_transaction *t)
{
	if (t->portid == nft_sets_portid(d->enforcer.sets))
		return DEED_NOTED;
	return touches_our_table(t) ? DEED_UNKNOWN : DEED_NOTHING;
}

static void on_transaction(void *data, const struct nft_transaction *t)
{
	bool table = touches_our_table(t);
	struct daemon *d = data;
	uint64_t now_ms;

	known_transaction(&d->enforcer.trust, t->genid, deed_of(d, t));
	if (is_ours(d, t) || (!table && !touches_shim(t)))
		return;
	now_ms = loop_now_ms(d->loop);
	d->repair_table |= table;
	d->opened |= opens(t);
	describe(&d->damage, t);
	repair_at(d, repair_limit_when(&d->repairs, now_ms));
}

/* Returns whether there may be more. */
static bool read_events(struct daemon *d)
{
	struct nft_events_state state = { 0 };
	struct err err = { 0 };
	int r = nft_events_read(d->events, on_transaction, d, &state, &err);

	if (r < 0 || state.lost)
		known_end(&d->enforcer.trust);
	if (r < 0) {
		/* Until then: what cannot be read stays there, and nobody else would have a turn. */
		sd_event_source_set_enabled(d->events_io, SD_EVENT_OFF);
		log_error("%s; comparing everything", err.text);
		note_damage(d, "the kernel's events could not be read");
		repair_at(d, loop_now_ms(d->loop) + RETRY_MS);
	} else if (state.lost && !state.more) {
		daemon_repair_soon(d, "events were lost");
	}
	err_free(&err);
	return state.more;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)fd;
	(void)revents;
	/* Not by the timer, which comes up to a millisecond late: the network is open meanwhile. */
	if (!read_events(d) && d->repair_waiting && d->repair_at_ms <= loop_now_ms(d->loop))
		repair(d);
	return 0;
}

void daemon_repair_catch_up(struct daemon *d)
{
	for (int i = 0; i < CATCH_UP_MAX && read_events(d); i++)
		;
}

void daemon_repair_last(struct daemon *d)
{
	daemon_repair_catch_up(d);
	if (d->repair_waiting)
		repair(d);
}

struct repair_state daemon_repair_state(const struct daemon *d)
{
	struct repair_state state = {
		.n = d->repairs.total,
		.unix_ms = d->repair_unix_ms,
		.limited = repair_limit_limited(&d->repairs, loop_now_ms(d->loop)),
		.waiting = d->repair_waiting,
		.failed = d->repair_failed,
		.damage = d->last_damage,
	};

	repair_limit_last(&d->repairs, &state.last_ms);
	return state;
}

int daemon_repair_start(struct daemon *d, struct err *err)
{
	int r = nft_events_open(&d->events, err);

	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(d->loop), &d->events_io, nft_events_fd(d->events), EPOLLIN,
			    on_events, d);
	/* Before names and clients: an open network is the worst that can wait. */
	if (r >= 0)
		r = sd_event_source_set_priority(d->events_io, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? err_errno(err, -r, "watch the ruleset") : 0;
}

void daemon_repair_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->events_io);
	sd_event_source_disable_unref(d->repair_timer);
	nft_events_close(d->events);
	buf_free(&d->damage);
	free(d->last_damage);
}
