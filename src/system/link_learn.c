/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/link_learn.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "dockside/base/util.h"

#define NO_LL_LEARN (1u << BR_BOOLOPT_NO_LL_LEARN)

/* By index: its name may be another bridge's by now. */
static void put_request(struct nlmsghdr *nlh, const struct link *bridge)
{
	const struct br_boolopt_multi option = { .optval = NO_LL_LEARN, .optmask = NO_LL_LEARN };
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)bridge->index;
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put(nlh, IFLA_BR_MULTI_BOOLOPT, sizeof(option), &option);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

/* Returns 0 or -errno. */
static int set_option(const struct link *bridge)
{
	char buffer[4096];
	char request[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t n = -1;
	int r = 0;

	if (!nl)
		return -errno;
	put_request(nlh, bridge);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (n < 0 ||
	    mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) == MNL_CB_ERROR)
		r = -errno;
	mnl_socket_close(nl);
	return r;
}

static int check_option(const struct link *bridge, struct err *err)
{
	struct links links;
	const struct link *now;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	now = links_find(&links, bridge->name);
	if (!now || now->index != bridge->index)
		r = err_set(err, ENODEV, "it has gone");
	else if (now->learns)
		r = err_set(err, EOPNOTSUPP,
			    "this kernel has no setting no_linklocal_learn, which is of Linux 5.0");
	links_free(&links);
	return r;
}

int link_learn_stop(const struct link *bridge, struct err *err)
{
	int r = set_option(bridge);

	if (r < 0)
		err_errno(err, -r, "set no_linklocal_learn");
	else
		r = check_option(bridge, err);
	return r < 0 ? err_prefix(err, "bridge %s", bridge->name) : 0;
}
