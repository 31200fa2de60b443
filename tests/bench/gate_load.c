/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate_load serve ADDRESS: a name server that gives each name four addresses of 11.0.0.0/8 that depend on the name; it
 * answers until it is killed.
 * gate_load echo PORT: in the gate's place, a server that does nothing but send each question back, by the interface and
 * from the address that it came to: what the kernel's part costs. Says "echoes" when it is there.
 * gate_load ask NETWORKS NAMES RATE SECONDS [STRANGE]: questions by UDP from the interfaces c0, c1, ... (one socket each)
 * to their gateways' port 53, for the names nI.bench.test (NAMES of each network's own), evenly, RATE a second; of 100
 * questions STRANGE are for names that are not allowed. Prints "asked N lost N p50 US p99 US max US"; an answer's time
 * is when it comes to the socket, however long we then take to read it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NETWORKS_MAX 4096
#define WAIT_US 2000000 /* for answers, in the end */
#define BUNCH 64

static uint64_t us_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_nsec / 1000;
}

/* The clock of SO_TIMESTAMPNS. */
static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return us_of(&t);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ------------------------------------------------------------------ the name server */

static size_t answer(uint8_t *m, size_t len)
{
	size_t at = 12;
	uint32_t hash = 5381;
	unsigned n;

	while (at < len && m[at] != 0) {
		for (size_t i = 0; i <= m[at] && at + i < len; i++)
			hash = hash * 33 + (m[at + i] | 0x20);
		at += 1u + m[at];
	}
	at += 5;
	if (at > len)
		return 0;
	n = m[at - 3] == 1 ? 4 : 0;
	m[2] = 0x81;
	m[3] = 0x80;
	m[7] = (uint8_t)n;
	m[11] = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t record[16] = { 0xc0,
					     12,
					     0,
					     1,
					     0,
					     1,
					     0,
					     0,
					     0,
					     60,
					     0,
					     4,
					     11,
					     (uint8_t)(hash >> 16),
					     (uint8_t)(hash >> 8),
					     (uint8_t)(4 * hash + i) };

		memcpy(m + at, record, sizeof(record));
		at += sizeof(record);
	}
	return at;
}

static struct mmsghdr messages[BUNCH];
static struct iovec parts[BUNCH];
static struct sockaddr_in from[BUNCH];
static union {
	char b[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
} control[BUNCH];
static uint8_t buffers[BUNCH][2048];

/* With IP_PKTINFO, if the socket has that. */
static int read_bunch(int fd)
{
	for (size_t i = 0; i < BUNCH; i++) {
		parts[i] = (struct iovec){ buffers[i], 1024 };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						       .msg_namelen = sizeof(from[i]),
						       .msg_iov = &parts[i],
						       .msg_iovlen = 1,
						       .msg_control = &control[i],
						       .msg_controllen = sizeof(control[i]) };
	}
	return recvmmsg(fd, messages, BUNCH, MSG_WAITFORONE, NULL);
}

static void send_bunch(int fd, int n)
{
	for (int i = 0; i < n;) {
		int sent = sendmmsg(fd, messages + i, (unsigned)(n - i), 0);

		i += sent > 0 ? sent : 1;
	}
}

static int open_server(const char *address, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;

	inet_pton(AF_INET, address, &sa.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("bind");
	return fd;
}

static _Noreturn void serve(const char *address)
{
	int fd = open_server(address, 53);

	for (;;) {
		int n = read_bunch(fd);

		for (int i = 0; i < n; i++) {
			messages[i].msg_hdr.msg_controllen = 0;
			parts[i].iov_len = answer(buffers[i], messages[i].msg_len);
		}
		send_bunch(fd, n);
	}
}

/* As long as an answer with four addresses is, and the gate waits by epoll, too. */
static _Noreturn void echo(uint16_t port)
{
	int fd = open_server("0.0.0.0", port), epoll = epoll_create1(0), one = 1;
	struct epoll_event event = { .events = EPOLLIN };

	setsockopt(fd, SOL_IP, IP_PKTINFO, &one, sizeof(one));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	puts("echoes");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, &event, 1, -1) == 1 ? read_bunch(fd) : 0;

		for (int i = 0; i < n; i++) {
			struct in_pktinfo *info =
				(void *)CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr));

			info->ipi_spec_dst = info->ipi_addr;
			buffers[i][2] |= 0x80;
			parts[i].iov_len = messages[i].msg_len + 64;
		}
		send_bunch(fd, n);
	}
}

/* ------------------------------------------------------------------ the clients */

static int sockets[NETWORKS_MAX];
static uint32_t *took_us; /* of each answer */
static uint64_t *sent_us; /* of each question, by number; 0: answered */
static size_t n_answers, n_asked;

