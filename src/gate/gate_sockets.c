/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "dockside/base/util.h"

#define BUFFER_BYTES (8 << 20)

/* ------------------------------------------------------------------ systemd's */

static int look_at(int fd, struct gate_socket *ret_socket, struct err *err)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(addr);
	int type = 0;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return err_errno(err, errno, "descriptor %d of systemd", fd);
	len = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return err_errno(err, errno, "descriptor %d of systemd", fd);
	if ((addr.ss_family != AF_INET && addr.ss_family != AF_INET6) ||
	    (type != SOCK_STREAM && type != SOCK_DGRAM))
		return err_set(err, EINVAL,
			       "descriptor %d of systemd: wanted UDP and TCP sockets of IPv4 and "
			       "IPv6",
			       fd);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return err_errno(err, errno, "descriptor %d of systemd", fd);
	*ret_socket = (struct gate_socket){ fd, addr.ss_family, type == SOCK_STREAM };
	return 0;
}

static int take_from_systemd(int n, struct gate_socket sockets[GATE_SOCKETS_MAX], struct err *err)
{
	if (n > GATE_SOCKETS_MAX)
		return err_set(err, EINVAL, "systemd hands over %d sockets, wanted at most %d", n,
			       GATE_SOCKETS_MAX);
	for (int i = 0; i < n; i++) {
		int r = look_at(SD_LISTEN_FDS_START + i, &sockets[i], err);

		if (r < 0)
			return r;
		for (int k = 0; k < i; k++)
			if (sockets[k].family == sockets[i].family &&
			    sockets[k].tcp == sockets[i].tcp)
				return err_set(
					err, EINVAL,
					"systemd hands over two sockets of one kind: an IPv6 "
					"one wants BindIPv6Only=ipv6-only");
	}
	return n;
}

/* ------------------------------------------------------------------ our own */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int bind_to(int fd, sa_family_t family, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	return family == AF_INET ? bind(fd, (const struct sockaddr *)&in, sizeof(in))
				 : bind(fd, (const struct sockaddr *)&in6, sizeof(in6));
}

static int open_one(sa_family_t family, bool tcp, unsigned port, struct err *err)
{
	int fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -EAFNOSUPPORT : err_errno(err, errno, "a socket");
	if (tcp)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	else
		set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES); /* as much as we get */
	if ((family == AF_INET || set(fd, SOL_IPV6, IPV6_V6ONLY, 1) == 0) &&
	    bind_to(fd, family, port) == 0)
		return fd;
	r = err_errno(err, errno, "%s port %u (%s)", tcp ? "TCP" : "UDP", port,
		      family == AF_INET ? "IPv4" : "IPv6");
	close(fd);
	return r;
}

int gate_sockets(unsigned port, struct gate_socket ret_sockets[GATE_SOCKETS_MAX], struct err *err)
{
	static const struct gate_socket kinds[] = { { -1, AF_INET, false },
						    { -1, AF_INET, true },
						    { -1, AF_INET6, false },
						    { -1, AF_INET6, true } };
	int n = sd_listen_fds(true);
	int count = 0;

	if (n != 0)
		return n < 0 ? err_errno(err, -n, "sockets of systemd")
			     : take_from_systemd(n, ret_sockets, err);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = open_one(kinds[i].family, kinds[i].tcp, port, err);

		if (fd == -EAFNOSUPPORT && kinds[i].family == AF_INET6)
			continue;
		if (fd < 0) {
			while (count > 0)
				close(ret_sockets[--count].fd);
			return fd;
		}
		ret_sockets[count++] = (struct gate_socket){ fd, kinds[i].family, kinds[i].tcp };
	}
	return count;
}
