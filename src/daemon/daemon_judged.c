/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the packets of the policy's networks reach the rules (judged.h). Docker's events and passes, the
 * kernel's events of interfaces, and another policy lead to a look each; what has changed is logged.
 *
 * A look compares what Docker has said with what is so now. While networks come and go, Docker's word is the older one,
 * and a network that is all right looks as if it was not judged. So such a verdict is in doubt at first: the network is
 * pending, and Docker is asked again. The verdict stands if it is the same by the answer to a question that was asked
 * after it, or if none comes within DOUBT_MS.
 */
#include "daemon_judged.h"

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"

#define LINKS_WAIT_MS 300 /* changes come in bunches, and Docker reports its own */
#define LEGS_MAX 100	  /* more are only counted */
#define DOUBT_MS 2000	  /* Docker has that long to answer */

/* A verdict that hangs on Docker's next word. */
struct doubt {
	char *reason;	  /* NULL: there is no doubt */
	uint64_t n_asked; /* how often Docker had been asked when this became the reason */
	uint64_t until_ms;
};

struct daemon_judged {
	struct loop *loop;
	const struct enforcer *enforcer;
	bool started;
	struct docker_wanted_list list; /* of the running policy */
	struct judge_result result;
	struct doubt *doubts; /* by network of the list */
	char *legs[LEGS_MAX];
	char *dns;     /* or NULL */
	size_t n_legs; /* perhaps more than are named */
	int links_fd;
	sd_event_source *links_io, *links_timer, *doubt_timer;
	bool waiting;
};

/* ------------------------------------------------------------------ doubts */

static void free_doubts(struct doubt *doubts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(doubts[i].reason);
	free(doubts);
}

static int on_doubt_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_judged *j = data;

	(void)source;
	(void)usec;
	loop_post(j->loop, NOTE_DOUBT_OVER);
	return 0;
}

/* Whether the new verdict waits for Docker's next word; doubt gets why. */
static bool is_in_doubt(struct daemon_judged *j, const struct judge_docker *docker,
			const char *name, const struct judged *new, struct doubt *doubt)
{
	const struct docker_wanted *wanted;
	const struct doubt *old;
	bool same;

	if (new->state != JUDGED_NOT || !new->doubtful)
		return false;
	*doubt = (struct doubt){ NULL, docker->n_asked, loop_now_ms(j->loop) + DOUBT_MS };
	wanted = docker_wanted_find(&j->list, name);
	/* An alarm that was given stands, even if it is for another reason now. */
	if (wanted && j->result.items[wanted - j->list.items].state == JUDGED_NOT)
		return false;
	old = wanted ? &j->doubts[wanted - j->list.items] : doubt;
	same = old->reason && strcmp(old->reason, new->reason) == 0;
	if (same)
		doubt->n_asked = old->n_asked;
	if (old->reason)
		doubt->until_ms = old->until_ms;
	if (docker->answered > doubt->n_asked || loop_now_ms(j->loop) >= doubt->until_ms)
		return false;
	doubt->reason = xstrdup(new->reason);
	if (!same)
		loop_post(j->loop, NOTE_DOUBT);
	return true;
}

static void hold_back(struct judged *judged)
{
	char *reason = xasprintf("%s; Docker is asked again", judged->reason);

	judged_free(judged);
	*judged = (struct judged){ .state = JUDGED_PENDING, .reason = reason };
}

/* Holds back the verdicts that are in doubt, and keeps the doubts. */
static void look_at_doubts(struct daemon_judged *j, const struct docker_wanted_list *list,
			   const struct judge_docker *docker, struct judge_result *result)
{
	struct doubt *doubts = xcalloc(list->n + 1, sizeof(*doubts));
	uint64_t until_ms = UINT64_MAX;

	for (size_t i = 0; i < list->n; i++) {
		if (!is_in_doubt(j, docker, list->items[i].name, &result->items[i], &doubts[i]))
			continue;
		hold_back(&result->items[i]);
		result->n_not--;
		if (doubts[i].until_ms < until_ms)
			until_ms = doubts[i].until_ms;
	}
	if (until_ms == UINT64_MAX && !daemon_judged_settled(j))
		loop_post(j->loop, NOTE_SETTLED);
	if (until_ms != UINT64_MAX || j->doubt_timer)
		loop_arm(j->loop, &j->doubt_timer, until_ms, on_doubt_timer, j);
	free_doubts(j->doubts, j->list.n);
	j->doubts = doubts;
}

