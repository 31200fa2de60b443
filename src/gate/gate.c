/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * One thread, one epoll. A question that the cache can answer is answered before the next bunch is read; another waits
 * with the name servers' client (dns_upstream.h). gate_desk.c is a question's way; what is here is the process: sockets,
 * signals, the daemon, the clock's tick. Nine tenths of the time are the kernel's: its way of each answer through the
 * bridge to the container, and that we sleep and are woken. To sleep for a moment between rounds, so that questions gather,
 * saves a tenth of it at 20,000 a second, and costs each a third of a millisecond, and some of them some milliseconds, as
 * clocks wake a virtual machine late.
 *
 * The policy comes from the daemon or from a file. A faulty one changes nothing: the gate says so and goes on with the
 * one that it has. Until the first it answers SERVFAIL. When it stops, it answers whom it still owes an answer; with
 * systemd's sockets, questions that come from then on wait for the next gate.
 */
#include "dockside/gate/gate.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "dockside/base/exit_status.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "gate_desk.h"
#include "gate_link.h"
#include "gate_loop.h"
#include "gate_privileges.h"
#include "gate_sockets.h"
#include "gate_tcp.h"
#include "gate_udp.h"

#define FILE_SERIAL (-1) /* nobody has given it */
#define POLICY_MS 1000	 /* the daemon has so long to send the first policy */
#define CONNECT_MS 100	 /* between tries to reach the daemon */
#define LAST_MS 500u	 /* for those that wait when it stops */

struct gate {
	const struct gate_options *options;
	int epoll;
	struct gate_desk *desk;
	struct gate_udp *udp4, *udp6; /* NULL: none */
	struct gate_tcp *tcp;
	struct gate_link *link; /* NULL: there is no daemon */
	struct gate_watch on_udp4, on_udp6, on_signal, on_second, on_upstream, on_tell;
	bool stopping;
	bool desk_ready; /* there is something for the desk */
	bool connected;	 /* just now: the daemon knows nothing of us */
	uint64_t next_try_ms;
	/* Questions are not read before there is a policy, or the daemon has had its time to send one. */
	struct gate_socket sockets[GATE_SOCKETS_MAX];
	int n_sockets;
	/* The generation of a policy that we have, and have not said so; borrowed of it; or NULL. */
	const char *untaken;
	bool unheard; /* the daemon had no time for that: again with the next second */
	bool has_policy, serving;
	bool given;	/* the policy came from the daemon, or from apply */
	int64_t serial; /* of the policy that we have */
	uint64_t serve_ms;
	uint64_t watchdog_us;
};

/* ------------------------------------------------------------------ replies and reports */

static void send_reply(void *data, const struct gate_client *client, const uint8_t *reply,
		       size_t len)
{
	struct gate *g = data;

	if (client->tcp)
		gate_tcp_reply(g->tcp, client, reply, len);
	else
		gate_udp_reply(client->addr.family == FAMILY_IPV4 ? g->udp4 : g->udp6, client,
			       reply, len);
}

static bool send_report(void *data, const char *text, size_t len)
{
	struct gate *g = data;

	return !g->link || gate_link_send(g->link, text, len);
}

/* ------------------------------------------------------------------ policy */

static void report_refused(struct gate *g, const char *why)
{
	gate_report_refused(gate_desk_report(g->desk), why);
	log_error("the policy was not taken, the gate goes on as before: %s", why);
	sd_notify(0, "STATUS=goes on with its policy, as the last was faulty");
}

/* The first fault, on one line. */
static char *first_fault(const struct src *src, const struct diags *diags)
{
	unsigned line = 0, column = 0;

	if (diags->n == 0)
		return xstrdup("it is no JSON");
	if (diags->items[0].loc.src && src->text)
		loc_line_column(diags->items[0].loc, &line, &column);
	return xasprintf("%s: line %u, column %u: %s%s%s", src->name ? src->name : "document", line,
			 column, diags->items[0].message, diags->items[0].pointer[0] ? " at " : "",
			 diags->items[0].pointer);
}

