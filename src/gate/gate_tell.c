/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The rules of the output hook take a datagram of ours from GATE_TELL_PORT for "add this address to the set of this
 * slot, by the policy with this tag", and drop it, so that sendmsg() fails with EPERM: that is success. If it does not
 * fail, the rules are missing.
 *
 * IPv4: the datagram goes to the address itself, with the bridge as the interface. The rules reject what they do not
 * take; the kernel's ICMP error comes into the socket's error queue before sendmsg() returns, as a rule. A pending error
 * is also the next sendmsg()'s, which then sent nothing: we send again. A container can forge such errors, but not that
 * they come from the loopback interface.
 *
 * IPv6: to a group on the bridge, and *from* the address, which IPV6_FREEBIND allows: there would be no route to the
 * address on an IPv4-only host. A refused one is dropped like any other, and we do not learn of it: what names must
 * never open we drop ourselves before, and otherwise the address stays closed.
 */
#include "gate_tell.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* which wants time.h before it */
#include <linux/filter.h>

#include "dockside/base/util.h"
#include "dockside/names/gate.h"

#define SEND_AGAIN 16 /* errors of other tells may be pending */
#define HEAR_MAX 1024 /* at once: more than the queue takes */
/* `apply` binds the port for a moment, to find out whether somebody has it (port_owner.c). */
#define BIND_AGAIN 100
#define BIND_PAUSE_NS 10000000L

struct gate_tell {
	int fd4, fd6; /* fd6: -1 on a host without IPv6 */
	int loopback; /* the interface's index */
};

static int set(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one));
}

/* Nobody reads what strangers send to the port, and it must not take the room of the kernel's refusals
 * (doc/kernel.md, "An address told by a packet"). */
static int hear_nobody(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &none };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int bind_tell(int fd, const void *addr, socklen_t len)
{
	int r = bind(fd, addr, len);

	for (int i = 0; r < 0 && errno == EADDRINUSE && i < BIND_AGAIN; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
		r = bind(fd, addr, len);
	}
	return r;
}

static int open4(struct err *err)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(GATE_TELL_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return err_errno(err, errno, "a socket for tells");
	if (hear_nobody(fd) == 0 && set(fd, SOL_IP, IP_RECVERR) == 0 &&
	    set(fd, SOL_IP, IP_PKTINFO) == 0 && bind_tell(fd, &addr, sizeof(addr)) == 0)
		return fd;
	r = err_errno(err, errno, "UDP port %d, by which the gate tells the kernel addresses",
		      GATE_TELL_PORT);
	close(fd);
	return r;
}

static int open6(struct err *err)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(GATE_TELL_PORT) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;
	int none = 0;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : err_errno(err, errno, "a socket for tells");
	if (hear_nobody(fd) == 0 && set(fd, SOL_IPV6, IPV6_V6ONLY) == 0 &&
	    set(fd, SOL_IPV6, IPV6_FREEBIND) == 0 &&
	    setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_LOOP, &none, sizeof(none)) == 0 &&
	    bind_tell(fd, &addr, sizeof(addr)) == 0)
		return fd;
	r = err_errno(err, errno,
		      "UDP port %d (IPv6), by which the gate tells the kernel addresses",
		      GATE_TELL_PORT);
	close(fd);
	return r;
}

int gate_tell_open(struct gate_tell **ret_tell, struct err *err)
{
	struct gate_tell tell = { .fd4 = open4(err),
				  .fd6 = -1,
				  .loopback = (int)if_nametoindex("lo") };
	int r;

	if (tell.fd4 < 0)
		return tell.fd4;
	r = open6(err);
	if (r < 0) {
		close(tell.fd4);
		return r;
	}
	if (r > 0)
		tell.fd6 = r;
	*ret_tell = xmalloc(sizeof(tell));
	**ret_tell = tell;
	return 0;
}

void gate_tell_close(struct gate_tell *tell)
{
	if (!tell)
		return;
	close(tell->fd4);
	if (tell->fd6 >= 0)
		close(tell->fd6);
	free(tell);
}

void gate_tell_settle(struct gate_tell *tell)
{
	int error;
	socklen_t len = sizeof(error);

	getsockopt(tell->fd4, SOL_SOCKET, SO_ERROR, &error, &len);
}

int gate_tell_fd(const struct gate_tell *tell)
{
	return tell->fd4;
}

/* ------------------------------------------------------------------ send */

/* The message is the tag, in network byte order. All else is said by who sends it, to whom and where from. */
struct packet {
	uint32_t tag;
	struct iovec part;
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct msghdr msg;
};

