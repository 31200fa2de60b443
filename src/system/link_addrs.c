/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/link_addrs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"

/* The length of a netmask, whose ones come first. */
static uint8_t mask_length(const struct ipaddr *mask)
{
	uint8_t len = 0;

	while (len < 8 * family_bytes(mask->family) && mask->b[len / 8] & 0x80u >> len % 8)
		len++;
	return len;
}

static void add(struct link_addrs *addrs, const struct ifaddrs *ifa)
{
	struct link_addr item = { 0 };
	struct ipaddr mask;

	if (!ifa->ifa_addr || !ipaddr_from_sockaddr(ifa->ifa_addr, &item.addr))
		return;
	item.prefix = prefix_of_address(&item.addr);
	/* glibc leaves the family of the mask out where the mask is empty. */
	if (ifa->ifa_netmask && ipaddr_from_sockaddr(ifa->ifa_netmask, &mask) &&
	    mask.family == item.addr.family)
		item.prefix = prefix_of(&item.addr, mask_length(&mask));
	snprintf(item.name, sizeof(item.name), "%s", ifa->ifa_name);
	addrs->items = array_grow(addrs->items, &addrs->cap, addrs->n, sizeof(*addrs->items));
	addrs->items[addrs->n++] = item;
}

int link_addrs_read(struct link_addrs *ret_addrs, struct err *err)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return err_errno(err, errno, "ask the kernel for this host's addresses");
	*ret_addrs = (struct link_addrs){ 0 };
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		add(ret_addrs, ifa);
	freeifaddrs(list);
	return 0;
}

void link_addrs_free(struct link_addrs *addrs)
{
	free(addrs->items);
	*addrs = (struct link_addrs){ 0 };
}
