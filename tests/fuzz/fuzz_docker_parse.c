/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker may answer with any bytes: the first one says to which question. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/docker/docker_parse.h"
#include "dockside/docker/docker_wanted.h"

#include "must.h"

static void check_text(const char *s)
{
	must(strlen(s) <= DOCKER_TEXT_MAX + 3);
	for (; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_id(const char *id)
{
	must(id[0] && strlen(id) <= 64 && !strpbrk(id, "/.?#% "));
}

static void try_networks(const char *text, size_t len)
{
	struct docker_wanted wanted = { .name = "ds-a", .bridge = "ds-a", .subnet.len = 8 };
	struct docker_wanted_list list = { .items = &wanted, .n = 1 };
	struct docker_networks networks = { 0 };

	if (docker_parse_networks(text, len, &networks, NULL) < 0)
		return;
	for (size_t i = 0; i < networks.n; i++) {
		const struct docker_network *network = &networks.items[i];
		struct docker_wanted_difference differences[DOCKER_WANTED_PROPERTIES];
		size_t n = docker_wanted_compare(&wanted, network, differences);

		must(n <= DOCKER_WANTED_PROPERTIES && network->n_subnets <= DOCKER_SUBNETS_MAX);
		for (size_t k = 0; k < n; k++)
			free(differences[k].text);
		(void)docker_wanted_orphan(&list, network);
		check_id(network->id);
		check_text(network->name);
		check_text(network->driver);
		check_text(network->bridge);
		must(docker_find_network(&networks, network->name));
	}
	docker_networks_free(&networks);
}

static void try_containers(const char *text, size_t len)
{
	struct docker_containers containers = { 0 };

	if (docker_parse_containers(text, len, &containers, NULL) < 0)
		return;
	must(docker_wanted_count_attached(&containers, 0, NULL) == containers.n);
	for (size_t i = 0; i < containers.n; i++) {
		check_text(containers.items[i].id);
		check_text(containers.items[i].name);
	}
	docker_containers_free(&containers);
}

static void try_event(const char *text, size_t len)
{
	struct docker_event event = { 0 };

	if (docker_parse_event(text, len, &event, NULL) < 0)
		return;
	must(event.action == DOCKER_OTHER || event.id[0]);
	if (event.id[0])
		check_id(event.id);
	docker_event_free(&event);
}

static void try_about(const char *text, size_t len)
{
	struct docker_about about = { 0 };
	char *backend = NULL, *refusal = docker_refusal(text, len);

	check_text(refusal);
	free(refusal);
	if (docker_parse_about(text, len, &about, NULL) >= 0) {
		must(about.api >= DOCKER_API_MIN && about.api <= DOCKER_API_MAX);
		check_text(about.version);
	}
	docker_about_free(&about);
	if (docker_parse_backend(text, len, &backend, NULL) >= 0 && backend)
		check_text(backend);
	free(backend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const questions[])(const char *, size_t) = { try_networks, try_containers,
								   try_event, try_about };
	char *copy;

	if (size == 0)
		return 0;
	/* A copy of the exact size, so that ASan sees a read past the end. */
	copy = malloc(size);
	must(copy);
	memcpy(copy, data + 1, size - 1);
	questions[data[0] % ARRAY_SIZE(questions)](copy, size - 1);
	free(copy);
	return 0;
}
