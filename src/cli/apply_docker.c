/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes Docker's networks for `apply`. */
#include "apply_docker.h"

#include <errno.h>
#include <stdio.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_provide.h"
#include "dockside/enforce/judge.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "term.h"

struct outcome {
	bool reset;
	int code; /* errno: it failed */
	const struct policy *policy;
	struct report *report;
	bool is_diff; /* packets that are not judged are a result, not a failure */
};

static void print_note(struct report *report, const struct docker_provide_note *note)
{
	json_write_string(&report->out, NULL, note->text);
	switch (note->kind) {
	case DOCKER_PROVIDE_CREATED:
	case DOCKER_PROVIDE_REMOVED:
		if (!report->json)
			printf("%s\n", note->text);
		break;
	case DOCKER_PROVIDE_DIFFERS:
		log_warning("%s", note->text);
		break;
	case DOCKER_PROVIDE_FAILED:
		log_error("%s", note->text);
		break;
	}
}

static void tell_unjudged(const struct outcome *outcome, const char *text)
{
	json_write_string(&outcome->report->out, NULL, text);
	if (!outcome->is_diff)
		log_error("%s", text);
	else if (!outcome->report->json)
		printf("networks\n    %s\n", text);
}

static void warn_leg(void *data, const char *text)
{
	(void)data;
	log_warning("%s", text);
}

/* Docker's word, or without it the kernel's alone. */
static struct judge_docker docker_word(const struct docker_provide_result *result)
{
	bool answered = result->error.code == 0;

	return (struct judge_docker){
		.networks = answered ? &result->networks : NULL,
		.legs = answered && result->has_legs ? &result->legs : NULL,
		.failed = !answered && !docker_socket_absent(result->error.code),
	};
}

/* The configuration can be wrong about an external network alone: the others are made as it says. */
static void warn_of_outside(const struct docker_wanted_list *wanted,
			    const struct docker_networks *networks)
{
	for (size_t i = 0; i < wanted->n; i++) {
		const struct docker_wanted *network = &wanted->items[i];
		cleanup(cleanup_free) char *text = NULL;

		if (network->external && docker_find_network(networks, network->name))
			text = docker_wanted_outside(&network->identity);
		if (text)
			log_warning("network %s: %s", network->name, text);
	}
}

static void judge(struct outcome *outcome, const struct docker_provide_result *result)
{
	const struct docker_wanted_list *wanted = &result->wanted;
	struct judge_docker docker = docker_word(result);
	cleanup(cleanup_free) char *dns = NULL;
	struct judge_result judged;

	judge_networks(wanted, &docker, &judged);
	json_write_open(&outcome->report->out, "not_judged", '[');
	for (size_t i = 0; i < judged.n; i++) {
		cleanup(cleanup_free) char *text = NULL;

		if (judged.items[i].state != JUDGED_NOT)
			continue;
		text = judged_sentence(wanted->items[i].name, &judged.items[i]);
		tell_unjudged(outcome, text);
		outcome->code = EREMOTEIO;
	}
	json_write_close(&outcome->report->out, ']');
	if (docker.legs)
		judge_network_legs(wanted, judged.items, docker.legs, warn_leg, NULL);
	judge_result_free(&judged);
	if (docker.networks)
		warn_of_outside(wanted, docker.networks);
	dns = docker.networks ? judge_dns(outcome->policy) : NULL;
	if (dns)
		log_warning("%s", dns);
}

static void on_done(void *data, struct docker_provide_result *result)
{
	struct outcome *outcome = data;

	judge(outcome, result);
	json_write_open(&outcome->report->out, "docker", '[');
	for (size_t i = 0; i < result->n_notes; i++)
		print_note(outcome->report, &result->notes[i]);
	json_write_close(&outcome->report->out, ']');
	if (docker_provide_has(result, DOCKER_PROVIDE_FAILED))
		outcome->code = EREMOTEIO;
	if (result->error.code == 0) {
		if (result->n_notes == 0 && outcome->code == 0 && !outcome->report->json)
			printf("nothing to change in Docker %s: %zu network%s\n",
			       result->about.version, result->wanted.n, plural(result->wanted.n));
		return;
	}
	if (outcome->reset) {
		outcome->code = result->error.code;
		log_error("%s", result->error.text);
	} else {
		log_warning("%s; the rules are in force, networks that Docker lacks are not made",
			    result->error.text);
	}
}

/* A pass over Docker, to its end. */
static int ask(const char *socket, const struct policy *policy, enum docker_provide_mode mode,
	       docker_provide_done_fn done, struct outcome *outcome, struct err *err)
{
	struct docker_wanted_list wanted;
	struct docker *docker = NULL;
	int r = docker_open(socket, monotonic_ms, &docker, err);

	if (r < 0)
		return r;
	docker_wanted_list_make(policy, &wanted);
	docker_provide_start(docker, &wanted, mode, done, outcome);
	term_progress("waiting for Docker");
	r = docker_wait(docker, err);
	term_progress_end();
	docker_close(docker);
	return r;
}

int apply_docker_networks(const char *socket, bool reset, const struct policy *policy,
			  struct report *report, struct err *err)
{
	struct outcome outcome = { .reset = reset, .policy = policy, .report = report };
	int r;

	if (policy->n_networks == 0)
		return 0;
	r = ask(socket, policy, reset ? DOCKER_PROVIDE_RESET : DOCKER_PROVIDE_CREATE, on_done,
		&outcome, err);
	if (r >= 0 && outcome.code)
		r = err_set(err, outcome.code,
			    "the rules are in force, but not every network is as configured: see "
			    "above");
	return r;
}

static void on_asked(void *data, struct docker_provide_result *result)
{
	judge(data, result);
}

int apply_docker_judge(const char *socket, const struct policy *policy, struct report *report,
		       bool *ret_judged, struct err *err)
{
	struct outcome outcome = { .policy = policy, .report = report, .is_diff = true };
	int r = 0;

	if (policy->n_networks > 0)
		r = ask(socket, policy, DOCKER_PROVIDE_ASK, on_asked, &outcome, err);
	*ret_judged = outcome.code == 0;
	return r;
}