/* serial: the giver's, or FILE_SERIAL. An answer names it only where its policy was taken. */
static bool take_policy(struct gate *g, const struct src *src, int64_t serial, bool retell)
{
	struct diags diags = { 0 };
	const struct gate_policy *kept = gate_desk_keep_policy(g->desk, src, retell);
	struct gate_policy *policy = kept ? NULL : gate_policy_parse(src, &diags);

	if (kept) {
		g->untaken = kept->generation;
	} else if (policy) {
		gate_desk_set_policy(g->desk, policy, retell);
		g->has_policy = true;
		g->untaken = policy->generation;
	} else {
		cleanup(cleanup_free) char *why = first_fault(src, &diags);

		report_refused(g, why);
	}
	if (kept || policy)
		g->serial = serial;
	diags_free(&diags);
	return kept || policy;
}

/* Reports the policy as taken, once the kernel was told all that follows of it, and for good. */
static void report_taken(struct gate *g)
{
	if (!g->untaken || g->unheard)
		return;
	g->unheard = !gate_report_taken(gate_desk_report(g->desk), g->untaken, g->serial,
					gate_desk_has_missed(g->desk)) &&
		     gate_link_is_up(g->link);
	if (g->unheard)
		return;
	log_info("policy %s taken", g->untaken);
	sd_notifyf(0, "STATUS=answers by policy %s", g->untaken);
	g->untaken = NULL;
}

/* From the daemon. */
static void on_policy(void *data, const struct gate_given *given)
{
	struct gate *g = data;
	struct src src = { .text = given->text, .len = given->len };

	if (given->why)
		report_refused(g, given->why);
	else
		g->given |= take_policy(g, &src, given->serial, given->retell);
	free(given->text);
}

static void read_policy(struct gate *g)
{
	struct diags diags = { 0 };
	struct src src = { 0 };

	if (src_read(g->options->policy, NULL, &src, &diags)) {
		/* Somebody may have emptied the sets for it. */
		take_policy(g, &src, FILE_SERIAL, true);
	} else {
		cleanup(cleanup_free) char *why = first_fault(&src, &diags);

		report_refused(g, why);
	}
	diags_free(&diags);
	src_free(&src);
}

/* ------------------------------------------------------------------ events */

static void on_udp4(void *data, uint32_t events)
{
	struct gate *g = data;

	(void)events;
	gate_udp_read(g->udp4, g->desk, monotonic_ms());
}

static void on_udp6(void *data, uint32_t events)
{
	struct gate *g = data;

	(void)events;
	gate_udp_read(g->udp6, g->desk, monotonic_ms());
}

/* Name servers, or the kernel about what it was told: turn() looks at it after the round. */
static void on_desk(void *data, uint32_t events)
{
	struct gate *g = data;

	(void)events;
	g->desk_ready = true;
}

/* Somebody may have emptied the sets. */
static void on_hangup(struct gate *g)
{
	if (!g->options->policy)
		return;
	if (g->given) {
		log_warning("%s was not read again: a younger policy came by %s, and is told again",
			    g->options->policy, g->options->socket);
		gate_desk_retell(g->desk);
	} else {
		read_policy(g);
	}
}

