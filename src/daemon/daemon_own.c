/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps what names never open, and what containers may not send as, true to the addresses that this host has. */
#include "daemon_own.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"
#include "dockside/system/own_addrs.h"

#define COLLECT_MS 20  /* addresses come and go in bunches */
#define AGAIN_MS 1000u /* where they could not be read */

struct daemon_own {
	struct loop *loop;
	struct enforcer *enforcer;
	sd_event_source *io, *timer;
	bool waiting;
};

/* Containers may not send as an address of this host, either: brings the rules for that up to date. */
static void follow_sources(struct daemon_own *k)
{
	struct reconcile_result result;
	struct err err = { 0 };

	if (!enforcer_own_differs(k->enforcer))
		return;
	if (enforcer_again(k->enforcer, loop_now_ms(k->loop), &result, &err) < 0) {
		log_error("%s; containers may send as new addresses of this host, trying again",
			  err.text);
		loop_post(k->loop, NOTE_SOURCES_FAILED);
	} else {
		log_info("this host has other addresses in managed networks: no container sends as "
			 "one of these");
	}
	err_free(&err);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_own *k = data;
	struct own_addrs own;
	struct err err = { 0 };

	(void)source;
	(void)usec;
	k->waiting = false;
	if (own_addrs_read(&own, &err) < 0) {
		log_error("%s; names may open some of them, trying again", err.text);
		loop_arm(k->loop, &k->timer, loop_now_ms(k->loop) + AGAIN_MS, on_timer, k);
		err_free(&err);
		return 0;
	}
	if (enforcer_own(k->enforcer, own.items, own.n, loop_now_ms(k->loop)))
		loop_post(k->loop, NOTE_OWN);
	own_addrs_free(&own);
	follow_sources(k);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_own *k = data;

	(void)source;
	(void)revents;
	link_watch_drain(fd);
	if (!k->waiting)
		loop_arm(k->loop, &k->timer, loop_now_ms(k->loop) + COLLECT_MS, on_timer, k);
	k->waiting = true;
	return 0;
}

static int watch(struct daemon_own *k, struct err *err)
{
	struct own_addrs own;
	int fd = link_watch(LINK_WATCH_ADDRS, err), r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(loop_event(k->loop), &k->io, fd, EPOLLIN, on_io, k);
	if (r < 0) {
		close(fd);
		return err_errno(err, -r, "watch this host's addresses");
	}
	sd_event_source_set_io_fd_own(k->io, true);
	r = own_addrs_read(&own, err);
	if (r < 0)
		return r;
	enforcer_own(k->enforcer, own.items, own.n, loop_now_ms(k->loop));
	own_addrs_free(&own);
	return 0;
}

int daemon_own_open(struct loop *loop, struct enforcer *enforcer, struct daemon_own **ret_own,
		    struct err *err)
{
	struct daemon_own *k = xcalloc(1, sizeof(*k));
	int r;

	k->loop = loop;
	k->enforcer = enforcer;
	r = watch(k, err);
	if (r < 0)
		daemon_own_close(k);
	else
		*ret_own = k;
	return r;
}

void daemon_own_close(struct daemon_own *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->io);
	sd_event_source_disable_unref(k->timer);
	free(k);
}
