/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel reports of each transaction who made it and what it touched. We know our own by the
 * number of our process in the kernel's own numbering, which the first transaction of our set
 * socket tells us. After any other that touches one of our tables we compare everything, and put back the
 * differences: at once, unless there have been too many of late (repair_limit.h). After one that
 * touches only Docker's tables we look at the shim, which has a limit of its own: those who change Docker's tables
 * all the time do not make us slow where packets pass. Connections that were opened while the table
 * was gone end after the repair (daemon_unjudged.c).
 */
#include "daemon_repair.h"

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/repair_limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dockside/enforce/told.h"
#include "dockside/kernel/nft_events.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"

#define DAMAGE_MAX 400 /* bytes of description kept */
#define RETRY_MS 5000  /* after a repair that failed */
#define CATCH_UP_MAX 8 /* times some megabytes of events: others in the event loop wait */

struct daemon_repair {
	struct loop *loop;
	struct enforcer *enforcer;
	struct nft_events *events;
	sd_event_source *io, *timer;
	struct repair_limit tables, shim; /* shim: where nothing else was touched */
	uint32_t own_pid; /* as the kernel sees it; 0 until one of our transactions told */
	bool waiting;
	bool table;    /* not the shim alone */
	char *trouble; /* why the last repair failed; NULL: it did not */
	bool last;     /* nobody will try again */
	uint64_t at_ms;
	bool opened;  /* since the last repair packets may have passed that nobody judged */
	bool emptied; /* since then sets may have lost what the DNS gate has told */
	bool filled;  /* since then somebody else may have put into them what it has not told */
	struct buf damage; /* what was seen missing since the last repair */
	char *last_damage; /* what the last repair found */
	uint64_t unix_ms;  /* when it was made */
};

/* The tables that we look after as a whole. */
static const enum watched our_tables[N_TABLES] = {
	[TABLE_INET] = WATCHED_DOCKSIDE,
	[TABLE_BRIDGE] = WATCHED_BRIDGE,
};

static bool is_our_table(enum watched table)
{
	return table == WATCHED_DOCKSIDE || table == WATCHED_BRIDGE;
}

static void describe_tables(struct buf *b, const struct nft_transaction *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(our_tables); i++) {
		const char *name = table_text((enum table_family)i);

		if (t->tables[our_tables[i]] & TOUCH_DELETED)
			buf_printf(b, " deleted the table %s", name);
		else if (t->tables[our_tables[i]] & TOUCH_DECLARED)
			buf_printf(b, " declared the table anew, %s", name);
	}
}

