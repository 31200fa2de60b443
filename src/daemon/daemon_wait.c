/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers that wait until DNS and Docker have answered what a request made the daemon ask: they say which
 * names did not resolve, and which networks' packets are not judged.
 */
#include "daemon_wait.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define UNRESOLVED_MAX 100
#define UNJUDGED_MAX 100 /* networks that an answer says more of than their names */

struct daemon_wait {
	struct loop *loop;
	struct enforcer *enforcer;
	struct daemon_names *names;
	const struct daemon_docker *docker;
	const struct daemon_judged *judged;
	struct waiter waiters[CTL_CONNECTIONS_MAX];
};

static bool settled(const struct daemon_wait *w, const struct waiter *waiter)
{
	return daemon_names_settled(w->names, waiter->since_ms) &&
	       daemon_docker_settled(w->docker) && daemon_judged_settled(w->judged) &&
	       daemon_reach_settled(waiter->reach);
}

/* ---- names that did not resolve ---- */

static bool in_ipset(const struct policy *policy, const char *ipset, const char *name)
{
	for (size_t i = 0; i < policy->n_ipsets; i++)
		if (strcmp(policy->ipsets[i].name, ipset) == 0)
			return ipset_has_hostname(&policy->ipsets[i], name);
	return false;
}

/* One family that fails is the rule with many names, unless the other has nothing either. */
static bool is_unresolved(const struct name *name)
{
	unsigned trouble = name_trouble(name), both = NAME_IPV4_FAILS | NAME_IPV6_FAILS;

	return (trouble & both) == both || (trouble && name->n_addrs == 0);
}

static void put_unresolved(struct json_writer *out, const struct name *name)
{
	struct buf why = { 0 };

	answers_error(name->errors, &why);
	json_write_open(out, NULL, '{');
	json_write_string(out, "name", name->name);
	json_write_string(out, "message",
			  why.len > 0 ? buf_str(&why) : "it exists, but has no address");
	json_write_int(out, "addresses", (int64_t)name->n_addrs);
	json_write_close(out, '}');
	buf_free(&why);
}

static void add_unresolved(const struct daemon_wait *w, const char *ipset, struct buf *answer)
{
	const struct names *names = &w->enforcer->names;
	struct json_writer out;
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = &names->items[i];

		if (!is_unresolved(name) ||
		    (ipset && !in_ipset(&w->enforcer->running->policy, ipset, name->name)))
			continue;
		if (n == 0) {
			ctl_reopen(answer, &out);
			json_write_open(&out, "unresolved", '[');
		}
		if (n++ < UNRESOLVED_MAX)
			put_unresolved(&out, name);
	}
	if (n == 0)
		return;
	json_write_close(&out, ']');
	if (n > UNRESOLVED_MAX)
		json_write_int(&out, "unresolved_more", (int64_t)(n - UNRESOLVED_MAX));
	json_write_close(&out, '}');
}

/* ---- networks whose packets are not judged ---- */

/* The answer to a reload after which packets are not judged. */
static void put_reload_error(struct buf *json, const struct policy *policy,
			     const struct judge_result *judged)
{
	struct json_writer out = { .b = json };
	cleanup(cleanup_free) char *message =
		xasprintf("reloaded, but the packets of %zu network%s are NOT JUDGED",
			  judged->n_not, plural(judged->n_not));

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "status", "error");
	json_write_string(&out, "message", message);
	json_write_open(&out, "errors", '[');
	for (size_t i = 0, left = UNJUDGED_MAX; i < judged->n && left > 0; i++) {
		cleanup(cleanup_free) char *text = NULL;

		if (judged->items[i].state != JUDGED_NOT)
			continue;
		left--;
		text = judged_sentence(policy->networks[i].name, &judged->items[i]);
		json_write_open(&out, NULL, '{');
		json_write_string(&out, "message", text);
		json_write_close(&out, '}');
	}
	json_write_close(&out, ']');
	json_write_close(&out, '}');
}

/* A policy that does not reach every packet is not said to be enforced. */
static void answer_policy(const struct daemon_wait *w, const struct waiter *waiter,
			  const char *good)
{
	const struct policy *policy = &w->enforcer->running->policy;
	struct judge_result judged;
	struct buf b = { 0 };

	/* Its rules have just been loaded, whatever the last repair came to. */
	daemon_judged_now(w->judged, NULL, false, &judged);
	if (judged.n_not > 0 && waiter->kind == WAITER_RELOAD) {
		put_reload_error(&b, policy, &judged);
		good = buf_str(&b);
	} else if (judged.n_not > 0) {
		struct json_writer out;

		buf_puts(&b, good);
		ctl_reopen(&b, &out);
		daemon_judged_put(policy, &judged, &out);
		json_write_close(&out, '}');
		good = buf_str(&b);
	}
	ctl_answer(waiter->request, good);
	judge_result_free(&judged);
	buf_free(&b);
}

/* ---- answers that wait ---- */

static void answer_waiter(const struct daemon_wait *w, const struct waiter *waiter)
{
	bool otherwise = waiter->drained && !drain_find(&w->enforcer->drain, waiter->drained);
	struct buf answer = { 0 };

	buf_puts(&answer, otherwise ? waiter->otherwise : waiter->answer);
	if (waiter->tells_names)
		add_unresolved(w, waiter->ipset, &answer);
	daemon_reach_put(waiter->reach, w->enforcer, ctl_request_get(waiter->request), &answer);
	if (waiter->kind == WAITER_NAMES)
		ctl_answer(waiter->request, buf_str(&answer));
	else
		answer_policy(w, waiter, buf_str(&answer));
	buf_free(&answer);
}

static void forget_waiter(struct waiter *waiter)
{
	free(waiter->answer);
	free(waiter->drained);
	free(waiter->otherwise);
	free(waiter->ipset);
	daemon_reach_free(waiter->reach);
	*waiter = (struct waiter){ 0 };
}

void daemon_wait_answer(struct daemon_wait *w, struct waiter waiter)
{
	daemon_names_ask(w->names);
	daemon_reach_ask(waiter.reach, w->loop, w->enforcer, w->names,
			 ctl_request_get(waiter.request));
	waiter.since_ms = loop_now_ms(w->loop);
	for (size_t i = 0; !settled(w, &waiter) && i < ARRAY_SIZE(w->waiters); i++) {
		if (w->waiters[i].request)
			continue;
		w->waiters[i] = waiter;
		return;
	}
	answer_waiter(w, &waiter);
	forget_waiter(&waiter);
}

void daemon_wait_settled(struct daemon_wait *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->waiters); i++) {
		struct waiter waiter = w->waiters[i];

		if (!waiter.request || !settled(w, &waiter))
			continue;
		w->waiters[i] = (struct waiter){ 0 };
		answer_waiter(w, &waiter);
		forget_waiter(&waiter);
	}
}

void daemon_wait_gone(struct daemon_wait *w, const struct ctl_request *request)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->waiters); i++)
		if (w->waiters[i].request == request)
			forget_waiter(&w->waiters[i]);
}

struct daemon_wait *daemon_wait_open(struct loop *loop, struct enforcer *enforcer,
				     struct daemon_names *names, const struct daemon_docker *docker,
				     const struct daemon_judged *judged)
{
	struct daemon_wait *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->enforcer = enforcer;
	w->names = names;
	w->docker = docker;
	w->judged = judged;
	return w;
}

void daemon_wait_close(struct daemon_wait *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(w->waiters); i++)
		forget_waiter(&w->waiters[i]);
	free(w);
}
