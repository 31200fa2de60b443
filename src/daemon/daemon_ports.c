/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: a port is set up, then Docker names its container's MAC address, then the container's end comes up, of
 * which the kernel tells us, and about a tenth of a second later the container's first process runs. When an end has come up
 * Docker is asked who is attached, and its answer makes the port known. What Docker tells by itself, its events, leads to the
 * same question (daemon_attached.h), as not every change is one of interfaces.
 *
 * While Docker does not answer, what is known stays, and a new port remains unknown until it does.
 */
#include "daemon_ports.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/names/ports_join.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_peers.h"
#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"

#define COLLECT_MS 2	/* a port that is set up makes several events */
#define AGAIN_MS 1000u	/* where the ports could not be read */
#define UNKNOWN_TOLD 20 /* of one network, in status */

struct daemon_ports {
	struct loop *loop;
	struct daemon_docker *docker;
	struct ports_history history;
	struct port_links links;
	struct ports ports;
	sd_event_source *io, *timer;
	bool waiting;
	bool links_changed;
	bool failing; /* it has been logged */
};

/* Ports that came up since Docker was asked. */
static void ask(struct daemon_ports *k)
{
	for (size_t i = 0; i < k->links.n; i++) {
		const struct port_link *link = &k->links.items[i];
		const struct port *port = ports_find(&k->ports, link->name);

		if (port && port->doubt == PORT_NOT_ASKED)
			daemon_docker_ask(k->docker, link->bridge,
					  ports_history_find(&k->history, link->index)->at);
	}
}

static void join(struct daemon_ports *k)
{
	struct port_word *words;
	size_t n = daemon_docker_words(k->docker, &words);
	struct ports ports;

	ports_join(&k->history, &k->links, words, n, &ports);
	for (size_t i = 0; i < n; i++)
		port_word_free(&words[i]);
	free(words);
	if (!ports_equal(&ports, &k->ports))
		loop_post(k->loop, NOTE_PORTS);
	ports_free(&k->ports);
	k->ports = ports;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void wait_ms(struct daemon_ports *k, uint64_t ms)
{
	if (!k->waiting)
		loop_arm(k->loop, &k->timer, loop_now_ms(k->loop) + ms, on_timer, k);
	k->waiting = true;
}

static bool read_links(struct daemon_ports *k)
{
	struct port_links links;
	struct err err = { 0 };

	if (link_peers_read(&k->history, monotonic_us(), &links, &err) < 0) {
		if (!k->failing)
			log_error("%s; new ports stay unknown, trying again", err.text);
		k->failing = true;
		err_free(&err);
		return false;
	}
	k->failing = false;
	port_links_free(&k->links);
	k->links = links;
	return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_ports *k = data;

	(void)source;
	(void)usec;
	k->waiting = false;
	if (k->links_changed)
		k->links_changed = !read_links(k);
	join(k);
	ask(k);
	if (k->links_changed)
		wait_ms(k, AGAIN_MS);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_ports *k = data;

	(void)source;
	(void)revents;
	link_watch_drain(fd);
	k->links_changed = true;
	wait_ms(k, COLLECT_MS);
	return 0;
}

void daemon_ports_attached(struct daemon_ports *k)
{
	wait_ms(k, COLLECT_MS);
}

/* ------------------------------------------------------------------ start and stop */

struct daemon_ports *daemon_ports_open(struct loop *loop, struct daemon_docker *docker)
{
	struct daemon_ports *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->docker = docker;
	return k;
}

int daemon_ports_start(struct daemon_ports *k, struct err *err)
{
	int fd = link_watch(LINK_WATCH_LINKS, err), r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(loop_event(k->loop), &k->io, fd, EPOLLIN, on_io, k);
	if (r < 0) {
		close(fd);
		return err_errno(err, -r, "watch the ports of bridges");
	}
	sd_event_source_set_io_fd_own(k->io, true);
	k->links_changed = true;
	wait_ms(k, 0);
	return 0;
}

void daemon_ports_close(struct daemon_ports *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->io);
	sd_event_source_disable_unref(k->timer);
	port_links_free(&k->links);
	ports_free(&k->ports);
	ports_history_free(&k->history);
	free(k);
}

/* ------------------------------------------------------------------ what others ask */

const struct ports *daemon_ports_now(const struct daemon_ports *k)
{
	return &k->ports;
}

static void put_unknown(struct json_writer *out, const struct port *port)
{
	cleanup(cleanup_free) char *text =
		xasprintf("%s: %s", port->name, port_doubt_text(port->doubt));

	json_write_string(out, NULL, text);
}

void daemon_ports_status_network(const struct daemon_ports *k, struct json_writer *out,
				 const char *bridge)
{
	int64_t known = 0, unknown = 0;

	json_write_open(out, "unknown_ports", '[');
	for (size_t i = 0; k && i < k->ports.n; i++) {
		const struct port *port = &k->ports.ports[i];

		if (strcmp(port->bridge, bridge) != 0)
			continue;
		if (port->known)
			known++;
		else if (unknown++ < UNKNOWN_TOLD)
			put_unknown(out, port);
	}
	json_write_close(out, ']');
	json_write_int(out, "known_port_count", known);
	json_write_int(out, "unknown_port_count", unknown);
}
