/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A pass (docker_provide.h) tells what Docker has and makes what is missing; then its events are followed, and
 * each that touches a network of ours leads to a look at the list or at who is attached. Passes that
 * create are made at the start, when the policy has changed, and when Docker comes back; not after an
 * event, so that who removes a network by hand is not fought.
 *
 * Docker going away is seen by the end of the stream, its hanging by a look every LOOK_MS. Its socket appearing
 * is seen within ABSENT_LOOK_MS; a Docker that answers nonsense is tried again after 1 s to 30 s. A restart takes a
 * few seconds: only what takes longer is a warning.
 *
 * Nothing here keeps rules from being in force.
 */
#include "daemon_docker_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

#define START_MS 2000 /* READY waits so long at most: at boot, Docker starts when we are ready */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define ABSENT_LOOK_MS 400 /* whether something listens at the socket: that costs next to nothing */
#define PATIENCE_MS 10000  /* a Docker that restarts */
#define STABLE_MS 3000	   /* a stream that lives shorter is tried again less and less often */
#define LOOK_MS 30000
#define EVENT_LOOK_MS 100 /* events come in bunches */
#define LEGS_LOOK_MS 500  /* where containers come and go all the time */

static void begin_pass(struct daemon_docker *k, enum docker_provide_mode mode);

/* ------------------------------------------------------------------ coming and going */

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_docker *k = data;

	(void)source;
	(void)usec;
	begin_pass(k, DOCKER_PROVIDE_CREATE);
	return 0;
}

/* Units that have waited for Docker wait for its networks, too. */
static int on_absent(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_docker *k = data;

	(void)source;
	(void)usec;
	if (docker_socket_listens(k->path))
		begin_pass(k, DOCKER_PROVIDE_CREATE);
	else
		loop_arm(k->loop, &k->absent_timer, loop_now_ms(k->loop) + ABSENT_LOOK_MS,
			 on_absent, k);
	return 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_docker *k = data;

	(void)source;
	(void)usec;
	k->looking_soon = false;
	begin_pass(k, DOCKER_PROVIDE_LOOK);
	return 0;
}

/* A socket that systemd has made takes questions, and Docker answers them when it has started. */
static void lengthen_backoff(struct daemon_docker *k)
{
	uint64_t max_ms = k->error.code == ETIMEDOUT ? BACKOFF_MIN_MS : BACKOFF_MAX_MS;

	k->backoff_ms = k->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * k->backoff_ms;
	if (k->backoff_ms > max_ms)
		k->backoff_ms = max_ms;
}

static void retry_later(struct daemon_docker *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (docker_socket_absent(k->error.code)) {
		loop_arm(k->loop, &k->absent_timer, now_ms + ABSENT_LOOK_MS, on_absent, k);
		loop_arm(k->loop, &k->retry_timer, UINT64_MAX, on_retry, k);
	} else {
		lengthen_backoff(k);
		loop_arm(k->loop, &k->retry_timer, now_ms + k->backoff_ms, on_retry, k);
	}
	loop_arm(k->loop, &k->look_timer, UINT64_MAX, on_look, k);
	k->looking_soon = false;
}

/* Once for each reason; one that may be a restart only when it has lasted. */
static void log_lost(struct daemon_docker *k)
{
	uint64_t now_ms = loop_now_ms(k->loop);

	if (k->away && now_ms - k->away_since_ms < PATIENCE_MS)
		return;
	if (k->logged_error && strcmp(k->logged_error, k->error.text) == 0)
		return;
	log_warning("%s; rules stay in force, networks are not made, trying on", k->error.text);
	free(k->logged_error);
	k->logged_error = xstrdup(k->error.text);
}

static void lose(struct daemon_docker *k, const struct err *error)
{
	if (k->error.code == 0 && k->asked) {
		k->away = true;
		k->away_since_ms = loop_now_ms(k->loop);
	}
	err_set(&k->error, error->code, "%s", error->text);
	k->asked = true;
	daemon_attached_set_answers(k->attached, false);
	daemon_docker_sites_forget_destroyed(k);
	docker_unfollow(k->client.client);
	k->stream = k->following = false;
	log_lost(k);
	retry_later(k);
	loop_post(k->loop, NOTE_DOCKER);
	loop_post(k->loop, NOTE_SETTLED);
}

static void log_found(struct daemon_docker *k, bool first)
{
	uint64_t now_ms = loop_now_ms(k->loop);
	char *firewall = k->backend ? xasprintf(", firewall %s", k->backend) : xstrdup("");

	if (k->away)
		log_info("Docker %s (API 1.%u%s) answers again, after %llu s", k->about.version,
			 k->about.api, firewall,
			 (unsigned long long)(now_ms - k->away_since_ms + 500) / 1000);
	else if (first)
		log_info("Docker %s (API 1.%u%s) answers", k->about.version, k->about.api,
			 firewall);
	free(firewall);
	free(k->logged_error);
	k->logged_error = NULL;
	k->away = false;
}

