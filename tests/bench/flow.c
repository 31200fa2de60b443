/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow CLIENT_NETNS SERVER_NETNS ADDRESS [wall]: how many packets or connections a second pass a host
 * between two network namespaces (paths of files under /run/netns).
 *
 * Theory of operation
 *
 * One thread owns the sockets of both sides, so that a packet's whole way (out of one namespace,
 * through the host, into the other) is work done inside the system call that sends it. No scheduling
 * is measured, and time is this thread's processor time: what others do on the machine counts
 * little. With "wall" it is the clock on the wall, for what others take away from it.
 *
 * It reads lines "KIND PORT MILLISECONDS" and answers each with one number, units per second:
 *   udp, tcp          packets of one established flow, there and back, 64 bytes each
 *   udp-mtu, tcp-mtu  the same with 1,400 bytes, which fill a packet of an Ethernet
 *   new-udp, new-udp-mtu, new-tcp  flows with a fresh source port
 *   refused-udp, refused-tcp  the same to a port where nobody answers
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 1000 /* for what should be there at once */
#define PAYLOAD 64   /* bytes */
#define PAYLOAD_MTU 1400
#define CHECK_EVERY 32 /* units between two looks at the clock */

static clockid_t clock_id = CLOCK_THREAD_CPUTIME_ID;

struct flow {
	int client_ns, server_ns;
	struct in_addr address;
	struct sockaddr_in to;
	int client, server; /* of the established flow, or the server's alone */
	size_t payload;	    /* bytes a packet */
};

struct kind {
	const char *name;
	int type;
	bool established;
	bool answered; /* somebody listens at the port */
	void (*unit)(struct flow *flow);
	unsigned units; /* that one call is */
	size_t payload;
};

static void check(bool ok, const char *what)
{
	if (!ok)
		error(1, errno, "%s", what);
}

static int socket_in(int netns, int type)
{
	int fd;

	check(setns(netns, CLONE_NEWNET) == 0, "setns");
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	check(fd >= 0, "socket");
	return fd;
}

static bool ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, WAIT_MS) > 0;
}

/* Closes with a reset, so that both sides forget the connection and the port can be used again at
 * once. */
static void close_hard(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0, "SO_LINGER");
	close(fd);
}

static void pass(int from, int to, size_t len)
{
	char payload[PAYLOAD_MTU] = { 0 };

	check(send(from, payload, len, 0) == (ssize_t)len, "send");
	check(ready(to, POLLIN), "a packet is lost");
	check(recv(to, payload, len, 0) == (ssize_t)len, "recv");
}

static void there_and_back(struct flow *flow)
{
	pass(flow->client, flow->server, flow->payload);
	pass(flow->server, flow->client, flow->payload);
}

static int connect_client(const struct flow *flow, int type)
{
	int fd = socket_in(flow->client_ns, type | SOCK_NONBLOCK);

	if (connect(fd, (const struct sockaddr *)&flow->to, sizeof(flow->to)) < 0)
		check(errno == EINPROGRESS, "connect");
	return fd;
}

static void new_tcp(struct flow *flow)
{
	int client = connect_client(flow, SOCK_STREAM), server;

	check(ready(flow->server, POLLIN), "no connection");
	server = accept4(flow->server, NULL, NULL, SOCK_CLOEXEC);
	check(server >= 0, "accept");
	close_hard(client);
	close_hard(server);
}

static void refused_tcp(struct flow *flow)
{
	int client = connect_client(flow, SOCK_STREAM), result = 0;
	socklen_t len = sizeof(result);

	check(ready(client, POLLOUT), "no answer to a refused connection");
	check(getsockopt(client, SOL_SOCKET, SO_ERROR, &result, &len) == 0, "SO_ERROR");
	errno = result;
	check(result == ECONNREFUSED, "a connection is not refused");
	close(client);
}

static void new_udp(struct flow *flow)
{
	int client = connect_client(flow, SOCK_DGRAM);

	pass(client, flow->server, flow->payload);
	close(client);
}

static void refused_udp(struct flow *flow)
{
	char payload[PAYLOAD] = { 0 };
	int client = connect_client(flow, SOCK_DGRAM);

	check(send(client, payload, sizeof(payload), 0) == sizeof(payload), "send");
	close(client);
}

