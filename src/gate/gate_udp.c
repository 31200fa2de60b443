/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A redirected question comes to an address of its bridge, and the kernel turns the answer's source back only if it goes
 * out from there: so each answer says where from, and by which interface.
 */
#include "gate_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "gate_message.h"

#define BUNCH 64u
#define BUNCHES 4u	   /* before it is others' turn */
#define QUESTION_MAX 1024u /* bytes: longer ones get no answer */
#define BUFFER_BYTES (8 << 20)

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* For IP_PKTINFO or IPV6_PKTINFO, and the kernel's count of what was lost. */
union control {
	char b[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
	struct cmsghdr align;
};

struct gate_udp {
	int fd;
	sa_family_t family;
	uint32_t lost;
	size_t n_out;
	struct mmsghdr in[BUNCH], out[BUNCH];
	struct iovec in_parts[BUNCH], out_parts[BUNCH];
	union address in_addrs[BUNCH], out_addrs[BUNCH];
	union control in_control[BUNCH], out_control[BUNCH];
	uint8_t questions[BUNCH][QUESTION_MAX];
	uint8_t replies[BUNCH][GATE_UDP_MAX];
};

static void set_up(struct gate_udp *udp)
{
	for (size_t i = 0; i < BUNCH; i++) {
		udp->in_parts[i] = (struct iovec){ udp->questions[i], QUESTION_MAX };
		udp->in[i].msg_hdr = (struct msghdr){ .msg_name = &udp->in_addrs[i],
						      .msg_iov = &udp->in_parts[i],
						      .msg_iovlen = 1,
						      .msg_control = &udp->in_control[i] };
		udp->out[i].msg_hdr = (struct msghdr){ .msg_name = &udp->out_addrs[i],
						       .msg_iov = &udp->out_parts[i],
						       .msg_iovlen = 1,
						       .msg_control = &udp->out_control[i] };
	}
}

int gate_udp_open(int fd, sa_family_t family, struct gate_udp **ret_udp, struct err *err)
{
	int one = 1, size = BUFFER_BYTES;
	struct gate_udp *udp;

	if (setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		       family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one)) < 0)
		return err_errno(err, errno, "UDP socket: IP_PKTINFO");
	/* As much as we get: systemd can give more than we may take. */
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	udp = xcalloc(1, sizeof(*udp));
	udp->fd = fd;
	udp->family = family;
	set_up(udp);
	*ret_udp = udp;
	return 0;
}

void gate_udp_close(struct gate_udp *udp)
{
	if (!udp)
		return;
	close(udp->fd);
	free(udp);
}

int gate_udp_fd(const struct gate_udp *udp)
{
	return udp->fd;
}

/* ------------------------------------------------------------------ in */

static void take_control(struct gate_udp *udp, struct msghdr *msg, struct gate_client *client)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	for (; cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		struct in6_pktinfo info6;
		struct in_pktinfo info;

		if (cmsg->cmsg_level == SOL_IP && cmsg->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			client->ifindex = (unsigned)info.ipi_ifindex;
			client->local =
				ipaddr_from_bytes(FAMILY_IPV4, (const uint8_t *)&info.ipi_addr);
		} else if (cmsg->cmsg_level == SOL_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(cmsg), sizeof(info6));
			client->ifindex = info6.ipi6_ifindex;
			client->local =
				ipaddr_from_bytes(FAMILY_IPV6, (const uint8_t *)&info6.ipi6_addr);
		} else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&udp->lost, CMSG_DATA(cmsg), sizeof(udp->lost));
		}
	}
}

static struct gate_client client_of(struct gate_udp *udp, size_t i)
{
	const union address *from = &udp->in_addrs[i];
	struct gate_client client = { .ifindex = 0 };

	if (udp->family == AF_INET) {
		client.addr = ipaddr_from_bytes(FAMILY_IPV4, (const uint8_t *)&from->in.sin_addr);
		client.port = from->in.sin_port;
	} else {
		client.addr = ipaddr_from_bytes(FAMILY_IPV6, from->in6.sin6_addr.s6_addr);
		client.port = from->in6.sin6_port;
	}
	take_control(udp, &udp->in[i].msg_hdr, &client);
	return client;
}