static void describe(struct buf *b, const struct nft_transaction *t)
{
	static const char *const kinds[] = { "chain", "set", "object" };
	static const char *const tables[N_WATCHED] = {
		[WATCHED_FILTER4] = " of ip filter",
		[WATCHED_FILTER6] = " of ip6 filter",
		[WATCHED_BRIDGE] = " of bridge dockside",
	};

	if (b->len > DAMAGE_MAX)
		return;
	buf_printf(b, "%s%s (pid %u)", b->len > 0 ? "; " : "",
		   t->process[0] ? t->process : "a process", t->pid);
	describe_tables(b, t);
	for (size_t i = 0; i < t->n_touched; i++) {
		const struct touched *touched = &t->touched[i];

		if (is_our_table(touched->table) && t->tables[touched->table] & TOUCH_DELETED)
			continue; /* that says all */
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

static void repair_at(struct daemon_repair *k, uint64_t at_ms)
{
	if (k->waiting && k->at_ms <= at_ms)
		return;
	k->waiting = true;
	k->at_ms = at_ms;
	loop_arm(k->loop, &k->timer, at_ms, on_repair, k);
}

/* Everything, or the shim alone if nothing else was touched: Docker touches its tables all the
 * time. */
static int put_right(struct daemon_repair *k, uint64_t now_ms, struct reconcile_result *ret_result,
		     struct err *err)
{
	unsigned was_accept = k->enforcer->running->plan.forward_was_accept;
	struct reconcile_result table;
	int r;

	*ret_result = (struct reconcile_result){ 0 };
	if (k->table)
		return enforcer_again(k->enforcer, now_ms, ret_result, err);
	r = enforcer_shim(k->enforcer, &ret_result->shim, err);
	/* That we have changed a FORWARD policy is to be on record in our table. */
	if (r >= 0 && k->enforcer->running->plan.forward_was_accept != was_accept)
		r = enforcer_again(k->enforcer, now_ms, &table, err);
	ret_result->changed = ret_result->shim;
	return r;
}

static void log_repair(const struct daemon_repair *k, const struct reconcile_result *result)
{
	const char *damage = k->damage.len > 0 ? k->last_damage : "the ruleset differed";

	if (result->n_chains + result->n_sets + result->n_elems + result->n_objects == 0)
		log_warning("%s; put back the shim in Docker's tables", damage);
	else
		log_warning("%s; put back %zu chains, %zu sets, %zu elements, %zu objects%s",
			    damage, result->n_chains, result->n_sets, result->n_elems,
			    result->n_objects, result->shim ? ", the shim in Docker's tables" : "");
}

/* NULL: none. */
static void note_trouble(struct daemon_repair *k, const char *trouble)
{
	if (!trouble && !k->trouble)
		return;
	free(k->trouble);
	k->trouble = trouble ? xstrdup(trouble) : NULL;
	loop_post(k->loop, NOTE_STATUS);
}

static void repair(struct daemon_repair *k)
{
	struct repair_limit *limit = k->table ? &k->tables : &k->shim;
	uint64_t now_ms = loop_now_ms(k->loop);
	struct reconcile_result result;
	struct err err = { 0 };

	k->waiting = false;
	sd_event_source_set_enabled(k->io, SD_EVENT_ON);
	if (!k->enforcer->running)
		return;
	if (put_right(k, now_ms, &result, &err) < 0) {
		if (k->last)
			log_error("repair: %s; stopping without it", err.text);
		else
			log_error("repair: %s; trying again in %d s", err.text, RETRY_MS / 1000);
		note_trouble(k, err.text);
		err_free(&err);
		repair_at(k, now_ms + RETRY_MS);
		return;
	}
	note_trouble(k, NULL);
	if (repair_limit_limited(limit, now_ms))
		loop_post(k->loop, NOTE_STATUS); /* it was overdue */
	if (k->opened || (k->table && result.n_chains + result.n_sets > 0))
		loop_post(k->loop, NOTE_OPENED);
	if (k->filled)
		loop_post(k->loop, NOTE_FILLED);
	else if (k->emptied || (k->table && result.n_sets > 0))
		loop_post(k->loop, NOTE_TOLD);
	k->opened = k->emptied = k->filled = false;
	k->table = false;
	if (!result.changed) {
		buf_reset(&k->damage);
		return;
	}
	repair_limit_note(limit, now_ms);
	k->unix_ms = unix_ms();
	free(k->last_damage);
	k->last_damage = xstrdup(buf_str(&k->damage));
	log_repair(k, &result);
	if (repair_limit_limited(limit, now_ms))
		log_error("somebody keeps changing %s: %llu repairs by now, and from now on "
			  "at most one every %d s",
			  limit == &k->tables ? "our tables" : "the shim in Docker's tables",
			  (unsigned long long)limit->total, REPAIR_LIMIT_SLOW_MS / 1000);
	buf_reset(&k->damage);
	loop_post(k->loop, NOTE_STATUS);
}

static int on_repair(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_repair *k = data;

	(void)source;
	(void)usec;
	if (k->waiting)
		repair(k);
	return 0;
}

/* Nobody knows where: everything is looked at. */
static void note_damage(struct daemon_repair *k, const char *what)
{
	k->table = true;
	if (k->damage.len < DAMAGE_MAX)
		buf_printf(&k->damage, "%s%s", k->damage.len > 0 ? "; " : "", what);
}

/* Our tables were touched, and it is too soon for the repair. */
static bool is_overdue(const struct daemon_repair *k)
{
	return k->waiting && k->table && k->at_ms > loop_now_ms(k->loop);
}

static void repair_soon(struct daemon_repair *k)
{
	repair_at(k, repair_limit_when(k->table ? &k->tables : &k->shim, loop_now_ms(k->loop)));
}

void daemon_repair_soon(struct daemon_repair *k, const char *why)
{
	note_damage(k, why);
	repair_soon(k);
}

static bool is_ours(struct daemon_repair *k, const struct nft_transaction *t)
{
	if (t->portid == nft_sets_portid(k->enforcer->sets)) {
		k->own_pid = t->pid;
		return true;
	}
	return k->own_pid != 0 && t->pid == k->own_pid;
}

static bool touches_shim(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_FILTER4] != 0 || t->tables[WATCHED_FILTER6] != 0)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (!is_our_table(t->touched[i].table))
			return true;
	return false;
}

static bool touches_our_tables(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_DOCKSIDE] != 0 || t->tables[WATCHED_BRIDGE] != 0 || t->overflow)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (is_our_table(t->touched[i].table))
			return true;
	return false;
}

/*
 * Whether packets may have passed since then without the judgement of our rules. The objects that
 * the transaction touched decide, not those that the repair finds: a reload may have put them back
 * before.
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

/* Elements that packets put into a set and that run out are no events: somebody else has taken these. */
static bool empties(const struct nft_transaction *t)
{
	if (t->tables[WATCHED_DOCKSIDE] & TOUCH_DELETED || t->overflow)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (t->touched[i].table == WATCHED_DOCKSIDE && t->touched[i].kind == TOUCHED_SET &&
		    told_is_set(t->touched[i].name))
			return true;
	return false;
}

