/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A question goes through steps: the servers one after the other, those that are left alone last, and all of them again
 * in further rounds, each with twice the time of the one before. A step puts the question to its server and waits for a
 * while; then comes the next. A server that fails, refuses or cannot be reached ends its step at once. An earlier
 * server's answer counts as long as the question is open, which is until its deadline: of late answers none is
 * lost, and the first one wins.
 */
#include "dns_question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

#define RETRY_MS 300u  /* after all servers have failed, before they are asked again */
#define NO_ROOM_MS 50u /* before it is tried again whether there is */

/* ------------------------------------------------------------------ its end */

static bool any_open(const struct dns_question *q)
{
	for (size_t i = 0; i < q->all->servers.n; i++)
		if (dns_attempt_is_open(&q->attempts[i]))
			return true;
	return false;
}

void dns_question_close(struct dns_question *q)
{
	for (size_t i = 0; i < q->all->servers.n; i++)
		dns_attempt_close(&q->attempts[i]);
	heap_remove(&q->all->timers, &q->timer);
}

void dns_question_finish(struct dns_question *q, const struct dns_upstream_result *result)
{
	heap_remove(&q->all->timers, &q->timer);
	TAILQ_INSERT_TAIL(&q->all->done, q, entry);
	q->fn(q->data, result); /* whose message may be in a connection */
	dns_question_close(q);
}

void dns_question_fail(struct dns_question *q, enum dns_upstream_status status)
{
	dns_question_finish(q, &(struct dns_upstream_result){ .status = status });
}

void dns_questions_sweep(struct dns_questions *all)
{
	struct dns_question *q;

	while ((q = TAILQ_FIRST(&all->done))) {
		TAILQ_REMOVE(&all->done, q, entry);
		free(q);
	}
	for (size_t i = 0; i < all->servers.n; i++)
		dns_server_sweep(&all->servers.items[i]);
}

/* ------------------------------------------------------------------ steps */

static unsigned count_steps(const struct dns_questions *all)
{
	return all->servers.rounds * (unsigned)all->servers.n;
}

static unsigned step_ms(const struct dns_question *q)
{
	return q->all->servers.try_ms << (q->step / q->all->servers.n);
}

static void set_next(struct dns_question *q, uint64_t next_ms)
{
	q->next_ms = next_ms;
	heap_put(&q->all->timers, &q->timer, next_ms < q->until_ms ? next_ms : q->until_ms);
}

bool dns_no_resources(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -ENOSPC ||
	       r == -EAGAIN;
}

/* Puts the question to a server, perhaps again. Returns 0 or -errno; -EBUSY: not now. */
static int put(struct dns_question *q, size_t server, uint64_t now_ms)
{
	struct dns_questions *all = q->all;
	struct dns_attempt *a = &q->attempts[server];
	int r;

	if (now_ms < all->sockets_ms && !dns_attempt_is_open(a))
		return -EBUSY;
	r = dns_attempt_put(a, &q->asked, &all->random, now_ms);
	if (dns_no_resources(r)) {
		all->sockets_ms = now_ms + NO_ROOM_MS;
		return -EBUSY;
	}
	return r;
}

bool dns_questions_give_up(const struct dns_questions *all)
{
	return all->paced;
}

bool dns_question_step(struct dns_question *q, uint64_t now_ms)
{
	struct dns_questions *all = q->all;

	for (; q->step < count_steps(all); q->step++) {
		size_t server = q->order[q->step % all->servers.n];
		int r;

		if (q->gone[server])
			continue;
		r = put(q, server, now_ms);
		if (r == -EBUSY && !any_open(q)) {
			set_next(q, now_ms + NO_ROOM_MS);
			return true;
		}
		if (r == 0 || r == -EBUSY) {
			set_next(q, now_ms + step_ms(q));
			q->step++;
			return true;
		}
		dns_attempt_close(&q->attempts[server]);
		if (q->step < all->servers.n) /* the next rounds come at once: it is one failure */
			dns_server_broken(&all->servers.items[server], strerrordesc_np(-r), now_ms);
		q->gone[server] = dns_questions_give_up(all);
		q->failure = DNS_UPSTREAM_UNREACHABLE;
	}
	set_next(q, UINT64_MAX);
	return any_open(q);
}

/* The number of the server that was asked last. */
static size_t last_asked(const struct dns_question *q)
{
	size_t n = q->all->servers.n;

	return q->order[(q->step + n - 1) % n];
}

/* The time of the last step is up. */
static bool on_step(struct dns_question *q, uint64_t now_ms)
{
	struct dns_attempt *last = &q->attempts[last_asked(q)];

	if (q->step > 0 && dns_attempt_is_open(last)) {
		dns_server_outcome(last->server, DNS_PACE_SILENT, "it does not answer",
				   last->asked_ms, now_ms);
		dns_attempt_give_up_case(last);
	}
	return dns_question_step(q, now_ms);
}

void dns_questions_time(struct dns_questions *all, uint64_t now_ms)
{
	struct dns_question *q;

	while ((q = (struct dns_question *)heap_first(&all->timers)) && q->timer.key <= now_ms) {
		if (q->until_ms <= now_ms)
			dns_question_fail(q, any_open(q) ? DNS_UPSTREAM_SILENCE : q->failure);
		else if (!on_step(q, now_ms))
			dns_question_fail(q, q->failure);
	}
}

void dns_question_failed(struct dns_question *q, struct dns_attempt *a,
			 enum dns_upstream_status why, uint64_t now_ms)
{
	struct dns_questions *all = q->all;
	size_t server = (size_t)(a - q->attempts);
	bool is_last = server == last_asked(q), round_ends = q->step % all->servers.n == 0;
	uint64_t at_ms = now_ms;

	dns_attempt_close(a);
	q->failure = why;
	if (!all->paced)
		q->gone[server] = true;
	if (any_open(q) && (!is_last || round_ends))
		return; /* others are waited for */
	if (all->paced && round_ends && q->step < count_steps(all) &&
	    why != DNS_UPSTREAM_UNREACHABLE)
		at_ms += RETRY_MS;
	if (q->next_ms > at_ms)
		set_next(q, at_ms);
}
