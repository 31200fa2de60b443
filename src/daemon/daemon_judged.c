/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the packets of the policy's networks reach the rules (judged.h). Docker's events and passes, the
 * kernel's events of interfaces, and another policy lead to a look each; what has changed is logged.
 */
#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"

#define LINKS_WAIT_MS 300 /* changes come in bunches, and Docker reports its own */
#define LEGS_MAX 100	  /* more are only counted */

struct daemon_judged {
	struct docker_wanted_list list; /* of the running policy */
	struct judge_result result;
	char *legs[LEGS_MAX];
	char *dns;     /* or NULL */
	size_t n_legs; /* perhaps more than are named */
	int links_fd;
	sd_event_source *links_io, *links_timer;
	bool waiting;
};

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
static bool look_at_dns(struct daemon *d, const struct judge_docker *docker)
{
	struct daemon_judged *j = d->judged;
	char *dns = docker->networks ? judge_dns(&d->enforcer.running->policy) : NULL;
	bool changed = (dns != NULL) != (j->dns != NULL) || (dns && strcmp(dns, j->dns) != 0);

	if (changed && dns)
		log_error("%s", dns);
	free(j->dns);
	j->dns = dns;
	return changed;
}

void daemon_judged_look(struct daemon *d)
{
	struct judge_docker docker = daemon_docker_word(d);
	struct daemon_judged *j = d->judged;
	struct judge_result result;
	struct docker_wanted_list list;
	bool changed;

	if (!j || !d->enforcer.running)
		return;
	docker_wanted_list_make(&d->enforcer.running->policy, &list);
	judge_networks(&list, &docker, &result);
	changed = list.n != j->list.n;
	for (size_t i = 0; i < list.n; i++)
		changed |= log_change(list.items[i].name,
				      find_old(&j->list, &j->result, list.items[i].name),
				      &result.items[i]);
	docker_wanted_list_free(&j->list);
	judge_result_free(&j->result);
	j->list = list;
	j->result = result;
	look_at_legs(j, &docker);
	changed |= look_at_dns(d, &docker);
	if (changed)
		daemon_notify_status(d);
}

/* ------------------------------------------------------------------ interfaces */

static int on_links_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)usec;
	d->judged->waiting = false;
	daemon_judged_look(d);
	return 0;
}

static int on_links(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	struct daemon_judged *j = d->judged;

	(void)source;
	(void)revents;
	link_watch_drain(fd);
	if (!j->waiting)
		daemon_arm(d, &j->links_timer, daemon_now_ms(d) + LINKS_WAIT_MS, on_links_timer);
	j->waiting = true;
	return 0;
}

int daemon_judged_start(struct daemon *d, struct err *err)
{
	struct daemon_judged *j = xcalloc(1, sizeof(*j));
	int r;

	d->judged = j;
	j->links_fd = link_watch(LINK_WATCH_LINKS | LINK_WATCH_ADDRS, err);
	if (j->links_fd < 0)
		return j->links_fd;
	r = sd_event_add_io(d->event, &j->links_io, j->links_fd, EPOLLIN, on_links, d);
	if (r < 0)
		return err_errno(err, -r, "watch this host's interfaces");
	daemon_judged_look(d);
	return 0;
}

void daemon_judged_stop(struct daemon *d)
{
	struct daemon_judged *j = d->judged;

	if (!j)
		return;
	sd_event_source_disable_unref(j->links_io);
	sd_event_source_disable_unref(j->links_timer);
	if (j->links_fd >= 0)
		close(j->links_fd);
	docker_wanted_list_free(&j->list);
	judge_result_free(&j->result);
	free_legs(j);
	free(j->dns);
	free(j);
	d->judged = NULL;
}

/* ------------------------------------------------------------------ what others ask */

static enum judge_rules rules_of(const struct daemon *d, const struct actual *actual,
				 const char *bridge)
{
	if (!actual)
		return JUDGE_RULES_THERE;
	if (d->counters_failed)
		return JUDGE_RULES_UNKNOWN;
	return judge_network_dispatched(&d->enforcer.running->plan, actual, bridge)
		       ? JUDGE_RULES_THERE
		       : JUDGE_RULES_MISSING;
}

/* Most often they are in the policy's order: so an answer about 1,000 networks does not take long. */
static const struct judged *last_of(const struct daemon_judged *j, size_t i, const char *name)
{
	if (i < j->list.n && strcmp(j->list.items[i].name, name) == 0)
		return &j->result.items[i];
	return find_old(&j->list, &j->result, name);
}

void daemon_judged_now(const struct daemon *d, const struct actual *actual,
		       struct judge_result *ret)
{
	const struct policy *policy = &d->enforcer.running->policy;

	*ret = (struct judge_result){ xcalloc(policy->n_networks + 1, sizeof(*ret->items)),
				      policy->n_networks, 0 };
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network *network = &policy->networks[i];
		const struct judged *last = d->judged ? last_of(d->judged, i, network->name) : NULL;
		struct judged none = { .state = network_managed(network) ? JUDGED_PENDING
									 : JUDGED_UNMANAGED };

		if (network->draining) {
			ret->items[i].state = JUDGED_DRAINING;
			if (network->closed)
				ret->items[i].reason = xstrdup("its policy is lost: everything "
							       "from it is refused");
			continue;
		}
		judge_network_with_rules(last ? last : &none, rules_of(d, actual, network->bridge),
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

char *daemon_judged_names(const struct daemon *d)
{
	const struct daemon_judged *j = d->judged;
	struct buf b = { 0 };

	for (size_t i = 0; j && i < j->result.n; i++)
		if (j->result.items[i].state == JUDGED_NOT)
			buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", j->list.items[i].name);
	return buf_steal(&b);
}

const char *daemon_judged_dns(const struct daemon *d)
{
	return d->judged ? d->judged->dns : NULL;
}

void daemon_judged_status_legs(const struct daemon *d, struct json_writer *out)
{
	const struct daemon_judged *j = d->judged;
	size_t n = j ? j->n_legs : 0;

	json_write_open(out, "legs", '[');
	for (size_t i = 0; i < named(n); i++)
		json_write_string(out, NULL, j->legs[i]);
	if (n > LEGS_MAX) {
		cleanup(cleanup_free) char *more = xasprintf("and %zu more", n - LEGS_MAX);

		json_write_string(out, NULL, more);
	}
	json_write_close(out, ']');
}
