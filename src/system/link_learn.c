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

int link_learn_stop(const struct link *bridge, struct err *err)
{
	char buffer[4096];
	char request[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t n = -1;
	int r = 0;

	if (!nl)
		return err_errno(err, errno, "bridge %s: set no_linklocal_learn", bridge->name);
	put_request(nlh, bridge);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (n < 0 ||
	    mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) == MNL_CB_ERROR)
		r = err_errno(err, errno, "bridge %s: set no_linklocal_learn", bridge->name);
	mnl_socket_close(nl);
	return r;
}