static int read_bunch(struct gate_udp *udp)
{
	for (size_t i = 0; i < BUNCH; i++) {
		udp->in[i].msg_hdr.msg_namelen = sizeof(udp->in_addrs[i]);
		udp->in[i].msg_hdr.msg_controllen = sizeof(udp->in_control[i]);
	}
	return recvmmsg(udp->fd, udp->in, BUNCH, MSG_DONTWAIT, NULL);
}

void gate_udp_read(struct gate_udp *udp, struct gate_desk *desk, uint64_t now_ms)
{
	int n = (int)BUNCH;

	for (unsigned k = 0; k < BUNCHES && n == (int)BUNCH; k++) {
		uint32_t lost = udp->lost;

		n = read_bunch(udp);
		for (int i = 0; i < n; i++) {
			struct gate_client client = client_of(udp, (size_t)i);
			bool cut = udp->in[i].msg_hdr.msg_flags & MSG_TRUNC;

			gate_desk_ask(desk, &client, udp->questions[i],
				      cut ? 0 : udp->in[i].msg_len, now_ms);
		}
		gate_desk_counts(desk)->lost += udp->lost - lost;
		gate_udp_flush(udp);
	}
}

/* ------------------------------------------------------------------ out */

static void write_head(struct msghdr *msg, union control *control, int level, int type,
		       const void *info, size_t len)
{
	struct cmsghdr *cmsg;

	msg->msg_controllen = CMSG_SPACE(len);
	memset(control->b, 0, msg->msg_controllen);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), info, len);
}

static void address4(struct gate_udp *udp, size_t i, const struct gate_client *client)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)client->ifindex };
	struct sockaddr_in *to = &udp->out_addrs[i].in;

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = client->port };
	memcpy(&to->sin_addr, client->addr.b, sizeof(to->sin_addr));
	memcpy(&info.ipi_spec_dst, client->local.b, sizeof(info.ipi_spec_dst));
	udp->out[i].msg_hdr.msg_namelen = sizeof(*to);
	write_head(&udp->out[i].msg_hdr, &udp->out_control[i], SOL_IP, IP_PKTINFO, &info,
		   sizeof(info));
}

static void address6(struct gate_udp *udp, size_t i, const struct gate_client *client)
{
	struct in6_pktinfo info = { .ipi6_ifindex = client->ifindex };
	struct sockaddr_in6 *to = &udp->out_addrs[i].in6;

	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = client->port };
	memcpy(&to->sin6_addr, client->addr.b, sizeof(to->sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&to->sin6_addr))
		to->sin6_scope_id = client->ifindex;
	memcpy(&info.ipi6_addr, client->local.b, sizeof(info.ipi6_addr));
	udp->out[i].msg_hdr.msg_namelen = sizeof(*to);
	write_head(&udp->out[i].msg_hdr, &udp->out_control[i], SOL_IPV6, IPV6_PKTINFO, &info,
		   sizeof(info));
}

void gate_udp_reply(struct gate_udp *udp, const struct gate_client *client, const uint8_t *reply,
		    size_t len)
{
	size_t i;

	if (udp->n_out == BUNCH)
		gate_udp_flush(udp);
	if (len > GATE_UDP_MAX)
		abort(); /* a reply that is longer than its client takes */
	i = udp->n_out++;
	memcpy(udp->replies[i], reply, len);
	udp->out_parts[i] = (struct iovec){ udp->replies[i], len };
	if (udp->family == AF_INET)
		address4(udp, i, client);
	else
		address6(udp, i, client);
}

/* A reply that cannot be sent, as the client is gone or its network is full, is lost, as any datagram may be. */
void gate_udp_flush(struct gate_udp *udp)
{
	size_t at = 0;

	while (at < udp->n_out) {
		int n = sendmmsg(udp->fd, udp->out + at, (unsigned)(udp->n_out - at),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		at += n > 0 ? (size_t)n : 1;
	}
	udp->n_out = 0;
}
