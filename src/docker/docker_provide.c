/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A chain of requests, each started by the answer to the one before: version,
 * firewall backend, list; then one network after the other is removed (RESET), all of them before
 * the first is created, as they may have exchanged their subnets; then one after the other is
 * created; then, if anything was asked for, the list again; then the list of containers with their
 * networks. A network of the second list is there, whatever Docker answered before: it is no
 * failure if somebody else has made it meanwhile (409), or if an answer was lost. External networks are neither
 * removed nor created.
 */
#include "dockside/docker/docker_provide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

struct pass {
	struct docker *docker;
	enum docker_provide_mode mode;
	docker_provide_done_fn done;
	void *data;
	struct docker_provide_result result;
	char **refusals; /* by wanted network: Docker's words, or NULL */
	bool *left;	 /* by wanted network: it could not be removed */
	bool *asked;	 /* by wanted network: it was to be created */
	size_t at;	 /* the one that is being removed or created */
	bool changing;	 /* something was removed or created, or was to be */
};

static void remove_next(struct pass *p);
static void create_next(struct pass *p);

static void add_note(struct pass *p, enum docker_provide_kind kind,
		     const struct docker_wanted *wanted, const char *text)
{
	struct docker_provide_result *result = &p->result;

	result->notes = array_grow(result->notes, &result->cap_notes, result->n_notes,
				   sizeof(*result->notes));
	result->notes[result->n_notes++] =
		(struct docker_provide_note){ kind, wanted->name,
					      xasprintf("network %s: %s", wanted->name, text) };
}

static void end(struct pass *p)
{
	struct docker_provide_result *result = &p->result;
	size_t n = result->wanted.n;

	p->done(p->data, result);
	for (size_t i = 0; i < n; i++)
		free(p->refusals[i]);
	for (size_t i = 0; i < result->n_notes; i++)
		free(result->notes[i].text);
	free(result->notes);
	docker_wanted_list_free(&result->wanted);
	docker_networks_free(&result->networks);
	docker_legs_free(&result->legs);
	docker_about_free(&result->about);
	free(result->backend);
	err_free(&result->error);
	free(p->refusals);
	free(p->left);
	free(p->asked);
	free(p);
}

/* Takes over err. The result has only the answers that Docker has given so far. */
static void end_early(struct pass *p, struct err *err)
{
	p->result.error = *err;
	for (size_t i = 0; i < p->result.wanted.n; i++) {
		const struct docker_wanted *wanted = &p->result.wanted.items[i];

		if (p->refusals[i])
			add_note(p, DOCKER_PROVIDE_FAILED, wanted, p->refusals[i]);
		else if (p->asked[i])
			add_note(p, DOCKER_PROVIDE_CREATED, wanted, "created in Docker");
	}
	end(p);
}

/* Whether there is an answer; the pass has ended if not. */
static bool answered(struct pass *p, const struct docker_answer *answer)
{
	struct err err = { 0 };

	if (answer->error.code == 0)
		return true;
	err_set(&err, answer->error.code, "%s", answer->error.text);
	end_early(p, &err);
	return false;
}

/* Whether there is a list; the pass has ended if not. */
static bool listed(struct pass *p, const struct docker_answer *answer)
{
	struct err err = { 0 };

	if (!answered(p, answer))
		return false;
	docker_networks_free(&p->result.networks);
	if (docker_parse_networks(answer->body, answer->len, &p->result.networks, &err) >= 0)
		return true;
	err_prefix(&err, "list Docker's networks");
	end_early(p, &err);
	return false;
}

/* ---- what is other ---- */

/* Whether judged.h reports that of a managed network. */
static bool is_judged_by(const struct docker_wanted *wanted, enum networks_property property)
{
	return wanted->managed &&
	       (property == DOCKER_WANTED_DRIVER || property == DOCKER_WANTED_BRIDGE);
}

static void compare_one(struct pass *p, const struct docker_wanted *wanted,
			const struct docker_network *network)
{
	struct docker_wanted_difference differences[DOCKER_WANTED_PROPERTIES];
	size_t n = docker_wanted_compare(wanted, network, differences);

	for (size_t i = 0; i < n; i++) {
		bool unasked = differences[i].property == DOCKER_WANTED_MTU && !wanted->has_mtu;
		cleanup(cleanup_free) char *text =
			xasprintf("%s; RESET=1 recreates it", differences[i].text);

		if (!unasked && !is_judged_by(wanted, differences[i].property))
			add_note(p, DOCKER_PROVIDE_DIFFERS, wanted, text);
		free(differences[i].text);
	}
}

static void compare_all(struct pass *p)
{
	struct docker_provide_result *result = &p->result;

	for (size_t i = 0; i < result->wanted.n; i++) {
		const struct docker_wanted *wanted = &result->wanted.items[i];
		const struct docker_network *network =
			docker_find_network(&result->networks, wanted->name);

		if (network && p->asked[i] && !p->refusals[i])
			add_note(p, DOCKER_PROVIDE_CREATED, wanted, "created in Docker");
		if (!network && p->refusals[i])
			add_note(p, DOCKER_PROVIDE_FAILED, wanted, p->refusals[i]);
		else if (!network && p->asked[i])
			add_note(p, DOCKER_PROVIDE_FAILED, wanted,
				 "Docker said that it made it, but does not have it");
		if (network && !wanted->external) /* of those judged.h says all */
			compare_one(p, wanted, network);
	}
	end(p);
}