static void on_signal(void *data, uint32_t events)
{
	struct signalfd_siginfo info;
	struct gate *g = data;

	(void)events;
	if (read(g->on_signal.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		on_hangup(g);
		return;
	}
	log_info("stopping on signal %u; what the kernel was told stays", info.ssi_signo);
	g->stopping = true;
}

static void on_second(void *data, uint32_t events)
{
	struct gate *g = data;
	uint64_t times;

	(void)events;
	if (read(g->on_second.fd, &times, sizeof(times)) < 0)
		return;
	gate_tcp_tick(g->tcp, monotonic_ms());
	gate_desk_tick(g->desk, g->connected);
	g->connected = g->unheard = false;
	if (g->watchdog_us > 0)
		sd_notify(0, "WATCHDOG=1");
}

static int ms_of_round(const struct gate *g, bool more)
{
	uint64_t now_ms = monotonic_ms();
	int ms = more ? 0 : gate_desk_wait_ms(g->desk, now_ms);

	if (((g->link && !gate_link_is_up(g->link)) || !g->serving) && (ms < 0 || ms > CONNECT_MS))
		ms = CONNECT_MS;
	return ms;
}

/* The daemon may be there again. */
static void try_to_connect(struct gate *g)
{
	uint64_t now_ms = monotonic_ms();

	if (!g->link || gate_link_is_up(g->link) || now_ms < g->next_try_ms)
		return;
	g->next_try_ms = now_ms + CONNECT_MS;
	if (!gate_link_tick(g->link))
		return;
	g->connected = true;
	g->untaken = NULL; /* whoever listens there now has given nothing yet */
}

static int open_socket(struct gate *g, const struct gate_socket *s, struct err *err);

/* systemd holds the sockets while the gate restarts: what has come meanwhile is to be answered by the policy, and not with
 * SERVFAIL a moment before it is there. */
static int begin_to_serve(struct gate *g)
{
	struct err err = { 0 };
	int r = 0;

	if (g->serving || (!g->has_policy && monotonic_ms() < g->serve_ms))
		return 0;
	g->serving = true;
	for (int i = 0; i < g->n_sockets && r >= 0; i++)
		r = open_socket(g, &g->sockets[i], &err);
	if (r < 0)
		log_error("%s", err.text);
	err_free(&err);
	return r;
}

/* The replies that a round made go out at its end. */
static int turn(struct gate *g, bool *more)
{
	int r = begin_to_serve(g);

	if (r < 0)
		return r;
	try_to_connect(g);
	r = gate_loop_round(g->epoll, ms_of_round(g, *more));
	gate_desk_process(g->desk, g->desk_ready, monotonic_ms());
	g->desk_ready = false;
	*more = gate_desk_work(g->desk);
	if (gate_desk_is_settled(g->desk))
		report_taken(g);
	if (g->udp4)
		gate_udp_flush(g->udp4);
	if (g->udp6)
		gate_udp_flush(g->udp6);
	gate_tcp_sweep(g->tcp);
	return r;
}

static void stop_reading(struct gate *g)
{
	if (g->on_udp4.fd >= 0)
		epoll_ctl(g->epoll, EPOLL_CTL_DEL, g->on_udp4.fd, NULL);
	if (g->on_udp6.fd >= 0)
		epoll_ctl(g->epoll, EPOLL_CTL_DEL, g->on_udp6.fd, NULL);
	gate_tcp_stop(g->tcp);
}

static int loop(struct gate *g)
{
	bool more = false;
	uint64_t end_ms;
	int r = 0;

	while (r >= 0 && !g->stopping)
		r = turn(g, &more);
	stop_reading(g);
	end_ms = monotonic_ms() + LAST_MS;
	while (r >= 0 && gate_desk_n_waiting(g->desk) > 0 && monotonic_ms() < end_ms)
		r = turn(g, &more);
	return r;
}

/* ------------------------------------------------------------------ start */

static int watch(struct gate *g, struct gate_watch *watch, int fd, uint32_t events,
		 void (*ready)(void *data, uint32_t events), struct err *err)
{
	int r;

	*watch = (struct gate_watch){ fd, ready, g };
	r = gate_loop_watch(g->epoll, watch, events);
	return r < 0 ? err_errno(err, -r, "epoll") : 0;
}

static int open_signals(struct gate *g, struct err *err)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return err_errno(err, errno, "signals");
	fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "signals")
		      : watch(g, &g->on_signal, fd, EPOLLIN, on_signal, err);
}

