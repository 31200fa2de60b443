/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What apply does with Docker's networks. */
#include <errno.h>
#include <stdio.h>

#include "dockside/command.h"
#include "dockside/log.h"
#include "dockside/provide.h"
#include "dockside/term.h"

struct outcome {
	bool reset;
	int code; /* errno: it failed */
};

static void print_note(const struct provide_note *note)
{
	switch (note->kind) {
	case PROVIDE_CREATED:
	case PROVIDE_REMOVED:
		printf("%s\n", note->text);
		break;
	case PROVIDE_DIFFERS:
		log_warning("%s", note->text);
		break;
	case PROVIDE_UNJUDGED:
	case PROVIDE_FAILED:
		log_error("%s", note->text);
		break;
	}
}

static void on_done(void *data, struct provide_result *result)
{
	struct outcome *outcome = data;

	for (size_t i = 0; i < result->n_notes; i++)
		print_note(&result->notes[i]);
	if (provide_has(result, PROVIDE_FAILED) || provide_has(result, PROVIDE_UNJUDGED))
		outcome->code = EREMOTEIO;
	if (result->error.code == 0) {
		if (result->n_notes == 0)
			printf("nothing to change in Docker %s: %zu networks\n",
			       result->about.version, result->wanted.n);
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

int apply_networks(const struct options *options, const struct policy *policy, struct err *err)
{
	struct outcome outcome = { .reset = options->reset };
	struct networks_list wanted;
	struct docker *docker = NULL;
	int r;

	if (policy->n_networks == 0)
		return 0;
	r = docker_open(options->docker, &docker, err);
	if (r < 0)
		return r;
	networks_list_make(policy, &wanted);
	provide_start(docker, &wanted, options->reset ? PROVIDE_RESET : PROVIDE_CREATE, on_done,
		      &outcome);
	term_progress("waiting for Docker");
	r = docker_wait(docker, err);
	term_progress_end();
	docker_close(docker);
	if (r >= 0 && outcome.code)
		r = err_set(err, outcome.code,
			    "the rules are in force, but not every network is as configured: see "
			    "above");
	return r;
}