/* ------------------------------------------------------------------ events */

static bool is_let_go(const struct daemon_docker *k, const char *name)
{
	for (size_t i = 0; i < k->n_let_go; i++)
		if (strcmp(k->let_go[i], name) == 0)
			return true;
	return false;
}

static void let_go(struct daemon_docker *k, const char *name)
{
	if (is_let_go(k, name))
		return;
	k->let_go = xreallocarray(k->let_go, k->n_let_go + 1, sizeof(*k->let_go));
	k->let_go[k->n_let_go++] = xstrdup(name);
}

static void forget_let_go(struct daemon_docker *k)
{
	for (size_t i = 0; i < k->n_let_go; i++)
		free(k->let_go[i]);
	free(k->let_go);
	k->let_go = NULL;
	k->n_let_go = 0;
}

/* A stream of events does not put it off. */
static void look_soon(struct daemon_docker *k, uint64_t ms)
{
	if (k->looking_soon)
		return;
	k->looking_soon = true;
	loop_arm(k->loop, &k->look_timer, loop_now_ms(k->loop) + ms, on_look, k);
}

static void on_destroyed(struct daemon_docker *k, const char *id)
{
	const char *name = daemon_attached_destroyed(k->attached, id);

	daemon_docker_sites_destroyed(k, id);
	daemon_docker_sites_correct(k); /* one of its name may come before the next list */
	if (!name)
		return;
	if (sites_wanted(&k->enforcer->running->policy, name)) {
		log_info("external network %s was removed from Docker; when it comes again, its "
			 "rules follow it",
			 name);
		return;
	}
	log_warning("network %s was removed from Docker by somebody; its rules stay, and a reload "
		    "makes it again",
		    name);
	let_go(k, name);
}

static void on_event(void *data, const char *text, size_t len)
{
	struct daemon_docker *k = data;
	struct docker_event event = { 0 };

	/* An event that makes no sense may have been one of ours. */
	if (docker_parse_event(text, len, &event, NULL) < 0) {
		daemon_attached_all_stale(k->attached);
		look_soon(k, EVENT_LOOK_MS);
		return;
	}
	k->outdated |= event.action == DOCKER_DESTROY || event.action == DOCKER_CREATE;
	switch (event.action) {
	case DOCKER_DESTROY:
		on_destroyed(k, event.id);
		look_soon(k, EVENT_LOOK_MS);
		break;
	case DOCKER_CREATE:
		daemon_docker_sites_made(k, &event);
		look_soon(k, EVENT_LOOK_MS);
		break;
	case DOCKER_CONNECT:
	case DOCKER_DISCONNECT:
		if (event.action == DOCKER_DISCONNECT)
			docker_legs_forget(&k->legs, event.name, event.container);
		daemon_attached_changed(k->attached, event.id);
		look_soon(k, LEGS_LOOK_MS);
		break;
	case DOCKER_OTHER:
		break;
	}
	docker_event_free(&event);
}

/* Docker does not repeat what happened before: look again. */
static void on_opened(void *data)
{
	struct daemon_docker *k = data;

	k->following = true;
	k->opened_ms = loop_now_ms(k->loop);
	daemon_attached_all_stale(k->attached);
	begin_pass(k, DOCKER_PROVIDE_LOOK);
}

static void on_end(void *data, const struct docker_answer *answer)
{
	struct daemon_docker *k = data;
	bool was_open = k->following;

	if (answer->error.code == ECANCELED)
		return;
	k->stream = k->following = false;
	if (was_open && loop_now_ms(k->loop) - k->opened_ms >= STABLE_MS) {
		k->backoff_ms = 0;
		k->stream_complained = false;
	}
	if (was_open && answer->error.code == ECONNRESET) {
		lose(k, &answer->error);
		return;
	}
	/* It answers questions, but does not tell by itself. */
	if (!k->stream_complained)
		log_warning("%s; looking every %d s instead", answer->error.text, LOOK_MS / 1000);
	k->stream_complained = true;
	lengthen_backoff(k);
	loop_arm(k->loop, &k->look_timer, loop_now_ms(k->loop) + k->backoff_ms, on_look, k);
}

static void follow(struct daemon_docker *k)
{
	static const struct docker_events handler = {
		.opened = on_opened,
		.line = on_event,
		.end = on_end,
	};

	if (k->stream)
		return;
	k->stream = true;
	docker_follow(k->client.client, &handler, k);
}

