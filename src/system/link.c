/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"

#define LINKS_TRIES 10

/* An attribute of a bridge's IFLA_INFO_DATA. */
static int parse_bridge(const struct nlattr *attr, void *data)
{
	struct br_boolopt_multi options;
	struct link *link = data;

	if (mnl_attr_get_type(attr) != IFLA_BR_MULTI_BOOLOPT ||
	    mnl_attr_get_payload_len(attr) < sizeof(options))
		return MNL_CB_OK;
	memcpy(&options, mnl_attr_get_payload(attr), sizeof(options));
	link->learns = !(options.optval & 1u << BR_BOOLOPT_NO_LL_LEARN);
	return MNL_CB_OK;
}

/* An attribute of IFLA_LINKINFO, of which the kind is the first. */
static int parse_linkinfo(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0) {
		link->bridge = strcmp(mnl_attr_get_str(attr), "bridge") == 0;
		link->veth = strcmp(mnl_attr_get_str(attr), "veth") == 0;
		link->learns = link->bridge;
	}
	if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && link->bridge)
		return mnl_attr_parse_nested(attr, parse_bridge, link);
	return MNL_CB_OK;
}

/* Not by its alternative names, which the firewall's rules do not know either. */
static int parse_attr(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
	else if (mnl_attr_get_type(attr) == IFLA_MASTER &&
		 mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		link->master = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_LINK && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		link->peer = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID &&
		 mnl_attr_validate(attr, MNL_TYPE_U32) == 0) {
		link->namespace = (int)mnl_attr_get_u32(attr);
		link->away = true;
	} else if (mnl_attr_get_type(attr) == IFLA_CARRIER &&
		   mnl_attr_validate(attr, MNL_TYPE_U8) == 0)
		link->up = mnl_attr_get_u8(attr) != 0;
	else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attr, parse_linkinfo, link);
	return MNL_CB_OK;
}

static int parse_link(const struct nlmsghdr *nlh, void *data)
{
	struct links *links = data;
	struct link *link;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	links->items = array_grow(links->items, &links->cap, links->n, sizeof(*links->items));
	link = &links->items[links->n++];
	*link = (struct link){
		.index = (unsigned)((const struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_index
	};
	return mnl_attr_parse(nlh, sizeof(struct ifinfomsg), parse_attr, link);
}

/* master: 0 for all interfaces, else only its ports (the kernel filters by IFLA_MASTER,
 * rtnetlink(7)). Returns 0 or -errno; -EINTR where the interfaces changed meanwhile. */
static int dump_links(unsigned master, mnl_cb_t cb, void *data)
{
	char buffer[32768]; /* an interface with many virtual functions has a long description */
	char request[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct ifinfomsg *info;
	int r = MNL_CB_OK;

	if (!nl)
		return -errno;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	if (master != 0)
		mnl_attr_put_u32(nlh, IFLA_MASTER, master);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		r = MNL_CB_ERROR;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));

		r = n < 0 ? MNL_CB_ERROR
			  : mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(nl), cb, data);
	}
	r = r == MNL_CB_ERROR ? -errno : 0;
	mnl_socket_close(nl);
	return r;
}

static int cmp_link(const void *a, const void *b)
{
	return strcmp(((const struct link *)a)->name, ((const struct link *)b)->name);
}

int links_read(struct links *ret_links, struct err *err)
{
	struct links links = { 0 };
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < LINKS_TRIES; i++) {
		links.n = 0;
		r = dump_links(0, parse_link, &links);
	}
	if (r < 0) {
		links_free(&links);
		return err_errno(err, -r, "ask the kernel for the interfaces");
	}
	if (links.n > 0)
		qsort(links.items, links.n, sizeof(*links.items), cmp_link);
	*ret_links = links;
	return 0;
}

const struct link *links_find(const struct links *links, const char *name)
{
	struct link key = { 0 };

	if (links->n == 0 || strlen(name) >= sizeof(key.name))
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);
	return bsearch(&key, links->items, links->n, sizeof(key), cmp_link);
}

enum link_kind links_kind(const struct links *links, const char *name)
{
	const struct link *found = links_find(links, name);

	return !found ? LINK_MISSING : found->bridge ? LINK_BRIDGE : LINK_OTHER;
}

const char *links_name(const struct links *links, unsigned index)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->items[i].index == index)
			return links->items[i].name;
	return NULL;
}

void links_free(struct links *links)
{
	free(links->items);
	*links = (struct links){ 0 };
}

/* ---- ports of a bridge ---- */

static int count_link(const struct nlmsghdr *nlh, void *data)
{
	size_t *n = data;

	*n += nlh->nlmsg_type == RTM_NEWLINK;
	return MNL_CB_OK;
}

int link_ports(const char *bridge, size_t *ret_n, struct err *err)
{
	unsigned master = if_nametoindex(bridge);
	size_t n = 0;
	int r;

	*ret_n = 0;
	if (master == 0)
		return 0;
	r = dump_links(master, count_link, &n);
	if (r < 0)
		return err_errno(err, -r, "ask the kernel for the ports of %s", bridge);
	*ret_n = n;
	return 0;
}
