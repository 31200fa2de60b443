/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply_ask.h"

#include "dockside/system/clock.h"

static void on_version(void *data, const struct docker_answer *answer)
{
	struct docker_talk *talk = data;

	if (answer->error.code)
		err_set(&talk->error, answer->error.code, "%s", answer->error.text);
}

static void on_list(void *data, const struct docker_answer *answer)
{
	struct docker_talk *talk = data;

	if (answer->error.code)
		err_set(&talk->error, answer->error.code, "%s", answer->error.text);
	else
		talk->listed = docker_parse_networks(answer->body, answer->len, &talk->networks,
						     &talk->error) >= 0;
}

int docker_talk_list(struct docker_talk *talk, struct err *err)
{
	int r;

	if (talk->docker)
		return 0;
	r = docker_open(talk->socket, monotonic_ms, &talk->docker, err);
	if (r < 0)
		return r;
	docker_ask_version(talk->docker, on_version, talk);
	if (docker_wait(talk->docker, &talk->error) >= 0 && talk->error.code == 0) {
		docker_list(talk->docker, on_list, talk);
		docker_wait(talk->docker, &talk->error);
	}
	return 0;
}

void docker_talk_close(struct docker_talk *talk)
{
	docker_close(talk->docker);
	docker_networks_free(&talk->networks);
	err_free(&talk->error);
	*talk = (struct docker_talk){ 0 };
}
