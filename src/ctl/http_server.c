/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP clients arrive here; each connection is http_connection.c's from then on. If all places are taken, one that has
 * stood still makes way, and others wait in the kernel's queue: neither a crowd nor idlers lock Prometheus out.
 */
#include "dockside/ctl/http_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "http_connection.h"

#define PAUSE_MS 100  /* before another look for room */
#define RETRY_MS 5000 /* before another try to listen */

const struct http_patience http_patience = {
	.request = 2000,
	.answer = 5000,
	.rest = 1000,
	.crowded = 500,
};

/* ------------------------------------------------------------------ addresses */

bool http_address_parse(const char *text, struct http_address *ret)
{
	const char *colon = strrchr(text, ':');
	struct http_address address;
	bool bracket = text[0] == '[';
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	if (!colon || !parse_uint(colon + 1, strlen(colon + 1), 1, UINT16_MAX, &port))
		return false;
	if (bracket && (len < 2 || text[len - 1] != ']'))
		return false;
	if (!ipaddr_parse(text + bracket, len - 2 * (size_t)bracket, &address.ip))
		return false;
	if (bracket != (address.ip.family == FAMILY_IPV6) || ipaddr_is_multicast(&address.ip))
		return false;
	address.port = (uint16_t)port;
	*ret = address;
	return true;
}

char *http_address_format(const struct http_address *address)
{
	bool v6 = address->ip.family == FAMILY_IPV6;
	char text[ADDR_STRLEN];

	return xasprintf("%s%s%s:%u", v6 ? "[" : "", ipaddr_format(&address->ip, text),
			 v6 ? "]" : "", address->port);
}

static socklen_t to_sockaddr(const struct http_address *address, struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){ 0 };
	if (address->ip.family == FAMILY_IPV6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(address->port);
		memcpy(&in6->sin6_addr, address->ip.b, sizeof(in6->sin6_addr));
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	in->sin_family = AF_INET;
	in->sin_port = htons(address->port);
	memcpy(&in->sin_addr, address->ip.b, sizeof(in->sin_addr));
	return sizeof(*in);
}

/* ------------------------------------------------------------------ new connections */

/* The one that has stood still for the longest time makes way, if that is long enough. */
static bool make_room(struct http *http)
{
	struct http_connection *oldest = NULL;

	if (http->n < HTTP_CONNECTIONS_MAX)
		return true;
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (!oldest || http->slots[i]->moved_ms < oldest->moved_ms)
			oldest = http->slots[i];
	if (oldest->moved_ms + http->patience->crowded > monotonic_ms())
		return false;
	http_connection_hang_up(oldest);
	return true;
}

static void pause_for(struct http *http, unsigned ms)
{
	if (sd_event_source_set_time_relative(http->resume, ms * 1000ull) >= 0 &&
	    sd_event_source_set_enabled(http->resume, SD_EVENT_ONESHOT) >= 0 && http->io)
		sd_event_source_set_enabled(http->io, SD_EVENT_OFF);
}

/* One at a time: there is room to be made only for a client that waits. The next one is another event. */
static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct http *http = data;
	int client;

	(void)source;
	(void)revents;
	if (!make_room(http)) {
		pause_for(http, PAUSE_MS);
		return 0;
	}
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client >= 0)
		http_connection_add(http, client);
	/* Without descriptors or memory it stays in the queue, and the loop would spin on it. */
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		pause_for(http, PAUSE_MS);
	return 0;
}

/* ------------------------------------------------------------------ the socket */

/* At boot the daemon is there before the host's addresses. *ret_absent: so it is. */
static int bind_to(int fd, const struct http_address *address, bool *ret_absent)
{
	static const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = to_sockaddr(address, &sa);

	*ret_absent = false;
	if (bind(fd, (const struct sockaddr *)&sa, len) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -1;
	*ret_absent = true;
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
		return -1;
	return bind(fd, (const struct sockaddr *)&sa, len);
}

static int open_socket(const struct http_address *address, bool *ret_absent, struct err *err)
{
	bool v6 = address->ip.family == FAMILY_IPV6;
	static const int on = 1;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "create a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind_to(fd, address, ret_absent) < 0 || listen(fd, SOMAXCONN) < 0) {
		int r = err_errno(err, errno, "listen");

		close(fd);
		return r;
	}
	return fd;
}

static void tell_listening(const struct http *http, bool absent)
{
	cleanup(cleanup_free) char *where = http_address_format(&http->address);

	if (ipaddr_is_loopback(&http->address.ip))
		log_info("metrics: listening at %s", where);
	else
		log_warning("metrics: listening at %s: whoever reaches that, containers "
			    "perhaps among them, may read the metrics, in which are names of "
			    "networks, hosts and rules",
			    where);
	if (absent)
		log_warning("metrics: this host does not have the address of %s yet", where);
}

static int try_to_listen(struct http *http, bool *ret_absent, struct err *err)
{
	int r = open_socket(&http->address, ret_absent, err);

	if (r < 0)
		return r;
	http->fd = r;
	r = sd_event_add_io(http->event, &http->io, http->fd, EPOLLIN, on_connection, http);
	if (r >= 0)
		r = sd_event_source_set_priority(http->io, HTTP_PRIORITY);
	if (r >= 0)
		return 0;
	http->io = sd_event_source_disable_unref(http->io);
	close(http->fd);
	http->fd = -1;
	return err_errno(err, -r, "event loop");
}

static void start_listening(struct http *http)
{
	struct err err = { 0 };
	bool absent = false;

	if (try_to_listen(http, &absent, &err) >= 0) {
		tell_listening(http, absent);
		return;
	}
	if (!http->complained) {
		cleanup(cleanup_free) char *where = http_address_format(&http->address);

		log_error("metrics: %s: %s; the networks are enforced all the same; trying again "
			  "every %u s",
			  where, err.text, RETRY_MS / 1000);
	}
	http->complained = true;
	err_free(&err);
	pause_for(http, RETRY_MS);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *data)
{
	struct http *http = data;

	(void)source;
	(void)usec;
	if (http->io)
		sd_event_source_set_enabled(http->io, SD_EVENT_ON);
	else
		start_listening(http);
	return 0;
}

struct http *http_open(sd_event *event, const struct http_address *address,
		       const struct http_patience *patience, http_text_fn *make, const void *data)
{
	struct http *http = xcalloc(1, sizeof(*http));
	int r;

	http->event = sd_event_ref(event);
	http->address = *address;
	http->patience = patience;
	http->make = make;
	http->data = data;
	http->fd = -1;
	r = sd_event_add_time_relative(event, &http->resume, CLOCK_MONOTONIC, 0, HTTP_ACCURACY_US,
				       on_resume, http);
	if (r >= 0)
		r = sd_event_source_set_priority(http->resume, HTTP_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(http->resume, SD_EVENT_OFF);
	if (r < 0)
		log_error("metrics: event loop: %s", strerror(-r));
	else
		start_listening(http);
	return http;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (http->slots[i])
			http_connection_hang_up(http->slots[i]);
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->resume);
	http_texts_free(&http->texts);
	if (http->fd >= 0)
		close(http->fd);
	sd_event_unref(http->event);
	free(http);
}
