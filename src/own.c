/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/own.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/util.h"

int own_addrs_read(struct own_addrs *ret_addrs, struct err *err)
{
	struct own_addrs addrs = { 0 };
	struct ifaddrs *list;
	size_t cap = 0;

	if (getifaddrs(&list) < 0)
		return err_errno(err, errno, "ask the kernel for this host's addresses");
	for (const struct ifaddrs *item = list; item; item = item->ifa_next) {
		addrs.items = array_grow(addrs.items, &cap, addrs.n, sizeof(*addrs.items));
		if (item->ifa_addr && ipaddr_from_sockaddr(item->ifa_addr, &addrs.items[addrs.n]))
			addrs.n++;
	}
	freeifaddrs(list);
	*ret_addrs = addrs;
	return 0;
}

void own_addrs_free(struct own_addrs *addrs)
{
	free(addrs->items);
	*addrs = (struct own_addrs){ 0 };
}

int own_addrs_watch(int *ret_fd, struct err *err)
{
	const struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = err_errno(err, errno, "listen to changes of this host's addresses");

		if (fd >= 0)
			close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void own_addrs_drain(int fd)
{
	char buffer[8192];

	/* ENOBUFS is but another word for a change. */
	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS || errno == EINTR)
		;
}
