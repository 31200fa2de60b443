/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation: a veth's description has the index of its other end (IFLA_LINK) and a number for the network
 * namespace where that is (IFLA_LINK_NETNSID). The kernel gives the number when it is asked, so there always is one; it is
 * absent where both ends are in one namespace, and -1 where the other namespace is being taken down. A
 * question with that number (IFLA_TARGET_NETNSID) is answered from there, to whoever has CAP_NET_ADMIN over
 * it. A macvlan has the same attributes, but they are about the interface that it sits on: only veth counts.
 */
#include "dockside/system/link_peers.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/util.h"
#include "dockside/system/link.h"

#define ETHER_BYTES 6

struct peer {
	bool up;
	unsigned link; /* its other end, which is our port */
	bool has_mac;
	uint8_t mac[ETHER_BYTES];
};

static int parse_peer_attr(const struct nlattr *attr, void *data)
{
	struct peer *peer = data;

	if (mnl_attr_get_type(attr) == IFLA_LINK && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		peer->link = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) != IFLA_ADDRESS ||
	    mnl_attr_get_payload_len(attr) != sizeof(peer->mac))
		return MNL_CB_OK;
	memcpy(peer->mac, mnl_attr_get_payload(attr), sizeof(peer->mac));
	peer->has_mac = true;
	return MNL_CB_OK;
}

static int parse_peer(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct peer *peer = data;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	peer->up = info->ifi_flags & IFF_UP;
	return mnl_attr_parse(nlh, sizeof(*info), parse_peer_attr, peer);
}

/* Returns 0 or -errno. */
static int ask_peer(struct mnl_socket *nl, unsigned seq, const struct link *link,
		    struct peer *ret_peer)
{
	char buffer[32768];
	char request[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	ssize_t n;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = seq;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)link->peer;
	mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)link->namespace);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (n < 0 ||
	    mnl_cb_run(buffer, (size_t)n, seq, mnl_socket_get_portid(nl), parse_peer, ret_peer) < 0)
		return -errno;
	return 0;
}

static bool is_gone(int r)
{
	return r == -ENODEV || r == -EINVAL || r == -ENOENT;
}

/* The other end may go, and another namespace get its number, between the two questions: it has to name our port. */
static int take_peer(struct mnl_socket *nl, unsigned seq, const struct link *link,
		     struct port_link *port, struct err *err)
{
	struct peer peer = { 0 };
	int r = ask_peer(nl, seq, link, &peer);

	if (r < 0 && !is_gone(r))
		return err_errno(err, -r, "ask the kernel for the other end of %s", link->name);
	port->has_mac = r == 0 && peer.up && peer.has_mac && peer.link == link->index;
	memcpy(port->mac, peer.mac, sizeof(port->mac));
	return 0;
}

static bool remembered(const struct ports_history *history, unsigned index)
{
	const struct port_record *record = ports_history_find(history, index);

	return record && record->has_mac;
}

/* ---- bridges, by index ---- */

static int cmp_index(const void *a, const void *b)
{
	const struct link *const *x = a, *const *y = b;

	return (*x)->index < (*y)->index ? -1 : (*x)->index > (*y)->index;
}

/* Returns as many as *ret_n says; the caller frees them. */
static const struct link **bridges_of(const struct links *links, size_t *ret_n)
{
	const struct link **bridges = xcalloc(links->n + 1, sizeof(*bridges));
	size_t n = 0;

	for (size_t i = 0; i < links->n; i++)
		if (links->items[i].bridge)
			bridges[n++] = &links->items[i];
	qsort(bridges, n, sizeof(*bridges), cmp_index);
	*ret_n = n;
	return bridges;
}

static const char *name_of(const struct link *const *bridges, size_t n, unsigned index)
{
	const struct link key = { .index = index }, *pointer = &key;
	const struct link *const *found =
		bsearch(&pointer, bridges, n, sizeof(*bridges), cmp_index);

	return found ? (*found)->name : NULL;
}

/* ---- ports ---- */

static struct port_link *add_port(struct port_links *ports, const struct link *link,
				  const char *bridge)
{
	struct port_link *port;

	ports->items = array_grow(ports->items, &ports->cap, ports->n, sizeof(*ports->items));
	port = &ports->items[ports->n++];
	*port = (struct port_link){
		.index = link->index,
		.peer = link->veth && link->peer != 0 && link->away,
		.up = link->up,
	};
	memcpy(port->name, link->name, sizeof(port->name));
	snprintf(port->bridge, sizeof(port->bridge), "%s", bridge);
	return port;
}

static int read_ports(const struct links *links, const struct ports_history *history,
		      struct mnl_socket *nl, struct port_links *ports, struct err *err)
{
	size_t n_bridges;
	const struct link **bridges = bridges_of(links, &n_bridges);
	unsigned seq = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < links->n; i++) {
		const struct link *link = &links->items[i];
		const char *bridge = name_of(bridges, n_bridges, link->master);
		struct port_link *port = bridge ? add_port(ports, link, bridge) : NULL;

		if (port && port->peer && port->up && link->namespace >= 0 &&
		    !remembered(history, link->index))
			r = take_peer(nl, ++seq, link, port, err);
	}
	free(bridges);
	return r;
}

int link_peers_read(const struct ports_history *history, uint64_t at, struct port_links *ret_links,
		    struct err *err)
{
	struct port_links ports = { .at = at };
	struct links links;
	struct mnl_socket *nl;
	int r = links_read(&links, err);

	if (r < 0)
		return r;
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		r = err_errno(err, errno, "ask the kernel for the ports of bridges");
	else
		r = read_ports(&links, history, nl, &ports, err);
	if (nl)
		mnl_socket_close(nl);
	links_free(&links);
	if (r < 0)
		port_links_free(&ports);
	else
		*ret_links = ports;
	return r;
}
