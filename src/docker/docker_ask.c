/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The questions and changes that we have for Docker. */
#include "dockside/base/util.h"
#include "dockside/docker/docker_client.h"

void docker_ask_version(struct docker *docker, docker_answer_fn fn, void *data)
{
	docker_ask(docker, "GET", "/version", NULL, DOCKER_ASK_MS, "ask for the version", fn, data);
}

void docker_ask_info(struct docker *docker, docker_answer_fn fn, void *data)
{
	docker_ask(docker, "GET", "/info", NULL, DOCKER_ASK_MS, "ask for the firewall backend", fn,
		   data);
}

void docker_list(struct docker *docker, docker_answer_fn fn, void *data)
{
	docker_ask(docker, "GET", "/networks", NULL, DOCKER_ASK_MS, "list the networks", fn, data);
}

void docker_inspect(struct docker *docker, const char *id, docker_answer_fn fn, void *data)
{
	cleanup(cleanup_free) char *path = xasprintf("/networks/%s", id);

	docker_ask(docker, "GET", path, NULL, DOCKER_ASK_MS, "ask who is attached", fn, data);
}

void docker_inspect_container(struct docker *docker, const char *id, docker_answer_fn fn,
			      void *data)
{
	cleanup(cleanup_free) char *path = xasprintf("/containers/%s/json", id);

	docker_ask(docker, "GET", path, NULL, DOCKER_ASK_MS, "ask what a container may do", fn,
		   data);
}

void docker_list_containers(struct docker *docker, docker_answer_fn fn, void *data)
{
	docker_ask(docker, "GET", "/containers/json", NULL, DOCKER_ASK_MS,
		   "ask who is on which network", fn, data);
}

void docker_list_restarting(struct docker *docker, const char *id, docker_answer_fn fn, void *data)
{
	/* {"network":["ID"],"status":["restarting"]} */
	cleanup(cleanup_free) char *path =
		xasprintf("/containers/json?all=1&filters=%%7B%%22network%%22%%3A%%5B%%22%s%%22%%5D"
			  "%%2C%%22status%%22%%3A%%5B%%22restarting%%22%%5D%%7D",
			  id);

	docker_ask(docker, "GET", path, NULL, DOCKER_ASK_MS, "ask who restarts", fn, data);
}

void docker_remove(struct docker *docker, const char *id, docker_answer_fn fn, void *data)
{
	cleanup(cleanup_free) char *path = xasprintf("/networks/%s", id);

	docker_ask(docker, "DELETE", path, NULL, DOCKER_CHANGE_MS, "remove it", fn, data);
}

void docker_create(struct docker *docker, const char *body, docker_answer_fn fn, void *data)
{
	docker_ask(docker, "POST", "/networks/create", body, DOCKER_CHANGE_MS, "create it", fn,
		   data);
}
