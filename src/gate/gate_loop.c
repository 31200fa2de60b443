/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_loop.h"

#include <errno.h>
#include <sys/epoll.h>

#define EVENTS_MAX 64

int gate_loop_open(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int gate_loop_watch(int epoll, struct gate_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0 ||
	    (errno == EEXIST && epoll_ctl(epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0))
		return 0;
	return -errno;
}

int gate_loop_round(int epoll, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(epoll, events, EVENTS_MAX, wait_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		const struct gate_watch *watch = events[i].data.ptr;

		if (watch->fd >= 0)
			watch->ready(watch->data, events[i].events);
	}
	return 0;
}
