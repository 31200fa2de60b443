/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_caps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"

#define AT_ONCE 2

enum asked {
	TO_ASK,
	ASKING,
	ANSWERED,
	FAILED,	 /* to be asked with the next look */
	REFUSED, /* Docker does not have it: not again */
};

struct container {
	char *id;
	bool wanted;
	enum asked asked;
	struct docker_caps caps; /* where ANSWERED */
};

struct daemon_caps {
	struct loop_docker *docker;
	struct container *items; /* sorted by id when daemon_caps_end() has been called */
	size_t n, cap, n_sorted;
	size_t asking;
};

struct question {
	struct daemon_caps *caps;
	char *id;
};

static int cmp_container(const void *a, const void *b)
{
	return strcmp(((const struct container *)a)->id, ((const struct container *)b)->id);
}

static struct container *find(const struct daemon_caps *k, const char *id)
{
	struct container key = { .id = (char *)id };

	return k->n_sorted > 0
		       ? bsearch(&key, k->items, k->n_sorted, sizeof(*k->items), cmp_container)
		       : NULL;
}

void daemon_caps_begin(struct daemon_caps *k)
{
	for (size_t i = 0; i < k->n; i++)
		k->items[i].wanted = false;
}

void daemon_caps_want(struct daemon_caps *k, const char *id)
{
	struct container *container = find(k, id);

	if (!container) {
		k->items = array_grow(k->items, &k->cap, k->n, sizeof(*k->items));
		container = &k->items[k->n++];
		*container = (struct container){ .id = xstrdup(id) };
	}
	container->wanted = true;
	if (container->asked == FAILED)
		container->asked = TO_ASK;
}

/* ------------------------------------------------------------------ questions */

static void ask(struct daemon_caps *k);

static void take(struct container *container, const struct docker_answer *answer)
{
	bool good = answer->error.code == 0 &&
		    docker_caps_parse(answer->body, answer->len, &container->caps, NULL) >= 0;

	container->asked = good ? ANSWERED : answer->error.code == EREMOTEIO ? REFUSED : FAILED;
}

static void on_container(void *data, const struct docker_answer *answer)
{
	struct question *question = data;
	struct daemon_caps *k = question->caps;
	struct container *container;

	if (answer->error.code != ECANCELED) {
		k->asking--;
		container = find(k, question->id);
		if (container)
			take(container, answer);
		/* A Docker that does not answer is asked again with the next look. */
		if (answer->error.code == 0 || answer->error.code == EREMOTEIO)
			ask(k);
	}
	free(question->id);
	free(question);
}

static void ask(struct daemon_caps *k)
{
	for (size_t i = 0; i < k->n && k->asking < AT_ONCE; i++) {
		struct container *container = &k->items[i];
		struct question *question;

		if (container->asked != TO_ASK)
			continue;
		container->asked = ASKING;
		k->asking++;
		question = xcalloc(1, sizeof(*question));
		question->caps = k;
		question->id = xstrdup(container->id);
		docker_inspect_container(k->docker->client, container->id, on_container, question);
	}
	loop_docker_arm(k->docker);
}

/* A container that is on two networks stands there twice as long as it is new. */
static void sort(struct daemon_caps *k)
{
	size_t n = 0;

	if (k->n > 0)
		qsort(k->items, k->n, sizeof(*k->items), cmp_container);
	for (size_t i = 0; i < k->n; i++) {
		if (k->items[i].wanted &&
		    (n == 0 || strcmp(k->items[n - 1].id, k->items[i].id) != 0))
			k->items[n++] = k->items[i];
		else
			free(k->items[i].id);
	}
	k->n = k->n_sorted = n;
}

void daemon_caps_end(struct daemon_caps *k)
{
	sort(k);
	ask(k);
}

const struct docker_caps *daemon_caps_of(const struct daemon_caps *k, const char *id)
{
	const struct container *container = find(k, id);

	return container && container->asked == ANSWERED ? &container->caps : NULL;
}

/* ------------------------------------------------------------------ start and stop */

struct daemon_caps *daemon_caps_open(struct loop_docker *docker)
{
	struct daemon_caps *k = xcalloc(1, sizeof(*k));

	k->docker = docker;
	return k;
}

void daemon_caps_close(struct daemon_caps *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		free(k->items[i].id);
	free(k->items);
	free(k);
}