static int open_tick(struct gate *g, struct err *err)
{
	struct itimerspec second = { { 1, 0 }, { 0, 1 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &second, NULL) < 0)
		return err_errno(err, errno, "timer");
	return watch(g, &g->on_second, fd, EPOLLIN, on_second, err);
}

static int open_socket(struct gate *g, const struct gate_socket *s, struct err *err)
{
	bool four = s->family == AF_INET;
	int r;

	if (s->tcp)
		return gate_tcp_listen(g->tcp, s->fd, s->family, err);
	r = gate_udp_open(s->fd, s->family, four ? &g->udp4 : &g->udp6, err);
	if (r < 0)
		return r;
	return watch(g, four ? &g->on_udp4 : &g->on_udp6, s->fd, EPOLLIN, four ? on_udp4 : on_udp6,
		     err);
}

/* Name servers' sockets: 64 each, and old ones that still wait. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_desk(struct gate *g, struct err *err)
{
	int r = gate_desk_open(send_reply, send_report, g, &g->desk, err);

	if (r < 0)
		return r;
	g->tcp = gate_tcp_new(g->desk, g->epoll);
	r = watch(g, &g->on_upstream, gate_desk_upstream_fd(g->desk), EPOLLIN, on_desk, err);
	if (r >= 0)
		r = watch(g, &g->on_tell, gate_desk_tell_fd(g->desk), EPOLLERR, on_desk, err);
	return r;
}

static int start(struct gate *g, struct err *err)
{
	int r = gate_loop_open();

	if (r < 0)
		return err_errno(err, -r, "epoll");
	g->epoll = r;
	raise_descriptors();
	r = open_signals(g, err);
	if (r >= 0)
		r = open_tick(g, err);
	if (r >= 0)
		r = open_desk(g, err);
	if (r >= 0)
		r = g->n_sockets = gate_sockets(g->options->port, g->sockets, err);
	if (r >= 0 && g->options->socket)
		g->link = gate_link_new(g->options->socket, g->epoll, on_policy, g);
	return r;
}

static void become_ready(struct gate *g)
{
	if (sd_watchdog_enabled(0, &g->watchdog_us) <= 0)
		g->watchdog_us = 0;
	if (g->options->policy)
		read_policy(g);
	else
		log_info("answers nothing before the daemon has sent a policy");
	g->serve_ms = monotonic_ms() + (g->options->policy ? 0 : POLICY_MS);
	sd_notify(0, "READY=1");
}

/* ------------------------------------------------------------------ stop */

static void stop(struct gate *g)
{
	const int fds[] = { g->on_signal.fd, g->on_second.fd, g->epoll };

	sd_notify(0, "STOPPING=1");
	if (g->desk)
		gate_desk_tick(g->desk, true);
	gate_tcp_free(g->tcp);
	gate_link_free(g->link);
	g->link = NULL;
	gate_desk_close(g->desk);
	gate_udp_close(g->udp4);
	gate_udp_close(g->udp6);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int gate_run(const struct gate_options *options)
{
	static const struct gate_watch closed = { .fd = -1 };
	struct gate g = { .options = options,
			  .epoll = -1,
			  .on_udp4 = closed,
			  .on_udp6 = closed,
			  .on_signal = closed,
			  .on_second = closed };
	struct err err = { 0 };
	int r;

	if (!options->socket && !options->policy) {
		log_error("gate: without --gate-socket and without --policy there is no policy to "
			  "answer by");
		return EXIT_USAGE;
	}
	r = gate_drop_privileges(options->user, &err);
	if (r >= 0)
		r = start(&g, &err);
	if (r >= 0) {
		become_ready(&g);
		r = loop(&g);
		if (r < 0)
			err_errno(&err, -r, "event loop");
	}
	if (r < 0)
		log_error("gate: %s", err.text);
	stop(&g);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