/* As who puts back a ruleset that he has kept: it may have addresses of names that have left since. */
static bool fills(const struct nft_transaction *t)
{
	if (t->overflow && t->tables[WATCHED_DOCKSIDE] & TOUCH_DECLARED)
		return true;
	for (size_t i = 0; i < t->n_touched; i++)
		if (t->touched[i].table == WATCHED_DOCKSIDE && t->touched[i].kind == TOUCHED_SET &&
		    t->touched[i].how & TOUCH_ADDED_TO && told_is_set(t->touched[i].name))
			return true;
	return false;
}

static enum deed deed_of(const struct daemon_repair *k, const struct nft_transaction *t)
{
	if (t->portid == nft_sets_portid(k->enforcer->sets))
		return DEED_NOTED;
	return touches_our_tables(t) ? DEED_UNKNOWN : DEED_NOTHING;
}

static void on_transaction(void *data, const struct nft_transaction *t)
{
	bool table = touches_our_tables(t);
	struct daemon_repair *k = data;

	known_transaction(&k->enforcer->known, t->genid, deed_of(k, t));
	if (is_ours(k, t) || (!table && !touches_shim(t)))
		return;
	k->table |= table;
	k->opened |= opens(t);
	k->emptied |= empties(t);
	k->filled |= fills(t);
	describe(&k->damage, t);
	repair_soon(k);
	if (is_overdue(k))
		loop_post(k->loop, NOTE_STATUS);
}

/* Returns whether there may be more. */
static bool read_events(struct daemon_repair *k)
{
	struct nft_events_state state = { 0 };
	struct err err = { 0 };
	int r = nft_events_read(k->events, on_transaction, k, &state, &err);

	k->emptied |= r < 0 || state.lost;
	if (r < 0 || state.lost)
		known_end(&k->enforcer->known);
	if (r < 0) {
		/* Until then: what cannot be read stays there, and nobody else would have a turn. */
		sd_event_source_set_enabled(k->io, SD_EVENT_OFF);
		log_error("%s; comparing everything", err.text);
		note_damage(k, "the kernel's events could not be read");
		repair_at(k, loop_now_ms(k->loop) + RETRY_MS);
	} else if (state.lost && !state.more) {
		daemon_repair_soon(k, "events were lost");
	}
	err_free(&err);
	return state.more;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_repair *k = data;

	(void)source;
	(void)fd;
	(void)revents;
	/* Not by the timer, which comes up to a millisecond late: the network is open meanwhile. */
	if (!read_events(k) && k->waiting && k->at_ms <= loop_now_ms(k->loop))
		repair(k);
	return 0;
}

void daemon_repair_catch_up(struct daemon_repair *k)
{
	for (int i = 0; i < CATCH_UP_MAX && read_events(k); i++)
		;
}

void daemon_repair_last(struct daemon_repair *k)
{
	k->last = true;
	daemon_repair_catch_up(k);
	if (k->waiting)
		repair(k);
}

struct repair_state daemon_repair_state(const struct daemon_repair *k)
{
	uint64_t now_ms = loop_now_ms(k->loop), shim_ms = 0;
	struct repair_state state = {
		.n = k->tables.total + k->shim.total,
		.unix_ms = k->unix_ms,
		.limited = repair_limit_limited(&k->tables, now_ms) ||
			   repair_limit_limited(&k->shim, now_ms),
		.waiting = k->waiting,
		.doubtful = k->trouble || is_overdue(k),
		.trouble = k->trouble,
		.damage = k->last_damage,
	};

	repair_limit_last(&k->tables, &state.last_ms);
	if (repair_limit_last(&k->shim, &shim_ms) && shim_ms > state.last_ms)
		state.last_ms = shim_ms;
	return state;
}

static int watch(struct daemon_repair *k, struct err *err)
{
	int r = nft_events_open(&k->events, err);

	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(k->loop), &k->io, nft_events_fd(k->events), EPOLLIN,
			    on_events, k);
	/* Before names and clients: an open network is the worst that can wait. */
	if (r >= 0)
		r = sd_event_source_set_priority(k->io, SD_EVENT_PRIORITY_IMPORTANT);
	return r < 0 ? err_errno(err, -r, "watch the ruleset") : 0;
}

int daemon_repair_open(struct loop *loop, struct enforcer *enforcer,
		       struct daemon_repair **ret_repair, struct err *err)
{
	struct daemon_repair *k = xcalloc(1, sizeof(*k));
	int r;

	k->loop = loop;
	k->enforcer = enforcer;
	r = watch(k, err);
	if (r < 0)
		daemon_repair_close(k);
	else
		*ret_repair = k;
	return r;
}

void daemon_repair_close(struct daemon_repair *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->io);
	sd_event_source_disable_unref(k->timer);
	nft_events_close(k->events);
	buf_free(&k->damage);
	free(k->trouble);
	free(k->last_damage);
	free(k);
}