bool daemon_judged_settled(const struct daemon_judged *j)
{
	for (size_t i = 0; i < j->list.n; i++)
		if (j->doubts[i].reason)
			return false;
	return true;
}

/* ------------------------------------------------------------------ looking */

static const struct judged *find_old(const struct docker_wanted_list *list,
				     const struct judge_result *result, const char *name)
{
	const struct docker_wanted *wanted = docker_wanted_find(list, name);

	return wanted ? &result->items[wanted - list->items] : NULL;
}

/* Returns whether there is one. */
static bool log_change(const char *network, const struct judged *old, const struct judged *new)
{
	cleanup(cleanup_free) char *text = NULL;

	if (old && judged_equal(old, new))
		return false;
	if (new->state == JUDGED_NOT) {
		text = judged_sentence(network, new);
		log_error("%s", text);
	} else if (old && old->state == JUDGED_NOT) {
		log_info("network %s: its packets are no longer NOT JUDGED: it is %s now", network,
			 judged_state_name(new->state));
	}
	return true;
}

struct legs {
	char *texts[LEGS_MAX];
	size_t n;
};

static void take_leg(void *data, const char *text)
{
	struct legs *legs = data;

	if (legs->n < LEGS_MAX)
		legs->texts[legs->n] = xstrdup(text);
	legs->n++;
}

static size_t named(size_t n)
{
	return n < LEGS_MAX ? n : LEGS_MAX;
}

static bool was_told(const struct daemon_judged *j, const char *text)
{
	for (size_t i = 0; i < named(j->n_legs); i++)
		if (strcmp(j->legs[i], text) == 0)
			return true;
	return false;
}

static void free_legs(struct daemon_judged *j)
{
	for (size_t i = 0; i < named(j->n_legs); i++)
		free(j->legs[i]);
	j->n_legs = 0;
}

static void look_at_legs(struct daemon_judged *j, const struct judge_docker *docker)
{
	struct legs legs = { .n = 0 };

	if (docker->legs)
		judge_network_legs(&j->list, j->result.items, docker->legs, take_leg, &legs);
	for (size_t i = 0; i < named(legs.n); i++)
		if (!was_told(j, legs.texts[i]))
			log_warning("%s", legs.texts[i]);
	free_legs(j);
	memcpy(j->legs, legs.texts, sizeof(j->legs));
	j->n_legs = legs.n;
}

/* Returns whether something has changed. */
static bool look_at_dns(struct daemon_judged *j, const struct judge_docker *docker)
{
	char *dns = docker->networks ? judge_dns(&j->enforcer->running->policy) : NULL;
	bool changed = (dns != NULL) != (j->dns != NULL) || (dns && strcmp(dns, j->dns) != 0);

	if (changed && dns)
		log_error("%s", dns);
	free(j->dns);
	j->dns = dns;
	return changed;
}

void daemon_judged_look(struct daemon_judged *j, const struct judge_docker *docker)
{
	struct judge_result result;
	struct docker_wanted_list list;
	bool changed;

	if (!j->started || !j->enforcer->running)
		return;
	docker_wanted_list_make(&j->enforcer->running->policy, &list);
	judge_networks(&list, docker, &result);
	look_at_doubts(j, &list, docker, &result);
	changed = list.n != j->list.n;
	for (size_t i = 0; i < list.n; i++)
		changed |= log_change(list.items[i].name,
				      find_old(&j->list, &j->result, list.items[i].name),
				      &result.items[i]);
	docker_wanted_list_free(&j->list);
	judge_result_free(&j->result);
	j->list = list;
	j->result = result;
	look_at_legs(j, docker);
	changed |= look_at_dns(j, docker);
	if (changed)
		loop_post(j->loop, NOTE_STATUS);
}

/* ------------------------------------------------------------------ interfaces */

static int on_links_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_judged *j = data;

	(void)source;
	(void)usec;
	j->waiting = false;
	loop_post(j->loop, NOTE_LINKS);
	return 0;
}

static int on_links(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_judged *j = data;

	(void)source;
	(void)revents;
	link_watch_drain(fd);
	if (!j->waiting)
		loop_arm(j->loop, &j->links_timer, loop_now_ms(j->loop) + LINKS_WAIT_MS,
			 on_links_timer, j);
	j->waiting = true;
	return 0;
}

