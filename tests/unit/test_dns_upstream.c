/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name servers, and a network, that this test plays: each socket of the client is one end of a pair. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr_fixture.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"
#include "dockside/system/dns_upstream.h"

#define SOCKETS_MAX 512
#define TIMEOUT_MS 60000u /* of which no test waits for a part */
#define TCP_MAX 64u
#define FORMERR 1
#define TRUNCATED 0x2

/* ---- the network, instead of libc's ---- */

static struct pair {
	int client, server; /* descriptors */
	bool tcp;
	bool broken; /* the next read says that nobody listens */
} pairs[SOCKETS_MAX];
static size_t n_pairs;
static size_t n_refused; /* questions to come that meet an earlier one's error */
static int no_socket;	 /* why there is none; 0: there are */

int socket(int domain, int type, int protocol)
{
	int fds[2];

	(void)domain;
	(void)protocol;
	if (no_socket) {
		errno = no_socket;
		return -1;
	}
	assert_true(n_pairs < SOCKETS_MAX);
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		return -1;
	pairs[n_pairs++] = (struct pair){ fds[0], fds[1], type & SOCK_STREAM, false };
	return fds[0];
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	(void)fd;
	(void)addr;
	(void)len;
	return 0;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (n_refused > 0) {
		n_refused--;
		errno = ECONNREFUSED;
		return -1;
	}
	return sendto(fd, buf, len, flags, NULL, 0);
}

/* One at a time is enough. */
int recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *timeout)
{
	ssize_t r;

	(void)n;
	(void)timeout;
	for (size_t i = 0; i < n_pairs; i++)
		if (pairs[i].client == fd && pairs[i].broken) {
			pairs[i].broken = false;
			errno = ECONNREFUSED;
			return -1;
		}
	r = recvmsg(fd, &messages[0].msg_hdr, flags);
	if (r < 0)
		return -1;
	messages[0].msg_len = (unsigned)r;
	return 1;
}

/* ---- the client ---- */

struct world {
	struct dns_upstream *upstream;
	size_t n_failed;
	enum dns_upstream_status status; /* of the last one */
};

static void on_result(void *data, const struct dns_upstream_result *result)
{
	struct world *w = data;

	w->status = result->status;
	w->n_failed += result->status != DNS_UPSTREAM_ANSWERED;
}

static void start(struct world *w, bool paced)
{
	struct dns_upstream_conf conf = { .n_servers = 1 };
	struct err err = { 0 };

	conf.servers[0].addr = addr("192.0.2.1");
	assert_int_equal(dns_upstream_open(paced, TIMEOUT_MS, &w->upstream, &err), 0);
	dns_upstream_configure(w->upstream, &conf);
}

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct world));
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dns_upstream_close(w->upstream);
	while (n_pairs > 0)
		close(pairs[--n_pairs].server);
	no_socket = 0;
	free(w);
	return 0;
}

static int ask(struct world *w)
{
	struct dns_name name;

	assert_true(dns_name_parse("www.good.test", &name));
	return dns_upstream_ask(w->upstream, &name, DNS_TYPE_A, 0, on_result, w);
}

static bool is_ok(const struct world *w)
{
	struct dns_upstream_health health;

	assert_true(dns_upstream_health(w->upstream, 0, &health));
	return health.ok;
}

/* ---- the servers ---- */

/* Counts the questions that wait; *ret_most of them at one socket, which *ret_pair is. */
static size_t take_questions(size_t *ret_most, struct pair **ret_pair)
{
	uint8_t message[512];
	size_t n = 0;

	*ret_most = 0;
	for (size_t i = 0; i < n_pairs; i++) {
		size_t its = 0;

		while (recv(pairs[i].server, message, sizeof(message), MSG_DONTWAIT) > 0)
			its++;
		n += its;
		if (its > *ret_most) {
			*ret_most = its;
			*ret_pair = &pairs[i];
		}
	}
	return n;
}

static void break_socket(struct world *w, struct pair *pair)
{
	pair->broken = true;
	assert_int_equal(send(pair->server, "x", 1, 0), 1);
	dns_upstream_process(w->upstream);
}

