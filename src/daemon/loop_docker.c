/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop_docker.h"

#include <sys/epoll.h>

#include "dockside/ctl/ctl_server.h"
#include "dockside/system/clock.h"

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct loop_docker *docker = data;

	(void)source;
	(void)fd;
	(void)revents;
	docker_process(docker->client);
	loop_docker_arm(docker);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	return on_io(source, -1, 0, data);
}

void loop_docker_arm(struct loop_docker *docker)
{
	int wait_ms = docker_wait_ms(docker->client);

	loop_arm(docker->loop, &docker->timer,
		 wait_ms < 0 ? UINT64_MAX : loop_now_ms(docker->loop) + (uint64_t)wait_ms, on_timer,
		 docker);
}

int loop_docker_open(struct loop_docker *docker, struct loop *loop, const char *path,
		     struct err *err)
{
	int r = docker_open(path, monotonic_ms, &docker->client, err);

	docker->loop = loop;
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(loop), &docker->io, docker_fd(docker->client), EPOLLIN,
			    on_io, docker);
	/* After repairs, and in turn with clients: neither a Docker nor a client that floods us keeps the other waiting. */
	if (r >= 0)
		r = sd_event_source_set_priority(docker->io, CTL_PRIORITY);
	return r < 0 ? err_errno(err, -r, "watch Docker") : 0;
}

void loop_docker_close(struct loop_docker *docker)
{
	if (docker->client)
		docker_close(docker->client);
	sd_event_source_disable_unref(docker->io);
	sd_event_source_disable_unref(docker->timer);
	*docker = (struct loop_docker){ 0 };
}
