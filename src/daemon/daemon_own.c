/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps what names never open true to the addresses that this host has. */
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/daemon/daemon.h"
#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"
#include "dockside/system/own_addrs.h"

#define COLLECT_MS 20  /* addresses come and go in bunches */
#define AGAIN_MS 1000u /* where they could not be read */

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon *d = data;
	struct own_addrs own;
	struct err err = { 0 };

	(void)source;
	(void)usec;
	d->own_waiting = false;
	if (own_addrs_read(&own, &err) < 0) {
		log_error("%s; names may open some of them, trying again", err.text);
		loop_arm(d->loop, &d->own_timer, loop_now_ms(d->loop) + AGAIN_MS, on_timer, d);
		err_free(&err);
		return 0;
	}
	if (enforcer_own(&d->enforcer, own.items, own.n, loop_now_ms(d->loop)))
		daemon_names_changed(d);
	own_addrs_free(&own);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;

	(void)source;
	(void)revents;
	link_watch_drain(fd);
	if (!d->own_waiting)
		loop_arm(d->loop, &d->own_timer, loop_now_ms(d->loop) + COLLECT_MS, on_timer, d);
	d->own_waiting = true;
	return 0;
}

int daemon_own_start(struct daemon *d, struct err *err)
{
	struct own_addrs own;
	int fd = link_watch(LINK_WATCH_ADDRS, err), r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(loop_event(d->loop), &d->own_io, fd, EPOLLIN, on_io, d);
	if (r < 0) {
		close(fd);
		return err_errno(err, -r, "watch this host's addresses");
	}
	sd_event_source_set_io_fd_own(d->own_io, true);
	r = own_addrs_read(&own, err);
	if (r < 0)
		return r;
	enforcer_own(&d->enforcer, own.items, own.n, loop_now_ms(d->loop));
	own_addrs_free(&own);
	return 0;
}

void daemon_own_stop(struct daemon *d)
{
	sd_event_source_disable_unref(d->own_io);
	sd_event_source_disable_unref(d->own_timer);
}
