/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/link_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/base/err.h"

int link_watch(unsigned what, struct err *err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int r;

	if (what & LINK_WATCH_LINKS)
		addr.nl_groups |= RTMGRP_LINK;
	if (what & LINK_WATCH_ADDRS)
		addr.nl_groups |= RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	r = err_errno(err, errno, "listen to changes of this host's interfaces");
	if (fd >= 0)
		close(fd);
	return r;
}

/* ENOBUFS: the kernel had no room for a message, which is a change all the same. */
void link_watch_drain(int fd)
{
	char buffer[8192];
	ssize_t n;

	do {
		n = recv(fd, buffer, sizeof(buffer), 0);
	} while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
}