/* ------------------------------------------------------------------ start and stop */

struct daemon_judged *daemon_judged_open(struct loop *loop, const struct enforcer *enforcer)
{
	struct daemon_judged *j = xcalloc(1, sizeof(*j));

	*j = (struct daemon_judged){ .loop = loop, .enforcer = enforcer, .links_fd = -1 };
	return j;
}

int daemon_judged_start(struct daemon_judged *j, struct err *err)
{
	int r;

	j->started = true;
	j->links_fd = link_watch(LINK_WATCH_LINKS | LINK_WATCH_ADDRS, err);
	if (j->links_fd < 0)
		return j->links_fd;
	r = sd_event_add_io(loop_event(j->loop), &j->links_io, j->links_fd, EPOLLIN, on_links, j);
	return r < 0 ? err_errno(err, -r, "watch this host's interfaces") : 0;
}

void daemon_judged_close(struct daemon_judged *j)
{
	if (!j)
		return;
	sd_event_source_disable_unref(j->links_io);
	sd_event_source_disable_unref(j->links_timer);
	sd_event_source_disable_unref(j->doubt_timer);
	if (j->links_fd >= 0)
		close(j->links_fd);
	free_doubts(j->doubts, j->list.n);
	docker_wanted_list_free(&j->list);
	judge_result_free(&j->result);
	free_legs(j);
	free(j->dns);
	free(j);
}

/* ------------------------------------------------------------------ what others ask */

static enum judge_rules rules_of(const struct plan *plan, const struct counters_view *counters,
				 bool doubtful, const char *bridge)
{
	if (counters && counters->failed)
		return JUDGE_RULES_UNKNOWN;
	if (counters && !judge_network_dispatched(plan, counters->actual, bridge))
		return JUDGE_RULES_MISSING;
	return doubtful ? JUDGE_RULES_DOUBTFUL : JUDGE_RULES_THERE;
}

/* Most often they are in the policy's order: so an answer about 1,000 networks does not take long. */
static const struct judged *last_of(const struct daemon_judged *j, size_t i, const char *name)
{
	if (i < j->list.n && strcmp(j->list.items[i].name, name) == 0)
		return &j->result.items[i];
	return find_old(&j->list, &j->result, name);
}

void daemon_judged_now(const struct daemon_judged *j, const struct counters_view *counters,
		       bool doubtful, struct judge_result *ret)
{
	const struct running *running = j->enforcer->running;
	const struct policy *policy = &running->policy;

	*ret = (struct judge_result){ xcalloc(policy->n_networks + 1, sizeof(*ret->items)),
				      policy->n_networks, 0 };
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];
		const struct judged *last = last_of(j, i, network->name);
		struct judged none = { .state = network_has_policy(network) ? JUDGED_PENDING
									    : JUDGED_UNMANAGED };

		if (network->draining) {
			ret->items[i].state = JUDGED_DRAINING;
			if (network->closed)
				ret->items[i].reason = xstrdup("its policy is lost: everything "
							       "from it is refused");
			continue;
		}
		judge_network_with_rules(last ? last : &none,
					 network->placed ? rules_of(&running->plan, counters,
								    doubtful, network->bridge)
							 : JUDGE_RULES_THERE,
					 &ret->items[i]);
		ret->n_not += ret->items[i].state == JUDGED_NOT;
	}
}

void daemon_judged_put(const struct policy *policy, const struct judge_result *judged,
		       struct json_writer *out)
{
	json_write_open(out, "not_judged", '[');
	for (size_t i = 0; i < judged->n; i++)
		if (judged->items[i].state == JUDGED_NOT)
			json_write_string(out, NULL, policy->networks[i].name);
	json_write_close(out, ']');
}

char *daemon_judged_names(const struct daemon_judged *j)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < j->result.n; i++)
		if (j->result.items[i].state == JUDGED_NOT)
			buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", j->list.items[i].name);
	return buf_steal(&b);
}

const char *daemon_judged_dns(const struct daemon_judged *j)
{
	return j->dns;
}

struct legs_view daemon_judged_legs(const struct daemon_judged *j)
{
	return (struct legs_view){ j->legs, named(j->n_legs), j->n_legs };
}
