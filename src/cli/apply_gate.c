/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "apply_gate.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/ctl/gate_peer.h"
#include "dockside/enforce/told.h"
#include "dockside/names/gate_document.h"
#include "dockside/system/clock.h"
#include "dockside/system/dns.h"
#include "dockside/system/memfd.h"
#include "dockside/system/port_owner.h"
#include "term.h"

#define COME_MS 2500u /* a gate tries to connect every 100 ms */
#define TAKE_MS 5000u /* it may have much to take back, or to tell */

struct apply_gate {
	const char *path;
	const struct plan_options *options;
	int listener, fd; /* -1: there is none */
	struct stat st;	  /* of the socket's file */
	int memfd;
	bool missed; /* it says that the kernel did not take back all that has left */
	char generation[GATE_GENERATION_SIZE];
	int64_t serial; /* of the last giving */
};

bool apply_gate_may_live(const struct plan_options *options)
{
	return options->has_gate_uid && port_may_be_of(GATE_TELL_PORT, options->gate_uid);
}

/* ------------------------------------------------------------------ messages */

static void hang_up(struct apply_gate *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
}

/* Waits until fd is readable: 1, 0 when the time is over, or -errno. */
static int wait_for(int fd, uint64_t until_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now_ms = monotonic_ms();
	int r;

	if (now_ms >= until_ms)
		return 0;
	r = poll(&poll_fd, 1, (int)(until_ms - now_ms));
	return r < 0 ? (errno == EINTR ? 1 : -errno) : r;
}

/* Returns 1 if the gate says that it has taken our policy, -EPROTO if it refuses it, 0 if it reports other things, which are
 * for the daemon. */
static int judge(struct apply_gate *g, char *text, size_t len, struct err *err)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };

	if (!gate_peer_parse(text, len, &tree))
		return 0;
	if (gate_peer_has_taken(tree.root, g->generation, g->serial)) {
		g->missed = json_is_true(tree.root, "missed");
		return 1;
	}
	if (strcmp(json_text(tree.root, "type", ""), "refused") == 0)
		return err_set(
			err, EPROTO, "it does not take the policy: %.400s",
			gate_peer_text(tree.root, "why", GATE_PEER_WHY_MAX, "it does not say why"));
	return 0;
}

/* Hears the gate until it has taken the policy. A gate that somebody has taken over may say what it likes: until the time
 * is over. */
static int hear_taken(struct apply_gate *g, uint64_t until_ms, struct err *err)
{
	static char text[GATE_PEER_MESSAGE_MAX + 1];
	int r = 0;

	while (r == 0 && (r = wait_for(g->fd, until_ms)) > 0) {
		/* MSG_TRUNC: how long it was. */
		ssize_t n = recv(g->fd, text, GATE_PEER_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);

		r = 0;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return err_set(err, ECONNRESET, "it hung up");
		if (n > 0 && (size_t)n <= GATE_PEER_MESSAGE_MAX)
			r = judge(g, text, (size_t)n, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return err_set(err, ETIMEDOUT, "it did not say within %u s that it has taken the policy",
		       TAKE_MS / 1000);
}

static int give(struct apply_gate *g, bool retell, struct err *err)
{
	int r = gate_peer_give(g->fd, g->memfd, ++g->serial, retell);

	return r < 0 ? err_errno(err, -r, "it cannot be given the policy")
		     : hear_taken(g, monotonic_ms() + TAKE_MS, err);
}

/* ------------------------------------------------------------------ the gate comes */

/* Whether somebody has come who may be the gate. */
static bool greet(struct apply_gate *g)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	g->fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (g->fd < 0)
		return false;
	if (getsockopt(g->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    gate_peer_may(g->options, peer.uid))
		return true;
	hang_up(g);
	return false;
}

/* A peer that hangs up was no gate: so does a daemon that starts, and looks whether the socket is in use. */
static int meet(struct apply_gate *g, struct err *err)
{
	uint64_t until_ms = monotonic_ms() + COME_MS;
	int r = 0;

	while (wait_for(g->listener, until_ms) > 0) {
		if (!greet(g))
			continue;
		r = give(g, false, err);
		if (r != -ECONNRESET)
			return r;
		hang_up(g);
	}
	return r < 0 ? r
		     : err_set(err, ETIMEDOUT, "it did not ask for the policy at %s within %u.%u s",
			       g->path, COME_MS / 1000, COME_MS % 1000 / 100);
}

/* Writes the policy as the daemon does, with the host's name servers where it names none. */
static int write_document(struct apply_gate *g, const struct policy *policy, struct err *err)
{
	cleanup(buf_free) struct buf text = { 0 };
	struct ipaddr servers[GATE_UPSTREAM_MAX];
	struct dns *dns;
	size_t n;
	int r = dns_open(1, NULL, NULL, &dns, err); /* nothing is asked */

	if (r < 0)
		return r;
	n = dns_servers(dns, servers, ARRAY_SIZE(servers));
	dns_close(dns);
	gate_document_write(policy, told_tag(policy), servers, n, &text, g->generation);
	g->memfd = memfd_sealed("dsfw-nft-gate", text.data, text.len, err);
	return g->memfd < 0 ? g->memfd : 0;
}

int apply_gate_open(const char *path, const struct policy *policy,
		    const struct plan_options *options, struct apply_gate **ret_gate,
		    struct err *err)
{
	struct apply_gate *g = xcalloc(1, sizeof(*g));
	int r;

	*g = (struct apply_gate){
		.path = path, .options = options, .listener = -1, .fd = -1, .memfd = -1
	};
	r = write_document(g, policy, err);
	if (r >= 0)
		r = g->listener = gate_peer_listen(path, &g->st, err);
	if (r >= 0) {
		term_progress("waiting for the DNS gate");
		r = meet(g, err);
		term_progress_end();
	}
	if (r < 0) {
		apply_gate_close(g);
		return r;
	}
	*ret_gate = g;
	return 0;
}

void apply_gate_close(struct apply_gate *g)
{
	if (!g)
		return;
	/* Before it is hung up on: else the gate would wait in the queue of a socket that is about to go. */
	if (g->listener >= 0) {
		gate_peer_unlink(g->path, &g->st);
		close(g->listener);
	}
	hang_up(g);
	if (g->memfd >= 0)
		close(g->memfd);
	free(g);
}

bool apply_gate_missed(const struct apply_gate *g)
{
	return g->missed;
}

int apply_gate_retell(struct apply_gate *g, struct err *err)
{
	return give(g, true, err);
}
