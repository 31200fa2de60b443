/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood NETNS ADDRESS PORT COUNT: sends so many UDP packets from a network namespace (path of a file
 * under /run/netns), as fast as one processor can. Prints how many seconds that took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define PAYLOAD 18 /* bytes: what makes the smallest Ethernet frame */

static void check(bool ok, const char *what)
{
	if (!ok)
		error(1, errno, "%s", what);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_in(const char *netns, const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	check(ns >= 0 && setns(ns, CLONE_NEWNET) == 0, netns);
	check(inet_pton(AF_INET, address, &to.sin_addr) == 1, address);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	return fd;
}

static void flood(int fd, unsigned long count)
{
	static char payload[PAYLOAD];
	struct iovec iov = { payload, sizeof(payload) };
	struct mmsghdr batch[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		batch[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	while (count > 0) {
		int n = sendmmsg(fd, batch, count < BATCH ? (unsigned)count : BATCH, 0);

		check(n > 0 || errno == EINTR, "sendmmsg");
		count -= n > 0 ? (unsigned long)n : 0;
	}
}

int main(int argc, char **argv)
{
	double start;
	int fd;

	if (argc != 5)
		error(2, 0, "usage: flood NETNS ADDRESS PORT COUNT");
	fd = connect_in(argv[1], argv[2], argv[3]);
	start = now();
	flood(fd, strtoul(argv[4], NULL, 10));
	printf("%.6f\n", now() - start);
	return 0;
}
