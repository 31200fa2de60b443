/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pass over the connections is under way, which this test plays: it asks for others meanwhile. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "daemon/daemon_unjudged.h"
#include "dockside/base/err.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/kernel/conntrack.h"
#include "dockside/names/gate.h"
#include "policy_fixture.h"

enum { OTHER, WITH_SERVER, WITH_GATE, N_FLOWS };

/* ---- the kernel, instead of conntrack.c ---- */

struct conntrack {
	struct flow flows[N_FLOWS];
	bool ended[N_FLOWS];
	size_t at;
	unsigned n_begun;
	bool mute; /* no pass begins */
	int fd;	   /* always readable */
} kernel;

int conntrack_open(struct conntrack **ret_conntrack, struct err *err)
{
	(void)err;
	*ret_conntrack = &kernel;
	return 0;
}

void conntrack_close(struct conntrack *conntrack)
{
	(void)conntrack;
}

int conntrack_fd(const struct conntrack *conntrack)
{
	return conntrack->fd;
}

int conntrack_begin(struct conntrack *conntrack, struct err *err)
{
	if (conntrack->mute)
		return err_set(err, EPERM, "no");
	conntrack->at = 0;
	conntrack->n_begun++;
	return 0;
}

/* One entry at a time. */
int conntrack_read(struct conntrack *conntrack, conntrack_ends_fn ends, void *data,
		   struct conntrack_pass *pass, struct err *err)
{
	size_t i = conntrack->at++;

	(void)err;
	if (!conntrack->ended[i] && ends(data, &conntrack->flows[i])) {
		conntrack->ended[i] = true;
		pass->n_ended++;
	}
	pass->done = conntrack->at == N_FLOWS;
	return 0;
}

/* ---- the daemon ---- */

static const char network[] =
	"{\"networks\": [{\"name\": \"ds-1\", \"subnet\": \"172.30.1.0/24\"}]}";
static const char gated[] =
	"{\"dns\": {\"upstream\": [\"9.9.9.10\"]}, \"ipsets\": {\"web\": [\"www.good.test\"]},"
	" \"networks\": {\"ds-1\": {\"dns\": {}, \"egress\": [{\"proto\": \"tcp\", \"ports\": "
	"[443],"
	" \"to\": \"ipset\", \"ipset\": \"web\"}, {\"action\": \"drop\"}]}}}";
static const char ungated[] =
	"{\"networks\": {\"ds-1\": {\"egress\": [{\"proto\": \"udp\", \"ports\": [53]},"
	" {\"action\": \"drop\"}]}}}";

struct world {
	struct loop *loop;
	struct enforcer enforcer;
	struct daemon_unjudged *u;
};

static void on_note(void *data, enum note note)
{
	(void)data;
	(void)note;
}

static void enforce(struct world *w, const char *firewall)
{
	running_free(w->enforcer.running);
	w->enforcer.running = running_new();
	policy_read(&w->enforcer.running->policy, network, firewall);
}

static struct flow flow(uint16_t port, uint16_t reached_port)
{
	return (struct flow){ .src = addr("172.30.1.11"),
			      .dst = addr("192.0.2.1"),
			      .l4proto = IPPROTO_UDP,
			      .port = port,
			      .reached_port = reached_port,
			      .judged = true };
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };

	kernel = (struct conntrack){ .fd = eventfd(1, EFD_CLOEXEC) };
	kernel.flows[OTHER] = flow(443, 443);
	kernel.flows[WITH_SERVER] = flow(53, 53);
	kernel.flows[WITH_GATE] = flow(53, GATE_PORT);
	assert_int_equal(loop_open(on_note, w, &w->loop, &err), 0);
	w->u = daemon_unjudged_open(w->loop, &w->enforcer);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	daemon_unjudged_close(w->u);
	loop_close(w->loop);
	running_free(w->enforcer.running);
	close(kernel.fd);
	free(w);
	return 0;
}

/* The pass that is under way ends nothing; the next one ends this connection alone. */
static void assert_next_pass_ends(struct world *w, size_t flow)
{
	assert_int_equal(kernel.n_begun, 1);
	daemon_unjudged_last(w->u);
	assert_int_equal(kernel.n_begun, 2);
	for (size_t i = 0; i < N_FLOWS; i++)
		assert_int_equal(kernel.ended[i], i == flow);
}

/* A pass that was not begun for DNS knows nobody who has a gate. */
static void test_dns_during_a_pass(void **state)
{
	struct world *w = *state;

	enforce(w, gated);
	daemon_unjudged_end_of(w->u, "br-new");
	assert_int_equal(kernel.at, 1);
	daemon_unjudged_end_dns(w->u);
	assert_next_pass_ends(w, WITH_SERVER);
}

/* A pass that was begun under another policy ends none of them, either. */
static void test_dns_of_two_policies(void **state)
{
	struct world *w = *state;

	enforce(w, gated);
	daemon_unjudged_end_dns(w->u);
	assert_int_equal(kernel.at, 1);
	enforce(w, ungated);
	daemon_unjudged_end_dns(w->u);
	assert_next_pass_ends(w, WITH_GATE);
}

/* No pass begins: compares what the log says then. */
static void assert_says(struct world *w, void (*begin)(struct daemon_unjudged *),
			const char *expected)
{
	char text[512] = "";
	int log = memfd_create("log", MFD_CLOEXEC), err = dup(STDERR_FILENO);

	daemon_unjudged_close(w->u);
	w->u = daemon_unjudged_open(w->loop, &w->enforcer);
	kernel.mute = true;
	fflush(stderr);
	dup2(log, STDERR_FILENO);
	begin(w->u);
	fflush(stderr);
	dup2(err, STDERR_FILENO);
	assert_true(pread(log, text, sizeof(text) - 1, 0) >= 0);
	close(err);
	close(log);
	if (!strstr(text, expected))
		assert_string_equal(text, expected);
}

static void end_of_one(struct daemon_unjudged *u)
{
	daemon_unjudged_end_of(u, "br-new");
}

static void test_failure(void **state)
{
	struct world *w = *state;

	enforce(w, gated);
	assert_says(w, daemon_unjudged_end_dns,
		    "no; conversations with name servers that are older than the change of DNS "
		    "gates may stay open, trying again");
	assert_says(w, end_of_one,
		    "no; connections that were opened without our rules may stay open, trying "
		    "again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dns_during_a_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dns_of_two_policies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