/* ------------------------------------------------------------------ passes */

static bool noted(const struct daemon_docker *k, const char *text)
{
	for (size_t i = 0; i < k->n_notes; i++)
		if (strcmp(k->notes[i].text, text) == 0)
			return true;
	return false;
}

static void log_note(const struct daemon_docker *k, const struct docker_provide_note *note)
{
	switch (note->kind) {
	case DOCKER_PROVIDE_CREATED:
	case DOCKER_PROVIDE_REMOVED:
		log_info("%s", note->text);
		break;
	case DOCKER_PROVIDE_DIFFERS:
		if (!noted(k, note->text))
			log_warning("%s", note->text);
		break;
	case DOCKER_PROVIDE_FAILED:
		if (!noted(k, note->text))
			log_error("%s", note->text);
		break;
	}
}

static void free_note(struct docker_note *note)
{
	free(note->network);
	free(note->text);
}

static void keep_note(struct daemon_docker *k, struct docker_note note)
{
	k->notes = xreallocarray(k->notes, k->n_notes + 1, sizeof(*k->notes));
	k->notes[k->n_notes++] = note;
}

/* A look does not try to create anything: why that failed before remains to be said. */
static void keep_notes(struct daemon_docker *k, struct docker_provide_result *result)
{
	struct docker_note *notes = k->notes;
	size_t n = k->n_notes;

	k->notes = NULL;
	k->n_notes = 0;
	for (size_t i = 0; i < result->n_notes; i++) {
		struct docker_provide_note *note = &result->notes[i];

		if (note->kind == DOCKER_PROVIDE_CREATED || note->kind == DOCKER_PROVIDE_REMOVED)
			continue;
		keep_note(k, (struct docker_note){ xstrdup(note->network), note->text });
		note->text = NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (k->mode == DOCKER_PROVIDE_LOOK &&
		    docker_wanted_find(&k->wanted, notes[i].network) &&
		    !docker_find_network(&k->networks, notes[i].network))
			keep_note(k, notes[i]);
		else
			free_note(&notes[i]);
	}
	free(notes);
}

static void take_result(struct daemon_docker *k, struct docker_provide_result *result)
{
	bool first = !k->about.version;

	if (result->about.version) {
		docker_about_free(&k->about);
		free(k->backend);
		k->about = result->about;
		k->backend = result->backend;
		result->about = (struct docker_about){ 0 };
		result->backend = NULL;
	}
	docker_networks_free(&k->networks);
	k->networks = result->networks;
	result->networks = (struct docker_networks){ 0 };
	daemon_docker_sites_correct(k);
	daemon_docker_sites_look(k);
	k->listed = true;
	k->listed_by = k->n_passes;
	docker_legs_free(&k->legs);
	k->legs = result->legs;
	k->has_legs = result->has_legs;
	result->legs = (struct docker_legs){ 0 };
	if (k->error.code || first)
		log_found(k, first);
	err_free(&k->error);
	k->asked = true;
	daemon_attached_set_answers(k->attached, true);
	loop_arm(k->loop, &k->retry_timer, UINT64_MAX, on_retry, k);
	if (!k->following)
		daemon_attached_all_stale(k->attached);
}

static void on_pass(void *data, struct docker_provide_result *result)
{
	struct daemon_docker *k = data;
	bool created = docker_provide_has(result, DOCKER_PROVIDE_CREATED);

	if (result->error.code == ECANCELED)
		return;
	k->passing = false;
	if (k->mode == DOCKER_PROVIDE_RESET && (result->error.code == 0 || result->n_notes > 0))
		k->reset_due = false;
	for (size_t i = 0; i < result->n_notes; i++)
		log_note(k, &result->notes[i]);
	if (result->error.code) {
		lose(k, &result->error);
	} else {
		take_result(k, result);
		keep_notes(k, result);
		daemon_attached_see(k->attached, &k->wanted, &k->networks);
		if (!k->looking_soon)
			loop_arm(k->loop, &k->look_timer, loop_now_ms(k->loop) + LOOK_MS, on_look,
				 k);
		loop_post(k->loop, NOTE_DOCKER);
	}
	if (created) /* Docker may have loaded br_netfilter for it */
		loop_post(k->loop, NOTE_DOCKER_MADE);
	if (k->again) {
		k->again = false;
		begin_pass(k, k->again_mode);
	} else if (result->error.code == 0) {
		follow(k);
		daemon_attached_inspect(k->attached);
	}
	loop_docker_arm(&k->client);
	loop_post(k->loop, NOTE_SETTLED);
}

