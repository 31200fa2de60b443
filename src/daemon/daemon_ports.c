/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: a port is set up, then Docker names its container's MAC address, then the container's end comes up, of
 * which the kernel tells us, and about a tenth of a second later the container's first process runs. When an end has come up
 * Docker is asked who is attached, and its answer makes the port known. Docker's own events lead to the
 * same question (daemon_attached.h), as not every change is one of interfaces.
 *
 * While Docker does not answer, what is known stays, and a new port remains unknown until it does. When the daemon starts,
 * what an earlier run left in the kernel is known (daemon_ports_begin()), so that a restart unbinds nobody.
 */
#include "daemon_ports.h"

#include "ports_log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_ports.h"
#include "dockside/names/ports_join.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_peers.h"
#include "dockside/system/link_watch.h"
#include "dockside/system/log.h"
#include "dockside/table/port_seeds.h"

#define COLLECT_MS 2   /* a port that is set up makes several events */
#define AGAIN_MS 1000u /* where the ports could not be read */
#define TOLD_MAX 20    /* unknown ports, or containers, of one network in status */

struct daemon_ports {
	struct loop *loop;
	struct daemon_docker *docker;
	struct ports_history history;
	struct port_links links;
	struct ports ports;
	struct ports_past past;
	struct ports_log log;
	sd_event_source *io, *timer, *log_timer;
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

		if (port && (port->doubt == PORT_NOT_ASKED || port->provisional))
			daemon_docker_ask(k->docker, link->bridge,
					  ports_history_find(&k->history, link->index)->at);
	}
}

/* Frees the words. */
static void join_words(struct daemon_ports *k, struct port_word *words, size_t n,
		       struct ports *ret_ports)
{
	ports_join(&k->history, &k->links, words, n, ret_ports);
	ret_ports->followed = true;
	for (size_t i = 0; i < n; i++)
		port_word_free(&words[i]);
	free(words);
}

static int on_log_timer(sd_event_source *source, uint64_t usec, void *data);

static void write_log(struct daemon_ports *k, const struct ports *before)
{
	uint64_t next_ms =
		ports_log_update(&k->log, k->docker, before, &k->ports, loop_now_ms(k->loop));

	if (next_ms > 0)
		loop_arm(k->loop, &k->log_timer, next_ms, on_log_timer, k);
}

static int on_log_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_ports *k = data;

	(void)source;
	(void)usec;
	write_log(k, &k->ports);
	return 0;
}

static void join(struct daemon_ports *k)
{
	struct ports before = k->ports;
	struct port_word *words;
	size_t n = daemon_docker_words(k->docker, &words);

	join_words(k, words, n, &k->ports);
	ports_past_update(&k->past, &k->links, &k->ports, loop_now_ms(k->loop));
	write_log(k, &before);
	if (!ports_equal(&before, &k->ports))
		loop_post(k->loop, NOTE_PORTS);
	ports_free(&before);
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

void daemon_ports_begin(struct daemon_ports *k, const struct policy *policy,
			const struct actual *bridge_table)
{
	struct port_seeds seeds;
	struct port_word *words;

	if (!read_links(k))
		return;
	port_seeds_of(bridge_table, &seeds);
	ports_seed(&k->history, &k->links, &seeds);
	port_seeds_free(&seeds);
	docker_port_silence(policy, &words);
	ports_free(&k->ports);
	join_words(k, words, policy->n_networks, &k->ports);
}

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
	sd_event_source_disable_unref(k->log_timer);
	ports_log_free(&k->log);
	port_links_free(&k->links);
	ports_free(&k->ports);
	ports_past_free(&k->past);
	ports_history_free(&k->history);
	free(k);
}

/* ------------------------------------------------------------------ what others ask */

const struct ports *daemon_ports_now(const struct daemon_ports *k)
{
	return &k->ports;
}

const struct port_past *daemon_ports_past(const struct daemon_ports *k, unsigned index)
{
	return ports_past_find(&k->past, index);
}

size_t daemon_ports_count(const struct daemon_ports *k, const char *bridge, size_t *ret_unknown)
{
	size_t known = 0, unknown = 0;

	for (size_t i = 0; k && i < k->ports.n; i++) {
		const struct port *port = &k->ports.ports[i];

		if (strcmp(port->bridge, bridge) == 0)
			*(port->known ? &known : &unknown) += 1;
	}
	*ret_unknown = unknown;
	return known;
}

static void put_unknown(const struct daemon_ports *k, const char *bridge, struct json_writer *out)
{
	size_t left = TOLD_MAX;

	json_write_open(out, "unknown_ports", '[');
	for (size_t i = 0; k && i < k->ports.n && left > 0; i++) {
		const struct port *port = &k->ports.ports[i];
		cleanup(cleanup_free) char *text = NULL;

		if (port->known || strcmp(port->bridge, bridge) != 0)
			continue;
		text = xasprintf("%s: %s", port->name, port_doubt_text(port->doubt));
		json_write_string(out, NULL, text);
		left--;
	}
	json_write_close(out, ']');
}

struct name_list {
	struct json_writer *out; /* NULL: they are only counted */
	size_t n;
};

static void take_name(void *data, const char *name)
{
	struct name_list *list = data;

	if (list->out && list->n < TOLD_MAX)
		json_write_string(list->out, NULL, name);
	list->n++;
}

bool daemon_ports_net_raw(const struct daemon_ports *k, const char *bridge, size_t *ret_n)
{
	struct name_list list = { 0 };
	bool complete = k && daemon_docker_net_raw(k->docker, bridge, take_name, &list);

	*ret_n = list.n;
	return complete;
}

static void put_net_raw(const struct daemon_ports *k, const char *bridge, struct json_writer *out)
{
	struct name_list list = { .out = out };
	bool complete;

	json_write_open(out, "net_raw", '[');
	complete = k && daemon_docker_net_raw(k->docker, bridge, take_name, &list);
	json_write_close(out, ']');
	if (complete || list.n > 0)
		json_write_int(out, "net_raw_count", (int64_t)list.n);
	else
		json_write_string(out, "net_raw_count", NULL);
}

void daemon_ports_status_network(const struct daemon_ports *k, struct json_writer *out,
				 const char *bridge)
{
	size_t unknown, known = daemon_ports_count(k, bridge, &unknown);

	put_unknown(k, bridge, out);
	json_write_int(out, "known_port_count", (int64_t)known);
	json_write_int(out, "unknown_port_count", (int64_t)unknown);
	put_net_raw(k, bridge, out);
}