/* Gives each question that waits back as its reply, with bits of the flags and a code. */
static void reply(struct world *w, uint8_t bits, uint8_t rcode)
{
	for (size_t i = 0; i < n_pairs; i++) {
		uint8_t message[512];
		ssize_t n;

		while (!pairs[i].tcp &&
		       (n = recv(pairs[i].server, message, sizeof(message), MSG_DONTWAIT)) > 0) {
			message[2] |= 0x80 | bits;
			message[3] = rcode;
			assert_int_equal(send(pairs[i].server, message, (size_t)n, 0), n);
			dns_upstream_process(w->upstream);
		}
	}
}

/* ---- errors of the network ---- */

/* A forged one goes to all questions at a socket of the gate's, and is one failure. */
static void test_error_counts_once(void **state)
{
	struct world *w = *state;
	struct pair *pair = NULL;
	size_t most;

	start(w, false);
	for (size_t i = 0; i < 256; i++)
		assert_int_equal(ask(w), 0);
	take_questions(&most, &pair);
	assert_true(most >= 4); /* of 64 sockets one has as many */
	break_socket(w, pair);
	assert_false(is_ok(w));
	assert_true(dns_upstream_room(w->upstream, monotonic_ms()) > 0); /* it is not down */
	assert_true(take_questions(&most, &pair) >= 4);			 /* again */
	assert_int_equal(w->n_failed, 0);
}

/* One that forges them has to hit each round. */
static void test_error_again(void **state)
{
	struct world *w = *state;
	struct pair *pair = NULL;
	size_t most;

	start(w, false);
	assert_int_equal(ask(w), 0);
	for (size_t round = 0; round < 3; round++) {
		assert_int_equal(w->n_failed, 0);
		assert_int_equal(take_questions(&most, &pair), 1);
		break_socket(w, pair);
	}
	assert_int_equal(w->n_failed, 1);
	assert_int_equal(w->status, DNS_UPSTREAM_UNREACHABLE);
}

/* It may be the next question at the socket that meets it. */
static void test_error_of_another(void **state)
{
	struct world *w = *state;
	struct pair *pair = NULL;
	size_t most;

	start(w, false);
	n_refused = 1;
	assert_int_equal(ask(w), 0);
	assert_int_equal(take_questions(&most, &pair), 1);
	n_refused = 3;
	assert_int_equal(ask(w), -EHOSTUNREACH);
	assert_int_equal(n_refused, 0);
}

/* Its three rounds come at once where nothing can be sent, and are one failure. */
static void test_unreachable_counts_once(void **state)
{
	struct world *w = *state;

	start(w, false);
	n_refused = 3;
	assert_int_equal(ask(w), -EHOSTUNREACH);
	assert_int_equal(n_refused, 0);
	assert_true(dns_upstream_room(w->upstream, monotonic_ms()) > 0); /* it is not down */
}

/* A question of a paced client has a socket of its own, so that nobody hits it. */
static void test_error_paced(void **state)
{
	struct world *w = *state;
	struct pair *pair = NULL;
	size_t most;

	start(w, true);
	assert_int_equal(ask(w), 0);
	assert_int_equal(take_questions(&most, &pair), 1);
	break_socket(w, pair);
	assert_int_equal(w->n_failed, 1);
}

/* ---- our own limits say nothing about a server ---- */

static void test_connections(void **state)
{
	struct world *w = *state;

	start(w, false);
	for (size_t i = 0; i < TCP_MAX + 1; i++)
		assert_int_equal(ask(w), 0);
	reply(w, TRUNCATED, 0);
	assert_int_equal(w->n_failed, 1);
	assert_true(is_ok(w));
}

static void test_no_connection(void **state)
{
	struct world *w = *state;

	start(w, true);
	assert_int_equal(ask(w), 0);
	no_socket = EMFILE;
	reply(w, TRUNCATED, 0);
	assert_true(is_ok(w));
	assert_int_equal(w->n_failed, 0);
	assert_true(dns_upstream_wait_ms(w->upstream, monotonic_ms()) <= 50);
}

static void test_no_socket(void **state)
{
	struct world *w = *state;

	start(w, true);
	assert_int_equal(ask(w), 0);
	no_socket = EMFILE;
	reply(w, 0, FORMERR); /* asked without EDNS, if there were a socket */
	assert_true(is_ok(w));
	assert_int_equal(w->n_failed, 0);
	assert_true(dns_upstream_wait_ms(w->upstream, monotonic_ms()) <= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_error_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_of_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreachable_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_paced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