static const struct kind kinds[] = {
	{ "udp", SOCK_DGRAM, true, true, there_and_back, 2, PAYLOAD },
	{ "tcp", SOCK_STREAM, true, true, there_and_back, 2, PAYLOAD },
	{ "udp-mtu", SOCK_DGRAM, true, true, there_and_back, 2, PAYLOAD_MTU },
	{ "tcp-mtu", SOCK_STREAM, true, true, there_and_back, 2, PAYLOAD_MTU },
	{ "new-udp", SOCK_DGRAM, false, true, new_udp, 1, PAYLOAD },
	{ "new-udp-mtu", SOCK_DGRAM, false, true, new_udp, 1, PAYLOAD_MTU },
	{ "new-tcp", SOCK_STREAM, false, true, new_tcp, 1, PAYLOAD },
	{ "refused-udp", SOCK_DGRAM, false, false, refused_udp, 1, PAYLOAD },
	{ "refused-tcp", SOCK_STREAM, false, false, refused_tcp, 1, PAYLOAD },
};

static void listen_server(struct flow *flow, int type)
{
	int on = 1;

	flow->server = socket_in(flow->server_ns, type);
	check(setsockopt(flow->server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0,
	      "SO_REUSEADDR");
	check(bind(flow->server, (struct sockaddr *)&flow->to, sizeof(flow->to)) == 0, "bind");
	if (type == SOCK_STREAM)
		check(listen(flow->server, SOMAXCONN) == 0, "listen");
}

/* Both ends of one flow; conntrack has seen an answer on it when this returns. */
static void establish(struct flow *flow, int type)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int on = 1, listener = flow->server;
	char byte;

	flow->client = connect_client(flow, type);
	if (type == SOCK_STREAM) {
		check(ready(listener, POLLIN), "no connection");
		flow->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		check(flow->server >= 0, "accept");
		close(listener);
		check(setsockopt(flow->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
		      "TCP_NODELAY");
		check(setsockopt(flow->server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
		      "TCP_NODELAY");
	} else {
		check(send(flow->client, "", 1, 0) == 1, "send");
		check(ready(flow->server, POLLIN), "a packet is lost");
		check(recvfrom(flow->server, &byte, 1, 0, (struct sockaddr *)&peer, &len) == 1,
		      "recv");
		check(connect(flow->server, (struct sockaddr *)&peer, len) == 0, "connect");
	}
	for (int i = 0; i < 10; i++)
		there_and_back(flow);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(clock_id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double run(struct flow *flow, const struct kind *kind, double seconds)
{
	double start, spent = 0;
	unsigned long units = 0;

	flow->client = flow->server = -1;
	flow->payload = kind->payload;
	if (kind->answered)
		listen_server(flow, kind->type);
	if (kind->established)
		establish(flow, kind->type);
	start = now();
	while (spent < seconds) {
		for (int i = 0; i < CHECK_EVERY; i++)
			kind->unit(flow);
		units += CHECK_EVERY * kind->units;
		spent = now() - start;
	}
	if (flow->client >= 0)
		close_hard(flow->client);
	if (flow->server >= 0)
		close_hard(flow->server);
	return (double)units / spent;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	error(2, 0, "no such kind of flow: %s", name);
	return NULL;
}

static int open_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd >= 0, path);
	return fd;
}

int main(int argc, char **argv)
{
	struct flow flow = { 0 };
	unsigned port, milliseconds;
	char name[32];

	if (argc != 4 && (argc != 5 || strcmp(argv[4], "wall") != 0))
		error(2, 0, "usage: flow CLIENT_NETNS SERVER_NETNS ADDRESS [wall]");
	if (argc == 5)
		clock_id = CLOCK_MONOTONIC;
	flow.client_ns = open_netns(argv[1]);
	flow.server_ns = open_netns(argv[2]);
	if (inet_pton(AF_INET, argv[3], &flow.address) != 1)
		error(2, 0, "not an address: %s", argv[3]);
	while (scanf("%31s %u %u", name, &port, &milliseconds) == 3) {
		flow.to = (struct sockaddr_in){ .sin_family = AF_INET,
						.sin_port = htons((uint16_t)port),
						.sin_addr = flow.address };
		printf("%.0f\n", run(&flow, find_kind(name), milliseconds / 1000.0));
		fflush(stdout);
	}
	return 0;
}