static void *control_data(struct packet *packet, int level, int type, size_t len)
{
	struct cmsghdr *cmsg;

	memset(packet->control, 0, sizeof(packet->control));
	packet->msg.msg_control = packet->control;
	packet->msg.msg_controllen = CMSG_SPACE(len);
	cmsg = CMSG_FIRSTHDR(&packet->msg);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	return CMSG_DATA(cmsg);
}

static void write4(struct packet *packet, unsigned ifindex, unsigned port,
		   const struct ipaddr *addr)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)ifindex };

	packet->to.in =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	memcpy(&packet->to.in.sin_addr, addr->b, sizeof(packet->to.in.sin_addr));
	packet->msg =
		(struct msghdr){ .msg_name = &packet->to, .msg_namelen = sizeof(packet->to.in) };
	memcpy(control_data(packet, SOL_IP, IP_PKTINFO, sizeof(info)), &info, sizeof(info));
}

static void write6(struct packet *packet, unsigned ifindex, unsigned port,
		   const struct ipaddr *addr)
{
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };

	packet->to.in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = { { { 0xff, 0x02, [14] = 0x53, [15] = 0x53 } } },
		.sin6_scope_id = ifindex,
	};
	memcpy(&info.ipi6_addr, addr->b, sizeof(info.ipi6_addr));
	packet->msg =
		(struct msghdr){ .msg_name = &packet->to, .msg_namelen = sizeof(packet->to.in6) };
	memcpy(control_data(packet, SOL_IPV6, IPV6_PKTINFO, sizeof(info)), &info, sizeof(info));
}

enum gate_tell_outcome gate_tell_send(struct gate_tell *tell, uint32_t tag, unsigned ifindex,
				      unsigned port, const struct ipaddr *addr)
{
	int fd = addr->family == FAMILY_IPV4 ? tell->fd4 : tell->fd6;
	struct packet packet;

	if (addr->family == FAMILY_IPV4)
		write4(&packet, ifindex, port, addr);
	else
		write6(&packet, ifindex, port, addr);
	packet.tag = htonl(tag);
	packet.part = (struct iovec){ &packet.tag, sizeof(packet.tag) };
	packet.msg.msg_iov = &packet.part;
	packet.msg.msg_iovlen = 1;
	for (int i = 0; i < SEND_AGAIN; i++) {
		if (sendmsg(fd, &packet.msg, MSG_NOSIGNAL) >= 0)
			return GATE_TELL_NO_RULES;
		if (errno == EPERM)
			return GATE_TELL_TAKEN;
		/* It may be of an earlier one, or of an ICMP error that a container has forged: that is over now. */
	}
	return GATE_TELL_FAILED;
}

/* ------------------------------------------------------------------ refusals */

static bool is_reject(const struct cmsghdr *cmsg)
{
	struct sock_extended_err error;

	if (cmsg->cmsg_level != SOL_IP || cmsg->cmsg_type != IP_RECVERR ||
	    cmsg->cmsg_len < CMSG_LEN(sizeof(error)))
		return false;
	memcpy(&error, CMSG_DATA(cmsg), sizeof(error));
	return error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == ICMP_DEST_UNREACH &&
	       error.ee_code == ICMP_PKT_FILTERED;
}

static bool is_from(const struct cmsghdr *cmsg, int ifindex)
{
	struct in_pktinfo info;

	if (cmsg->cmsg_level != SOL_IP || cmsg->cmsg_type != IP_PKTINFO ||
	    cmsg->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
	return info.ipi_ifindex == ifindex;
}

static bool is_refusal(struct msghdr *msg, int loopback)
{
	bool reject = false, ours = false;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		reject |= is_reject(cmsg);
		ours |= is_from(cmsg, loopback);
	}
	return reject && ours;
}

bool gate_tell_refused(struct gate_tell *tell, struct ipaddr *ret_addr, unsigned *ret_port)
{
	for (int i = 0; i < HEAR_MAX; i++) {
		struct sockaddr_in to = { .sin_family = AF_INET };
		char control[256], data[1];
		struct iovec part = { data, sizeof(data) };
		struct msghdr msg = { .msg_name = &to,
				      .msg_namelen = sizeof(to),
				      .msg_iov = &part,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };

		if (recvmsg(tell->fd4, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return false;
		if (!is_refusal(&msg, tell->loopback))
			continue;
		*ret_addr = ipaddr_from_bytes(FAMILY_IPV4, (const uint8_t *)&to.sin_addr);
		*ret_port = ntohs(to.sin_port);
		return true;
	}
	return false;
}