static void open_sockets(int networks)
{
	for (int i = 0; i < networks; i++) {
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) };
		char name[IFNAMSIZ];
		int size = 1 << 20, one = 1;

		snprintf(name, sizeof(name), "c%d", i);
		to.sin_addr.s_addr = htonl(0x0a000001u | (uint32_t)i << 8);
		sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (sockets[i] < 0 || setsockopt(sockets[i], SOL_SOCKET, SO_BINDTODEVICE, name,
						 (socklen_t)strlen(name)) < 0)
			die("socket");
		setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
		if (connect(sockets[i], (const struct sockaddr *)&to, sizeof(to)) < 0)
			die("connect");
	}
}

/* The number of the question is in the id, and in the case of no letter: so there are at most 65536 at a time. */
static size_t question(uint8_t *m, size_t number, unsigned long name, int strange)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%c%lu", strange ? 'x' : 'n', name);
	static const uint8_t tail[] = "\5bench\4test\0\0\1\0\1";

	memset(m, 0, 12);
	m[0] = (uint8_t)(number >> 8);
	m[1] = (uint8_t)number;
	m[2] = 1;
	m[5] = 1;
	m[12] = (uint8_t)len;
	memcpy(m + 13, text, (size_t)len);
	memcpy(m + 13 + len, tail, sizeof(tail) - 1);
	return 13 + (size_t)len + sizeof(tail) - 1;
}

/* Returns when it came; 0: there is none. */
static uint64_t read_answer(int fd, uint8_t m[2048])
{
	struct iovec part = { m, 2048 };
	union {
		char b[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} stamp;
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = &stamp,
			      .msg_controllen = sizeof(stamp) };
	struct timespec t;

	if (recvmsg(fd, &msg, 0) < 12)
		return 0;
	if (!CMSG_FIRSTHDR(&msg))
		return now_us();
	memcpy(&t, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(t));
	return us_of(&t);
}

static void take(int fd)
{
	uint8_t m[2048];
	uint64_t at;

	while ((at = read_answer(fd, m)) != 0) {
		size_t number = (n_asked - 1) & ~(size_t)0xffff;

		number |= (size_t)m[0] << 8 | m[1];
		if (number >= n_asked)
			number -= 0x10000;
		if (number < n_asked && sent_us[number] != 0) {
			took_us[n_answers++] =
				at > sent_us[number] ? (uint32_t)(at - sent_us[number]) : 0;
			sent_us[number] = 0;
		}
	}
}

static void poll_answers(int epoll, int wait_ms)
{
	struct epoll_event events[BUNCH];
	int n = epoll_wait(epoll, events, BUNCH, wait_ms);

	for (int i = 0; i < n; i++)
		take(events[i].data.fd);
}

static int by_time(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int ask(int networks, unsigned long names, unsigned long rate, unsigned long seconds,
	       unsigned strange)
{
	size_t total = rate * seconds;
	uint64_t begin, end;
	int epoll = epoll_create1(0);

	open_sockets(networks);
	for (int i = 0; i < networks; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = sockets[i] };

		epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
	}
	took_us = calloc(total, sizeof(*took_us));
	sent_us = calloc(total, sizeof(*sent_us));
	if (!took_us || !sent_us)
		die("memory");
	srandom(1);
	begin = now_us();
	while (n_asked < total) {
		uint64_t now = now_us();
		size_t due = (size_t)((now - begin) * rate / 1000000);

		for (; n_asked < due && n_asked < total; n_asked++) {
			unsigned long network = (unsigned long)random() % (unsigned long)networks;
			unsigned long name = network * names + (unsigned long)random() % names;
			uint8_t m[64];
			size_t len = question(m, n_asked, name, (unsigned)random() % 100 < strange);

			sent_us[n_asked] = now_us();
			if (send(sockets[network], m, len, 0) < 0 && errno != EAGAIN &&
			    errno != ECONNREFUSED)
				die("send");
		}
		poll_answers(epoll, 0);
		if (n_asked < total && (now_us() - begin) * rate / 1000000 <= n_asked)
			poll_answers(epoll, 1);
	}
	for (end = now_us() + WAIT_US; n_answers < n_asked && now_us() < end;)
		poll_answers(epoll, 10);
	qsort(took_us, n_answers, sizeof(*took_us), by_time);
	printf("asked %zu lost %zu p50 %u p99 %u max %u\n", n_asked, n_asked - n_answers,
	       n_answers ? took_us[n_answers / 2] : 0,
	       n_answers ? took_us[n_answers * 99 / 100] : 0,
	       n_answers ? took_us[n_answers - 1] : 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo((uint16_t)strtoul(argv[2], NULL, 10));
	if (argc < 6 || strcmp(argv[1], "ask") != 0) {
		fprintf(stderr,
			"usage: gate_load serve ADDRESS | echo PORT | ask NETWORKS NAMES RATE "
			"SECONDS [STRANGE]\n");
		return 2;
	}
	return ask((int)strtol(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
		   strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10),
		   argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0);
}
