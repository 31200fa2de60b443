/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_follow.h"

#include <stdlib.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

/* Each holds a connection; those that are one too many are answered at once. */
#define FOLLOWERS_MAX (CTL_CONNECTIONS_MAX / 2)

struct follower {
	struct ctl_request *request; /* NULL: free */
	uint64_t until_ms;
};

struct daemon_follow {
	const struct services *services;
	struct follower followers[FOLLOWERS_MAX];
	sd_event_source *timer;
};

static void answer(struct daemon_follow *f, struct follower *follower)
{
	struct ctl_request *request = follower->request;
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	follower->request = NULL;
	daemon_denied_answer(f->services->denied, ctl_request_get(request), &out);
	ctl_answer(request, buf_str(&b));
	buf_free(&b);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void arm(struct daemon_follow *f)
{
	uint64_t next_ms = UINT64_MAX;

	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (f->followers[i].request && f->followers[i].until_ms < next_ms)
			next_ms = f->followers[i].until_ms;
	loop_arm(f->services->loop, &f->timer, next_ms, on_timer, f);
}

static void answer_until(struct daemon_follow *f, uint64_t until_ms)
{
	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (f->followers[i].request && f->followers[i].until_ms <= until_ms)
			answer(f, &f->followers[i]);
	arm(f);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_follow *f = data;

	(void)source;
	(void)usec;
	answer_until(f, loop_now_ms(f->services->loop));
	return 0;
}

bool daemon_follow_take(struct daemon_follow *f, struct ctl_request *request)
{
	uint64_t wait_ms = daemon_denied_wait_ms(f->services->denied, ctl_request_get(request));
	size_t i = 0;

	while (i < FOLLOWERS_MAX && f->followers[i].request)
		i++;
	if (wait_ms == 0 || i == FOLLOWERS_MAX)
		return false;
	f->followers[i] = (struct follower){ request, loop_now_ms(f->services->loop) + wait_ms };
	arm(f);
	return true;
}

void daemon_follow_answer(struct daemon_follow *f)
{
	answer_until(f, UINT64_MAX);
}

void daemon_follow_gone(struct daemon_follow *f, const struct ctl_request *request)
{
	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (f->followers[i].request == request)
			f->followers[i].request = NULL;
}

struct daemon_follow *daemon_follow_open(const struct services *services)
{
	struct daemon_follow *f = xcalloc(1, sizeof(*f));

	f->services = services;
	return f;
}

void daemon_follow_close(struct daemon_follow *f)
{
	if (!f)
		return;
	sd_event_source_disable_unref(f->timer);
	free(f);
}