/* The pass goes on without this list where Docker refuses it. */
static void on_legs(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (answer->error.code != EREMOTEIO && !answered(p, answer))
		return;
	p->result.has_legs =
		answer->error.code == 0 &&
		docker_parse_legs(answer->body, answer->len, &p->result.legs, NULL) >= 0;
	compare_all(p);
}

static void ask_legs(struct pass *p)
{
	docker_list_containers(p->docker, on_legs, p);
}

/* ---- creating ---- */

static bool is_wanting(const struct pass *p, size_t i)
{
	return !p->left[i] && !p->result.wanted.items[i].external &&
	       !docker_find_network(&p->result.networks, p->result.wanted.items[i].name);
}

static void on_list_again(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (!listed(p, answer))
		return;
	ask_legs(p);
}

static void on_created(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (answer->error.code != EREMOTEIO && !answered(p, answer))
		return;
	p->asked[p->at] = true;
	if (answer->error.code == EREMOTEIO)
		p->refusals[p->at] = xstrdup(answer->error.text);
	p->at++;
	create_next(p);
}

static void create_next(struct pass *p)
{
	const struct docker_wanted_list *wanted = &p->result.wanted;
	cleanup(cleanup_free) char *body = NULL;

	while (p->at < wanted->n && !is_wanting(p, p->at))
		p->at++;
	if (p->at < wanted->n) {
		p->changing = true;
		body = docker_wanted_creation(&wanted->items[p->at]);
		docker_create(p->docker, body, on_created, p);
	} else if (p->changing) {
		docker_list(p->docker, on_list_again, p);
	} else {
		ask_legs(p);
	}
}

/* ---- removing ---- */

/* Says what the new one will have otherwise. */
static void note_removed(struct pass *p, const struct docker_wanted *wanted)
{
	const struct docker_network *network =
		docker_find_network(&p->result.networks, wanted->name);
	struct docker_wanted_difference differences[DOCKER_WANTED_PROPERTIES];
	size_t n = network ? docker_wanted_compare(wanted, network, differences) : 0;
	struct buf text = { 0 };

	buf_puts(&text, "removed from Docker, to be created anew");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&text, "; %s", differences[i].text);
		free(differences[i].text);
	}
	add_note(p, DOCKER_PROVIDE_REMOVED, wanted, buf_str(&text));
	buf_free(&text);
}

static void on_removed(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;
	const struct docker_wanted *wanted = &p->result.wanted.items[p->at];

	if (answer->error.code == EREMOTEIO && answer->http != 404) {
		p->left[p->at] = true;
		add_note(p, DOCKER_PROVIDE_FAILED, wanted, answer->error.text);
	} else if (answer->error.code == 0) {
		note_removed(p, wanted);
	} else if (answer->error.code != EREMOTEIO && !answered(p, answer)) {
		return;
	}
	p->at++;
	remove_next(p);
}

static void on_list_rest(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (!listed(p, answer))
		return;
	p->at = 0;
	create_next(p);
}

static void remove_next(struct pass *p)
{
	const struct docker_wanted_list *wanted = &p->result.wanted;
	const struct docker_network *network = NULL;

	for (; p->at < wanted->n; p->at++) {
		network = docker_find_network(&p->result.networks, wanted->items[p->at].name);
		if (network && !wanted->items[p->at].external)
			break;
		network = NULL;
	}
	if (network) {
		p->changing = true;
		docker_remove(p->docker, network->id, on_removed, p);
	} else {
		docker_list(p->docker, on_list_rest, p);
	}
}

/* ---- asking ---- */

static void on_list(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (!listed(p, answer))
		return;
	switch (p->mode) {
	case DOCKER_PROVIDE_LOOK:
	case DOCKER_PROVIDE_ASK:
		ask_legs(p);
		break;
	case DOCKER_PROVIDE_CREATE:
		create_next(p);
		break;
	case DOCKER_PROVIDE_RESET:
		remove_next(p);
		break;
	}
}

/* The answer is for `status`; networks can do without. */
static void on_info(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;

	if (answer->error.code != EREMOTEIO && !answered(p, answer))
		return;
	if (answer->error.code == 0)
		(void)docker_parse_backend(answer->body, answer->len, &p->result.backend, NULL);
	docker_list(p->docker, on_list, p);
}

static void on_version(void *data, const struct docker_answer *answer)
{
	struct pass *p = data;
	struct err err = { 0 };

	if (!answered(p, answer))
		return;
	if (docker_parse_about(answer->body, answer->len, &p->result.about, &err) < 0)
		end_early(p, &err);
	else
		docker_ask_info(p->docker, on_info, p);
}

void docker_provide_start(struct docker *docker, struct docker_wanted_list *wanted,
			  enum docker_provide_mode mode, docker_provide_done_fn done, void *data)
{
	struct pass *p = xcalloc(1, sizeof(*p));

	p->docker = docker;
	p->mode = mode;
	p->done = done;
	p->data = data;
	p->result.wanted = *wanted;
	*wanted = (struct docker_wanted_list){ 0 };
	p->refusals = xcalloc(p->result.wanted.n, sizeof(*p->refusals));
	p->left = xcalloc(p->result.wanted.n, sizeof(*p->left));
	p->asked = xcalloc(p->result.wanted.n, sizeof(*p->asked));
	if (mode == DOCKER_PROVIDE_LOOK)
		docker_list(docker, on_list, p);
	else
		docker_ask_version(docker, on_version, p);
}

bool docker_provide_has(const struct docker_provide_result *result, enum docker_provide_kind kind)
{
	for (size_t i = 0; i < result->n_notes; i++)
		if (result->notes[i].kind == kind)
			return true;
	return false;
}
