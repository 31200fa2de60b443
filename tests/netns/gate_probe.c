/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate_probe UID BRIDGE SLOT ADDRESS…: tells the kernel addresses as the DNS gate does, and as that user; with the tag of a
 * policy if $TAG has one. One line each:
 * "ADDRESS taken", "ADDRESS refused" (IPv4 only: of IPv6 the kernel does not say), "ADDRESS sent", as no rule took it,
 * or "ADDRESS failed: WHY".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* which wants time.h before it */

#include "dockside/names/gate.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h */
#endif

#define REFUSAL_MS 100 /* until it is there */

static uint32_t tag; /* in network byte order */
static struct iovec message = { &tag, 0 };

static int open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(GATE_TELL_PORT) };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(GATE_TELL_PORT) };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&any6, sizeof(any6)) < 0)
			return -1;
	} else {
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
			return -1;
	}
	return fd;
}

static ssize_t tell4(int fd, const struct in_addr *addr, int ifindex, unsigned slot)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)slot),
				  .sin_addr = *addr };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct msghdr msg = { .msg_name = &to,
			      .msg_namelen = sizeof(to),
			      .msg_iov = &message,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = { .ipi_ifindex = ifindex };

	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	return sendmsg(fd, &msg, 0);
}

static ssize_t tell6(int fd, const struct in6_addr *addr, unsigned ifindex, unsigned slot)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)slot),
				   .sin6_scope_id = ifindex };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct msghdr msg = { .msg_name = &to,
			      .msg_namelen = sizeof(to),
			      .msg_iov = &message,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct in6_pktinfo info = { .ipi6_addr = *addr, .ipi6_ifindex = ifindex };

	inet_pton(AF_INET6, "ff02::5353", &to.sin6_addr);
	cmsg->cmsg_level = IPPROTO_IPV6;
	cmsg->cmsg_type = IPV6_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	return sendmsg(fd, &msg, 0);
}

/* Whether the rules have rejected what was sent to the address. Other errors come late: that nobody answers ARP for what
 * another user has sent from the port seconds ago. */
static int is_reject(struct msghdr *msg, const struct in_addr *addr)
{
	const struct sockaddr_in *to = msg->msg_name;
	struct sock_extended_err error;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != IPPROTO_IP || cmsg->cmsg_type != IP_RECVERR)
			continue;
		memcpy(&error, CMSG_DATA(cmsg), sizeof(error));
		return error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_code == ICMP_PKT_FILTERED &&
		       to->sin_addr.s_addr == addr->s_addr;
	}
	return 0;
}

static int refused(int fd, const struct in_addr *addr)
{
	struct pollfd poll_fd = { .fd = fd };

	while (poll(&poll_fd, 1, REFUSAL_MS) > 0) {
		struct sockaddr_in to;
		char control[256];
		struct msghdr msg = { .msg_name = &to,
				      .msg_namelen = sizeof(to),
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return 0;
		if (is_reject(&msg, addr))
			return 1;
	}
	return 0;
}

/* A socket for each, so that no error is another one's. */
static void tell(const char *text, unsigned ifindex, unsigned slot)
{
	struct in6_addr addr6;
	struct in_addr addr;
	int v6 = strchr(text, ':') != NULL, fd = open_socket(v6 ? AF_INET6 : AF_INET);
	ssize_t n;

	if (fd < 0 || inet_pton(v6 ? AF_INET6 : AF_INET, text, v6 ? (void *)&addr6 : &addr) != 1) {
		printf("%s failed: %s\n", text, fd < 0 ? strerror(errno) : "no address");
		return;
	}
	n = v6 ? tell6(fd, &addr6, ifindex, slot) : tell4(fd, &addr, (int)ifindex, slot);
	if (n >= 0)
		printf("%s sent\n", text);
	else if (errno != EPERM)
		printf("%s failed: %s\n", text, strerror(errno));
	else
		printf("%s %s\n", text, !v6 && refused(fd, &addr) ? "refused" : "taken");
	close(fd);
}

int main(int argc, char **argv)
{
	const char *tag_text = getenv("TAG");
	unsigned ifindex;
	uid_t uid;

	if (argc < 5)
		return 2;
	if (tag_text && *tag_text != '\0') {
		tag = htonl((uint32_t)strtoul(tag_text, NULL, 0));
		message.iov_len = sizeof(tag);
	}
	uid = (uid_t)strtoul(argv[1], NULL, 10);
	ifindex = if_nametoindex(argv[2]);
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		perror("become the user");
		return 1;
	}
	for (int i = 4; i < argc; i++)
		tell(argv[i], ifindex, (unsigned)strtoul(argv[3], NULL, 10));
	return 0;
}