static void begin_pass(struct daemon_docker *k, enum docker_provide_mode mode)
{
	struct docker_wanted_list wanted;
	size_t n = 0;

	if (k->passing) {
		k->again_mode = k->again && k->again_mode > mode ? k->again_mode : mode;
		k->again = true;
		return;
	}
	k->passing = true;
	k->n_passes++;
	k->outdated = false;
	k->mode = k->reset_due	  ? DOCKER_PROVIDE_RESET
		  : k->error.code ? DOCKER_PROVIDE_CREATE
				  : mode;
	docker_wanted_list_make(&k->enforcer->running->policy, &wanted);
	for (size_t i = 0; i < wanted.n; i++)
		if (!is_let_go(k, wanted.items[i].name))
			wanted.items[n++] = wanted.items[i];
	wanted.n = n;
	docker_provide_start(k->client.client, &wanted, k->mode, on_pass, k);
	loop_docker_arm(&k->client);
}

/* ------------------------------------------------------------------ for the daemon */

void daemon_docker_policy(struct daemon_docker *k)
{
	if (!k->client.client)
		return;
	forget_let_go(k);
	docker_wanted_list_free(&k->wanted);
	docker_wanted_list_make(&k->enforcer->running->policy, &k->wanted);
	daemon_attached_see(k->attached, &k->wanted, &k->networks);
	begin_pass(k, DOCKER_PROVIDE_CREATE);
}

void daemon_docker_placed(struct daemon_docker *k)
{
	if (!k->client.client)
		return;
	docker_wanted_list_free(&k->wanted);
	docker_wanted_list_make(&k->enforcer->running->policy, &k->wanted);
	daemon_attached_see(k->attached, &k->wanted, &k->networks);
	if (k->error.code == 0)
		daemon_attached_inspect(k->attached);
}

void daemon_docker_look(struct daemon_docker *k)
{
	if (k->client.client && !k->error.code)
		begin_pass(k, DOCKER_PROVIDE_LOOK);
}

/* Unless it has answered meanwhile. */
void daemon_docker_check(struct daemon_docker *k)
{
	const struct err *error = daemon_attached_lost(k->attached);

	/* Each lose() doubles the wait until the next try, so we call it once for a loss. */
	if (error->code && !k->error.code)
		lose(k, error);
}

bool daemon_docker_settled(const struct daemon_docker *k)
{
	if (k->passing && (k->mode != DOCKER_PROVIDE_LOOK || k->again))
		return false;
	return daemon_attached_settled(k->attached);
}

bool daemon_docker_ready(const struct daemon_docker *k)
{
	return k->start_over || k->asked;
}

/* ------------------------------------------------------------------ start and stop */

static int on_start_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_docker *k = data;

	(void)source;
	(void)usec;
	if (!k->asked)
		log_warning("Docker does not answer yet; not waiting for it");
	k->start_over = true;
	loop_post(k->loop, NOTE_SETTLED);
	return 0;
}

struct daemon_docker *daemon_docker_open(struct loop *loop, const struct enforcer *enforcer,
					 struct placing *placing, const char *path)
{
	struct daemon_docker *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->enforcer = enforcer;
	k->placing = placing;
	k->path = path;
	k->attached = daemon_attached_open(&k->client, enforcer);
	return k;
}

int daemon_docker_start(struct daemon_docker *k, bool reset, struct err *err)
{
	int r = loop_docker_open(&k->client, k->loop, k->path, err);

	if (r < 0)
		return r;
	k->reset_due = reset;
	r = loop_arm(k->loop, &k->start_timer, loop_now_ms(k->loop) + START_MS, on_start_timer, k);
	if (r < 0)
		return err_errno(err, -r, "watch Docker");
	daemon_docker_policy(k);
	return 0;
}

void daemon_docker_close(struct daemon_docker *k)
{
	if (!k)
		return;
	loop_docker_close(&k->client);
	sd_event_source_disable_unref(k->retry_timer);
	sd_event_source_disable_unref(k->absent_timer);
	sd_event_source_disable_unref(k->look_timer);
	sd_event_source_disable_unref(k->start_timer);
	daemon_attached_close(k->attached);
	daemon_docker_sites_forget_destroyed(k);
	forget_let_go(k);
	for (size_t i = 0; i < k->n_notes; i++)
		free_note(&k->notes[i]);
	free(k->notes);
	for (size_t i = 0; i < k->n_late; i++)
		free(k->late[i]);
	free(k->late);
	docker_wanted_list_free(&k->wanted);
	docker_networks_free(&k->networks);
	docker_legs_free(&k->legs);
	docker_about_free(&k->about);
	free(k->backend);
	free(k->logged_error);
	err_free(&k->error);
	free(k);
}
